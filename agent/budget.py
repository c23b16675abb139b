"""What a run may spend, and what it has spent. The first limit that is reached wins; the report has its reserve."""

from __future__ import annotations

import time
from pathlib import Path

from pydantic import Field
from video2reward.agent.kept import KeptAnswers
from video2reward.agent.prices import price_of
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import Record, RunRequest, StoredRecord

_SAVE_EVERY_S = 2.0


class Limits(Record):
    """The most that a run may use. `reserve_s` of the time is kept for the last verdict, the video and the report."""

    wall_s: float = Field(gt=0)
    laps: int = Field(ge=1)
    candidates: int = Field(ge=1, description="per lap")
    most_candidates: int | None = Field(None, description="of all laps together")
    env_steps: int | None = None
    tokens: int | None = None
    usd: float | None = None
    reserve_s: float = 0.0


class Spending(StoredRecord):
    """What has been used so far; written down all the while, so that a crash does not make it free."""

    wall_s: float = 0.0
    laps: int = 0
    candidates: int = 0
    env_steps: int = 0
    tokens: int = 0
    usd: float = 0.0
    calls: int = 0
    unpriced_tokens: int = Field(0, description="of `tokens`, those of models that no price table names")
    longest_lap_s: float = 0.0


def limits_for(request: RunRequest, spent: Spending, now: float) -> Limits:
    """Return the limits of a request at the time `now` (seconds since the epoch), when `spent` was spent already.

    The reserve is a tenth of the time, between 10 and 60 s.
    """
    wall_s = 60.0 * request.minutes
    if request.until is not None:
        # Time in which nobody worked on the run is no spending of it, but the clock went on.
        wall_s = min(wall_s, max(spent.wall_s + request.until - now, 1.0))
    reserve_s = min(max(0.1 * wall_s, 10.0), 60.0, 0.5 * wall_s)
    return Limits(
        wall_s=wall_s,
        laps=request.laps,
        candidates=request.candidates,
        most_candidates=request.most_candidates,
        env_steps=request.env_steps,
        tokens=request.tokens,
        usd=request.usd,
        reserve_s=reserve_s,
    )


def wall_left_s(limits: Limits, spent: Spending) -> float:
    """Return the seconds left for laps, the reserve taken off."""
    return max(0.0, limits.wall_s - limits.reserve_s - spent.wall_s)


def env_steps_left(limits: Limits, spent: Spending) -> int | None:
    return None if limits.env_steps is None else max(0, limits.env_steps - spent.env_steps)


def candidates_now(limits: Limits, spent: Spending) -> int:
    """Return how many candidates the next lap may have; 0 where all are used up."""
    if limits.most_candidates is None:
        return limits.candidates
    return max(0, min(limits.candidates, limits.most_candidates - spent.candidates))


def reached(limits: Limits, spent: Spending) -> str:
    """Return the first limit that another lap would break, as a sentence; "" where there is room for one."""
    left_s = wall_left_s(limits, spent)
    if spent.laps >= limits.laps:
        return f"all {limits.laps} laps are done."
    if not candidates_now(limits, spent):
        return f"all {limits.most_candidates} candidates were tried."
    if left_s <= 0.0:
        return f"the {limits.wall_s / 60:.3g} minutes are used up."
    # Half of the longest lap so far: a later lap trains on from what is there, and may be cut to what is left.
    if spent.longest_lap_s and left_s < 0.5 * spent.longest_lap_s:
        return (
            f"{left_s:.0f} s are left of {limits.wall_s / 60:.3g} minutes, "
            f"too few for another lap of up to {spent.longest_lap_s:.0f} s."
        )
    if limits.env_steps is not None and spent.env_steps >= limits.env_steps:
        return f"the {limits.env_steps} environment steps are used up."
    return no_more_calls(limits, spent)


def no_more_calls(limits: Limits, spent: Spending) -> str:
    """Return why no language model may be asked any more, as a sentence, or ""."""
    if limits.tokens is not None and spent.tokens >= limits.tokens:
        return f"the {limits.tokens} tokens are used up."
    if limits.usd is not None and spent.usd >= limits.usd:
        return f"the ${limits.usd:.4g} are used up."
    return ""


class Purse:
    """The spending of one run in its folder's `spending.json`; time runs only while a process works on the run."""

    def __init__(self, run: Path) -> None:
        self._path = run / "spending.json"
        self._kept = spending_of(run)
        self._before_s = self._kept.wall_s
        self._begun = time.monotonic()
        self._saved = self._begun - _SAVE_EVERY_S

    def now(self) -> Spending:
        """Return the spending up to this moment, and write it down every few seconds."""
        spent = self._kept.model_copy(update={"wall_s": self._before_s + time.monotonic() - self._begun})
        if time.monotonic() - self._saved >= _SAVE_EVERY_S:
            self._write(spent)
        return spent

    def note(self, **changed: float | int) -> Spending:
        """Set counts, which come from the attempts on disk and so are never counted twice."""
        self._kept = self._kept.model_copy(update=changed)
        spent = self.now()
        self._write(spent)
        return spent

    def charge(self, model: str, input_tokens: int, output_tokens: int) -> Spending:
        """Add one call of a model, and write it down at once: a crash must not make it free."""
        tokens, price, kept = input_tokens + output_tokens, price_of(model), self._kept
        return self.note(
            calls=kept.calls + 1,
            tokens=kept.tokens + tokens,
            usd=kept.usd + (price.usd(input_tokens, output_tokens) if price else 0.0),
            unpriced_tokens=kept.unpriced_tokens + (0 if price else tokens),
        )

    def _write(self, spent: Spending) -> None:
        self._saved = time.monotonic()
        runs.save(spent, self._path)


class Bill:
    """What language models are charged to: they ask it before each call and tell it what the call took."""

    def __init__(self, purse: Purse, limits: Limits, answers: KeptAnswers | None = None) -> None:
        self._purse, self._limits, self.answers = purse, limits, answers

    def refusal(self) -> str:
        """Return why no call may be made, as a sentence, or ""."""
        return no_more_calls(self._limits, self._purse.now())

    def charge(self, model: str, input_tokens: int, output_tokens: int) -> None:
        self._purse.charge(model, input_tokens, output_tokens)


def spending_of(run: Path) -> Spending:
    """Return what a run has spent as it was last written down; nothing where there is no such note."""
    try:
        return runs.load(Spending, run / "spending.json")
    except BadInput:
        return Spending()
