"""What an author wishes to do next, held against what the rules allow. The rules decide what may be chosen from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import ValidationError
from video2reward import prompts
from video2reward.agent.kept import Message
from video2reward.agent.model import ModelClient, PromptTooLong
from video2reward.agent.objects import json_objects
from video2reward.memory.errors import AuthorFailed
from video2reward.memory.records import Attempt, Decision, Record

_WITHIN_S = 60.0
_MOST_ATTEMPTS = 8


class Wish(Record):
    """What an author would do next, and why. Its action may be any word: the rules look at it."""

    action: str
    reason: str = ""
    parent: str | None = None


def with_wish(decision: Decision, author: object, attempts: Sequence[Attempt]) -> Decision:
    """Return the decision as the author would have it, where the rules leave a choice and it has an opinion.

    An author that has one has `choose(decision, attempts)`, which returns its Wish, or None.
    """
    choose: Callable[[Decision, Sequence[Attempt]], Wish | None] | None = getattr(author, "choose", None)
    if len(decision.allowed) < 2 or choose is None:
        return decision
    try:
        wish = choose(decision, attempts)
    except AuthorFailed as error:
        return decision.model_copy(update={"overruled": f"the author could not be asked: {error}"})
    return held_against(decision, wish, attempts) if wish else decision


def held_against(decision: Decision, wish: Wish, attempts: Sequence[Attempt]) -> Decision:
    """Follow a wish within what is allowed, else keep the rule's choice; both are written down."""
    wished = f"{wish.action}: {wish.reason}"[:500]
    if wish.action not in decision.allowed:
        why = f"{wish.action!r} is not among what the rules allow now ({', '.join(decision.allowed)})"
        return decision.model_copy(update={"wished": wished, "overruled": why})
    judged = {attempt.id for attempt in attempts if attempt.critique}
    changed: dict[str, object] = {"wished": wished}
    if wish.parent and wish.parent in judged and wish.action != "warm_start":
        changed["parent"] = wish.parent
    elif wish.parent and wish.parent != decision.parent:
        changed["overruled"] = f"{wish.parent!r} was not judged in this run: {decision.parent} is started from"
    if wish.action != decision.action:
        reason = wish.reason or "the author wishes it"
        changed |= {"action": wish.action, "reason": f"{reason} (the rules would {decision.action}: {decision.reason})"}
        changed["ending"] = "passed" if wish.action == "stop" else None
    return decision.model_copy(update=changed)


def ask_model(client: ModelClient, decision: Decision, attempts: Sequence[Attempt], seed: int) -> Wish | None:
    """Ask a language model for its wish; an answer that cannot be read is no wish. Raises AuthorFailed."""
    shown = sorted((a for a in attempts if a.critique), key=lambda a: a.rank, reverse=True)[:_MOST_ATTEMPTS]
    text = prompts.fill(
        prompts.load("decide"),
        allowed=", ".join(decision.allowed),
        rule=f"{decision.action}: {decision.reason}",
        numbers=", ".join(f"{name} {value:g}" for name, value in decision.numbers.items()),
        attempts="\n".join(_line(attempt) for attempt in shown) or "none was judged",
    )
    try:
        answer = client.ask([Message("user", text)], temperature=0.2, seed=seed, within_s=_WITHIN_S)
    except PromptTooLong:
        return None
    for value in json_objects(answer.text):
        try:
            return Wish.model_validate({name: value[name] for name in Wish.model_fields if value.get(name) is not None})
        except (ValidationError, AttributeError):
            continue
    return None


def _line(attempt: Attempt) -> str:
    assert attempt.critique is not None
    outcome, origin = "passed" if attempt.passed else "failed", attempt.program.parent or "nothing"
    return f"{attempt.id} (lap {attempt.lap}, from {origin}) {outcome}: {attempt.critique.verdict}"
