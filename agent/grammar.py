"""A small grammar for what people say to the chat when no language model is there: fixed intents, each said a few ways.

What it does not understand it says, clause by clause; it never guesses. Wishes about the motion become a Steering, so
that the same words steer a run whether a model or this grammar reads them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import Field
from video2reward.agent.wishes import GO_ON, steering_of
from video2reward.memory.records import Record, Steering

Kind = Literal[
    "start", "overnight", "recall", "describe", "status", "watch", "explain", "show", "compare", "steer", "stop",
    "go_on", "list", "help", "unknown",
]  # fmt: skip

CAN_DO = (
    'start a run: "make the go1 trot like clip.mp4"',
    'steer it: "slower, less bouncing", "lift the feet higher", "remove the slip term", "speed 3"',
    'look: "how is it going?", "watch", "show me the second try", "compare the first and the second try", "list runs"',
    'explain: "why did you stop?"',
    'recall: "which of my old rewards fits new.mp4?", "what does new.mp4 show?"',
    'overnight: "run this folder clips/ overnight until 7:00, at most 5 dollars"',
    'end or resume it: "stop", "go on"',
)

_CLIP_END = r"\.(?:mp4|mov|avi|mkv|webm|gif|m4v)"
_CLIP = re.compile(rf"[\"'`]([^\"'`]+{_CLIP_END})[\"'`]|([^\s\"'`,;]+{_CLIP_END})\b", re.I)
_KEYPOINTS = re.compile(r"([^\s\"'`,;]+\.(?:json|csv|npz))\b", re.I)
_FOLDER = re.compile(r"[\"'`]([^\"'`]*/[^\"'`]*)[\"'`]|([^\s\"'`,;]*/[^\s\"'`,;]*)")
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "1st": 1, "2nd": 2, "3rd": 3}


class Intent(Record):
    """What one message asks for."""

    kind: Kind
    clips: tuple[Path, ...] = ()
    keypoints: Path | None = None
    folder: Path | None = None
    robot: str | None = None
    tries: tuple[int | str, ...] = Field((), description="numbers from 1, an attempt's name, or `best`")
    steering: Steering | None = None
    minutes: float | None = None
    until: str | None = None
    usd: float | None = None
    unread: tuple[str, ...] = Field((), description="the parts that were not understood")


def read(text: str) -> Intent:
    """Return what a message asks for."""
    clips = tuple(Path(quoted or plain).expanduser() for quoted, plain in _CLIP.findall(text))
    rest = _CLIP.sub(" CLIP ", text)
    keypoints = next((Path(match).expanduser() for match in _KEYPOINTS.findall(rest)), None)
    rest = _KEYPOINTS.sub(" ", rest)
    folder = next((Path(quoted or plain).expanduser() for quoted, plain in _FOLDER.findall(rest)), None)
    plain = " ".join(_FOLDER.sub(" FOLDER ", rest).lower().split())
    robot = next(iter(re.findall(r"\b(go1|g1)\b", plain)), None)
    if not robot:
        robot = "g1" if "humanoid" in plain else "go1" if re.search(r"\brobot dog\b|\bquadruped\b", plain) else None
    given = {
        "clips": clips, "keypoints": keypoints, "folder": folder, "robot": robot, "minutes": _minutes(plain),
        "until": _until(plain), "usd": _usd(plain), "tries": _tries(plain),
    }  # fmt: skip
    kind = _kind(plain, has_clip=bool(clips) or "clip" in plain or "folder" in plain)
    if kind in ("start", "steer", "go_on", "unknown"):
        steering, unread = steering_of(_without_the_start(plain) if kind == "start" else plain, said=text)
        if kind == "unknown" and steering:
            kind = "steer"
        if kind == "go_on" and steering:
            kind = "steer"
        if kind == "steer" and not steering:
            kind = "unknown"
        return Intent(kind=kind, steering=steering, unread=tuple(unread), **given)
    return Intent(kind=kind, **given)


_WHY = re.compile(r"\b(why|what happened|explain|how come|reason)\b")
_RECALL = re.compile(r"\b(rewards?|runs?)\b.*\b(fits?|match(es)?|like|similar|near|closest|suits?)\b")
_STATUS = re.compile(r"\b(status|progress|how (is|does|are|far)|going|doing|ready|done yet|finished)\b")
_STOP = re.compile(
    r"^(please )?(stop|cancel|abort|halt|end|enough|kill)( (it|this|that|now|the|run|training|everything|please))*\W*$"
)
_START = re.compile(
    r"\b(make|train|teach|let|get|have|start|run|learn|imitate|copy|want)\b.*\b(like|from|with|on|to|clip)\b"
)


def _kind(text: str, *, has_clip: bool) -> Kind:
    asks: tuple[tuple[Kind, bool], ...] = (
        ("help", bool(re.search(r"^(help|\?|what can you do|what do you understand)", text))),
        ("overnight", bool(re.search(r"\b(overnight|over night|through the night|tonight|until \d)", text))),
        ("recall", bool(_RECALL.search(text) and re.search(r"\b(which|what|any|old|recall|remember|prior)\b", text))),
        ("explain", bool(_WHY.search(text))),
        ("compare", bool(re.search(r"\b(compare|versus|vs|which (one )?is better|difference between)\b", text))),
        ("start", bool(_START.search(text)) and has_clip),
        ("describe", has_clip and bool(re.search(r"\b(what|describe|look at|measure|how does|show)\b", text))),
        ("list", bool(re.search(r"\b(list|what runs|which runs|(show|see)( me)?( all| my)? runs)\b", text))),
        ("show", bool(re.search(r"\b(show|see|open|video|report|look at)\b", text))),
        ("watch", bool(re.search(r"^(watch|wait|follow)\b", text))),
        ("status", bool(_STATUS.search(text)) and not GO_ON.search(text)),
        ("stop", bool(_STOP.search(text))),
        ("steer", bool(re.search(r"\b(remove|drop|without|weight)\b", text))),
        ("go_on", bool(GO_ON.search(text))),
        ("start", has_clip and bool(re.search(r"\blike\b", text))),
    )  # fmt: skip
    return next((kind for kind, meant in asks if meant), "unknown")


def _without_the_start(text: str) -> str:
    """Leave out of a request what names the robot, the motion and the clip."""
    text = re.sub(r"\b(make|train|teach|let|get|have|start|run|learn|i want|please|imitate|copy)\b", " ", text)
    text = re.sub(r"\b(go1|g1|robot( dog)?|humanoid|quadruped|a|the|an|to|my|new)\b", " ", text)
    text = re.sub(r"\b(walk|trot|run|pace|move|gallop|bound|hop|go|motion|gait)s?\b", " ", text)
    text = re.sub(
        r"\b(like|from|with|on|in|of|this|that|clip|video|keypoints|for \d+ minutes?|\d+ minutes?)\b", " ", text
    )
    return re.sub(r"\s+", " ", text.replace("clip", " ").replace("folder", " "))


def _tries(text: str) -> tuple[int | str, ...]:
    found: list[tuple[int, int | str]] = []
    for word, number in _ORDINALS.items():
        found += [(match.start(), number) for match in re.finditer(rf"\b{word}\b", text)]
    found += [(match.start(), match[0].upper()) for match in re.finditer(r"\bl\d+-c\d+\b", text)]
    numbered = re.finditer(r"\b(?:try|attempt|number|candidate) #?(\d+)\b", text)
    found += [(match.start(), int(match[1])) for match in numbered]
    found += [(match.start(), "best") for match in re.finditer(r"\bbest\b", text)]
    found += [(match.start(), "last") for match in re.finditer(r"\blast (?:try|attempt|one)\b", text)]
    return tuple(name for _, name in sorted(found, key=lambda item: item[0]))


def _minutes(text: str) -> float | None:
    if match := re.search(r"(\d+(?:\.\d+)?)\s*(minutes?|mins?|hours?|h)\b", text):
        return float(match[1]) * (60.0 if match[2].startswith("h") else 1.0)
    return None


def _until(text: str) -> str | None:
    if match := re.search(r"\buntil (\d{1,2})(?::(\d{2}))?\s*(am|pm)?", text):
        hour = int(match[1]) % 12 + (12 if match[3] == "pm" else 0) if match[3] else int(match[1])
        minute = int(match[2] or 0)
        return f"{hour:02d}:{minute:02d}" if hour < 24 and minute < 60 else None
    return None


def _usd(text: str) -> float | None:
    match = re.search(r"\$\s*(\d+(?:\.\d+)?)|(\d+(?:\.\d+)?)\s*(?:dollars?|usd|bucks|\$)", text)
    return float(match[1] or match[2]) if match else None
