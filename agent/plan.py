"""What each worker is told: seed, steps, time and the policy to start from, within what the budget leaves."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from video2reward.agent.budget import Limits, Spending, env_steps_left, wall_left_s
from video2reward.agent.folder import RunFolder
from video2reward.memory.records import MotionTarget, Recollection, RunRequest, TrainingSpec
from video2reward.sim.config import robot_config

_DEFAULT_ENV_STEPS = {"quadruped": 600_000, "biped": 1_200_000}
_WARM_ENV_STEPS = {"quadruped": 160_000, "biped": 300_000}
"""A policy that walks already needs less."""
_MOST_ENV_STEPS = 20_000_000
_JUDGING_S = 12.0
_LEAST_S = 5.0


def num_parallel(num_candidates: int) -> int:
    """Return how many workers run at once: one a core."""
    return max(1, min(num_candidates, os.cpu_count() or 1))


def plan(
    request: RunRequest,
    target: MotionTarget,
    disk: RunFolder,
    names: Sequence[str],
    lap: int,
    remembered: Sequence[Recollection],
    limits: Limits,
    spent: Spending,
) -> list[TrainingSpec]:
    """Return the specs of a lap. Steps and time left are shared evenly; an author may ask for less, not for more."""
    parallel = num_parallel(len(names))
    steps_left = env_steps_left(limits, spent)
    most_steps = _MOST_ENV_STEPS if steps_left is None else max(steps_left // len(names), 1)
    rounds = math.ceil(len(names) / parallel)
    time_s = (wall_left_s(limits, spent) - _JUDGING_S * len(names)) / rounds
    specs = []
    for name in names:
        draft = disk.draft(name)
        start = policy_of(draft.warm_start, disk, remembered) if draft and draft.warm_start else None
        usual = (_WARM_ENV_STEPS if start else _DEFAULT_ENV_STEPS)[_kind(target)]
        wanted = draft.max_env_steps if draft and draft.max_env_steps else usual
        specs.append(
            TrainingSpec(
                attempt=name,
                reward="reward.py",
                target=target,
                # A seed of its own for each attempt, and far from the judge's.
                seed=1_000_000 + request.seed * 10_000 + lap * 100 + int(name.rpartition("C")[2]),
                num_threads=max(1, (os.cpu_count() or 1) // parallel),
                max_env_steps=max(1, min(wanted, most_steps)),
                max_wall_s=max(_LEAST_S, round(time_s, 1)),
                warm_start=str(start) if start else None,
                robust=request.robust,
            )
        )
    return specs


def policy_of(attempt: str, disk: RunFolder, remembered: Sequence[Recollection]) -> Path | None:
    """Return the policy of an attempt of this run or of a remembered one; None where it is gone, or is no start."""
    if any(hit.attempt == attempt and not hit.near for hit in remembered):
        return None
    folder = next((hit.folder for hit in remembered if hit.attempt == attempt), disk.attempt(attempt))
    policy = folder / "policy.pt"
    return policy.resolve() if policy.is_file() else None


def _kind(target: MotionTarget) -> str:
    return robot_config(target.robot).kind
