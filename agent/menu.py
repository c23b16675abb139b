"""Ready terms to choose from by number, for models too small to write code: they give terms and weights, no more."""

from __future__ import annotations

import re

from video2reward.agent.answers import BadAnswer
from video2reward.agent.authors import PriorReward
from video2reward.agent.objects import json_objects
from video2reward.agent.ready import READY
from video2reward.agent.recipe import Recipe, compose, first_recipe, mend, recipe_of
from video2reward.memory.records import MotionTarget, RewardDraft, RewardTerm

_NEEDED = 2
_EXTRA = (
    READY["slip"],
    READY["effort"],
    RewardTerm(name="upright_trunk", weight=0.3, serves="need: balance", doc="Stay upright.", body="return upright(s)"),
)


def menu(target: MotionTarget, parent: PriorReward | None = None) -> tuple[RewardTerm, ...]:
    """Return the terms with their usual weights; a judged parent has its aims and weights moved by rule already."""
    recipe: Recipe = first_recipe(target)
    if parent and parent.draft:
        recipe = recipe_of(parent.draft, target)
        if parent.attempt.critique:
            recipe, _ = mend(recipe, target, parent.attempt.critique)
    there = compose(target, recipe)
    return there + tuple(term for term in _EXTRA if term.name not in recipe.weights)


def menu_text(terms: tuple[RewardTerm, ...]) -> str:
    return "\n".join(
        f"{number}. {term.name} (usual weight {term.weight:g}): {term.doc}" for number, term in enumerate(terms, 1)
    )


def choice_schema() -> dict[str, object]:
    """Return the JSON schema of a choice, as strict servers want it."""
    item = {
        "type": "object",
        "properties": {"number": {"type": "integer"}, "weight": {"type": "number"}},
        "required": ["number", "weight"],
        "additionalProperties": False,
    }
    schema = {
        "type": "object",
        "properties": {"rationale": {"type": "string"}, "terms": {"type": "array", "items": item}},
        "required": ["rationale", "terms"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "choice", "strict": True, "schema": schema}}


def read_choice(text: str, terms: tuple[RewardTerm, ...], *, author: str, parent: str | None) -> RewardDraft:
    """Return the draft that a choice means: JSON in any wrapping, or lines like `1: 2.0`. Raises BadAnswer.

    A weight with the wrong sign is taken as meant: the sign is the term's own.
    """
    chosen, rationale = _chosen(text)
    if not chosen:
        raise BadAnswer('it chooses no term; answer {"terms": [{"number": 1, "weight": 2.0}, …]}.')
    names = {term.name: number for number, term in enumerate(terms, 1)}
    weights: dict[int, float] = {}
    for said, weight in chosen:
        number = names.get(said) if isinstance(said, str) and not said.isdigit() else int(said)
        if number is None or not 1 <= number <= len(terms):
            raise BadAnswer(f"there is no term {said!r}; the numbers are 1 to {len(terms)}.")
        usual = terms[number - 1].weight
        magnitude = min(abs(usual if weight is None else weight), 20.0 * abs(usual))
        weights[number] = round(magnitude if usual > 0 else -magnitude, 6)
    if missing := [number for number in range(1, _NEEDED + 1) if not weights.get(number)]:
        raise BadAnswer(f"term {missing[0]} ({terms[missing[0] - 1].name}) is needed, with a weight above 0.")
    picked = tuple(
        terms[number - 1].model_copy(update={"weight": weight}) for number, weight in sorted(weights.items()) if weight
    )
    return RewardDraft(
        terms=picked,
        rationale=rationale or "Chosen from the ready terms.",
        author=author,
        parent=parent,
        edits=("terms and weights chosen from the ready ones",) if parent else (),
        warm_start=parent,
    )


def _chosen(text: str) -> tuple[list[tuple[str | int, float | None]], str]:
    for value in json_objects(text):
        items = value.get("terms")
        if isinstance(items, dict):
            items = [{"number": key, "weight": weight} for key, weight in items.items()]
        found = [pair for item in items if (pair := _pair(item))] if isinstance(items, list) else []
        if found:
            return found, str(value.get("rationale", ""))
    lines = re.findall(r"^\W*(\d{1,2})\W*(?:[a-z_]+)?\s*[:=]\s*(?:weight\s*)?(-?\d+(?:\.\d+)?)", text, re.MULTILINE)
    return [(int(number), float(weight)) for number, weight in lines], ""


def _pair(item: object) -> tuple[str | int, float | None] | None:
    if isinstance(item, int):
        return item, None
    if isinstance(item, str):
        return item.strip(), None
    if not isinstance(item, dict):
        return None
    number = next((item[key] for key in ("number", "term", "id", "name") if key in item), None)
    try:
        weight = float(item["weight"]) if item.get("weight") is not None else None
    except (TypeError, ValueError):
        weight = None
    if isinstance(number, str):
        return number.strip(), weight
    return (int(number), weight) if isinstance(number, int | float) else None
