"""From what a language model wrote to a draft: strict where meaning is at stake, tolerant of everything around it."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from video2reward.agent.bodies import plain_body, terms_in_code
from video2reward.agent.objects import json_objects, why_no_object
from video2reward.memory.records import RewardDraft, RewardTerm

_TERMS = ("terms", "reward_terms", "components", "reward_components")
_BODIES = ("body", "code", "function", "expression", "source")
_WEIGHTS = ("weight", "scale", "coefficient")
_DEEPEST_WRAPPER = 3


class BadAnswer(Exception):
    """The answer holds no reward; the sentence says what is wrong, for the model to read."""


class TermAnswer(BaseModel):
    """One term, as a model writes it."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    name: str
    weight: float
    serves: str = "not said"
    doc: str = ""
    body: str


class RewardAnswer(BaseModel):
    """One reward, as a model writes it. What it adds is passed over, what it may leave out has a default."""

    model_config = ConfigDict(extra="ignore")

    rationale: str = ""
    edits: list[str] = Field(default_factory=list)
    start_from_parent_policy: bool = False
    terms: list[TermAnswer] = Field(min_length=1, max_length=24)


def answer_schema() -> dict[str, Any]:
    """Return the JSON schema that a model is held to: every field required, nothing added, as strict servers want."""
    schema = _strict(RewardAnswer.model_json_schema())
    return {"type": "json_schema", "json_schema": {"name": "reward", "strict": True, "schema": schema}}


def read_answer(text: str) -> RewardAnswer:
    """Read an answer: an object in whatever wrapping, or a reward in Python. Raises BadAnswer."""
    if not text.strip():
        raise BadAnswer("it is empty.")
    problems: list[str] = []
    for value in json_objects(text):
        try:
            return RewardAnswer.model_validate(_as_asked(_unwrapped(value)))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the answer"
            problems.append(f"{where}: {first['msg']}.")
    if terms := terms_in_code(text):
        return RewardAnswer(rationale="Written as code.", terms=[TermAnswer(**term._asdict()) for term in terms[:24]])
    raise BadAnswer(problems[0] if problems else why_no_object(text))


def draft_from(answer: RewardAnswer, *, author: str, parent: str | None, edits_of_parent: bool) -> RewardDraft:
    """Return the draft that an answer means, its terms under names that can be used, its costs below zero."""
    from video2reward.tools.write_reward import is_cost, term_names

    names = term_names([term.name for term in answer.terms])
    terms, edits = [], list(answer.edits) if edits_of_parent else []
    for name, term in zip(names, answer.terms, strict=True):
        body, weight = plain_body(term.body), term.weight
        if weight > 0 and is_cost(body):
            weight = -weight
            edits.append(f"{name} is a cost: its weight {term.weight:g} was taken as {weight:g}")
        terms.append(RewardTerm(name=name, weight=weight, serves=term.serves or "not said", doc=term.doc, body=body))
    return RewardDraft(
        terms=tuple(terms),
        rationale=answer.rationale or "The author gave no reason.",
        author=author,
        parent=parent,
        edits=tuple(edits),
        warm_start=parent if answer.start_from_parent_policy else None,
    )


def _unwrapped(value: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """Return the object that has the terms: it may be wrapped, as in a call of a tool, even as text."""
    if any(name in value for name in _TERMS) or depth == _DEEPEST_WRAPPER:
        return value
    for inner in value.values():
        if isinstance(inner, str) and inner.lstrip().startswith("{"):
            inner = next(iter(json_objects(inner)), None)
        elif isinstance(inner, list):
            inner = next((item for item in inner if isinstance(item, dict)), None)
        if isinstance(inner, dict) and any(name in (found := _unwrapped(inner, depth + 1)) for name in _TERMS):
            return found
    return value


def _as_asked(value: dict[str, Any]) -> dict[str, Any]:
    """Bring the forms that models like to the one that was asked for: terms by name, lines as a list, other names."""
    value = {name: item for name, item in value.items() if item is not None}
    terms = next((value[name] for name in _TERMS if name in value), None)
    if isinstance(terms, dict):
        terms = [{"name": name, **term} for name, term in terms.items() if isinstance(term, dict)]
    if not isinstance(terms, list):
        return value
    weights = value.get("weights") if isinstance(value.get("weights"), dict) else {}
    plain = []
    for term in terms:
        if not isinstance(term, dict):
            return value
        term = {name: item for name, item in term.items() if item is not None}
        body = next((term[key] for key in _BODIES if key in term), None)
        term["body"] = "\n".join(map(str, body)) if isinstance(body, list) else body
        weight = next((term[key] for key in _WEIGHTS if key in term), weights.get(term.get("name")))
        term["weight"] = _number(weight)
        for key in ("serves", "doc"):
            if isinstance(term.get(key), list):
                term[key] = ", ".join(map(str, term[key]))
        plain.append(term)
    edits = value.get("edits", [])
    edits = [edits] if isinstance(edits, str) and edits else edits or []
    return {**value, "terms": plain, "edits": [str(edit) for edit in edits] if isinstance(edits, list) else []}


def _number(weight: Any) -> Any:
    """Return the number that a weight in words begins with: "2.0 (the backbone)"."""
    if isinstance(weight, str) and (match := re.match(r"\s*([-+]?\d+(?:\.\d+)?(?:e-?\d+)?)(?![\d.])", weight)):
        return float(match[1])
    return weight


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # Bounds and defaults are refused by some strict servers; the reading above holds to them anyway.
    left_out = ("default", "title", "minItems", "maxItems", "description")
    kept = {name: _strict(value) for name, value in schema.items() if name not in left_out}
    if kept.get("type") == "object" and "properties" in kept:
        kept |= {"additionalProperties": False, "required": list(kept["properties"])}
    return kept
