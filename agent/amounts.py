"""Amounts on the command line: each that is given is above 0, and is refused by its option's name where it is not."""

from __future__ import annotations

from video2reward.memory.errors import BadInput

_ABOVE_ZERO = (
    "minutes", "minutes_each", "laps", "candidates", "most_candidates", "env_steps", "steps", "tokens", "usd",
    "num_envs", "seconds", "k", "slow_motion",
)  # fmt: skip


def check_amounts(command: object) -> None:
    """Raise BadInput for the first of a command's amounts that is 0, below, or no number."""
    for name in _ABOVE_ZERO:
        value = getattr(command, name, None)
        if value is not None and not value > 0:
            raise BadInput(
                f"--{name.replace('_', '-')} is {value:g}; it must be above 0.", "Leave it out, or name more."
            )
