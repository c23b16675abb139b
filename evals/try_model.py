"""How well does a language model write rewards? Each kind of prompt, a quadruped's and a biped's motion, first answers.

    V2R_BASE_URL=http://127.0.0.1:8080/v1 python -m video2reward.evals.try_model --model NAME

Prints, for each, whether the first answer could be trained with (it passes the guard and the trial), how many answers
it took, the tokens and the seconds. `--show` prints the prompts instead and asks nobody.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from video2reward.agent.authors import AuthorBrief
from video2reward.agent.briefing import system_prompt, task_prompt
from video2reward.agent.llm import LlmAuthor
from video2reward.agent.settings import Settings, model_settings
from video2reward.agent.variety import Direction
from video2reward.memory.errors import AuthorFailed, V2RError
from video2reward.memory.records import MotionTarget, Record, RewardDraft
from video2reward.sim.config import GRAVITY_M_S2, robot_config

MODES = ("full", "short", "menu")


class Tried(Record):
    """What a model made of one prompt."""

    robot: str
    mode: str
    usable: bool
    answers: int
    input_tokens: int
    output_tokens: int
    seconds: float
    reason: str = ""


def try_model(model: str, settings: Settings, modes: Sequence[str] = MODES) -> list[Tried]:
    """Ask a model for one candidate in each kind of prompt and for each robot."""
    return [_tried(model, settings, target, mode) for target in motions() for mode in modes]


def motions() -> tuple[MotionTarget, ...]:
    """Return a dog's trot on the go1 and a person's walk on the g1, in round numbers."""
    return (
        _motion("go1", "trot", 0.7, 2.6, (0.45, 0.45, 0.44, 0.44), (0.0, 0.5, 0.48, 0.97)),
        _motion("g1", "walk", 0.12, 0.9, (0.6, 0.6), (0.0, 0.5)),
    )


def _motion(
    robot: str, gait: str, froude: float, hz: float, duty: tuple[float, ...], phases: tuple[float, ...]
) -> MotionTarget:
    config = robot_config(robot)
    return MotionTarget(
        robot=robot, feet=config.feet, gait=gait, froude=froude, stride_frequency_hz=hz, duty_factor=duty,
        speed_m_s=round((froude * GRAVITY_M_S2 * config.leg_length_m) ** 0.5, 3), phase_offsets=phases,
        leg_length_m=config.leg_length_m,
    )  # fmt: skip


def _tried(model: str, settings: Settings, target: MotionTarget, mode: str) -> Tried:
    author = LlmAuthor(model, settings.model_copy(update={"prompt": mode}))
    begun = time.monotonic()
    try:
        (draft,) = author.propose(AuthorBrief(target=target, lap=1, wall_left_s=3600.0), 1, 0)
        reason = "" if isinstance(draft, RewardDraft) else draft.reason
    except AuthorFailed as error:
        draft, reason = None, str(error)
    used = author.usage
    return Tried(
        robot=target.robot, mode=mode, usable=isinstance(draft, RewardDraft), answers=used.calls,
        input_tokens=used.input_tokens, output_tokens=used.output_tokens,
        seconds=round(time.monotonic() - begun, 1), reason=reason,
    )  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 0 where every first answer could be trained with."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args(argv)
    if given.show:
        for target in motions():
            for mode in given.modes:
                best = Direction("best")
                task = task_prompt(AuthorBrief(target=target, lap=1), best, [], mode=mode)
                print(f"##### {target.robot}, {mode}, system\n{system_prompt(target, mode, best)}")
                print(f"##### {target.robot}, {mode}, user\n{task}")
        return 0
    try:
        tried = try_model(given.model, model_settings("author"), given.modes)
    except V2RError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{'robot':<6}{'prompt':<8}{'usable':<8}{'answers':>8}{'tokens in':>11}{'out':>7}{'s':>8}")
    for one in tried:
        row = f"{one.robot:<6}{one.mode:<8}{'yes' if one.usable else 'NO':<8}{one.answers:>8}{one.input_tokens:>11}"
        print(f"{row}{one.output_tokens:>7}{one.seconds:>8.1f}  {one.reason}".rstrip())
    first = sum(one.usable and one.answers == 1 for one in tried)
    print(f"usable at the first answer: {first} of {len(tried)}")
    return 0 if first == len(tried) else 1


if __name__ == "__main__":
    sys.exit(main())
