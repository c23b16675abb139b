"""How the candidates of one lap are made to differ: by what they start from, by the task, by the temperature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from video2reward.agent.authors import AuthorBrief, PriorReward

Way = Literal["best", "other", "bolder", "simpler", "adapt", "improve", "anew", "mutate", "cross", "again", "weights"]
"""A section of `prompts/author_ways.md`, but for `again` and `weights`, for which no model is asked."""

_FRESH: tuple[Way, ...] = ("best", "other", "bolder", "simpler")
_TEMPERATURE: dict[Way, float] = {
    "best": 0.3, "adapt": 0.3, "improve": 0.3, "simpler": 0.7, "other": 0.7, "mutate": 0.8, "cross": 0.8,
    "anew": 0.9, "bolder": 1.0, "again": 0.0, "weights": 0.0,
}  # fmt: skip


@dataclass(frozen=True)
class Direction:
    """What one candidate is to be: `parent` is what it is made from, `other` whose terms it may take."""

    way: Way
    parent: PriorReward | None = None
    other: PriorReward | None = None

    @property
    def temperature(self) -> float:
        return _TEMPERATURE[self.way]


def directions(brief: AuthorBrief, num_candidates: int, *, fit_weights: bool = True) -> list[Direction]:
    """Return a direction for each candidate of a lap, the one to trust most first.

    A lap that refines mends the best, fits its weights by rule, crosses it with the next best and mutates; a lap that
    explores begins with something new.
    """
    tried = brief.parents
    near = next((hit for hit in brief.remembered if hit.recollection and hit.recollection.near), None)
    if not tried:
        fresh = [Direction(way) for way in _FRESH]
        return _as_many([Direction("adapt", near), *fresh] if near else fresh, num_candidates)
    best, second = tried[0], tried[1] if len(tried) > 1 else None
    action = brief.decision.action if brief.decision else "refine"
    mixed = Direction("cross", best, second) if second else Direction("mutate", best)
    if action == "explore":
        ways = [Direction("anew"), mixed, Direction("mutate", second or best), Direction("bolder")]
        return _as_many(ways, num_candidates)
    first = Direction("again" if action == "train_longer" and best.draft else "improve", best)
    ways = [first, mixed, Direction("mutate", second or best), Direction("anew")]
    if fit_weights and best.draft and best.attempt.critique:
        ways.insert(1, Direction("weights", best))
    return _as_many(ways, num_candidates)


def _as_many(ways: list[Direction], num: int) -> list[Direction]:
    """Return `num` directions; those that a model answers differently each time come again where there are too few."""
    again = [way for way in ways if way.way not in ("again", "weights")]
    return [ways[k] if k < len(ways) else again[(k - len(ways)) % len(again)] for k in range(num)]
