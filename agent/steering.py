"""What is asked of a running loop: written to `steer.jsonl` by whoever asks, followed by the loop at its next lap.

Numbers are followed by code, whoever the author is: a term that was removed stays out of every later reward. Words go
to an author that reads. All that was asked stays in force until the run ends; a later word adds to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from video2reward.agent.fitting import kind_of, scaled_swing
from video2reward.agent.ready import READY
from video2reward.memory.records import Attempt, Decision, MotionTarget, RewardDraft, RewardTerm, Steering
from video2reward.sim.config import GRAVITY_M_S2

FILE = "steer.jsonl"
_MOST_WEIGHT_CHANGE = 20.0


def ask(run: Path, steering: Steering) -> None:
    """Add a wish to a run; one line is written at once, so that the loop reads all of it or none."""
    with (run / FILE).open("a", encoding="utf-8") as file:
        file.write(steering.model_dump_json() + "\n")


def asked(run: Path) -> tuple[Steering, ...]:
    """Return all that was asked of a run so far, in its order; a line that cannot be read is passed over."""
    try:
        lines = (run / FILE).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    found = []
    for line in lines:
        try:
            found.append(Steering.model_validate_json(line))
        except ValidationError:
            continue
    return tuple(found)


def steered_target(target: MotionTarget, steerings: Sequence[Steering]) -> MotionTarget:
    """Return the target as it was asked for. It is then what the robot is held to, and says so."""
    speed = math.prod(steering.speed_factor for steering in steerings)
    cadence = math.prod(steering.cadence_factor for steering in steerings)
    if speed == 1.0 and cadence == 1.0:
        return target
    speed_m_s = target.speed_m_s * speed
    said = "; ".join(s.said for s in steerings if (s.speed_factor, s.cadence_factor) != (1.0, 1.0))
    note = f"asked for ({said}): {speed:.2f} of the clip's speed, {cadence:.2f} of its cadence"
    return target.model_copy(
        update={
            "speed_m_s": speed_m_s,
            "stride_frequency_hz": target.stride_frequency_hz * cadence,
            "froude": speed_m_s**2 / (GRAVITY_M_S2 * target.leg_length_m),
            "feasibility": "ok",
            "notes": (*target.notes, note),
        }
    )


def steered_draft(draft: RewardDraft, steerings: Sequence[Steering]) -> RewardDraft:
    """Return a draft with the terms, weights and swing heights that were asked for, and edits that say so."""
    terms, edits = list(draft.terms), list(draft.edits)
    for steering in steerings:
        kept = [term for term in terms if not _named(term, steering.remove_terms)]
        gone = [term.name for term in terms if term not in kept]
        if gone and kept:
            terms = kept
            edits.append(f"asked for: {', '.join(gone)} removed")
        changed = [_weighed(term, steering) for term in terms]
        edits += [
            f"asked for: {old.name} {old.weight:g} -> {new.weight:g}"
            for old, new in zip(terms, changed, strict=True)
            if old.weight != new.weight
        ]
        terms = [
            term.model_copy(update={"body": scaled_swing(term.body, steering.swing_height_factor)}) for term in changed
        ]
        for added in _brought_in(terms, steering):
            terms.append(added)
            edits.append(f"asked for: {added.name} {added.weight:g} is new")
        if steering.swing_height_factor != 1.0:
            edits.append(f"asked for: feet lifted {steering.swing_height_factor:g} times as high")
    if tuple(terms) == draft.terms:
        return draft
    return draft.model_copy(update={"terms": tuple(terms), "edits": tuple(edits)})


def heeding(decision: Decision, followed: Sequence[Steering], asked: Sequence[Steering], limit: str) -> Decision:
    """Return a decision that notes what was asked, and goes on where something was asked for since the lap began.

    `followed` is what the lap was written with, `limit` the limit that another lap would break, if any.
    """
    new = [steering.said for steering in asked[len(followed) :]]
    changed: dict[str, object] = {"steering": tuple(steering.said for steering in asked)}
    if new and decision.action == "stop" and decision.ending == "passed":
        said = "; ".join(new)
        if limit:
            changed["reason"] = f"{decision.reason} What was asked last ({said}) was not begun: {limit}"
        else:
            changed |= {"action": "refine", "ending": None, "reason": f"{decision.reason} But it was asked: {said}."}
    return decision.model_copy(update=changed)


def with_current_target(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the attempts at what is wanted now: what was reached before the target was changed counts no more."""
    if not attempts:
        return []
    now = attempts[-1].target
    wanted = (now.speed_m_s, now.stride_frequency_hz)
    return [a for a in attempts if (a.target.speed_m_s, a.target.stride_frequency_hz) == wanted]


def _named(term: RewardTerm, names: Sequence[str]) -> bool:
    """Tell whether a term is meant: by its own name, or by its kind where no word is a term's own name."""
    return term.name in names or kind_of(term) in names


def _brought_in(terms: Sequence[RewardTerm], steering: Steering) -> list[RewardTerm]:
    """Return the terms that must be new, because a wish asks for more of what no term is about."""
    return [
        ready.model_copy(update={"weight": round(factor / 2.0 * ready.weight, 6)})
        for kind, factor in steering.weight_factors.items()
        if factor > 1.0 and (ready := READY.get(kind)) and not any(_named(term, (kind,)) for term in terms)
    ]


def _weighed(term: RewardTerm, steering: Steering) -> RewardTerm:
    weight = term.weight
    for name, new in steering.weights.items():
        if _named(term, (name,)):
            weight = new
    for name, factor in steering.weight_factors.items():
        if _named(term, (name,)):
            weight = math.copysign(min(abs(weight * factor), _MOST_WEIGHT_CHANGE * max(abs(term.weight), 1e-6)), weight)
    return term if weight == term.weight else term.model_copy(update={"weight": round(weight, 6)})
