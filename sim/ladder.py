"""The cold-start ladder: what the worker changes on its own when the curves show that learning does not get going.

Each rung answers one sign, is taken once, and is said: in the curve's row, and in the result. None touches what is
rewarded: they change where episodes begin, how fast a robot is asked to go, how much the costs count for a while, and
how boldly it learns. A reward for standing still yields a robot that stands still, on whatever rung.

| sign | rung |
|---|---|
| episodes end within seconds and do not get longer | half of them begin in the reference motion, more than usual |
| they still do, a while later | costs count a third until the polish |
| it stays up, hardly moves and gets no faster | the commanded speed begins at two fifths and grows to all of it |
| the learning rate lies at its floor and the reward does not rise | the learning rate is put back |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from video2reward.sim.env import LocomotionEnv
from video2reward.sim.lean import LeanPPO

WINDOW = 12
"""Batches that are looked at together."""
PATIENCE_ENV_STEPS = 90_000
"""Nothing is judged before as many steps, nor sooner after a rung."""
_SHORT_EPISODE_S, _LONGER = 2.5, 1.25
_STANDS_SHARE, _STANDS_FALLS_PER_MIN, _FASTER_SHARE = 0.2, 6.0, 0.03
_FIRST_COMMAND, _COMMAND_ENV_STEPS = 0.4, 120_000
_REFERENCE_SHARE, _LOW_COSTS = 0.5, 0.3
_RATE_AGAIN = 1e-3


@dataclass(frozen=True)
class Sign:
    """What the last batches show."""

    episode_length_s: float
    earlier_episode_length_s: float
    speed_share: float
    earlier_speed_share: float
    falls_per_min: float
    learning_rate: float
    reward: float
    earlier_reward: float


class Ladder:
    """Watches the curves of one training and takes the next rung where they ask for it."""

    def __init__(self, env: LocomotionEnv, ppo: LeanPPO, rate_floor: float) -> None:
        self._env, self._ppo, self._rate_floor = env, ppo, rate_floor
        self.taken: list[str] = []
        self.taken_at = 0  # environment steps
        self._command_from: int | None = None

    def climb(self, rows: Sequence[dict], env_steps: int) -> str:
        """Look at the rows so far; return the sentence of the rung that was taken, or ""."""
        self._raise_command(env_steps)
        if env_steps - self.taken_at < PATIENCE_ENV_STEPS or len(rows) < 2 * WINDOW:
            return ""
        rung = next_rung(read_sign(rows, self._env.target.speed_m_s), self.taken, self._rate_floor)
        if not rung:
            return ""
        name, sentence = rung
        self.taken.append(name)
        self.taken_at = env_steps
        if name == "reference":
            self._env.config = replace(self._env.config, reference_init=_REFERENCE_SHARE)
        elif name == "costs":
            self._env.cost_scale = _LOW_COSTS
        elif name == "command":
            self._command_from = env_steps
            self._raise_command(env_steps)
        else:
            self._ppo.learning_rate = _RATE_AGAIN
        return f"at {env_steps:,} steps: {sentence}"

    def finish(self) -> None:
        """Take back what was for the beginning only: costs count in full, and all of the speed is asked for."""
        self._env.cost_scale = self._env.command_scale = 1.0
        self._command_from = None

    def _raise_command(self, env_steps: int) -> None:
        if self._command_from is not None:
            share = min((env_steps - self._command_from) / _COMMAND_ENV_STEPS, 1.0)
            self._env.command_scale = _FIRST_COMMAND + (1.0 - _FIRST_COMMAND) * share


def read_sign(rows: Sequence[dict], target_speed_m_s: float) -> Sign:
    """Return what the last two windows of batches show."""

    def mean(name: str, part: Sequence[dict]) -> float:
        return sum(float(row[name]) for row in part) / len(part)

    def share(part: Sequence[dict]) -> float:
        return mean("speed_m_s", part) / target_speed_m_s if abs(target_speed_m_s) > 1e-3 else 1.0

    now, before = rows[-WINDOW:], rows[-2 * WINDOW : -WINDOW]
    return Sign(
        episode_length_s=mean("episode_length_s", now),
        earlier_episode_length_s=mean("episode_length_s", before),
        speed_share=share(now),
        earlier_speed_share=share(before),
        falls_per_min=mean("fall_rate_per_min", now),
        learning_rate=max(float(row["learning_rate"]) for row in now),
        reward=mean("mean_reward", now),
        earlier_reward=mean("mean_reward", before),
    )


def next_rung(sign: Sign, taken: Sequence[str], rate_floor: float) -> tuple[str, str] | None:
    """Return name and sentence of the rung that a sign asks for, or None."""
    short = (
        sign.episode_length_s < _SHORT_EPISODE_S
        and sign.episode_length_s < _LONGER * sign.earlier_episode_length_s
        and sign.falls_per_min > _STANDS_FALLS_PER_MIN
    )
    if short and "reference" not in taken:
        return "reference", (
            f"episodes end after {sign.episode_length_s:.1f} s and do not get longer: "
            "half of them begin in the reference motion"
        )
    if short and "costs" not in taken:
        return "costs", (
            f"episodes still end after {sign.episode_length_s:.1f} s: costs count {_LOW_COSTS:g} of theirs for now"
        )
    stands = (
        abs(sign.speed_share) < _STANDS_SHARE
        and sign.speed_share < sign.earlier_speed_share + _FASTER_SHARE
        and sign.falls_per_min < _STANDS_FALLS_PER_MIN
    )
    if stands and "command" not in taken:
        return "command", (
            f"it stays up but goes {sign.speed_share:.0%} of the speed and gets no faster: "
            f"the speed asked for begins at {_FIRST_COMMAND:.0%} and grows"
        )
    asleep = sign.learning_rate <= 1.01 * rate_floor and sign.reward < 1.02 * sign.earlier_reward
    if asleep and "rate" not in taken:
        return "rate", f"the learning rate lay at its floor and the reward at {sign.reward:.3f}: it is put back"
    return None
