"""The parts of a sentence that say how much, until when, which try, which robot."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "1st": 1, "2nd": 2, "3rd": 3}
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def tries_in(text: str) -> tuple[int | str, ...]:
    found: list[tuple[int, int | str]] = []
    for word, number in _ORDINALS.items():
        found += [(match.start(), number) for match in re.finditer(rf"\b{word}\b", text)]
    found += [(match.start(), match[0].upper()) for match in re.finditer(r"\bl\d+-c\d+\b", text)]
    numbered = re.finditer(
        r"\b(?:try|tries|attempts?|number|candidates?|better,|#) ?#?(\d+)(?: (?:or|and|with|to|vs) (\d+))?", text
    )
    found += [(match.start(k), int(match[k])) for match in numbered for k in (1, 2) if match[k]]
    found += [(match.start(), "best") for match in re.finditer(r"\bbest\b", text)]
    found += [(match.start(), "last") for match in re.finditer(r"\blast (?:try|attempt|one)\b", text)]
    return tuple(name for _, name in sorted(found, key=lambda item: item[0]))


def minutes_in(text: str) -> float | None:
    if match := re.search(r"(\d+(?:\.\d+)?)\s*(minutes?|mins?|hours?|h)\b", text):
        return float(match[1]) * (60.0 if match[2].startswith("h") else 1.0)
    return None


def until_in(text: str) -> str | None:
    if match := re.search(r"\b(?:until|till|by) (\d{1,2})(?::(\d{2}))?\s*(am|pm)?", text):
        hour = int(match[1]) % 12 + (12 if match[3] == "pm" else 0) if match[3] else int(match[1])
        minute = int(match[2] or 0)
        return f"{hour:02d}:{minute:02d}" if hour < 24 and minute < 60 else None
    return None


def usd_in(text: str) -> float | None:
    match = re.search(r"\$\s*(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?)\s*(?:dollars?|usd|bucks|\$)", text)
    return float(match[1] or match[2]) if match else None


def robots_in(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Return the robots that a text names: by their names, or as the humanoid, the robot dog, both."""
    if re.search(r"\b(both|all|every) (of the )?robots?\b", text):
        return ("go1", "g1")
    found = re.findall(r"\b(go1|g1)\b", text)
    found += [name for name in known if re.search(rf"(?<![\w-]){re.escape(name.lower())}(?![\w-])", text)]
    if not found and "humanoid" in text:
        return ("g1",)
    return tuple(found) if found or not re.search(r"\brobot dog\b|\bquadruped\b", text) else ("go1",)


def with_numbers(text: str) -> str:
    """Write small numbers before units as digits: "five dollars", "two hours", "half an hour"."""
    text = re.sub(r"\bhalf an? hour\b", "30 minutes", text)
    text = re.sub(r"\ban? (hour|dollar|buck)\b", r"1 \1", text)
    words = "|".join(_NUMBERS)
    unit = r"(?=\s*(?:dollars?|usd|bucks|minutes?|mins?|hours?|percent|%))"
    return re.sub(rf"\b({words})\b{unit}", lambda match: str(_NUMBERS.index(match[1])), text)
