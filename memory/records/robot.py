"""Robots: how one was found, what it shall do, and what a policy needs that leaves the house."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from video2reward.memory.records.base import GaitLabel, Record, StoredRecord, Travel


class Servo(Record):
    """One hinge as a person wants to see it: which way it turns, how it stands, its servo and whence its numbers."""

    joint: str
    leg: str
    axis: str
    range_rad: tuple[float, float] | None
    default_rad: float
    kp: float = Field(description="N m/rad")
    torque_limit_n_m: float
    source: str


class RobotInspection(StoredRecord):
    """A robot as it was found."""

    card: Path
    source: str
    kind: str
    trunk: str
    mass_kg: float
    leg_length_m: float
    standing_height_m: float
    stands: bool = Field(description="it stayed up on its servos alone: four legs for two seconds, two for half of one")
    servos: tuple[Servo, ...]
    notes: tuple[str, ...]


class MotionTarget(StoredRecord):
    """The gait carried over to one robot. Tuples follow the robot's own order of feet."""

    robot: str
    feet: tuple[str, ...]
    gait: GaitLabel
    speed_m_s: float
    stride_frequency_hz: float = Field(gt=0)
    duty_factor: tuple[float, ...]
    phase_offsets: tuple[float, ...]
    leg_length_m: float
    froude: float
    travel: Travel = "forward"
    trunk_pitch_rad: float = 0.0
    limb_cycle: dict[str, tuple[tuple[float, float], ...]] = Field(default_factory=dict)
    feasibility: Literal["ok", "adjusted", "infeasible"] = "ok"
    notes: tuple[str, ...] = Field((), description="what was changed on the way from the subject to the robot, and why")


class ObservationPart(Record):
    """One stretch of the observation vector."""

    name: str
    size: int
    scale: float = Field(description="what the quantity is multiplied by")
    what: str = Field(description="the quantity, its frame and its unit")


class PolicyContract(StoredRecord):
    """All that running an exported policy takes: what goes in, in which order, and what its actions mean."""

    robot: str
    control_hz: float
    physics_step_s: float = Field(description="of the model.xml beside it")
    observation: tuple[ObservationPart, ...]
    joint_names: tuple[str, ...]
    default_joint_pos: tuple[float, ...] = Field(description="rad")
    action_scale: tuple[float, ...] = Field(description="rad: joint target = default + scale x action")
    action_limit: float
    command_speed_m_s: float
    stride_frequency_hz: float = Field(description="the gait clock runs through [0, 1) at this rate")
    feet: tuple[str, ...]
    phase_offsets: tuple[float, ...]
    stance_table: tuple[tuple[float, ...], ...] = Field(
        description="per foot, the expected stance over its own phase (clock - offset) mod 1, in equal bins"
    )
    policy_sha256: str
    notes: tuple[str, ...] = ()
