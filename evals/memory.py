"""`python -m video2reward.evals.memory`: does the memory find, does it find fast, and does what it finds pay?

recall     100 000 attempts in the index: recall@10 against exact search over all of them, and the time of a query
transfer   targets near a remembered one, each run twice with the same seed: with the memory and without.
           How many environment steps does the first candidate take to pass the gates? And remembered policies of
           other gaits, presented as near: are they refused, or accepted and harmful?
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from video2reward.agent.folder import RunFolder
from video2reward.agent.session import start
from video2reward.agent.toolbox import Tools
from video2reward.agent.transfer import tried
from video2reward.memory import runs
from video2reward.memory.index import Index, metadata, opened
from video2reward.memory.motion import OTHER_GAIT, motion_point
from video2reward.memory.recall import Memory
from video2reward.memory.records import (
    Attempt,
    Clip,
    ClipDescription,
    GaitDescriptor,
    MotionTarget,
    QualityReport,
    Recollection,
    RewardProgram,
    RunRequest,
)
from video2reward.memory.words import HashingSpace
from video2reward.sim.config import robot_config

K, QUERIES = 10, 200
_EQUAL = 1e-3
"""Distances that differ by less count as equal, and the better reward of equals comes first."""
GAITS = {"walk": (0.0, 0.5, 0.75, 0.25), "trot": (0.0, 0.5, 0.5, 0.0), "pace": (0.0, 0.5, 0.0, 0.5)}
# (gait, speed in m/s, strides a second, duty): what is remembered; what is wanted is faster or slower by these factors.
REMEMBERED = (("trot", 1.0, 2.3, 0.5), ("pace", 0.9, 2.2, 0.52), ("walk", 0.55, 1.7, 0.64), ("trot", 0.7, 2.0, 0.55),
              ("pace", 0.7, 2.0, 0.56))  # fmt: skip
_FASTER, _QUICKER, _SHORTER = 1.08, 1.05, -0.02


@dataclass(frozen=True)
class Pair:
    """One target and seed: steps of the first candidate without and with the memory; None where it did not pass."""

    target: str
    seed: int
    without: int | None
    with_memory: int | None
    accepted: bool

    @property
    def share(self) -> float | None:
        if self.without is None or self.with_memory is None:
            return None
        return self.with_memory / self.without

    @property
    def harmful(self) -> bool:
        return self.accepted and self.without is not None and (self.share is None or self.share > 1.0)


def main(argv: list[str] | None = None) -> int:
    """Print the figures; exit 0 where each reaches what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m video2reward.evals.memory", description=__doc__)
    parser.add_argument("--only", choices=("recall", "transfer"), default=None)
    parser.add_argument("--attempts", type=int, default=100_000)
    parser.add_argument("--targets", type=int, default=5, choices=range(1, len(REMEMBERED) + 1), metavar="1-5")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, default=None, help="keep the runs in this folder")
    arguments = parser.parse_args(argv)
    reached = True
    if arguments.only != "transfer":
        reached &= recall(arguments.attempts)
    if arguments.only != "recall":
        with tempfile.TemporaryDirectory() as name:
            reached &= transfer(arguments.keep or Path(name), arguments.targets, arguments.seeds)
    return 0 if reached else 1


def recall(num_attempts: int, seed: int = 0) -> bool:
    """Fill an index with made-up attempts of real gaits' shapes; compare its answers with exact search."""
    rng = np.random.default_rng(seed)
    points = []
    for number in range(num_attempts):
        target = _random_target(rng)
        attempt = _attempt(target, passed=bool(rng.random() < 0.5))
        folder = Path(f"run-{number}/attempts/L1-C1")
        points.append((str(number), motion_point(target), metadata(attempt, folder, motion_point(target))))
    vectors = np.stack([point.vector for _, point, _ in points])
    gaits = np.array([point.gait for _, point, _ in points])
    with tempfile.TemporaryDirectory() as name, opened(Path(name), HashingSpace()) as index:
        begun = time.perf_counter()
        index.add_points("quadruped", points)
        print(f"{num_attempts:,} attempts indexed in {time.perf_counter() - begun:.0f} s", flush=True)
        return _queries(index, rng, vectors, gaits)


def _queries(index: Index, rng: np.random.Generator, vectors: np.ndarray, gaits: np.ndarray) -> bool:
    shares, times_ms = [], []
    for number in range(QUERIES + 5):
        wanted = motion_point(_random_target(rng))
        begun = time.perf_counter()
        found = index.candidates(wanted, None, 2 * K)[:K]
        took_ms = 1000.0 * (time.perf_counter() - begun)
        if number < 5:  # the first ones read the index from the disk
            continue
        exact = np.linalg.norm(vectors - wanted.vector, axis=1) + np.where(gaits == wanted.gait, 0.0, OTHER_GAIT)
        limit = float(np.sort(exact)[K - 1])
        # By distance and not by name: of equals any is right.
        shares.append(sum(hit.distance <= limit + _EQUAL for hit in found) / K)
        times_ms.append(took_ms)
    mean, p50, p95 = float(np.mean(shares)), float(np.median(times_ms)), float(np.percentile(times_ms, 95))
    print(f"recall@{K} {mean:.4f} (least {min(shares):.1f}) over {QUERIES} queries; 0.99 is asked for")
    print(f"a query takes p50 {p50:.1f} ms, p95 {p95:.1f} ms; p50 10 ms is asked for", flush=True)
    return mean >= 0.99 and p50 <= 10.0


def transfer(folder: Path, num_targets: int, num_seeds: int) -> bool:
    """Run each target with and without memory; print the shares of steps and the harm."""
    pairs: list[Pair] = []
    print(f"{'target':22}{'seed':>5}{'without':>12}{'with':>12}{'share':>8}  remembered policy", flush=True)
    for number, remembered in enumerate(REMEMBERED[:num_targets]):
        home = folder / f"memory-{number}"
        _run(folder / f"source-{number}", _target(*remembered), 100 + number, Memory(home))
        gait, speed, cadence, duty = remembered
        wanted = _target(gait, speed * _FASTER, cadence * _QUICKER, duty + _SHORTER)
        for seed in range(num_seeds):
            without, _ = _run(folder / f"without-{number}-{seed}", wanted, seed, None)
            # A memory that learned from the seed before would be another memory.
            memory = _Remembered(home)
            with_memory, accepted = _run(folder / f"with-{number}-{seed}", wanted, seed, memory)
            pair = Pair(f"{gait} {wanted.speed_m_s:.2f} m/s", seed, without, with_memory, accepted)
            pairs.append(pair)
            share = "-" if pair.share is None else f"{pair.share:.0%}"
            outcome = ("accepted" if accepted else "refused") + (", harmful" if pair.harmful else "")
            steps = f"{_steps(without):>12}{_steps(with_memory):>12}"
            print(f"{pair.target:22}{seed:5}{steps}{share:>8}  {outcome}", flush=True)
    shares = [pair.share for pair in pairs if pair.share is not None]
    median = statistics.median(shares) if shares else float("nan")
    harmful = sum(pair.harmful for pair in pairs)
    wrong = _wrong_policies_accepted(folder, num_targets)
    print(f"steps to pass with memory: median {median:.0%} of those without, {len(shares)} pairs; 60 % is asked for")
    print(f"harmful hits accepted: {harmful} of {sum(pair.accepted for pair in pairs)}; 0 is asked for")
    print(f"policies of another gait, presented as near: {wrong[0]} of {wrong[1]} accepted", flush=True)
    return bool(shares) and median <= 0.6 and harmful == 0 and wrong[0] == 0


class _Remembered(Memory):
    """A memory that only recalls, so that each trial finds the same one."""

    def remember(self, attempt: Attempt, folder: Path) -> None:
        return None


class _GivenTarget(Tools):
    """The real tools for a target that is known without a clip."""

    def __init__(self, target: MotionTarget) -> None:
        self._target = target

    def describe(self, request: RunRequest, run: Path, progress: Callable[[float], None]) -> ClipDescription:
        target, names = self._target, ("FL", "FR", "RL", "RR")
        clip = Clip(path=request.clip, sha256="0", fps=30.0, duration_s=4.0, width_px=1, height_px=1, num_frames=120)
        gait = GaitDescriptor(
            subject="quadruped", gait=target.gait, stride_frequency_hz=target.stride_frequency_hz,
            duty_factor=dict(zip(names, target.duty_factor, strict=True)),
            phase_offsets=dict(zip(names, target.phase_offsets, strict=True)),
            speed_leg_lengths_s=target.speed_m_s / target.leg_length_m, froude=target.froude,
            leg_length_m_assumed=target.leg_length_m, leg_length_px=1.0,
            stride_frequency_dimensionless=target.stride_frequency_hz * (target.leg_length_m / 9.81) ** 0.5,
        )  # fmt: skip
        description = ClipDescription(
            clip=clip, subject="quadruped", pose_backend="given", frames_used=120, quality=QualityReport(verdict="ok"),
            gait=gait,
        )  # fmt: skip
        runs.save(description, run / "description.json")
        return description

    def retarget(self, gait: GaitDescriptor, robot: str) -> MotionTarget:
        return self._target


def _run(run: Path, target: MotionTarget, seed: int, memory: Memory | None) -> tuple[int | None, bool]:
    """Run one lap of one candidate; return its steps where it passed, and whether it began from the memory."""
    clip = run.parent / "target.txt"
    clip.parent.mkdir(parents=True, exist_ok=True)
    clip.touch()
    request = RunRequest(clip=clip, robot="go1", minutes=30.0, laps=1, candidates=1, seed=seed, out=run)
    start(request, tools=_GivenTarget(target), memory=memory)
    (attempt,) = RunFolder(run).attempts()
    steps = attempt.training.env_steps if attempt.passed and attempt.training else None
    return steps, attempt.recalled_from is not None


def _wrong_policies_accepted(folder: Path, num_targets: int) -> tuple[int, int]:
    """Present each remembered policy for a gait that it does not have; return how many were accepted, of how many."""
    accepted, presented = 0, 0
    for number, (gait, *_) in enumerate(REMEMBERED[:num_targets]):
        attempts = folder / f"source-{number}" / "attempts" / "L1-C1"
        if not (attempts / "policy.pt").is_file():
            continue
        for other, speed, cadence, duty in REMEMBERED[:3]:
            if other == gait:
                continue
            hit = Recollection(
                attempt=f"source-{number}/L1-C1", robot="go1", gait=gait, distance=0.1, near=True, passed=True, gsi=0.8,
                folder=attempts, sentence="presented as near.",
            )  # fmt: skip
            target = _target(other, speed, cadence, duty)
            (judged,) = tried([hit], target, Tools(), lambda kind, **fields: print(json.dumps({kind: fields})))
            presented += 1
            accepted += judged.near
    return accepted, presented


def _target(gait: str, speed_m_s: float, stride_frequency_hz: float, duty: float) -> MotionTarget:
    robot = robot_config("go1")
    return MotionTarget(
        robot="go1", feet=robot.feet, gait=gait, speed_m_s=speed_m_s, stride_frequency_hz=stride_frequency_hz,
        duty_factor=(duty,) * 4, phase_offsets=GAITS[gait], leg_length_m=robot.leg_length_m,
        froude=speed_m_s**2 / (9.81 * robot.leg_length_m),
    )  # fmt: skip


def _random_target(rng: np.random.Generator) -> MotionTarget:
    """Return a gait with the spread that clips have: most near one of three kinds, none alike."""
    gait = str(rng.choice(list(GAITS)))
    base = _target(gait, float(rng.uniform(0.3, 2.0)), float(rng.uniform(1.2, 3.2)), 0.5)
    offsets = (np.array(GAITS[gait]) + rng.normal(0.0, 0.04, 4)) % 1.0
    duty = np.clip(rng.uniform(0.35, 0.75) + rng.normal(0.0, 0.03, 4), 0.1, 0.9)
    changed = {
        "phase_offsets": tuple(float(value) for value in offsets),
        "duty_factor": tuple(float(value) for value in duty),
        "trunk_pitch_rad": float(rng.normal(0.0, 0.1)),
    }
    return base.model_copy(update=changed)


def _attempt(target: MotionTarget, *, passed: bool) -> Attempt:
    program = RewardProgram(
        id="L1-C1", path="reward.py", sha256="0", terms={}, serves={}, author="made up", rationale="",
        status="ok" if passed else "rejected",
    )  # fmt: skip
    return Attempt(id="L1-C1", lap=1, candidate=1, target=target, program=program)


def _steps(steps: int | None) -> str:
    return "not passed" if steps is None else f"{steps:,}"


if __name__ == "__main__":
    sys.exit(main())
