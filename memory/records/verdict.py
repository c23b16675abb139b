"""Judgement: gates, similarity and findings on a frozen policy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from video2reward.memory.records.base import GaitLabel, Record, StoredRecord, Unit


class Gate(Record):
    """One thing that must hold before similarity counts."""

    name: Literal["survives", "strict_steps", "speed", "posture"]
    passed: bool
    value: float
    needed: str
    sentence: str


class RobotGait(Record):
    """How the robot moves, from true simulator state; tuples follow the robot's order of feet."""

    gait: GaitLabel
    speed_m_s: float
    stride_frequency_hz: float
    duty_factor: tuple[float, ...]
    phase_offsets: tuple[float, ...]
    froude: float
    survival: Unit
    lifted_steps_hz: tuple[float, ...]
    raw_touchdowns_hz: tuple[float, ...]
    chatter: tuple[float, ...]
    limb_cycle: dict[str, tuple[tuple[float, float], ...]] = Field(default_factory=dict)


class Similarity(Record):
    """The errors of evaluation, and GSI = gate · exp(-(E_f/0.1 + E_beta/0.1 + E_phi/0.1 + E_Fr/0.25)/4)."""

    gsi: float
    gsi_ungated: float
    E_f: float
    E_beta: float
    E_phi: float
    E_Fr: float
    dtw: float | None = Field(None, description="mean path-normalised DTW over joints, leg lengths")
    fastdtw: float | None = Field(None, description="un-normalised, as Video2Reward reports it")
    asked: dict[str, float] = Field(
        {},
        description="the same errors, and gsi, of a robot that does exactly what its target asks; empty means none and "
        "1: a target that was cut down to what the robot can do lies away from the clip itself",
    )

    @property
    def reachable_gsi(self) -> float:
        """The similarity of a robot that does exactly what it was asked to do."""
        return self.asked.get("gsi", 1.0)


class Finding(Record):
    """One thing the critic saw, tied to a moment and a number."""

    time_s: float | None
    quantity: str
    value: float
    wanted: float | None = None
    sentence: str
    source: str = Field("physics", description="who saw it: physics, or the model that looked at the pictures")


class PushTest(Record):
    """How a policy takes being pushed: what the gates do not ask, and hardware will."""

    push_m_s: float = Field(description="each push changes the trunk's horizontal velocity by up to this much")
    every_s: float
    survival: Unit
    num_envs: int
    seconds: float


class Critique(StoredRecord):
    """The verdict on a frozen policy. The gates rule: no judge can pass what they fail."""

    attempt: str
    passed: bool
    gates: tuple[Gate, ...]
    similarity: Similarity
    robot: RobotGait
    findings: tuple[Finding, ...] = ()
    advice: tuple[str, ...] = ()
    verdict: str
    num_envs: int
    seconds: float
    seed: int
    artifacts: dict[str, str] = Field(default_factory=dict, description="rollout, video, footfalls: paths by name")
    pushed: PushTest | None = None
