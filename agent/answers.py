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
_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_WORDS = {"true": "True", "false": "False", "null": "None"}


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
    for value in json_objects(text):
        try:
            return RewardAnswer.model_validate(_as_asked(value))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the answer"
            problems.append(f"{where}: {first['msg']}.")
    if answer := _from_python(text):
        return answer
    raise BadAnswer(problems[0] if problems else _why_no_json(text))


def json_objects(text: str) -> list[dict[str, Any]]:
    """Return the objects that a text holds, the likeliest first, whatever is around them and however they are quoted.

    Thoughts between tags are passed over, unless nothing is left without them.
    """
    spoken = _THOUGHTS.sub("", text)
    found: list[dict[str, Any]] = []
    for part in _parts(spoken if spoken.strip() else text):
        value = _loaded(part)
        if isinstance(value, list) and value and all(isinstance(item, dict) and "weight" in item for item in value):
            value = {"terms": value}
        if isinstance(value, dict) and value not in found:
            found.append(value)
    return sorted(found, key=lambda value: "terms" not in value and "reward" not in value)


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
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return body
    return f"return {body.strip()}"


def _as_asked(value: dict[str, Any]) -> dict[str, Any]:
    """Bring the forms that models like to the one that was asked for: a wrapper, terms by name, lines as a list."""
    for wrapper in ("reward", "answer", "reward_function"):
        if isinstance(value.get(wrapper), dict) and "terms" not in value:
            value = value[wrapper]
    terms = value.get("terms")
    if isinstance(terms, dict):
        terms = [{"name": name, **term} for name, term in terms.items() if isinstance(term, dict)]
    if not isinstance(terms, list):
        return value
    plain = []
    for term in terms:
        if not isinstance(term, dict):
            return value
        body = next((term[key] for key in ("body", "code", "function") if key in term), None)
        plain.append({**term, "body": "\n".join(map(str, body)) if isinstance(body, list) else body})
        for key in ("serves", "doc"):
            if isinstance(term.get(key), list):
                plain[-1][key] = ", ".join(map(str, term[key]))
    edits = value.get("edits", [])
    edits = [edits] if isinstance(edits, str) and edits else edits or []
    return {**value, "terms": plain, "edits": [str(edit) for edit in edits]}


def _parts(text: str) -> list[str]:
    """Return the parts of a text that may be an object, the likeliest first."""
    found = [text.strip()]
    found += re.findall(r"```[a-z]*\s*\n(.*?)```", text, re.DOTALL)
    start, end = text.find("{"), text.rfind("}")
    if 0 <= start < end:
        found.append(text[start : end + 1])
    # Prose before the object may hold braces of its own.
    found += [text[brace.start() : end + 1] for brace in list(re.finditer(r"\{", text))[:_MOST_BRACES]]
    return [part.strip() for part in dict.fromkeys(found) if part.strip()[:1] in ("{", "[")]


def _loaded(part: str) -> Any:
    """Return what a text means as JSON, or as JSON with commas too many, or as a Python literal; None otherwise."""
    for attempt in (part, re.sub(r",(\s*[}\]])", r"\1", part)):
        try:
            return json.JSONDecoder(strict=False).raw_decode(attempt)[0]
        except (ValueError, RecursionError):
            continue
    try:
        return ast.literal_eval(re.sub(r"\b(true|false|null)\b", lambda word: _WORDS[word[1]], part))
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None


def _why_no_json(text: str) -> str:
    start = text.find("{")
    if start < 0:
        return "it holds no JSON object."
    try:
        json.loads(text[start : text.rfind("}") + 1] or text[start:], strict=False)
    except json.JSONDecodeError as error:
        return f"it is not JSON: {error.msg} at line {error.lineno}."
    except (ValueError, RecursionError) as error:
        return f"it is not JSON that can be read: {str(error)[:80]}."
    return "it holds no reward."


def _from_python(text: str) -> RewardAnswer | None:
    """Read a reward file in Python, which small models write whatever they are asked for."""
    for code in re.findall(r"```(?:python|py)?\s*\n(.*?)```", text, re.DOTALL) or [text]:
        try:
            tree = ast.parse(textwrap.dedent(code))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
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
    except (SyntaxError, ValueError, RecursionError, MemoryError):
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
