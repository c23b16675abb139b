"""The first seam: an author reads a brief and proposes rewards. Two kinds stand behind it.

`offline` builds and mends rewards by rule and needs nothing; any other name is a language model behind the OpenAI
protocol (`agent.llm`). Both get the same brief and give the same records.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import Field
from video2reward.agent.kept import KeptAnswers
from video2reward.memory.errors import BadInput
from video2reward.memory.records import (
    Attempt,
    Decision,
    GaitDescriptor,
    MotionTarget,
    Recollection,
    Record,
    RewardDraft,
)


class PriorReward(Record):
    """A reward that was tried: what came of it, the file as written, and the draft it was made from."""

    attempt: Attempt
    reward: str = Field(description="the text of reward.py")
    draft: RewardDraft | None = None
    recollection: Recollection | None = Field(None, description="set where it comes from memory and not from this run")


class Picture(Record):
    """A picture for an author that sees, and what it shows, in a sentence."""

    path: Path
    shows: str


class AuthorBrief(Record):
    """Everything an author may know when it writes the candidates of one lap."""

    target: MotionTarget
    gait: GaitDescriptor | None = None
    lap: int = Field(ge=1)
    decision: Decision | None = Field(
        None, description="what was decided after the lap before; its `parent` is parents[0]"
    )
    parents: tuple[PriorReward, ...] = Field((), description="this run's attempts, the one to start from first")
    remembered: tuple[PriorReward, ...] = Field((), description="near rewards of other runs, nearest first")
    failures: tuple[str, ...] = Field((), description="candidates of this run that were refused or broke, and why")
    wishes: tuple[str, ...] = Field((), description="what was asked for beyond the clip, in words, the latest last")
    pictures: tuple[Picture, ...] = ()
    wall_left_s: float = 600.0
    env_steps_left: int | None = None


class Unusable(Record):
    """A candidate that an author could not bring to a draft; it is recorded as rejected and the lap goes on."""

    author: str
    reason: str
    answer: str = ""


class Usage(Record):
    """What an author has used up since it was made."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Bill(Protocol):
    """Where the calls of a language model are written down, and where they end."""

    answers: KeptAnswers | None
    """Where answers are kept, so that none is paid for twice."""

    def refusal(self) -> str:
        """Return why no further call may be made, as a sentence, or ""."""
        ...

    def charge(self, model: str, input_tokens: int, output_tokens: int) -> None: ...


@runtime_checkable
class Billed(Protocol):
    """Whoever asks a language model, and so costs tokens."""

    def bill_to(self, bill: Bill) -> None: ...


class Author(Protocol):
    """Anything that proposes rewards. Raises AuthorFailed where it has nothing at all to give.

    An author that costs something has `usage: Usage` and is `Billed` too.
    """

    name: str

    def propose(self, brief: AuthorBrief, num_candidates: int, seed: int) -> Sequence[RewardDraft | Unusable]:
        """Return up to `num_candidates` drafts that differ on purpose; the same seed gives the same drafts."""
        ...


def make_author(name: str) -> Author:
    """Return the author called `offline`, or the language model `MODEL` or `openai:MODEL`."""
    if not name.strip():
        raise BadInput("no author is named.", "Use --author offline, or --author openai:MODEL.")
    if name == "offline":
        from video2reward.agent.offline import OfflineAuthor

        return OfflineAuthor()
    from video2reward.agent.llm import LlmAuthor

    return LlmAuthor(name.removeprefix("openai:"))
