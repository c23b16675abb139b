"""The seam between physics and everything else: a batch of simulations, seen as float32 tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True)
class PhysicsState:
    """The raw state of all simulations, in MuJoCo's layout. The tensors are rewritten by the next step.

    qpos (num_envs, 7 + num_joints): world position, quaternion wxyz, joint angles; qvel (num_envs, 6 + num_joints):
    world linear velocity, body angular velocity, joint velocities; sensordata (num_envs, num_sensor_values), one
    substep old after a step; actuator_force (num_envs, num_joints), N m.
    """

    qpos: Tensor
    qvel: Tensor
    sensordata: Tensor
    actuator_force: Tensor


class Backend(Protocol):
    """What every physics backend offers; `tests/sim/test_backends.py` holds each of them to it."""

    num_envs: int
    device: str

    def step(self, ctrl: Tensor, num_substeps: int) -> None:
        """Advance every simulation with the joint targets `ctrl` (num_envs, num_joints), rad."""
        ...

    def reset(self, env_ids: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        """Set the simulations `env_ids` to new states, forgetting the solver's warm start."""
        ...

    def watch(self, sensor_columns: Tensor) -> None:
        """From now on keep these columns of `sensordata` at every substep."""
        ...

    def seen(self) -> Tensor:
        """Return what was watched in the last step (num_substeps, num_envs, num_columns)."""
        ...

    def push(self, env_ids: Tensor, velocity_w: Tensor) -> None:
        """Add to the trunk's horizontal velocity (len(env_ids), 2), world frame, m/s."""
        ...

    def vary_friction(self, factors: Tensor) -> None:
        """Multiply the floor's friction of each simulation, (num_envs,), once."""
        ...

    def vary_trunk_mass(self, factors: Tensor) -> None:
        """Multiply mass and inertia of each simulation's trunk, (num_envs,), once."""
        ...

    def state(self) -> PhysicsState:
        """Return the present state; a simulation that failed shows non-finite values, never a silent reset."""
        ...
