"""Rewards: as an author proposes them, as files, and what a trial on scripted states found."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from video2reward.memory.records.base import Record, StoredRecord


class RewardTerm(Record):
    """One term as an author proposes it: the body is Python of the reward contract."""

    name: str
    weight: float
    serves: str = Field(description="the clip feature or the need this term serves")
    doc: str
    body: str = Field(description="the function's statements, ending in `return <tensor of shape (num_envs,)>`")


class RewardDraft(Record):
    """What an author hands over; `write_reward` turns it into a file and guards it."""

    terms: tuple[RewardTerm, ...] = Field(min_length=1)
    rationale: str
    author: str
    parent: str | None = None
    edits: tuple[str, ...] = Field((), description="what was changed against the parent, one sentence each")
    max_env_steps: int | None = Field(None, description="what the author would spend on it")
    warm_start: str | None = Field(None, description="attempt whose policy to start from")


class RewardProgram(StoredRecord):
    """A reward as a file a person can read, edit and train with."""

    id: str
    path: str
    sha256: str
    terms: dict[str, float] = Field(description="weight by term")
    serves: dict[str, str]
    author: str
    rationale: str
    parent: str | None = None
    edits: tuple[str, ...] = ()
    status: Literal["ok", "rejected"] = "ok"
    reason: str = ""
    remarks: tuple[str, ...] = Field((), description="what may be trained with but looks like a mistake")


class TrialReport(Record):
    """What a reward earns per step on scripted states; `problem` is empty where it may be trained with."""

    problem: str = ""
    remarks: tuple[str, ...] = Field((), description="what may be trained with but looks like a mistake")
    gait: float = 0.0
    standing: float = 0.0
    lying: float = 0.0
    vibrating: float = 0.0
    by_term: dict[str, float] = Field({}, description="weight x term, mean over the scripted gait")
    seconds_per_call: float = Field(0.0, description="all terms, 4096 environments")
