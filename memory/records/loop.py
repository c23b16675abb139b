"""The loop: attempts, what is remembered of them, and what is decided after each lap."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from video2reward.memory.records.base import GaitLabel, Record, StoredRecord
from video2reward.memory.records.reward import RewardProgram
from video2reward.memory.records.robot import MotionTarget
from video2reward.memory.records.training import TrainingRun
from video2reward.memory.records.verdict import Critique


class Attempt(StoredRecord):
    """One candidate of one lap, from the reward to the verdict: the unit of memory."""

    id: str
    lap: int
    candidate: int
    target: MotionTarget
    program: RewardProgram
    training: TrainingRun | None = None
    critique: Critique | None = None
    recalled_from: str | None = Field(None, description="the remembered attempt this one started from")

    @property
    def gsi(self) -> float:
        """Return the gated similarity; 0 for what was not judged or did not pass."""
        return self.critique.similarity.gsi if self.critique else 0.0

    @property
    def passed(self) -> bool:
        return bool(self.critique and self.critique.passed)

    @property
    def rank(self) -> tuple[bool, float, float]:
        """Order attempts: passed first, then similarity, then how close the gated-out ones came."""
        if not self.critique:
            return (False, 0.0, -1.0)
        share = sum(gate.passed for gate in self.critique.gates) / max(len(self.critique.gates), 1)
        return (self.passed, self.gsi, share + self.critique.similarity.gsi_ungated)


class Recollection(Record):
    """A remembered attempt that moved, or was meant to move, much like what is wanted now."""

    attempt: str
    robot: str
    gait: GaitLabel
    distance: float = Field(description="in the scaled motion space: below 0.5 near, above 1.5 another motion")
    near: bool
    passed: bool
    gsi: float
    folder: Path = Field(description="the attempt's folder: reward.py, draft.json, policy.pt, attempt.json")
    sentence: str


class Decision(Record):
    """What the agent does next, why, and the numbers it stands on."""

    lap: int
    action: Literal["refine", "explore", "train_longer", "warm_start", "stop"]
    reason: str
    numbers: dict[str, float] = Field(default_factory=dict)
    parent: str | None = Field(None, description="the attempt the next lap starts from")
    ending: Literal["passed", "budget", "stopped", "failed"] | None = Field(
        None, description="set when the action is stop"
    )
    limit: str = Field("", description="the limit of the run's own that left no room for another lap, where one did")
    allowed: tuple[str, ...] = Field((), description="the actions that the rules left to choose from")
    wished: str = Field("", description="what the author wished for, and why, where it was asked")
    overruled: str = Field("", description="why a wish was not followed, or not all of it")
    steering: tuple[str, ...] = Field((), description="what was asked of the run while it ran, in the asker's words")


class Steering(Record):
    """A change that someone asks of a running loop; it is read from `steer.jsonl` when the next lap begins.

    Terms are named as in the reward, or by their kind (`slip`, `bounce`, `speed`, …).
    """

    said: str = Field(description="the words it was asked in")
    weights: dict[str, float] = Field(default_factory=dict, description="new weight by term")
    weight_factors: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    remove_terms: tuple[str, ...] = ()
    speed_factor: float = Field(1.0, ge=0.2, le=3.0)
    cadence_factor: float = Field(1.0, ge=0.3, le=3.0)
    swing_height_factor: float = Field(1.0, ge=0.3, le=3.0)
    wish: str = Field("", description="what only an author that reads can follow")
