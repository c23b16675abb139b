"""Damaged clips by the hundred: none may crash, hang or eat the memory.

`python -m video2reward.evals.fuzz_clips [--seconds 60] [--seed 0] [--keep FOLDER]`. Small clips of many containers are
mutated (bytes, box sizes, blocks moved, cut, doubled or spliced) and described with a keypoint file, in a process that
is watched from outside. Right is a description or a refusal in the project's own words (V2RError); all else counts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

from video2reward.evals.drawn_clips import write_subject
from video2reward.memory.errors import V2RError

MAX_SECONDS = 20.0
MAX_MEMORY_MB = 1000.0
_SEEDS = (
    ("clip.mp4", "mpeg4", "yuv420p"),
    ("clip.mp4", "libx264", "yuv420p"),
    ("clip.mkv", "libx264", "yuv420p"),
    ("clip.webm", "libvpx", "yuv420p"),
    ("clip.avi", "mpeg4", "yuv420p"),
    ("clip.mov", "png", "rgba"),
    ("clip.gif", "gif", "rgb8"),
    ("clip.ts", "mpeg2video", "yuv420p"),
)
_SIZES = (0, 1, 7, 8, 0x7F, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000, 0xFFFF)

Kind = Literal["described", "refused", "crash", "hang", "memory"]


@dataclass(frozen=True)
class Verdict:
    """What came of one input."""

    kind: Kind
    said: str
    seconds: float
    memory_mb: float


@dataclass
class Tally:
    """What came of all inputs; `failures` name the input and what happened."""

    described: int = 0
    refused: int = 0
    worst_s: float = 0.0
    peak_mb: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def tried(self) -> int:
        return self.described + self.refused + len(self.failures)


def main(argv: list[str] | None = None) -> int:
    """Fuzz for a while and print the count; return 0 where nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave inputs that fail here")
    arguments = parser.parse_args(argv)
    tally = fuzz(arguments.seconds, arguments.seed, arguments.keep)
    for failure in tally.failures:
        print(failure)
    print(
        f"{tally.tried} inputs: {tally.described} described, {tally.refused} refused, "
        f"{len(tally.failures)} failed; "
        f"worst {tally.worst_s:.1f} s, peak {tally.peak_mb:.0f} MB"
    )
    return 1 if tally.failures else 0


def fuzz(seconds: float, seed: int, keep: Path | None = None, max_inputs: int | None = None) -> Tally:
    """Try mutated clips for so many seconds, or until `max_inputs` were tried."""
    rng = random.Random(seed)
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="v2r-fuzz-") as folder:
        seeds = _seed_clips(Path(folder))
        worker = Worker(Path(folder) / "points.csv")
        try:
            end = time.monotonic() + seconds
            while time.monotonic() < end and (max_inputs is None or tally.tried < max_inputs):
                name, content = rng.choice(seeds)
                _, other = rng.choice(seeds)
                mutated = mutate(content, other, rng)
                path = Path(folder) / f"input-{tally.tried}{Path(name).suffix}"
                path.write_bytes(mutated)
                verdict = worker.describe(path)
                tally.worst_s = max(tally.worst_s, verdict.seconds)
                tally.peak_mb = max(tally.peak_mb, verdict.memory_mb)
                tally.described += verdict.kind == "described"
                tally.refused += verdict.kind == "refused"
                if verdict.kind not in ("described", "refused"):
                    if keep is not None:
                        keep.mkdir(parents=True, exist_ok=True)
                        (keep / path.name).write_bytes(mutated)
                    tally.failures.append(f"{verdict.kind}: {path.name} (seed {seed}): {verdict.said}")
                path.unlink()
        finally:
            worker.stop()
    return tally


def mutate(content: bytes, other: bytes, rng: random.Random) -> bytes:
    """Damage a file in one to four ways."""
    damaged = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        if len(damaged) < 16:
            break
        rng.choice(_MUTATIONS)(damaged, other, rng)
    return bytes(damaged)


def _flip(damaged: bytearray, other: bytes, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 4, 32, 256))):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)


def _set_number(damaged: bytearray, other: bytes, rng: random.Random) -> None:
    """Put an extreme number where one may be read: the head of the file holds most of them."""
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(min(len(damaged), rng.choice((64, 2048, len(damaged)))) - 4)
        order: Literal["big", "little"] = rng.choice(("big", "little"))
        damaged[at : at + 4] = rng.choice(_SIZES).to_bytes(4, order)


def _cut(damaged: bytearray, other: bytes, rng: random.Random) -> None:
    del damaged[rng.randrange(8, len(damaged)) :]


def _delete(damaged: bytearray, other: bytes, rng: random.Random) -> None:
    start, stop = _stretch(damaged, rng)
    del damaged[start:stop]


def _double(damaged: bytearray, other: bytes, rng: random.Random) -> None:
    start, stop = _stretch(damaged, rng)
    damaged[start:start] = damaged[start:stop]


def _blank(damaged: bytearray, other: bytes, rng: random.Random) -> None:
    start, stop = _stretch(damaged, rng)
    damaged[start:stop] = bytes([rng.choice((0, 255))]) * (stop - start)


def _splice(damaged: bytearray, other: bytes, rng: random.Random) -> None:
    start, stop = _stretch(damaged, rng)
    at = rng.randrange(max(len(other) - (stop - start), 1))
    damaged[start:stop] = other[at : at + stop - start]


def _stretch(damaged: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(damaged) - 8)
    return start, start + rng.randint(1, max(min(len(damaged) - start, rng.choice((8, 512, 1 << 16))), 1))


_MUTATIONS: tuple[Callable[[bytearray, bytes, random.Random], None], ...] = (
    _flip, _set_number, _set_number, _cut, _delete, _double, _blank, _splice,
)  # fmt: skip


class Worker:
    """A process that describes one clip after the other; a new one is started where it died or had to be killed."""

    def __init__(self, points: Path) -> None:
        self._points = points
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def describe(self, clip: Path) -> Verdict:
        """Return what came of a clip; a process that hangs, dies or grows too large is replaced."""
        started = time.monotonic()
        try:
            self._connection.send(str(clip))
            if not self._connection.poll(MAX_SECONDS):
                self._restart()
                return Verdict("hang", f"no answer after {MAX_SECONDS:.0f} s", MAX_SECONDS, 0.0)
            kind, said, memory_mb = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode
            self._restart()
            return Verdict("crash", f"the process ended with {code}", time.monotonic() - started, 0.0)
        if memory_mb > MAX_MEMORY_MB:
            self._restart()  # a process never shows less than its peak
            kind, said = "memory", f"{memory_mb:.0f} MB"
        return Verdict(kind, said, time.monotonic() - started, memory_mb)

    def stop(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _restart(self) -> None:
        self.stop()
        self._start()

    def _start(self) -> None:
        self._connection, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_work, args=(theirs, self._points), daemon=True)
        self._process.start()
        theirs.close()
        self._connection.recv()  # it has loaded what it needs


def _work(connection: Connection, points: Path) -> None:
    """Describe what is asked for until the other end is closed."""
    from video2reward.tools.describe import describe_clip

    connection.send("ready")
    with tempfile.TemporaryDirectory(prefix="v2r-fuzz-out-") as folder:
        while True:
            try:
                clip = Path(connection.recv())
            except EOFError:
                return
            kind: Kind = "described"
            said = ""
            try:
                describe_clip(clip, Path(folder), keypoints=points)
            except V2RError as error:
                kind, said = "refused", str(error)
            except Exception:
                kind, said = "crash", " ".join(traceback.format_exc().split())[-400:]
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            connection.send((kind, said, peak / (1024 if sys.platform != "darwin" else 1024**2)))


def _seed_clips(folder: Path) -> list[tuple[str, bytes]]:
    seeds = []
    for name, codec, pix_fmt in _SEEDS:
        clip = write_subject(folder, size=(96, 64), frames=48, name=name, codec=codec, pix_fmt=pix_fmt)
        seeds.append((name, clip.read_bytes()))
    return seeds


if __name__ == "__main__":
    sys.exit(main())
