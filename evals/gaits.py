"""Train and judge every gait on every robot: `python -m video2reward.evals.gaits`, and print the table.

Each gait's target is handed to the offline author, whose first reward is trained in the usual worker, to the end of
the steps the author asks for. What is judged is the final checkpoint, on 64 fresh environments, physics at 5 ms.
Checkpoints kept on the way tell how long it took until a policy passed the gates for the first time.

Trainings run one at a time with a thread for each of two cores, so that `seconds` are what a user waits; with
`--parallel 2` two run side by side on one thread each, which takes less time for the table and more for each row.
Dogs from motion capture come from the folder that V2R_CLIPS names and are left out, aloud, without it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import date
from importlib.metadata import version
from pathlib import Path

from video2reward.agent.authors import AuthorBrief
from video2reward.agent.offline import OfflineAuthor
from video2reward.evals.gait_targets import Case, mocap_cases, synthetic_cases
from video2reward.memory.records import Critique, GaitLabel, Record, TrainingRun, TrainingSpec
from video2reward.tools.critic.curves import read_progress
from video2reward.tools.render_and_critique import judge_rollout, render_and_critique
from video2reward.tools.train_policy import submit, train_policies
from video2reward.tools.workers import WORK
from video2reward.tools.write_reward import write_reward

JUDGE_SEED = 77_000
"""Far from the seeds of training, which count from 1."""
KEEP_EVERY_STEPS = 25_000
_PROMISING_FALLS_PER_MIN = 8.0


class Row(Record):
    """One training of one gait, as its final checkpoint was judged."""

    name: str
    robot: str
    seed: int
    wanted: tuple[GaitLabel, ...]
    label: GaitLabel
    passed: bool
    failed_gates: tuple[str, ...]
    gsi: float
    E_f: float
    E_beta: float
    E_phi: float
    E_Fr: float
    dtw: float | None
    chatter: float
    env_steps: int
    seconds: float
    first_pass_s: float | None
    first_pass_steps: int | None
    first_pass_sought: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def right_label(self) -> bool:
        return self.label in self.wanted


def main(argv: list[str] | None = None) -> int:
    """Measure the gaits asked for and print the table; exit 0 when every gait passed with its own name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=None, help="names of gaits; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=None, help="environment steps, instead of the author's own")
    parser.add_argument("--final-only", action="store_true", help="do not look for the first checkpoint that passes")
    parser.add_argument("--parallel", type=int, choices=(1, 2), default=1)
    parser.add_argument(
        "--json", type=Path, default=None, help="keep the rows here; rows already there stay or give way"
    )
    parser.add_argument("--markdown", type=Path, default=None, help="write the table here as well")
    parser.add_argument("--out", type=Path, default=None, help="keep the trainings here")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="video2reward-gaits-") as scratch:
        cases = [case for case in all_cases(Path(scratch)) if arguments.only is None or case.name in arguments.only]
        out = arguments.out or Path(scratch)
        rows = kept_rows(arguments.json)
        seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
        jobs = [(case, seed) for case in cases for seed in seeds]
        for first in range(0, len(jobs), arguments.parallel):
            for row in measure(jobs[first : first + arguments.parallel], out, arguments.steps, arguments.final_only):
                print(line(row), flush=True)
                rows = [kept for kept in rows if (kept.name, kept.seed) != (row.name, row.seed)] + [row]
                if arguments.json:
                    text = json.dumps({"machine": machine(), "rows": [r.model_dump() for r in rows]}, indent=1)
                    arguments.json.write_text(text + "\n")
    order = [case.name for case in synthetic_cases()]
    rows.sort(key=lambda row: (order.index(row.name) if row.name in order else -1, row.name, row.seed))
    text = table(rows)
    print("\n" + text)
    if arguments.markdown:
        arguments.markdown.write_text(text, encoding="utf-8")
    return 0 if rows and all(row.passed and row.right_label for row in rows) else 3


def all_cases(scratch: Path) -> list[Case]:
    """Return every gait that can be measured here."""
    clips = os.environ.get("V2R_CLIPS")
    if clips:
        return mocap_cases(Path(clips), scratch) + synthetic_cases()
    print("V2R_CLIPS is not set: the dogs from motion capture are left out", file=sys.stderr)
    return synthetic_cases()


def measure(
    jobs: list[tuple[Case, int]], out: Path, max_env_steps: int | None = None, final_only: bool = False
) -> Iterable[Row]:
    """Train the jobs side by side, then judge each."""
    specs = [prepare(case, seed, out / f"{case.name}-{seed}", 2 // len(jobs), max_env_steps) for case, seed in jobs]
    trained = train_policies(specs, parallel=len(jobs))
    for (case, seed), spec, run in zip(jobs, specs, trained, strict=True):
        yield judged(case, seed, spec.parent, run, final_only)


def prepare(case: Case, seed: int, folder: Path, num_threads: int, max_env_steps: int | None = None) -> Path:
    """Write reward and spec of one training; return the spec's path."""
    draft = OfflineAuthor().propose(AuthorBrief(target=case.target, lap=1), 1, 0)[0]
    program = write_reward(draft, case.target, folder, attempt=case.name)
    if program.status != "ok":
        raise RuntimeError(f"the offline author's reward for {case.name} was refused: {program.reason}")
    spec = TrainingSpec(
        attempt=case.name,
        reward="reward.py",
        target=case.target,
        seed=seed,
        num_threads=num_threads,
        max_env_steps=max_env_steps or draft.max_env_steps or 600_000,
        stop_when_ready=False,
        keep_every_steps=KEEP_EVERY_STEPS,
    )
    return submit(spec, folder)


def judged(case: Case, seed: int, folder: Path, run: TrainingRun, final_only: bool = False) -> Row:
    """Judge the final checkpoint of a training, and find when it first passed."""
    if run.checkpoint is None:
        raise RuntimeError(f"{case.name} with seed {seed} left no policy: {run.status}, {run.reason}")
    critique = render_and_critique(folder, case.target, seed=JUDGE_SEED + seed)
    first = None
    if not final_only:
        slow = 0.4 * abs(case.target.speed_m_s)
        first = first_pass(folder, lambda policy: quick_verdict(policy, case, seed).passed, slow)
    if first is None and critique.passed and not final_only:
        first = run.env_steps, run.wall_s
    similarity = critique.similarity
    return Row(
        name=case.name,
        robot=case.target.robot,
        seed=seed,
        wanted=case.labels,
        label=critique.robot.gait,
        passed=critique.passed,
        failed_gates=tuple(gate.name for gate in critique.gates if not gate.passed),
        gsi=similarity.gsi,
        E_f=similarity.E_f,
        E_beta=similarity.E_beta,
        E_phi=similarity.E_phi,
        E_Fr=similarity.E_Fr,
        dtw=similarity.dtw,
        chatter=max(critique.robot.chatter),
        env_steps=run.env_steps,
        seconds=run.wall_s,
        first_pass_s=first[1] if first else None,
        first_pass_steps=first[0] if first else None,
        first_pass_sought=not final_only,
        remarks=run.rungs,
    )


def first_pass(folder: Path, passes: Callable[[Path], bool], slow_m_s: float = 0.0) -> tuple[int, float] | None:
    """Return steps and seconds of the first kept checkpoint that passes.

    Those that fell all the time while they were trained, or were slower than `slow_m_s`, are not asked.
    """
    progress = read_progress(folder / "progress.jsonl")
    if progress is None:
        return None
    falls, speed = progress.headline["falls a minute"], abs(progress.headline["speed, m/s"])
    at = {int(steps): index for index, steps in enumerate(progress.env_steps)}
    for policy in sorted((folder / WORK).glob("policy-*.pt")):
        steps = int(policy.stem.removeprefix("policy-"))
        promising = steps in at and falls[at[steps]] <= _PROMISING_FALLS_PER_MIN and not speed[at[steps]] < slow_m_s
        if promising and passes(policy):
            return steps, float(progress.wall_s[at[steps]])
    return None


def quick_verdict(policy: Path, case: Case, seed: int) -> Critique:
    """Judge one kept checkpoint like any other, in this process and without leaving files."""
    import numpy as np
    from video2reward.sim.rollout import roll_out

    num_envs, seconds = 64, 10.0
    arrays = roll_out(
        policy, case.target, num_envs=num_envs, seconds=seconds, seed=JUDGE_SEED + 500 + seed, num_threads=2
    )
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "rollout.npz"
        np.savez(path, **arrays)
        return judge_rollout(path, case.target, attempt=case.name)


def kept_rows(path: Path | None) -> list[Row]:
    """Return the rows of an earlier call."""
    if path is None or not path.exists():
        return []
    return [Row.model_validate(row) for row in json.loads(path.read_text())["rows"]]


def machine() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("mujoco", "torch", "rsl-rl-lib"))
    return f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def line(row: Row) -> str:
    """Return a row as it is shown while the table grows."""
    first = f", first pass {_seconds(row.first_pass_s)} s" if row.first_pass_sought else ""
    dtw = "-" if row.dtw is None else f"{row.dtw:.3f}"
    verdict = "passed" if row.passed else f"failed ({', '.join(row.failed_gates)})"
    remarks = f"  [{'; '.join(row.remarks)}]" if row.remarks else ""
    return (
        f"{row.name:20} seed {row.seed}  {verdict}, {row.label}  GSI {row.gsi:.2f}  E_f {row.E_f:.3f}  "
        f"E_beta {row.E_beta:.3f}  E_phi {row.E_phi:.3f}  E_Fr {row.E_Fr:.3f}  chatter {row.chatter:.0%}  "
        f"DTW {dtw}  {row.env_steps:,} steps in {row.seconds:.0f} s{first}{remarks}"
    )


def table(rows: list[Row]) -> str:
    """Return the markdown table: one line a gait, medians over its seeds."""
    columns = ["gait", "passed", "label right", "GSI", "E_f", "E_β", "E_φ", "E_Fr", "DTW", "chatter", "first pass, s",
               "worst", "env steps", "s"]  # fmt: skip
    lines = [*heading(rows), "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name in dict.fromkeys(row.name for row in rows):
        group = [row for row in rows if row.name == name]

        def mid(get: Callable[[Row], float], digits: int, group: list[Row] = group) -> str:
            return f"{statistics.median(get(row) for row in group):,.{digits}f}"

        sought = [row.first_pass_s if row.first_pass_s is not None else float("inf") for row in group
                  if row.first_pass_sought]  # fmt: skip
        distances = [row.dtw for row in group if row.dtw is not None]
        cells = [
            name,
            f"{sum(row.passed for row in group)} of {len(group)}",
            f"{sum(row.right_label for row in group)} of {len(group)}",
            mid(lambda row: row.gsi, 2),
            mid(lambda row: row.E_f, 3),
            mid(lambda row: row.E_beta, 3),
            mid(lambda row: row.E_phi, 3),
            mid(lambda row: row.E_Fr, 3),
            f"{statistics.median(distances):.3f}" if distances else "-",
            f"{statistics.median(row.chatter for row in group):.0%}",
            _seconds(statistics.median(sought)) if sought else "-",
            _seconds(max(sought)) if sought else "-",
            mid(lambda row: row.env_steps, 0),
            mid(lambda row: row.seconds, 0),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def heading(rows: list[Row]) -> list[str]:
    """Return what a reader of the table must know."""
    seeds = sorted({row.seed for row in rows})
    return [
        "# Gaits",
        "",
        f"Printed by `python -m video2reward.evals.gaits --markdown GAITS.md` on {date.today()}: {machine()}.",
        "",
        "The offline author's first reward of each gait, trained to the end of its steps; the final policy, judged on "
        f"64 fresh environments, physics at 5 ms. Seeds {', '.join(map(str, seeds))}, two trainings side by side where "
        "the command says `--parallel 2`. Medians over seeds; GSI is 0 where a gate failed. *First pass*: when a kept "
        "checkpoint first passed, `-` where nobody looked; *s* is what the training took, the machine busy or not.",
    ]


def _seconds(value: float | None) -> str:
    return "never" if value in (None, float("inf")) else f"{value:.0f}"


if __name__ == "__main__":
    sys.exit(main())
