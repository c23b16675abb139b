"""Odd clips, made on the spot, and what `describe` says to each: its exit code, its sentence, its time and its memory.

`python -m video2reward.evals.odd_clips [--only KIND ...] [--keep FOLDER]`. A clip counts as handled where the command
ends by itself with one of the expected codes and a sentence, within the bounds of time and memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
from video2reward.evals.drawn_clips import encode, scene, write_points, write_subject

MAX_MEMORY_MB = 1000
MAX_SECONDS = 240.0


@dataclass(frozen=True)
class OddClip:
    """How a clip is made into a folder (the keypoint file beside it is used), and the exit codes that are right."""

    make: Callable[[Path], Path]
    right: tuple[int, ...]
    must_say: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of one clip."""

    kind: str
    exit_code: int
    said: str
    seconds: float
    memory_mb: float
    handled: bool


def main(argv: list[str] | None = None) -> int:
    """Make and describe the clips; return 0 where all were handled."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="KIND", help=", ".join(ODD_CLIPS))
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the clips here")
    arguments = parser.parse_args(argv)
    kinds = arguments.only or list(ODD_CLIPS)
    unknown = [kind for kind in kinds if kind not in ODD_CLIPS]
    if unknown:
        parser.error(f"there is no {unknown[0]!r}; there are {', '.join(ODD_CLIPS)}")
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="v2r-odd-") as temporary:
        for kind in kinds:
            folder = (arguments.keep or Path(temporary)) / kind.replace(" ", "-")
            folder.mkdir(parents=True, exist_ok=True)
            outcome = describe_odd(kind, folder)
            outcomes.append(outcome)
            mark = "ok  " if outcome.handled else "MISS"
            print(
                f"{mark} {kind:16s} exit {outcome.exit_code}  {outcome.seconds:5.1f} s  {outcome.memory_mb:5.0f} MB  "
                f"{outcome.said}",
                flush=True,
            )
    handled = sum(outcome.handled for outcome in outcomes)
    print(f"{handled} of {len(outcomes)} handled")
    return 0 if handled == len(outcomes) else 1


def describe_odd(kind: str, folder: Path) -> Outcome:
    """Make a clip of a kind in `folder` and run `describe` on it in a process of its own."""
    odd = ODD_CLIPS[kind]
    clip = odd.make(folder)
    command = [sys.executable, "-m", "video2reward.agent.cli", "describe", str(clip), "--json"]
    if (points := folder / "points.csv").is_file():
        command += ["--keypoints", str(points)]
    exit_code, printed, complained, seconds, memory_mb = _run(command)
    said = " ".join(complained.split())
    if printed.strip().startswith("{"):
        told = json.loads(printed)
        quality, gait = told["quality"], told["gait"]
        label = f"{gait['label']} {gait['stride_frequency_hz']:.2f} Hz" if gait else "no gait"
        notes = gait["notes"] if gait else []
        said = " ".join([f"{quality['verdict']}: {label}.", *quality["reasons"], *notes])
    one_sentence = bool(said.strip()) and "Traceback" not in said
    handled = (
        exit_code in odd.right
        and one_sentence
        and odd.must_say in said
        and seconds < MAX_SECONDS
        and memory_mb < MAX_MEMORY_MB
    )
    return Outcome(kind, exit_code, said[:170], seconds, memory_mb, handled)


def _run(command: list[str]) -> tuple[int, str, str, float, float]:
    """Return exit code, both outputs, the seconds it took and the most memory in MB that was held."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = psutil.Popen(command, stdout=out, stderr=err)
        memory = 0
        while process.poll() is None:
            try:
                memory = max(memory, process.memory_info().rss)
            except psutil.Error:  # it has just ended
                break
            if time.monotonic() - started > MAX_SECONDS:
                process.kill()
            time.sleep(0.02)
        exit_code = process.wait()
        for file in (out, err):
            file.seek(0)
        return exit_code, out.read(), err.read(), time.monotonic() - started, memory / 2**20


def _without_points(folder: Path, **shown: object) -> Path:
    size = (640, 360)
    return encode(folder / "clip.mp4", scene(size, np.arange(90) / 30, **shown), 30)  # type: ignore[arg-type]


def _portrait(folder: Path) -> Path:
    """A clip filmed with the phone upright: stored lying, with a tag that says to turn it."""
    clip = write_subject(folder, size=(360, 640))
    with av.open(str(clip)) as container:
        upright = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    encode(clip, (np.ascontiguousarray(np.rot90(picture, 1)) for picture in upright), 30)
    clip.write_bytes(rotated(clip.read_bytes(), 90))
    return clip


def rotated(mp4: bytes, degrees: int) -> bytes:
    """Write a rotation into the display matrix of an MP4's track header, as a phone held upright does."""
    a, b, c, d = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    head = mp4.index(b"tkhd") + 4
    start = head + 4 + 4 * 5 + 8 + 8  # version and flags, times and ids, reserved, layer to volume
    matrix = [a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30]
    packed = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    return mp4[:start] + packed + mp4[start + 36 :]


def _alpha(folder: Path) -> Path:
    size, moments_s = (640, 360), np.arange(90) / 30
    write_points(folder, size, moments_s)
    pictures = scene(size, moments_s, flat=True)
    with_alpha = (np.dstack([p, np.where((p < 100).any(-1), 255, 0).astype(np.uint8)]) for p in pictures)
    return encode(folder / "clip.mov", with_alpha, 30, "png", "rgba")


def _hdr(folder: Path) -> Path:
    tags = {"color_primaries": "bt2020", "color_trc": "smpte2084", "colorspace": "bt2020nc", "preset": "ultrafast"}
    return write_subject(folder, codec="libx264", pix_fmt="yuv420p10le", options=tags)


def _sound(folder: Path) -> Path:
    path = folder / "sound.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


def _damaged(folder: Path) -> Path:
    clip = write_subject(folder, codec="libx264")
    content = bytearray(clip.read_bytes())
    middle, length = len(content) // 3, len(content) // 3
    content[middle : middle + length] = np.random.default_rng(0).integers(0, 256, length, dtype=np.uint8).tobytes()
    clip.write_bytes(content)
    return clip


def _cut_off(folder: Path) -> Path:
    clip = write_subject(folder, name="clip.mkv", codec="libx264")
    content = clip.read_bytes()
    clip.write_bytes(content[: int(0.6 * len(content))])
    return clip


def _picture(folder: Path) -> Path:
    path = folder / "photo.png"
    cv2.imwrite(str(path), next(scene((640, 360), np.zeros(1))))
    return path


def _frozen(folder: Path) -> Path:
    return encode(folder / "clip.mp4", scene((640, 360), np.zeros(90)), 30)


ODD_CLIPS = {
    "cuts": OddClip(lambda folder: write_subject(folder, frames=240, cuts=3), (0,), "trot"),
    "8K": OddClip(lambda folder: write_subject(folder, size=(7680, 4320), frames=60, fps=15), (0,), "trot"),
    "10 000 frames": OddClip(lambda folder: write_subject(folder, size=(160, 96), frames=10_000), (0,), "trot"),
    "1 fps": OddClip(lambda folder: write_subject(folder, fps=1, frames=40), (2,)),
    "portrait": OddClip(_portrait, (0,), "trot"),
    "alpha": OddClip(_alpha, (0,), "trot"),
    "HDR": OddClip(_hdr, (0,), "trot"),
    "sound only": OddClip(_sound, (2,), "only sound"),
    "damaged midway": OddClip(_damaged, (0, 2)),
    "cut off mkv": OddClip(_cut_off, (2,), "cut off"),
    "ten animals": OddClip(lambda folder: _without_points(folder, animals=10), (0, 2), "several animals"),
    "empty treadmill": OddClip(lambda folder: _without_points(folder, animals=0, belt=True), (2,)),
    "empty scene": OddClip(lambda folder: _without_points(folder, animals=0), (2,)),
    "cartoon": OddClip(lambda folder: _without_points(folder, flat=True), (0, 2)),
    "still subject": OddClip(lambda folder: write_subject(folder, moving=False), (2,), "refuse"),
    "still picture": OddClip(_picture, (2,), "still picture"),
    "frozen picture": OddClip(_frozen, (2,)),
}

if __name__ == "__main__":
    sys.exit(main())
