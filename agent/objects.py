"""The objects that a text holds, whatever a model wrote around them and however it quoted them.

JSON as it should be, JSON with comments, commas too many or curly quotes, Python literals; in fences, in prose, behind
thoughts, within a call of a tool. Nothing is run, and how deep a text nests is looked at before any parser is.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

from video2reward.memory.errors import BadReward
from video2reward.sim.reward_text import parse

_MOST_TRIES = 400
_MOST_CHARS = 200_000
_MOST_DEPTH = 40
_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHTS_BEFORE = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.DOTALL | re.IGNORECASE)
_OPENING = re.compile(r"[{\[]")
_COMMENT = re.compile(r"//[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)
_LAST_COMMA = re.compile(r",(?=\s*(?:(?://|#)[^\n]*\s*)*[}\]])")
_WORDS = {"true": "True", "false": "False", "null": "None"}
_PAIRS = {"{": "}", "[": "]", "(": ")"}
_OPENED, _CLOSED = '"“”', {'"': '"', "“": "”", "”": "”"}


def json_objects(text: str) -> list[dict[str, Any]]:
    """Return the objects that a text holds, the likeliest first: those with terms, and of them the last.

    A list of terms counts as an object that holds it. Thoughts are passed over, unless nothing is left without them.
    """
    found: list[dict[str, Any]] = []
    for value in values_in(text):
        if isinstance(value, list) and value and all(isinstance(item, dict) and "weight" in item for item in value):
            value = {"terms": value}
        if isinstance(value, dict) and value not in found:
            found.append(value)
    return sorted(reversed(found), key=lambda value: "terms" not in value and "reward" not in value)


def values_in(text: str) -> list[dict[str, Any] | list[Any]]:
    """Return the outermost objects and lists that a text holds, in their order; thoughts are passed over."""
    return list(_values(spoken(text)[:_MOST_CHARS]))


def spoken(text: str) -> str:
    """Return a text without the thoughts in it; those that were never begun or never ended too."""
    said = _THOUGHTS_BEFORE.sub("", _THOUGHTS.sub("", text))
    return said if said.strip() else text


def why_no_object(text: str) -> str:
    """Say what is wrong with a text that should hold an object."""
    text = spoken(text)
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


def _values(text: str) -> Iterator[Any]:
    """Yield the outermost objects and lists of a text, in their order."""
    place = tries = 0
    while tries < _MOST_TRIES and (begun := _OPENING.search(text, place)):
        tries += 1
        end = _end_of(text, begun.start())
        value = _loaded(text[begun.start() : end]) if end else None
        if value is None:
            place = begun.start() + 1
        else:
            yield value
            place = end


def _end_of(text: str, start: int) -> int:
    """Return where the bracket that opens at `start` is closed, just behind; 0 where it is not, or nests too deep."""
    expected: list[str] = []
    place = start
    while place < len(text):
        sign = text[place]
        if comment := _COMMENT.match(text, place):
            place = comment.end()
            continue
        if sign in "\"'":
            if (place := _end_of_string(text, place, sign)) == 0:
                return 0
            continue
        if sign in _PAIRS:
            expected.append(_PAIRS[sign])
            if len(expected) > _MOST_DEPTH:
                return 0
        elif sign in "}])":
            if sign != expected.pop():
                return 0
            if not expected:
                return place + 1
        place += 1
    return 0


def _end_of_string(text: str, start: int, quote: str) -> int:
    thrice = 3 * quote
    closing = thrice if text.startswith(thrice, start) else quote
    place = start + len(closing)
    while place < len(text):
        if text[place] == "\\":
            place += 2
        elif text.startswith(closing, place):
            return place + len(closing)
        else:
            place += 1
    return 0


def _loaded(part: str) -> Any:
    """Return what a text means as JSON, as JSON that was cleaned, or as a Python literal; None otherwise."""
    for attempt in (part, _cleaned(part)):
        try:
            return json.loads(attempt, strict=False)
        except (ValueError, RecursionError):
            continue
    try:
        tree = parse(re.sub(r"\b(true|false|null)\b", lambda word: _WORDS[word[1]], part))
        (only,) = tree.body
        return ast.literal_eval(only.value) if isinstance(only, ast.Expr) else None
    except (BadReward, ValueError, TypeError, MemoryError, RecursionError):
        return None


def _cleaned(part: str) -> str:
    """Leave out comments and commas before a closing bracket; make curly quotes around strings straight."""
    kept: list[str] = []
    place = 0
    while place < len(part):
        sign = part[place]
        if sign in _OPENED:
            end = place + 1
            while end < len(part) and part[end] != _CLOSED[sign]:
                end += 2 if part[end] == "\\" else 1
            inside = part[place + 1 : end]
            kept.append('"' + (inside if sign == '"' else inside.replace('"', '\\"')) + '"')
            place = end + 1
        elif comment := _COMMENT.match(part, place):
            place = comment.end()
        elif comma := _LAST_COMMA.match(part, place):
            place = comma.end()
        else:
            kept.append(sign)
            place += 1
    return "".join(kept)
