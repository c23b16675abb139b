"""The verdict on one policy: physics first, and then, where there is one, the critic that sees."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from video2reward.agent.budget import Purse
from video2reward.agent.folder import RunFolder
from video2reward.agent.looking import Critic
from video2reward.agent.toolbox import Toolbox
from video2reward.memory import runs
from video2reward.memory.errors import V2RError
from video2reward.memory.records import Critique, GaitDescriptor, MotionTarget


def give_verdict(
    name: str,
    gait: GaitDescriptor,
    target: MotionTarget,
    seed: int,
    disk: RunFolder,
    tools: Toolbox,
    critic: Critic | None,
    purse: Purse,
    tell: Callable[..., None],
) -> Exception | None:
    """Judge one policy; return what went wrong. One that cannot be judged does not take the others with it."""
    tell("judging", attempt=name)
    folder = disk.attempt(name)
    try:
        critique = tools.judge(folder, target, gait, disk.path, seed, False)
    except Exception as error:
        tell("judge_failed", attempt=name, error=str(error), traceback=traceback.format_exc())
        return error
    tell("judged", attempt=name, passed=critique.passed, gsi=critique.similarity.gsi, verdict=critique.verdict,
         spent_s=round(purse.now().wall_s, 1))  # fmt: skip
    if critic:
        _look(folder, critique, disk, tools, critic, tell)
    return None


def _look(
    folder: Path, critique: Critique, disk: RunFolder, tools: Toolbox, critic: Critic, tell: Callable[..., None]
) -> None:
    """Have the critic that sees add what it saw; whatever becomes of that, the verdict of physics stands."""
    try:
        sheet = tools.contact_sheet(folder, disk.path)
        runs.save(critic.review(critique, sheet), folder / "critique.json")
    except (V2RError, OSError) as error:
        tell("critic_failed", attempt=critique.attempt, reason=str(error))
