"""From what a language model wrote to a draft: strict where meaning is at stake, tolerant of everything around it."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from video2reward.memory.records import RewardDraft, RewardTerm

_MOST_BRACES = 60


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
    """Read an answer: plain JSON, JSON in a fence or in prose, or a reward file in Python. Raises BadAnswer."""
    if not text.strip():
        raise BadAnswer("it is empty.")
    problems: list[str] = []
    for candidate in _json_candidates(text):
        try:
            value = json.loads(candidate, strict=False)
        except json.JSONDecodeError as error:
            problems.append(f"it is not JSON: {error.msg} at line {error.lineno}.")
            continue
        if isinstance(value, dict) and isinstance(value.get("reward"), dict):
            value = value["reward"]
        try:
            return RewardAnswer.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the answer"
            problems.append(f"{where}: {first['msg']}.")
    if answer := _from_python(text):
        return answer
    raise BadAnswer(problems[0] if problems else "it holds no JSON object.")


def draft_from(answer: RewardAnswer, *, author: str, parent: str | None, edits_of_parent: bool) -> RewardDraft:
    """Return the draft that an answer means. Raises BadAnswer where a body is no function body."""
    return RewardDraft(
        terms=tuple(
            RewardTerm(
                name=term.name.strip(),
                weight=term.weight,
                serves=term.serves or "not said",
                doc=term.doc,
                body=plain_body(term.body),
            )
            for term in answer.terms
        ),
        rationale=answer.rationale or "The author gave no reason.",
        author=author,
        parent=parent,
        edits=tuple(answer.edits) if edits_of_parent else (),
        warm_start=parent if answer.start_from_parent_policy else None,
    )


def plain_body(body: str) -> str:
    """Return the statements of a body, without the fence, the `def` line or the uneven indent around them."""
    if fence := re.search(r"```(?:python|py)?\s*\n(.*?)```", body, re.DOTALL):
        body = fence[1]
    body = body.replace("\t", "    ").strip("\n").rstrip()
    if "def " in body and (function := _only_function(body)):
        return function
    lines = body.split("\n")
    if len(lines) > 1 and not lines[0].startswith(" ") and all(line.startswith("  ") or not line for line in lines[1:]):
        # The first line lost its indent and the others kept theirs, unless it opens a block of its own.
        if not lines[0].rstrip().endswith((":", "(", "[", "{", ",", "\\")):
            body = lines[0] + "\n" + textwrap.dedent("\n".join(lines[1:]))
    body = textwrap.dedent(body)
    try:
        ast.parse(body.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return body
    return f"return {body.strip()}"


def _json_candidates(text: str) -> list[str]:
    """Return the parts of a text that may be the object, the likeliest first."""
    found = [text.strip()] if text.strip().startswith("{") else []
    found += re.findall(r"```(?:json)?\s*\n(\{.*?\})\s*```", text, re.DOTALL)
    start, end = text.find("{"), text.rfind("}")
    if 0 <= start < end:
        whole = text[start : end + 1]
        found += [whole, re.sub(r",(\s*[}\]])", r"\1", whole)]
    # Prose before the object may hold braces of its own.
    for brace in list(re.finditer(r"\{", text))[:_MOST_BRACES]:
        try:
            value, length = json.JSONDecoder(strict=False).raw_decode(text[brace.start() :])
        except json.JSONDecodeError:
            continue
        if isinstance(value, dict) and ("terms" in value or "reward" in value):
            found.append(text[brace.start() : brace.start() + length])
    return list(dict.fromkeys(found))


def _from_python(text: str) -> RewardAnswer | None:
    """Read a reward file in Python, which small models write whatever they are asked for."""
    for code in re.findall(r"```(?:python|py)?\s*\n(.*?)```", text, re.DOTALL) or [text]:
        try:
            tree = ast.parse(textwrap.dedent(code))
        except (SyntaxError, ValueError):
            continue
        terms = [term for node in tree.body if isinstance(node, ast.FunctionDef) and (term := _term_of(node))]
        if terms:
            return RewardAnswer(rationale="Written as a file.", terms=terms)
    return None


def _term_of(node: ast.FunctionDef) -> TermAnswer | None:
    for call in node.decorator_list:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "term":
            try:
                given = {item.arg: ast.literal_eval(item.value) for item in call.keywords}
                return TermAnswer(
                    name=node.name,
                    weight=float(given["weight"]),
                    serves=str(given.get("serves", "not said")),
                    doc=ast.get_docstring(node) or "",
                    body=_statements(node),
                )
            except (KeyError, TypeError, ValueError):
                return None
    return None


def _only_function(code: str) -> str | None:
    try:
        tree = ast.parse(textwrap.dedent(code))
    except (SyntaxError, ValueError):
        return None
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return _statements(functions[0]) if len(functions) == 1 else None


def _statements(node: ast.FunctionDef) -> str:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return "\n".join(ast.unparse(statement) for statement in body)


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
