"""What the rest of the house may know about a robot without importing a simulator: names, order, sizes, rates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from video2reward.memory.errors import BadInput

GRAVITY_M_S2 = 9.81


@dataclass(frozen=True)
class RobotConfig:
    """A legged robot. Joint tuples follow the order of the MJCF's actuators, foot tuples the order of `feet`.

    `leg_length_m` is the standing height of the hip pitch axis over the ground: the L of Froude scaling. It and
    `standing_height_m` (the trunk's origin) were measured after two seconds of standing on soft gains; the `home` key,
    its joints not yet sagging, stands a little higher.
    """

    name: str
    kind: Literal["quadruped", "biped"]
    mjcf: str
    feet: tuple[str, ...]
    joint_names: tuple[str, ...]
    default_joint_pos: tuple[float, ...]
    action_scale: tuple[float, ...]
    leg_length_m: float
    standing_height_m: float
    fall_height_m: float
    foot_radius_m: float
    contact_force_n: float
    control_hz: float = 50.0

    @cached_property
    def mjcf_path(self) -> Path:
        return Path(__file__).parent / "robots" / self.mjcf

    @property
    def num_joints(self) -> int:
        return len(self.joint_names)

    @property
    def num_feet(self) -> int:
        return len(self.feet)


_GO1_LEGS = ("FL", "FR", "RL", "RR")
_G1_LEG = ("hip_pitch", "hip_roll", "hip_yaw", "knee", "ankle_pitch", "ankle_roll")

GO1 = RobotConfig(
    name="go1",
    kind="quadruped",
    mjcf="go1.xml",
    feet=_GO1_LEGS,
    joint_names=tuple(f"{leg}_{part}_joint" for leg in _GO1_LEGS for part in ("hip", "thigh", "calf")),
    default_joint_pos=(-0.1, 0.9, -1.8, 0.1, 0.9, -1.8) * 2,
    action_scale=(0.15, 0.25, 0.25) * 4,
    leg_length_m=0.256,
    standing_height_m=0.261,
    fall_height_m=0.16,
    foot_radius_m=0.023,
    contact_force_n=1.0,
)

G1 = RobotConfig(
    name="g1",
    kind="biped",
    mjcf="g1.xml",
    feet=("L", "R"),
    joint_names=tuple(f"{side}_{part}_joint" for side in ("left", "right") for part in _G1_LEG),
    default_joint_pos=(-0.312, 0.0, 0.0, 0.669, -0.363, 0.0) * 2,
    # Out of the sagittal plane little motion is wanted and noise topples: these joints get half the range.
    action_scale=(0.25, 0.12, 0.12, 0.25, 0.25, 0.12) * 2,
    leg_length_m=0.645,
    standing_height_m=0.747,
    fall_height_m=0.5,
    foot_radius_m=0.0,
    contact_force_n=5.0,
)

ROBOTS = {robot.name: robot for robot in (GO1, G1)}


def robot_config(name: str) -> RobotConfig:
    """Return the robot called `name`; an unknown name is answered with those there are."""
    if name not in ROBOTS:
        raise BadInput(f"there is no robot {name!r}.", f"The robots are {', '.join(ROBOTS)}.")
    return ROBOTS[name]
