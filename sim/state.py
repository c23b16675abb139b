"""From the raw physics of any backend to the `RewardState` of the contract."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import torch
from torch import Tensor
from video2reward.sim.backends.base import PhysicsState
from video2reward.sim.config import RobotConfig


def rotate_inverse(quat: Tensor, vector: Tensor) -> Tensor:
    """Turn world vectors (num_envs, 3) into the frame of quaternions wxyz (num_envs, 4)."""
    w, axis = quat[:, :1], -quat[:, 1:]
    t = 2.0 * torch.linalg.cross(axis, vector)
    return vector + w * t + torch.linalg.cross(axis, t)


@dataclass(frozen=True)
class SensorLayout:
    """Where a robot's sensors lie in `sensordata`."""

    feet_pos: Tensor
    feet_vel: Tensor
    feet_touch: Tensor
    feet_up: Tensor | None
    knees_up: Tensor

    @classmethod
    def of(cls, model: mujoco.MjModel, robot: RobotConfig) -> SensorLayout:
        def addresses(suffix: str, width: int) -> Tensor:
            first = torch.tensor([int(model.sensor(f"{foot}_{suffix}").adr[0]) for foot in robot.feet])
            return first[:, None] + torch.arange(width)

        return cls(
            feet_pos=addresses("pos", 3),
            feet_vel=addresses("vel", 3),
            feet_touch=addresses("touch", 1)[:, 0],
            feet_up=addresses("up", 3) if robot.kind == "biped" else None,
            knees_up=addresses("mid", 3)[:, 2],
        )


@dataclass(frozen=True)
class FeetState:
    """The feet of all environments: (num_envs, num_feet[, 3]), world frame."""

    force_n: Tensor
    contact: Tensor
    height_m: Tensor
    vel_w: Tensor
    tilt: Tensor
    knee_height_m: Tensor


def feet_state(physics: PhysicsState, layout: SensorLayout, robot: RobotConfig) -> FeetState:
    """Read the feet; contact is 1 where the ground pushes harder than the robot's threshold."""
    sensors = physics.sensordata
    force = sensors[:, layout.feet_touch]
    height = sensors[:, layout.feet_pos[:, 2]] - robot.foot_radius_m
    tilt = torch.zeros_like(force) if layout.feet_up is None else 1.0 - sensors[:, layout.feet_up[:, 2]]
    contact = (force > robot.contact_force_n).float()
    return FeetState(force, contact, height, sensors[:, layout.feet_vel], tilt, sensors[:, layout.knees_up])
