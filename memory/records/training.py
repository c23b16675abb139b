"""Training: what a worker is asked for, and what came of it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from video2reward.memory.records.base import StoredRecord
from video2reward.memory.records.robot import MotionTarget


class TrainingSpec(StoredRecord):
    """Everything a worker needs; `python -m video2reward.sim.train spec.json` fills the folder the spec lies in."""

    attempt: str
    reward: str = Field(description="path of the reward file, relative to the spec")
    target: MotionTarget
    backend: Literal["mujoco"] = "mujoco"
    seed: int = 0
    num_envs: int = 128
    num_threads: int = 1
    max_env_steps: int = 450_000
    max_wall_s: float = 600.0
    checkpoint_every_s: float = 10.0
    stop_when_ready: bool = Field(True, description="end early once the robot keeps the footfalls, the speed, its feet")
    keep_every_steps: int | None = Field(None, gt=0, description="also keep `policy-<steps>.pt` this often")
    warm_start: str | None = None
    weights: dict[str, float] = Field(default_factory=dict, description="weights that override the file's")
    robust: bool = Field(False, description="with pushes, other floors and loads, sensor noise and late commands")


class TrainingRun(StoredRecord):
    """What came of a training. A reward that fails is a status with a reason, never an exception."""

    attempt: str
    status: Literal["ok", "rejected", "diverged", "timeout", "killed"]
    reason: str = ""
    env_steps: int = 0
    wall_s: float = 0.0
    env_steps_per_s: float = 0.0
    checkpoint: str | None = None
    progress: str = "progress.jsonl"
    metrics: dict[str, float] = Field(default_factory=dict)
    term_means: dict[str, float] = Field(default_factory=dict)
    rungs: tuple[str, ...] = Field((), description="what the worker changed on its own, when, and why")

    @property
    def ending(self) -> str:
        """Return how it ended, to follow what it did, or "" where it ran to its end and there is nothing to say."""
        return how_it_ended(self.status, self.reason)


def how_it_ended(status: str, reason: str) -> str:
    """Return the words for a training's status and reason: "; given up at …", ", diverged: …", or ""."""
    if status != "ok":
        return f", {status}: {reason}"
    return f"; {reason}" if reason else ""
