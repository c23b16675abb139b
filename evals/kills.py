"""`python -m video2reward.evals.kills`: kill -9 at random moments; does a run end as if nothing had happened?

One run of three laps is left alone; then as many as `--moments` with the same seed are each killed once: the
orchestrator, the worker, or both, at a moment drawn over the whole run, and the orchestrator is started again where it
died. Each must end with the same attempts, rewards, policies (to the bit), verdicts and decisions, no worker started
more often than it was killed, and no author asked twice. Trainings are real and tiny; the judge is real and looks at
few environments for a short time; physics, guard, graph and report are the real ones.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from video2reward.agent.authors import AuthorBrief
from video2reward.agent.folder import RunFolder
from video2reward.agent.offline import OfflineAuthor
from video2reward.agent.toolbox import Tools
from video2reward.memory import runs
from video2reward.memory.records import (
    Attempt,
    Critique,
    Decision,
    GaitDescriptor,
    MotionTarget,
    RewardDraft,
    RunRequest,
    RunResult,
)
from video2reward.tools.train_policy import WORKER_MODULE
from video2reward.tools.workers import Worker

ROOT = Path(__file__).resolve().parent.parent
LAPS = 3
_ENV_STEPS = 24_576
_GIVE_UP_S = 420.0
_MOST_TRIES = 5
_POLL_S = 0.02
# What a clock says, and so differs from run to run.
_CLOCKED = ("wall_s", "wall_left_s")

Victim = Literal["orchestrator", "worker", "both"]
VICTIMS: tuple[Victim, ...] = ("orchestrator", "worker", "both")


class _TinyAuthor(OfflineAuthor):
    """The offline author, with trainings of a few seconds; it notes that it was asked."""

    def __init__(self, run: Path) -> None:
        self._log = run / "asked.log"

    def propose(self, brief: AuthorBrief, num_candidates: int, seed: int) -> list[RewardDraft]:
        with self._log.open("a") as file:
            file.write(f"{brief.lap}\n")
        drafts = super().propose(brief, num_candidates, seed)
        return [draft.model_copy(update={"max_env_steps": _ENV_STEPS}) for draft in drafts]


class _QuickTools(Tools):
    """The real tools, with a judge that looks at less."""

    def judge(
        self, folder: Path, target: MotionTarget, gait: GaitDescriptor | None, run: Path, seed: int, video: bool
    ) -> Critique:
        from video2reward.tools.render_and_critique import render_and_critique

        return render_and_critique(folder, target, gait=gait, seed=seed, num_envs=8, seconds=4.0, video=False)


@dataclass(frozen=True)
class Kill:
    """One disturbed run and what was found wrong with its end."""

    number: int
    victim: Victim
    at_s: float
    doing: str
    killed: bool
    lasted_s: float
    differs: tuple[str, ...]


def main(argv: list[str] | None = None) -> int:
    """Run the trial and print a line for each kill; exit 0 when every run ended as the undisturbed one."""
    parser = argparse.ArgumentParser(prog="python -m video2reward.evals.kills", description=__doc__)
    parser.add_argument("--moments", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="of the moments; the runs all have seed 0")
    parser.add_argument("--run", type=Path, default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.run:
        return _orchestrate(arguments.run)
    with tempfile.TemporaryDirectory() as name:
        return _trial(Path(name), arguments.moments, random.Random(arguments.seed))


def _trial(scratch: Path, moments: int, chance: random.Random) -> int:
    begun = time.monotonic()
    reference = _prepared(scratch / "undisturbed")
    _wait(_start(reference))
    lasted_s = time.monotonic() - begun
    expected = _end_of(reference)
    attempts = ", ".join(sorted(path.name for path in reference.glob("attempts/*")))
    print(f"undisturbed: {lasted_s:.0f} s, attempts {attempts}, ends with: {expected['decisions'][-1]}", flush=True)
    print(f"{'kill':>4}  {'victim':13}{'at':>7}  {'in the middle of':28}outcome", flush=True)
    failed = 0
    for number in range(1, moments + 1):
        victim = VICTIMS[(number - 1) % len(VICTIMS)]
        for again in range(_MOST_TRIES):
            run = scratch / f"run-{number}-{again}"
            kill = _disturbed(run, number, victim, chance.uniform(0.5, 0.97 * lasted_s), expected)
            if kill.killed:
                break
            # The machine is faster now than it was, and the run had ended: it counts for nothing but its time.
            lasted_s = min(lasted_s, kill.lasted_s)
        wrong = kill.differs if kill.killed else ("nobody was there to be killed", *kill.differs)
        failed += bool(wrong)
        outcome = "; ".join(wrong) or "ended as undisturbed"
        print(f"{number:4}  {kill.victim:13}{kill.at_s:5.1f} s  {kill.doing:28}{outcome}", flush=True)
    print(f"{moments - failed} of {moments} runs resumed and ended as the undisturbed one", flush=True)
    return 1 if failed else 0


def _disturbed(run: Path, number: int, victim: Victim, at_s: float, expected: dict[str, object]) -> Kill:
    process, begun = _start(_prepared(run)), time.monotonic()
    killed_workers: list[str] = []
    killed = False
    while process.poll() is None and time.monotonic() - begun < at_s:
        time.sleep(_POLL_S)
    # A worker lives only in a part of a run: its killer waits for the next one, and takes the last where none comes.
    while victim == "worker" and process.poll() is None and not _alive(run):
        time.sleep(_POLL_S)
    at_s, doing = time.monotonic() - begun, _doing(run)
    if victim in ("orchestrator", "both") and process.poll() is None:
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed = True
    if victim in ("worker", "both"):
        for worker in _alive(run):
            if pid := worker.pid():
                os.killpg(pid, signal.SIGKILL)
                killed_workers.append(worker.folder.name)
    if process.poll() is not None and process.returncode != 0:
        process = _start(run)
    _wait(process)
    differs = _differences(_end_of(run), expected) + _repeated(run, killed_workers)
    return Kill(
        number, victim, at_s, doing, killed or bool(killed_workers), time.monotonic() - begun, tuple(differs)
    )  # fmt: skip


def _prepared(run: Path) -> Path:
    clip = ROOT / "examples" / "dog_trot.mp4"
    request = RunRequest(
        clip=clip, keypoints=clip.with_name("dog_trot_keypoints.csv"), robot="go1", minutes=60.0, laps=LAPS,
        candidates=1, seed=0, out=run,
    )  # fmt: skip
    runs.save(request, runs.create(run) / "request.json")
    return run


def _start(run: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "video2reward.evals.kills", "--run", str(run)]
    with (run / "agent.log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _orchestrate(run: Path) -> int:
    from video2reward.agent.session import resume

    resume(run, tools=_QuickTools(), author=_TinyAuthor(run))
    return 0


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_GIVE_UP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _alive(run: Path) -> list[Worker]:
    workers = (Worker(folder, WORKER_MODULE) for folder in sorted(run.glob("attempts/*")))
    return [worker for worker in workers if worker.state() == "running" and worker.pid()]


def _doing(run: Path) -> str:
    try:
        event = json.loads((run / "events.jsonl").read_text().splitlines()[-1])
    except (OSError, ValueError, IndexError):
        return "its start"
    return f"{event['kind']} {event.get('attempt', '')}".strip()


def _end_of(run: Path) -> dict[str, object]:
    """Return all that must not depend on a kill."""
    disk = RunFolder(run)
    try:
        result = runs.load(RunResult, run / "result.json")
        lines = (run / "decisions.jsonl").read_text().splitlines()
    except Exception as error:
        return {"end": f"no end: {error}", "decisions": [""]}
    decisions = [Decision.model_validate_json(line) for line in lines]
    return {
        "status": result.status,
        "stop reason": result.stop_reason,
        "best": result.best,
        "report": result.artifacts.report,
        "attempts": [_attempt(disk, attempt) for attempt in disk.attempts()],
        "decisions": [_decision(decision) for decision in decisions],
    }


def _attempt(disk: RunFolder, attempt: Attempt) -> tuple[object, ...]:
    training, critique = attempt.training, attempt.critique
    policy = disk.attempt(attempt.id) / "policy.pt"
    return (
        attempt.id,
        attempt.program.sha256,
        attempt.program.parent,
        training and (training.status, training.env_steps, training.metrics.get("mean_reward")),
        _weights_sha(policy),
        critique and (critique.passed, critique.gates, critique.similarity, critique.robot),
    )


def _weights_sha(policy: Path) -> str:
    """Return a digest of a policy's numbers: the file around them holds more than they."""
    import hashlib

    import torch

    if not policy.is_file():
        return "none"
    state = torch.load(policy, map_location="cpu", weights_only=True)["actor_state_dict"]
    digest = hashlib.sha256()
    for name in sorted(state):
        digest.update(name.encode() + state[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def _decision(decision: Decision) -> str:
    numbers = {name: value for name, value in decision.numbers.items() if name not in _CLOCKED}
    return decision.model_copy(update={"numbers": numbers}).model_dump_json()


def _differences(found: dict[str, object], expected: dict[str, object]) -> list[str]:
    if "end" in found:
        return [str(found["end"])]
    return [f"other {name}" for name, value in expected.items() if found.get(name) != value]


def _repeated(run: Path, killed: Sequence[str]) -> list[str]:
    """Say what was done more often than it had to be."""
    wrong = []
    for folder in sorted(run.glob("attempts/*")):
        starts, allowed = Worker(folder, WORKER_MODULE).num_starts(), 1 + killed.count(folder.name)
        # One killed after it had left its result is not started again.
        if not 1 <= starts <= allowed:
            wrong.append(f"{folder.name} was trained {starts} times, and {allowed} is the most")
    trained = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    counts = [event["attempt"] for event in trained if event["kind"] == "trained"]
    wrong += [f"{name} was counted {counts.count(name)} times" for name in set(counts) if counts.count(name) > 1]
    asked = (run / "asked.log").read_text().split()
    # An author killed in the middle of its answer is asked again; one whose answer was kept is not.
    laps = [lap for lap in set(asked) if asked.count(lap) > 2]
    return wrong + [f"the author was asked {asked.count(lap)} times for lap {lap}" for lap in laps]


if __name__ == "__main__":
    sys.exit(main())
