"""What a wish comes to for one run: told in numbers before it is followed, so that a wrong reading is noticed."""

from __future__ import annotations

from pathlib import Path

from video2reward.agent import steering as steer
from video2reward.agent.decide import best_of
from video2reward.agent.fitting import kind_of
from video2reward.agent.folder import RunFolder
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import MotionTarget, RewardDraft, Steering


def meaning(steering: Steering) -> str:
    """Say what a wish comes to in numbers, so that a wrong reading is noticed."""
    parts = []
    if steering.speed_factor != 1.0:
        parts.append(f"speed x {steering.speed_factor:.2f}")
    if steering.cadence_factor != 1.0:
        parts.append(f"cadence x {steering.cadence_factor:.2f}")
    if steering.swing_height_factor != 1.0:
        parts.append(f"swing height x {steering.swing_height_factor:.2f}")
    parts += [f"weight of {name} x {factor:g}" for name, factor in steering.weight_factors.items()]
    parts += [f"weight of {name} = {weight:g}" for name, weight in steering.weights.items()]
    parts += [f"without {name}" for name in steering.remove_terms]
    return ", ".join(parts) or steering.said


def not_there(steering: Steering, run: Path) -> str:
    """Say which terms shall go or change that the run's best reward does not have; "" where all are there."""
    draft = _best_draft(run)
    missing = _missing(steering, draft) if draft else []
    if not (draft and missing):
        return ""
    has = ", ".join(term.name for term in draft.terms)
    return f"; its reward has no {' and no '.join(missing)} term, it has {has}"


def is_nothing(steering: Steering, run: Path) -> bool:
    """Tell whether a wish would change nothing, because all it asks is about terms that are not there."""
    draft = _best_draft(run)
    asked = [*steering.remove_terms, *steering.weights]
    rest = (*steering.weight_factors, steering.speed_factor, steering.cadence_factor, steering.swing_height_factor)
    return bool(draft and asked and _missing(steering, draft) == asked and set(rest) <= {1.0})


def _best_draft(run: Path) -> RewardDraft | None:
    disk = RunFolder(run)
    attempts = disk.attempts()
    best = best_of(attempts) or next((a for a in reversed(attempts) if a.program.terms), None)
    return disk.draft(best.id) if best else None


def _missing(steering: Steering, draft: RewardDraft) -> list[str]:
    there = {term.name for term in draft.terms} | {kind_of(term) for term in draft.terms}
    return [name for name in (*steering.remove_terms, *steering.weights) if name not in there]


def at_speed(steering: Steering, run: Path, speed_m_s: float) -> Steering:
    """Return a wish for a speed as a factor of what the run is held to now."""
    try:
        target = runs.load(MotionTarget, run / "target.json")
    except BadInput:
        raise BadInput(f"{run.name} has not looked at its clip yet.", "Ask again in a moment.") from None
    now_m_s = steer.steered_target(target, steer.asked(run)).speed_m_s
    if now_m_s == 0.0 or not 0.2 <= speed_m_s / now_m_s <= 3.0:
        raise BadInput(
            f"{speed_m_s:g} m/s is too far from the {now_m_s:.2f} m/s of now.", "Ask for 0.2 to 3 times of it."
        )
    factor = speed_m_s / now_m_s
    return steering.model_copy(update={"speed_factor": factor, "cadence_factor": steering.cadence_factor * factor**0.5})
