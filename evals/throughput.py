"""How fast the eyes are, and how much memory they hold: `python -m video2reward.evals.throughput [--minutes 60]`.

A clip of the example dog and, where V2R_CLIPS names the folder of clips, one of a walking person are written at
640×360, `--seconds` long, and described from pixels by the command `describe` in a process of its own, start-up and
all; then the dog again as a clip of `--minutes`. Frames a second are those that were watched over the seconds the
looking took, without the start of Python and its libraries, which is printed beside them.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import av
import psutil
from rich.console import Console
from rich.table import Table
from video2reward.evals.drawn_clips import encode

SIZE = (640, 360)
LEAST_FPS = 30.0
MOST_MEMORY_MB = 1200.0
_PERSON = "people/sports2d_walk_woman_crop.mp4"
_DOG = Path(__file__).parents[1] / "examples" / "dog_trot.mp4"
_CHILD = """
import resource, sys, time
from pathlib import Path
from video2reward.tools.describe import describe_clip
from video2reward.memory.records import SubjectChoice
import cv2, mediapipe, onnxruntime, scipy.ndimage, scipy.signal, video2reward.tools.pose.seeing
wall, cpu = time.perf_counter(), time.process_time()
track, description = describe_clip(sys.argv[1], Path(sys.argv[2]))
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
gait = description.gait.gait if description.gait else "-"
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(track.clip.num_frames, wall, cpu, peak_mb, gait)
"""


@dataclass(frozen=True)
class Speed:
    """What describing one clip took; `busy` is the share of all cores in use just before."""

    name: str
    gait: str
    frames: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    busy: float

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.seconds

    @property
    def passed(self) -> bool:
        return self.frames_per_s >= LEAST_FPS and self.peak_mb <= MOST_MEMORY_MB


def measure_speed(clip: Path, out: Path, name: str) -> Speed:
    """Describe a clip from its pixels in a process of its own."""
    busy = psutil.cpu_percent(1.0) / 100
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, str(clip), str(out)], capture_output=True, text=True, check=True
    )
    frames, seconds, cpu_seconds, peak_mb, gait = child.stdout.split()[-5:]
    return Speed(name, gait, int(frames), float(seconds), float(cpu_seconds), float(peak_mb), busy)


def at_work_size(clip: Path, out: Path, seconds: float) -> Path:
    """Write a clip at 640×360, played over and over for so many seconds."""
    with av.open(str(clip)) as container:
        rate = round(float(container.streams.video[0].average_rate or 30))
        width, height = SIZE
        pictures = [
            frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
            for frame in container.decode(video=0)
        ]
    return encode(out, itertools.islice(itertools.cycle(pictures), round(seconds * rate)), rate, "libx264")


def repeated(clip: Path, out: Path, minutes: float) -> Path:
    """Write a clip's packets over and over, without decoding them, until it lasts so many minutes."""
    with av.open(str(clip)) as source, av.open(str(out), "w") as target:
        stream = source.streams.video[0]
        packets = [
            (bytes(packet), packet.pts, packet.dts, packet.is_keyframe)
            for packet in source.demux(stream)
            if packet.size
        ]
        copied = target.add_stream_from_template(stream)
        step = packets[1][2] - packets[0][2]
        length = step * len(packets)
        times = round(minutes * 60 / float(length * stream.time_base))
        for number in range(times):
            for content, pts, dts, key in packets:
                packet = av.Packet(content)
                packet.pts, packet.dts = pts + number * length, dts + number * length
                packet.time_base = stream.time_base
                packet.is_keyframe = key
                packet.stream = copied
                target.mux(packet)
    return out


def main() -> int:
    """Print frames a second and peak memory; return 0 where all are within bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=os.environ.get("V2R_CLIPS"), help="folder; V2R_CLIPS by default")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the clips whose speed is measured")
    parser.add_argument("--minutes", type=float, default=0.0, help="length of a long clip, for its memory; 0: none")
    options = parser.parse_args()
    speeds = []
    with tempfile.TemporaryDirectory(prefix="video2reward-") as temporary:
        folder = Path(temporary)
        clips = [("animal", _DOG)]
        if options.clips and (Path(options.clips) / _PERSON).is_file():
            clips.append(("person", Path(options.clips) / _PERSON))
        for name, clip in clips:
            short = at_work_size(clip, folder / f"{name}.mp4", options.seconds)
            speeds.append(measure_speed(short, folder / "out", f"{name}, {options.seconds:.0f} s"))
        if options.minutes:
            long = repeated(_DOG, folder / "long.mp4", options.minutes)
            speeds.append(measure_speed(long, folder / "out", f"animal, {options.minutes:.0f} min"))
    table = Table("clip", "gait", "frames watched", "frames/s", "CPU ms/frame", "peak MB", "busy before", "",
                  title=f"the eyes at {SIZE[0]}×{SIZE[1]}, {os.cpu_count()} cores")  # fmt: skip
    for speed in speeds:
        cpu_ms = 1000 * speed.cpu_seconds / speed.frames
        table.add_row(speed.name, speed.gait, str(speed.frames), f"{speed.frames_per_s:.1f}", f"{cpu_ms:.1f}",
                      f"{speed.peak_mb:.0f}", f"{speed.busy:.0%}", "ok" if speed.passed else "MISSED")  # fmt: skip
    Console(width=120).print(table)
    return 0 if all(speed.passed for speed in speeds) else 1


if __name__ == "__main__":
    sys.exit(main())
