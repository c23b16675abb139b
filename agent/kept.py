"""What language models answered, kept in the run folder before anything is made of it.

An answer is paid for when it comes. Whoever dies after that and asks the same again is given what was answered then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import StoredRecord

FOLDER = "answers"


class Message(NamedTuple):
    """One message to a model; pictures go with the user's own."""

    role: str
    text: str
    pictures: tuple[Path, ...] = ()


class KeptAnswer(StoredRecord):
    """One answer as it came, with what it was asked."""

    model: str
    asked: tuple[str, ...] = Field(description="the messages, each with its role in front")
    text: str
    problem: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    saw: bool = Field(True, description="the pictures were sent too, where there were any")


class KeptAnswers:
    """The answers of one run, found again by all that an answer depends on."""

    def __init__(self, run: Path) -> None:
        self._folder = run / FOLDER

    def find(self, key: str) -> KeptAnswer | None:
        try:
            return runs.load(KeptAnswer, self._path(key))
        except BadInput:
            return None

    def keep(self, key: str, answer: KeptAnswer) -> None:
        runs.save(answer, self._path(key))

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def key_of(model: str, messages: Sequence[Message], **options: Any) -> str:
    """Return a name for a question: the same for the same model, messages, pictures and options, and for no other."""
    told = [(message.role, message.text, [runs.sha256_of(path) for path in message.pictures]) for message in messages]
    text = json.dumps([model, told, options], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
