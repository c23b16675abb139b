"""What a robot meets outside: pushes, other floors, loads, noisy sensors, late commands. All of it is off by default.

Everything is drawn from a generator of its own, so that a training without disturbance keeps its bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from video2reward.sim.backends.base import Backend
from video2reward.sim.contract import RewardState

_NOISE = {
    "base_lin_vel_b": 0.1,
    "base_ang_vel_b": 0.2,
    "projected_gravity_b": 0.05,
    "joint_pos": 0.01,
    "joint_vel": 1.5,
}
"""Half widths of uniform sensor noise in m/s, rad/s, 1, rad, rad/s, as legged_gym has them (legged_robot_config)."""


@dataclass(frozen=True)
class Disturbance:
    """How much of each. Ranges are factors, drawn once for each environment."""

    push_m_s: float = 0.0
    """Every `push_every_s` the trunk's horizontal velocity changes by up to this much, in any direction."""
    push_every_s: float = 4.0
    friction: tuple[float, float] = (1.0, 1.0)
    trunk_mass: tuple[float, float] = (1.0, 1.0)
    noise: float = 0.0
    """1 is the sensor noise that legged_gym trains with."""
    delay_steps: int = 0
    """Actions reach the motors up to this many control steps late."""


NONE = Disturbance()
ROBUST = Disturbance(
    push_m_s=0.5, push_every_s=3.0, friction=(0.5, 1.25), trunk_mass=(0.9, 1.2), noise=1.0, delay_steps=1
)
"""What `--robust` trains with."""


class Disturber:
    """Disturbs the environments of one batch."""

    def __init__(self, cfg: Disturbance, num_envs: int, num_joints: int, step_s: float, seed: int) -> None:
        self.cfg, self.num_envs, self.num_joints = cfg, num_envs, num_joints
        self.generator = torch.Generator().manual_seed(seed)
        self._friction = self._factors(cfg.friction)
        self._mass = self._factors(cfg.trunk_mass)
        self._every = max(round(cfg.push_every_s / step_s), 1)
        # Not all environments are pushed at once, and none in its first moments.
        self._countdown = torch.randint(self._every // 2, self._every + 1, (num_envs,), generator=self.generator)
        self._delay = torch.randint(0, cfg.delay_steps + 1, (num_envs,), generator=self.generator)
        self._past = [torch.zeros(num_envs, num_joints) for _ in range(cfg.delay_steps)]

    def prepare(self, backend: Backend) -> None:
        """Give every simulation its own floor and load; to be called for every new backend."""
        if self.cfg.friction != NONE.friction:
            backend.vary_friction(self._friction)
        if self.cfg.trunk_mass != NONE.trunk_mass:
            backend.vary_trunk_mass(self._mass)

    def push(self, backend: Backend) -> None:
        """Push those whose turn it is."""
        if not self.cfg.push_m_s:
            return
        self._countdown -= 1
        due = (self._countdown <= 0).nonzero()[:, 0]
        if len(due):
            turn = 2.0 * torch.pi * torch.rand(len(due), generator=self.generator)
            size = self.cfg.push_m_s * (0.5 + 0.5 * torch.rand(len(due), generator=self.generator))
            backend.push(due, torch.stack([size * turn.cos(), size * turn.sin()], dim=-1))
            self._countdown[due] = self._every

    def late(self, action: Tensor) -> Tensor:
        """Return what reaches the motors now, (num_envs, num_joints)."""
        if not self._past:
            return action
        line = torch.stack([action, *self._past])
        self._past = [action.clone(), *self._past[:-1]]
        return line[self._delay, torch.arange(self.num_envs)]

    def sensed(self, state: RewardState) -> RewardState:
        """Return the state as the robot's sensors give it."""
        if not self.cfg.noise:
            return state

        def noisy(name: str, width: float) -> Tensor:
            value: Tensor = getattr(state, name)
            return value + self.cfg.noise * width * (2.0 * torch.rand(value.shape, generator=self.generator) - 1.0)

        return replace(state, **{name: noisy(name, width) for name, width in _NOISE.items()})

    def _factors(self, bounds: tuple[float, float]) -> Tensor:
        low, high = bounds
        return low + (high - low) * torch.rand(self.num_envs, generator=self.generator)
