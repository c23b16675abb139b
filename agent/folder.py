"""One run's folder as the nodes see it: what lies there of each attempt, and what is added once and only once."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import Field
from video2reward.agent.authors import PriorReward, Unusable
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import (
    Attempt,
    Critique,
    Decision,
    MotionTarget,
    Recollection,
    RewardDraft,
    RewardProgram,
    Steering,
    StoredRecord,
    TrainingRun,
)

TRAINING = "training.json"
R = TypeVar("R", bound=StoredRecord)


class ProposedLap(StoredRecord):
    """The drafts of one lap as the author gave them, and the seconds spent before it began."""

    lap: int
    drafts: tuple[RewardDraft | Unusable, ...]
    failure: str = ""
    begun_wall_s: float = 0.0
    target: MotionTarget | None = Field(None, description="what this lap is for, with all that was asked of the run")
    steering: tuple[Steering, ...] = ()


@dataclass(frozen=True)
class RunFolder:
    """Reads and writes the records of one run by attempt and lap."""

    path: Path

    def attempt(self, name: str) -> Path:
        return self.path / "attempts" / name

    def attempts(self) -> list[Attempt]:
        return sorted(runs.attempts(self.path), key=lambda attempt: (attempt.lap, attempt.candidate))

    def program(self, name: str) -> RewardProgram:
        return runs.load(RewardProgram, self.attempt(name) / "program.json")

    def draft(self, name: str) -> RewardDraft | None:
        path = self.attempt(name) / "draft.json"
        return runs.load(RewardDraft, path) if path.exists() else None

    def training(self, name: str) -> TrainingRun | None:
        """Return what came of a training as it was believed, which is not always what the worker wrote."""
        return _undamaged(TrainingRun, self.attempt(name) / TRAINING)

    def critique(self, name: str) -> Critique | None:
        return _undamaged(Critique, self.attempt(name) / "critique.json")

    def lap(self, lap: int) -> ProposedLap | None:
        return _undamaged(ProposedLap, self.path / "drafts" / f"L{lap}.json")

    def save_lap(self, proposed: ProposedLap) -> None:
        runs.save(proposed, self.path / "drafts" / f"L{proposed.lap}.json")

    def save_training(self, run: TrainingRun) -> None:
        runs.save(run, self.attempt(run.attempt) / TRAINING)

    def save_refused(self, name: str, author: str, reason: str) -> None:
        """Record a candidate that was never written."""
        program = RewardProgram(
            id=name,
            path="reward.py",
            sha256="",
            terms={},
            serves={},
            author=author,
            rationale="",
            status="rejected",
            reason=reason,
        )
        runs.save(program, self.attempt(name) / "program.json")

    def add_decision(self, decision: Decision) -> None:
        """Add a decision to the log, one for each lap."""
        path = self.path / "decisions.jsonl"
        kept = [json.dumps(row) for row in runs.rows(path) if row.get("lap") != decision.lap]
        runs.write_atomic(path, "".join(f"{line}\n" for line in [*kept, decision.model_dump_json()]))

    def parents(self, first: str | None, most: int = 4) -> tuple[PriorReward, ...]:
        """Return the judged attempts with their rewards: `first` first, then the best."""
        judged = [attempt for attempt in self.attempts() if attempt.critique]
        order = sorted(judged, key=lambda attempt: (attempt.id == first, attempt.rank), reverse=True)
        return tuple(
            PriorReward(
                attempt=attempt,
                reward=(self.attempt(attempt.id) / "reward.py").read_text(encoding="utf-8"),
                draft=self.draft(attempt.id),
            )
            for attempt in order[:most]
        )

    def failures(self) -> tuple[str, ...]:
        """Say of each attempt that was refused or broke what was wrong with it, the latest first."""
        said = []
        for attempt in reversed(self.attempts()):
            terms = ", ".join(attempt.program.terms)
            if attempt.program.status == "rejected":
                said.append(f"{attempt.id} ({terms or 'no terms'}) was refused: {attempt.program.reason}")
            elif attempt.training and attempt.training.status not in ("ok", "timeout", "killed"):
                said.append(f"{attempt.id} ({terms}) {attempt.training.status}: {attempt.training.reason}")
        return tuple(said)

    def rewards(self, name: str) -> list[float]:
        """Read the reward curve of a training, leaving out what is not a number."""
        try:
            lines = (self.attempt(name) / "progress.jsonl").read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        values = []
        for line in lines:
            try:
                value = float(json.loads(line)["mean_reward"])
            except (KeyError, TypeError, ValueError):
                continue
            if math.isfinite(value):
                values.append(value)
        return values


def _undamaged(kind: type[R], path: Path) -> R | None:
    """Read a record; None where it is not there or was damaged since: what it said is then found out again."""
    try:
        return runs.load(kind, path)
    except BadInput:
        return None


def prior_of(hit: Recollection) -> PriorReward | None:
    """Read a remembered reward from its folder; None where the folder is gone or damaged since."""
    try:
        attempt = runs.load(Attempt, hit.folder / "attempt.json")
        reward = (hit.folder / "reward.py").read_text(encoding="utf-8")
        path = hit.folder / "draft.json"
        draft = runs.load(RewardDraft, path) if path.exists() else None
    except (OSError, UnicodeDecodeError, BadInput):
        return None
    # Every run has an L1-C1: a remembered attempt bears its run's name too.
    return PriorReward(
        attempt=attempt.model_copy(update={"id": hit.attempt}), reward=reward, draft=draft, recollection=hit
    )
