"""Everything a run folder tells, read as far as it can be read: a run may be half finished, killed or damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from video2reward.memory import runs
from video2reward.memory.errors import V2RError
from video2reward.memory.records import (
    Attempt,
    ClipDescription,
    Critique,
    Decision,
    MotionTarget,
    RewardProgram,
    RunRequest,
    RunResult,
    TrainingRun,
    TrainingSpec,
)
from video2reward.tools.critic.curves import Progress, read_progress
from video2reward.tools.critic.evidence import read_rollout
from video2reward.tools.critic.measure import Measurement, measure

R = TypeVar("R", bound=BaseModel)

_MAX_TEXT, _MAX_LOG = 200_000, 32 << 20


@dataclass(frozen=True)
class AttemptStory:
    """One candidate, as far as it came."""

    id: str
    folder: Path
    program: RewardProgram | None
    spec: TrainingSpec | None
    training: TrainingRun | None
    critique: Critique | None
    attempt: Attempt | None
    progress: Progress | None
    source: str
    log_tail: str

    @property
    def rank(self) -> tuple:
        if not self.critique:
            return (False, 0.0, -1.0)
        shut = sum(not gate.passed for gate in self.critique.gates)
        return (self.critique.passed, self.critique.similarity.gsi, -shut + self.critique.similarity.gsi_ungated)

    @property
    def outcome(self) -> str:
        """Say in a word how it ended: passed, gates failed, rejected, diverged, timeout, killed, training, waiting."""
        if self.critique:
            return "passed" if self.critique.passed else "gates failed"
        if self.program and self.program.status == "rejected":
            return "rejected"
        if self.training:
            return "not judged" if self.training.status == "ok" else self.training.status
        return "unfinished" if self.progress else "waiting"


@dataclass(frozen=True)
class RunStory:
    """One run, as far as it came; `trouble` names the files that could not be read."""

    folder: Path
    request: RunRequest | None
    description: ClipDescription | None
    target: MotionTarget | None
    attempts: tuple[AttemptStory, ...]
    best: AttemptStory | None
    confirmed: Critique | None
    decisions: tuple[Decision, ...]
    events: tuple[dict, ...]
    result: RunResult | None
    trouble: tuple[str, ...] = field(default=())

    @property
    def verdict(self) -> Critique | None:
        """Return the verdict that counts: on fresh seeds where there is one."""
        return self.confirmed or (self.best.critique if self.best else None)


def read_story(run: Path) -> RunStory:
    """Read a run folder. Nothing in it has to be there."""
    trouble: list[str] = []
    result = _record(RunResult, run / "result.json", trouble)
    attempts = tuple(_attempt(folder, trouble) for folder in sorted(_folders(run / "attempts"), key=_order))
    named = next((story for story in attempts if result and result.best and story.id == result.best.attempt), None)
    judged = [story for story in attempts if story.critique]
    best = named or max(judged, key=lambda story: story.rank, default=None)
    confirmed = _record(Critique, run / "best" / "critique.json", trouble)
    target = _record(MotionTarget, run / "target.json", trouble)
    if target is None:
        target = next((story.spec.target for story in attempts if story.spec), None)
    return RunStory(
        folder=run,
        request=_record(RunRequest, run / "request.json", trouble),
        description=_record(ClipDescription, run / "description.json", trouble),
        target=target,
        attempts=attempts,
        best=best,
        confirmed=confirmed,
        decisions=tuple(_lines(run / "decisions.jsonl", Decision.model_validate, trouble)),
        events=tuple(_lines(run / "events.jsonl", dict, trouble)),
        result=result,
        trouble=tuple(trouble),
    )


def measured_again(story: RunStory) -> Measurement | None:
    """Measure the best rollout that is still there, for its diagrams; None where there is none to be believed."""
    if story.target is None:
        return None
    folders = [story.folder / "best"] + ([story.best.folder] if story.best else [])
    for folder in folders:
        if (folder / "rollout.npz").is_file():
            try:
                rollout = read_rollout(folder / "rollout.npz")
                if rollout.robot.feet == story.target.feet:
                    return measure(rollout, story.target.travel)
            except V2RError:
                continue
    return None


def _attempt(folder: Path, trouble: list[str]) -> AttemptStory:
    attempt = _record(Attempt, folder / "attempt.json", trouble)
    training = _record(TrainingRun, folder / "training.json", trouble)
    if training is None:
        training = (attempt.training if attempt else None) or _record(TrainingRun, folder / "result.json", trouble)
    return AttemptStory(
        id=folder.name,
        folder=folder,
        program=_record(RewardProgram, folder / "program.json", trouble) or (attempt.program if attempt else None),
        spec=_record(TrainingSpec, folder / "spec.json", trouble),
        training=training,
        critique=_record(Critique, folder / "critique.json", trouble) or (attempt.critique if attempt else None),
        attempt=attempt,
        progress=read_progress(folder / "progress.jsonl"),
        source=_text(folder / "reward.py"),
        log_tail="\n".join(_text(folder / "worker.log").splitlines()[-12:]),
    )


def _order(folder: Path) -> tuple:
    """Sort L2-C1 before L10-C1."""
    lap, _, candidate = folder.name.partition("-")
    numbers = [int(part[1:]) if part[1:].isdigit() else 0 for part in (lap, candidate)]
    return (*numbers, folder.name)


def _folders(root: Path) -> list[Path]:
    return [path for path in root.iterdir() if path.is_dir()] if root.is_dir() else []


def _record(kind: type[R], path: Path, trouble: list[str]) -> R | None:
    if not path.is_file():
        return None
    try:
        return runs.load(kind, path)
    except (V2RError, OSError) as error:
        trouble.append(str(error))
        return None


def _lines(path: Path, make: Callable, trouble: list[str]) -> list:
    made = []
    for number, line in enumerate(_text(path, _MAX_LOG).splitlines(), start=1):
        try:
            made.append(make(json.loads(line)))
        except (ValueError, TypeError, ValidationError):
            trouble.append(f"{path.name} line {number} cannot be read.")
    return made


def _text(path: Path, limit: int = _MAX_TEXT) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(limit)
    except OSError:
        return ""
