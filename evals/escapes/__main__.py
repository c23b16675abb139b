"""The escape suite: `python -m video2reward.evals.escapes [--system] [--time] [--json FILE]`.

For each payload it says which layer stops it: the guard alone, the trial for what the guard lets through, and, with
--system, what becomes of it with the guard off, behind the operating system's layer and among canaries. Honest rewards
must pass guard and trial, every one. --time measures guard and trial.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from video2reward.agent.session import start
from video2reward.agent.toolbox import Tools
from video2reward.evals.drawn_clips import write_subject
from video2reward.evals.escapes.catalogue import Entry, honest, payloads
from video2reward.evals.escapes.layers import by_guard, by_system, by_trial, canaries
from video2reward.memory.errors import BadInput, V2RError
from video2reward.memory.records import MotionTarget, RewardDraft, RewardProgram, RunRequest, TrialReport
from video2reward.sim.config import robot_config
from video2reward.tools.write_reward import examine

GUARD_ALONE = 0.95
MOST_SECONDS = 0.5


def main(argv: list[str] | None = None) -> int:
    """Run the suite; exit 0 where every figure is reached."""
    parser = argparse.ArgumentParser(prog="python -m video2reward.evals.escapes", description=__doc__)
    parser.add_argument("--system", action="store_true", help="also run every payload behind the system's layer alone")
    parser.add_argument("--seconds", type=float, default=3.0, help="the most one payload may run there")
    parser.add_argument("--time", action="store_true", help="measure guard and trial alone")
    parser.add_argument("--part", default="1/1", metavar="K/N", help="the K-th of N parts of the payloads")
    parser.add_argument("--only", default="", help="payloads whose name or aim holds this word")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    arguments = parser.parse_args(argv)
    try:
        if arguments.time:
            figures = _timed(Console(width=140))
        else:
            chosen = [p for p in payloads() if arguments.only in p.name or arguments.only == p.about]
            chosen = _part(chosen, arguments.part)
            figures = _suite(chosen, arguments.system, arguments.seconds, Console(width=150))
    except V2RError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")
    return 0 if figures["reached"] else 1


def _part(entries: list[Entry], which: str) -> list[Entry]:
    """Return every N-th entry, so that parts take about as long as each other. Raises BadInput."""
    try:
        part, parts = map(int, which.split("/"))
        if not 1 <= part <= parts:
            raise ValueError
    except ValueError:
        raise BadInput(f"{which!r} names no part.", "Write 1/3, 2/3 or 3/3.") from None
    return entries[part - 1 :: parts]


def _suite(chosen: list[Entry], system: bool, seconds: float, console: Console) -> dict:
    rows, table = [], Table("payload", "aim", "guard", "trial", "system alone", title="Escape suite")
    ended: dict[str, tuple[str, list[str]]] = {}
    if system:
        with canaries() as birds:
            ended = by_system(chosen, birds, seconds)
    for payload in chosen:
        problem = by_guard(payload)
        trial = "" if problem else by_trial(payload)
        how, leaks = ended.get(payload.name, ("", []))
        stopped = escape(str(problem)[:70]) if problem else "[red]let through[/red]"
        table.add_row(
            payload.name, payload.about, stopped, escape(trial[:40]), f"[red]{leaks}[/red]" if leaks else escape(how)
        )
        rows.append(
            {"name": payload.name, "aim": payload.about, "guard": str(problem or ""), "trial": trial,
             "system": how, "leaks": leaks}
        )  # fmt: skip
    console.print(table)
    refused = _honest(console)
    by_guard_alone = sum(bool(row["guard"]) for row in rows)
    through = [row["name"] for row in rows if not row["guard"] and not row["trial"]]
    leaking = [row["name"] for row in rows if row["leaks"]]
    console.print(
        f"payloads {len(rows)}; stopped by the guard alone {by_guard_alone} ({by_guard_alone / len(rows):.1%}), "
        f"by guard and trial {len(rows) - len(through)}"
    )
    if system:
        console.print(f"system alone: {len(rows) - len(leaking)} of {len(rows)} let nothing out {leaking or ''}")
    console.print(f"honest rewards {len(honest())}; refused {len(refused)} {refused or ''}")
    reached = by_guard_alone >= GUARD_ALONE * len(rows) and not leaking and not refused
    return {
        "payloads": rows, "guard_alone": by_guard_alone, "through": through, "leaking": leaking, "refused": refused,
        "honest": len(honest()), "reached": reached,
    }  # fmt: skip


def _honest(console: Console) -> list[str]:
    refused = []
    for reward in honest():
        if problem := examine(reward.source, target_of(reward)).problem:
            refused.append(reward.name)
            console.print(f"[red]refused[/red] {reward.name}: {problem}")
    return refused


def target_of(reward: Entry) -> MotionTarget:
    """Return the motion that an honest reward is for."""
    robot = robot_config(reward.about)
    trot = reward.about == "go1"
    return MotionTarget(
        robot=robot.name, feet=robot.feet, gait="trot" if trot else "walk", speed_m_s=1.0 if trot else 0.8,
        stride_frequency_hz=2.0 if trot else 1.2, duty_factor=(0.5,) * 4 if trot else (0.62,) * 2,
        phase_offsets=(0.0, 0.5, 0.5, 0.0) if trot else (0.0, 0.5), leg_length_m=robot.leg_length_m, froude=0.4,
    )  # fmt: skip


def _timed(console: Console) -> dict:
    """Measure guard and trial as a run has them, and as one has them who looked at no clip before."""
    from video2reward.sim.guard import check_source
    from video2reward.tools import trials

    guard, both = [], []
    whole, first = _first_of_a_run()
    for reward in honest():
        started = time.perf_counter()
        check_source(reward.source, robot_config(reward.about))
        guard.append(time.perf_counter() - started)
        started = time.perf_counter()
        report: TrialReport = examine(reward.source, target_of(reward))
        both.append(time.perf_counter() - started)
        if report.problem:
            raise V2RError(f"{reward.name} is refused: {report.problem}")
    trials.stop()
    started = time.perf_counter()
    examine(honest()[0].source, target_of(honest()[0]))
    cold = time.perf_counter() - started
    warm = sorted(both)
    figures = {
        "guard_median_s": statistics.median(guard),
        "to_training_s": whole,
        "first_s": first,
        "cold_s": cold,
        "median_s": statistics.median(warm),
        "p95_s": warm[int(0.95 * len(warm))],
        "worst_s": warm[-1],
        "load": os.getloadavg()[0],
        "reached": max(first, warm[int(0.95 * len(warm))]) <= MOST_SECONDS,
    }
    console.print(
        f"guard {1e3 * figures['guard_median_s']:.1f} ms (median of {len(guard)}); guard + trial: first candidate "
        f"of a run {figures['first_s']:.2f} s (points given, {whole:.1f} s from its start to its training), then "
        f"median {figures['median_s']:.3f} s, 95 % {figures['p95_s']:.3f} s, worst "
        f"{figures['worst_s']:.3f} s; one reward alone, which waits for the process, {cold:.2f} s; asked for "
        f"{MOST_SECONDS} s a candidate; load {figures['load']:.1f} on {os.cpu_count()} cores"
    )
    return figures


class _Enough(Exception):
    """The rewards are written; nothing is to be trained."""


class _OnlyWrites(Tools):
    """A run's tools, up to where training would begin; `seconds` are what each candidate's examination took."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def write_reward(self, draft: RewardDraft, target: MotionTarget, folder: Path, attempt: str) -> RewardProgram:
        started = time.perf_counter()
        program = super().write_reward(draft, target, folder, attempt)
        self.seconds.append(time.perf_counter() - started)
        return program

    def train(self, *asked: object) -> None:
        raise _Enough


def _first_of_a_run() -> tuple[float, float]:
    """Return how long a run took up to training, its clip's points given, and of that the first candidate, s."""
    with tempfile.TemporaryDirectory(prefix="v2r-escapes-") as name:
        folder, tools = Path(name), _OnlyWrites()
        clip = write_subject(folder)
        request = RunRequest(clip=clip, keypoints=folder / "points.csv", out=folder / "run", robot="go1")
        started = time.perf_counter()
        try:
            start(request, tools=tools)
        except _Enough:
            return time.perf_counter() - started, tools.seconds[0]
    raise V2RError("the run ended before it trained anything.")


if __name__ == "__main__":
    sys.exit(main())
