"""Does a remembered policy help? It is tried on the new motion before anything is built on it.

A policy that stays up, steps and goes on the new target before a single step of training starts far ahead of a fresh
one, which falls at once. One that does not would have to be unlearned first: that is negative transfer, and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from video2reward.agent.toolbox import Toolbox
from video2reward.memory.errors import V2RError
from video2reward.memory.records import Attempt, Critique, MotionTarget, Recollection

LEAST_SURVIVAL = 0.9
MOST_E_PHI = 0.12
"""Feet in another order are another gait: training on from there stays in it."""
_MOST_TRIED = 2


def tried(
    hits: Sequence[Recollection], target: MotionTarget, tools: Toolbox, tell: Callable[..., None]
) -> list[Recollection]:
    """Return the hits; one whose policy failed its trial is near no more, and its sentence says why.

    The first that passes is enough: those after it are not tried.
    """
    judged, found, done = list[Recollection](), False, 0
    for hit in hits:
        if not (hit.near and hit.passed) or found or done == _MOST_TRIED or not (hit.folder / "policy.pt").is_file():
            judged.append(hit)
            continue
        done += 1
        why, numbers = _trial(hit, target, tools)
        found = not why
        tell("transfer", attempt=hit.attempt, accepted=found, reason=why or "it moves like this already", **numbers)
        said = "its policy was tried on the new motion and holds" if found else f"its policy is no start: {why}"
        changed = {"near": found, "sentence": f"{hit.sentence.removesuffix('.')}; {said}."}
        judged.append(hit.model_copy(update=changed))
    return judged


def refusal(critique: Critique) -> str:
    """Return why a policy is no start for the motion it was tried on, or ""."""
    gates = {gate.name: gate for gate in critique.gates}
    if critique.robot.survival < LEAST_SURVIVAL:
        return f"only {critique.robot.survival:.0%} stay on their feet"
    for name in ("strict_steps", "speed"):
        if name in gates and not gates[name].passed:
            return gates[name].sentence.removesuffix(".")
    if critique.similarity.E_phi > MOST_E_PHI:
        return f"its feet come in another order (off by {critique.similarity.E_phi:.2f} of a stride)"
    return ""


def outcome(lap: Sequence[Attempt]) -> dict[str, object] | None:
    """Return how a recalled attempt did beside those of its lap that began fresh; None where there is no such pair."""
    recalled = next((attempt for attempt in lap if attempt.recalled_from), None)
    fresh = [attempt for attempt in lap if not attempt.recalled_from and attempt.critique]
    if recalled is None or not recalled.critique or not fresh:
        return None
    best = max(fresh, key=lambda attempt: attempt.rank)
    return {
        "attempt": recalled.id,
        "recalled_from": recalled.recalled_from,
        "gsi": recalled.gsi,
        "env_steps": recalled.training.env_steps if recalled.training else 0,
        "fresh_gsi": best.gsi,
        "fresh_env_steps": best.training.env_steps if best.training else 0,
        "harmful": best.passed and not recalled.passed,
    }


def _trial(hit: Recollection, target: MotionTarget, tools: Toolbox) -> tuple[str, dict[str, float]]:
    try:
        critique = tools.try_policy(hit.folder, target)
    except V2RError as error:
        return str(error).removesuffix("."), {}
    numbers = {
        "survival": critique.robot.survival,
        "speed_m_s": critique.robot.speed_m_s,
        "E_phi": critique.similarity.E_phi,
        "gsi_ungated": critique.similarity.gsi_ungated,
    }
    return refusal(critique), numbers
