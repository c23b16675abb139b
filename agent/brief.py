"""What the loop hands an author for one lap: the motion, what was tried, what was asked for, pictures for eyes."""

from __future__ import annotations

from collections.abc import Sequence

from video2reward.agent.authors import AuthorBrief, Picture
from video2reward.agent.folder import RunFolder, prior_of
from video2reward.agent.state import RunState
from video2reward.agent.toolbox import SHEET, Toolbox
from video2reward.memory.records import MotionTarget, Steering

_CLIP_SHEET = (
    "the subject of the clip at eight phases of one stride, its limbs in colours. Under each, filled boxes are feet "
    "on the ground, `lift` is each foot's height over the ground in leg lengths."
)


def make_brief(
    state: RunState,
    lap: int,
    target: MotionTarget,
    steering: Sequence[Steering],
    disk: RunFolder,
    tools: Toolbox,
    *,
    sees: bool,
    wall_left_s: float,
    env_steps_left: int | None,
) -> AuthorBrief:
    """Return the brief of a lap; pictures are made only for an author that sees."""
    parent = state["decision"].parent
    return AuthorBrief(
        target=target,
        gait=state["gait"],
        lap=lap,
        decision=state["decision"],
        parents=disk.parents(parent),
        remembered=tuple(prior for hit in state["remembered"] if (prior := prior_of(hit))),
        failures=disk.failures(),
        wishes=tuple(wish.wish for wish in steering if wish.wish),
        pictures=_pictures(parent, disk, tools) if sees else (),
        wall_left_s=wall_left_s,
        env_steps_left=env_steps_left,
    )


def _pictures(parent: str | None, disk: RunFolder, tools: Toolbox) -> tuple[Picture, ...]:
    shown = []
    if clip := tools.clip_sheet(disk.path):
        shown.append(Picture(path=clip, shows=_CLIP_SHEET))
    if parent and (sheet := disk.attempt(parent) / SHEET).is_file():
        shown.append(Picture(path=sheet, shows=f"the clip, and the robot as {parent} made it move, at equal phases."))
    return tuple(shown)
