"""A run: what was asked for, and what came out."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from video2reward.memory.records.base import GaitLabel, Record, StoredRecord
from video2reward.memory.records.clip import SubjectChoice
from video2reward.memory.records.loop import Steering


class RunRequest(StoredRecord):
    """What was asked, resolved: written into the run folder before anything else happens."""

    clip: Path
    keypoints: Path | None = None
    robot: str = "go1"
    author: str = "offline"
    critic: str = Field("offline", description="who looks at the pictures beside the physics; it changes no gate")
    steering: tuple[Steering, ...] = Field((), description="what is asked for beyond the clip, from the first lap on")
    minutes: float = 10.0
    until: float | None = Field(None, description="when it shall have ended, in seconds since the epoch")
    laps: int = 3
    candidates: int = 2
    most_candidates: int | None = Field(None, gt=0, description="the most rewards, of all laps together")
    env_steps: int | None = Field(None, gt=0, description="the most environment steps, of all trainings together")
    tokens: int | None = Field(None, gt=0, description="the most tokens of language models")
    usd: float | None = Field(None, gt=0, description="the most dollars, by the price table")
    seed: int = 0
    out: Path
    memory: Path | None = None
    slow_motion_factor: float = 1.0
    unsafe: bool = Field(False, description="run foreign code even without the operating system's layer")
    robust: bool = Field(False, description="train with pushes, other floors and loads, sensor noise, late commands")
    subject: SubjectChoice = SubjectChoice()


class Best(Record):
    """The best attempt of a run, as the verdict on fresh seeds found it."""

    attempt: str
    gates: dict[str, bool]
    gsi: float
    E_f: float
    E_beta: float
    E_phi: float
    E_Fr: float
    dtw: float | None
    gait: GaitLabel
    speed_m_s: float
    stride_frequency_hz: float


class Artifacts(Record):
    """Paths within the run folder; None for what does not exist."""

    reward: str | None = None
    policy: str | None = None
    video: str | None = None
    report: str | None = None


class RunResult(BaseModel):
    """The run folder's `result.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)

    schema_: Literal["video2reward.result/1"] = Field("video2reward.result/1", alias="schema")
    status: Literal["passed", "budget", "stopped", "failed"]
    robot: str
    clip: str
    author: str
    laps: int
    candidates: int
    env_steps: int
    tokens: int = Field(0, description="of language models")
    usd: float = Field(0.0, description="what the tokens cost by the price table")
    wall_s: float
    first_pass_s: float | None = Field(None, description="seconds from the command to the first verdict that passed")
    stop_reason: str
    best: Best | None = None
    artifacts: Artifacts = Artifacts()
    notes: tuple[str, ...] = ()
