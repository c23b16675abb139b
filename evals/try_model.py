"""How well does a language model do as author, critic and in the chat? First answers to the real prompts, in a table.

    python -m video2reward.evals.try_model --base-url http://127.0.0.1:8080/v1 [--model NAME]

Without --base-url the settings of the author count (`video2reward doctor` shows them); without --model the one that
they, or the server's list of models, name. For each kind of prompt, a quadruped's and a biped's motion, it says whether
the first answer could be trained with (it passes the guard and the trial), how many answers it took, the tokens, the
seconds, and what was wrong. A critic is shown a contact sheet, a chat hears seven sentences. `--show` prints the
author's prompts and asks nobody; `--answers FOLDER` keeps what was answered.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from video2reward.agent.authors import AuthorBrief
from video2reward.agent.briefing import system_prompt, task_prompt
from video2reward.agent.budget import Bill, Limits, Purse
from video2reward.agent.kept import KeptAnswers
from video2reward.agent.llm import LlmAuthor
from video2reward.agent.looking import ModelCritic
from video2reward.agent.settings import Settings, default_model, model_settings
from video2reward.agent.variety import Direction
from video2reward.evals.labelled import good_motion, target_of, write_rollout
from video2reward.evals.try_chat import try_chat
from video2reward.memory.errors import AuthorFailed, BadInput, V2RError
from video2reward.memory.records import MotionTarget, Record, RewardDraft
from video2reward.sim.config import GRAVITY_M_S2, robot_config

MODES = ("full", "short", "menu")
ROLES = (*MODES, "critic", "chat")
_ASK_MODELS_TIMEOUT_S = 10.0


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

    @property
    def at_once(self) -> bool:
        return self.usable and self.answers == 1


def try_model(
    model: str, settings: Settings, roles: Sequence[str] = MODES, answers: Path | None = None
) -> Iterator[Tried]:
    """Ask a model in each role: as author once for each kind of prompt and robot, as critic once, in the chat."""
    with tempfile.TemporaryDirectory() as name:
        bill = Bill(Purse(Path(name)), Limits(wall_s=1e6, laps=1, candidates=1), KeptAnswers(answers or Path(name)))
        for target in motions():
            yield from (_tried(model, settings, target, mode, bill) for mode in MODES if mode in roles)
        if "critic" in roles:
            yield _looked(model, settings, Path(name), bill)
        if "chat" in roles:
            yield _talked(model, settings, Path(name))


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


def _tried(model: str, settings: Settings, target: MotionTarget, mode: str, bill: Bill) -> Tried:
    author = LlmAuthor(model, settings.model_copy(update={"prompt": mode}))
    author.bill_to(bill)
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


def _looked(model: str, settings: Settings, folder: Path, bill: Bill) -> Tried:
    """Show a critic the sheet of a robot that walks as it should."""
    from video2reward.tools.critic.filming import make_sheet
    from video2reward.tools.render_and_critique import judge_rollout

    critic = ModelCritic(model, settings)
    critic.bill_to(bill)
    rollout = write_rollout(good_motion("go1"), folder / "rollout.npz")
    sheet = make_sheet(folder, None, folder / "sheet.jpg")
    begun = time.monotonic()
    try:
        critique = judge_rollout(rollout, target_of("go1"))
        seen = critic.review(critique, sheet)
        usable, reason = True, f"{len(seen.findings)} findings, {len(seen.advice)} pieces of advice"
    except AuthorFailed as error:
        usable, reason = False, str(error)
    used = critic.usage
    return Tried(
        robot="go1", mode="critic", usable=usable, answers=used.calls, input_tokens=used.input_tokens,
        output_tokens=used.output_tokens, seconds=round(time.monotonic() - begun, 1), reason=reason,
    )  # fmt: skip


def _talked(model: str, settings: Settings, folder: Path) -> Tried:
    begun = time.monotonic()
    said = try_chat(model, settings, folder)
    wrong = [
        f"{one.sentence!r} came to {', '.join(one.done) or 'nothing: ' + one.answer[:80]}"
        for one in said
        if not one.right
    ]
    reason = f"{len(said) - len(wrong)} of {len(said)} sentences" + "".join(f"; {what}" for what in wrong)
    spent = Purse(folder).now()
    return Tried(
        robot="-", mode="chat", usable=not wrong, answers=1, input_tokens=spent.tokens, output_tokens=0,
        seconds=round(time.monotonic() - begun, 1), reason=reason,
    )  # fmt: skip


def _model_of(settings: Settings) -> str:
    """Return the model that the settings or the server's own list names. Raises BadInput where none does."""
    if named := default_model("author"):
        return named
    if settings.base_url:
        import httpx

        key = settings.api_key.get_secret_value() if settings.api_key else "none"
        try:
            listed = httpx.get(
                f"{settings.base_url.rstrip('/')}/models",
                headers={"Authorization": f"Bearer {key}"},
                timeout=_ASK_MODELS_TIMEOUT_S,
            ).json()["data"]
            return str(listed[0]["id"])
        except (httpx.HTTPError, ValueError, LookupError, TypeError):
            pass
    raise BadInput("no model is named.", "Name it with --model.")


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 0 where every first answer was of use."""
    form = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m video2reward.evals.try_model", description=__doc__, formatter_class=form
    )
    parser.add_argument("--model", default="")
    parser.add_argument("--base-url", default="")
    parser.add_argument("--key-env", default="", metavar="NAME", help="the variable that holds the key")
    parser.add_argument("--roles", "--modes", nargs="+", choices=ROLES, default=ROLES)
    parser.add_argument("--answers", type=Path, metavar="FOLDER", help="keep what was asked and answered here")
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args(argv)
    if given.show:
        _show([mode for mode in MODES if mode in given.roles])
        return 0
    try:
        settings = model_settings("author")
        if given.base_url:
            settings = settings.model_copy(update={"base_url": given.base_url})
        if given.key_env:
            settings = Settings.model_validate({**settings.model_dump(), "api_key": os.environ.get(given.key_env)})
        model = given.model or _model_of(settings)
        print(f"{model} at {settings.where}", flush=True)
        print(f"{'robot':<6}{'role':<8}{'usable':<8}{'answers':>8}{'tokens in':>11}{'out':>7}{'s':>8}", flush=True)
        tried = []
        for one in try_model(model, settings, given.roles, given.answers):
            tried.append(one)
            row = f"{one.robot:<6}{one.mode:<8}{'yes' if one.usable else 'NO':<8}{one.answers:>8}{one.input_tokens:>11}"
            print(f"{row}{one.output_tokens:>7}{one.seconds:>8.1f}  {one.reason}".rstrip(), flush=True)
    except V2RError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    first = sum(one.at_once for one in tried)
    print(f"of use at the first answer: {first} of {len(tried)}")
    return 0 if first == len(tried) else 1


def _show(modes: Sequence[str]) -> None:
    for target in motions():
        for mode in modes:
            best = Direction("best")
            task = task_prompt(AuthorBrief(target=target, lap=1), best, [], mode=mode)
            print(f"##### {target.robot}, {mode}, system\n{system_prompt(target, mode, best)}")
            print(f"##### {target.robot}, {mode}, user\n{task}")


if __name__ == "__main__":
    sys.exit(main())
