"""A lap's candidates: the author is asked once, and what it gave is written, guarded and tried."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from video2reward.agent import steering as steer
from video2reward.agent.authors import Author, Unusable
from video2reward.agent.brief import make_brief
from video2reward.agent.budget import Limits, Purse, candidates_now, env_steps_left, wall_left_s
from video2reward.agent.folder import ProposedLap, RunFolder
from video2reward.agent.state import RunState
from video2reward.agent.toolbox import Toolbox
from video2reward.memory import runs
from video2reward.memory.errors import AuthorFailed
from video2reward.memory.records import MotionTarget, RewardDraft, RewardProgram


def ask_author(
    state: RunState,
    lap: int,
    author: Author,
    disk: RunFolder,
    tools: Toolbox,
    limits: Limits,
    purse: Purse,
    tell: Callable[..., None],
) -> ProposedLap:
    """Have the author write a lap's drafts; an author that fails is a lap without any, with the reason."""
    spent = purse.now()
    steering = steer.asked(disk.path)
    if steering:
        tell("steered", lap=lap, asked=[wish.said for wish in steering])
    target = steer.steered_target(runs.load(MotionTarget, disk.path / "target.json"), steering)
    brief = make_brief(
        state, lap, target, steering, disk, tools, sees=getattr(author, "sees", False),
        wall_left_s=wall_left_s(limits, spent), env_steps_left=env_steps_left(limits, spent),
    )  # fmt: skip
    drafts: tuple[RewardDraft | Unusable, ...] = ()
    failure = ""
    try:
        written = author.propose(brief, max(candidates_now(limits, spent), 1), 1000 * state["request"].seed + lap)
        drafts = tuple(d if isinstance(d, Unusable) else steer.steered_draft(d, steering) for d in written)
    except AuthorFailed as error:
        failure = str(error)
        tell("author_failed", lap=lap, reason=failure)
    return ProposedLap(
        lap=lap, drafts=drafts, failure=failure or "the author proposed nothing.", begun_wall_s=spent.wall_s,
        target=target, steering=steering,
    )  # fmt: skip


def write_candidates(
    proposed: ProposedLap, target: MotionTarget, author: str, disk: RunFolder, tools: Toolbox, tell: Callable[..., None]
) -> list[str]:
    """Write, guard and try a lap's candidates, side by side; return their names. One name stands for a lap of none."""
    names = [f"L{proposed.lap}-C{index + 1}" for index in range(max(len(proposed.drafts), 1))]
    if not proposed.drafts:
        disk.save_refused(names[0], author, proposed.failure)
        return names
    # It brings torch, which parses Python while it is imported: that must not fall beside a thread that does so too.
    from video2reward.sim import contract  # noqa: F401

    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        written = [
            pool.submit(_write, draft, target, attempt, disk, tools)
            for attempt, draft in zip(names, proposed.drafts, strict=True)
        ]
    for program in (future.result() for future in written):
        tell("proposed", attempt=program.id, lap=proposed.lap, status=program.status, reason=program.reason,
             rationale=program.rationale, edits=program.edits)  # fmt: skip
    return names


def _write(
    draft: RewardDraft | Unusable, target: MotionTarget, attempt: str, disk: RunFolder, tools: Toolbox
) -> RewardProgram:
    if isinstance(draft, Unusable):
        disk.save_refused(attempt, draft.author, draft.reason)
        return disk.program(attempt)
    return tools.write_reward(draft, target, disk.attempt(attempt), attempt)
