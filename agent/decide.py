"""What to do next: pure rules over the attempts, their curves and the budget. They bound whatever an author wants.

A run stops when the gates pass and the similarity is good enough or no longer improves, when the budget ends, or when
nothing can be trained. Otherwise the best attempt so far is mended, trained on, or left for something new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from video2reward.agent.budget import Limits, Spending, reached, wall_left_s
from video2reward.memory.records import Attempt, Decision, Recollection, Similarity

GOOD_GSI = 0.8
LEAST_GAIN = 0.02
"""A lap that adds less than this to the similarity has not improved it."""
PATIENCE_LAPS = 2
FAILED_LAPS = 2
STILL_RISING = 0.08
"""Share of the whole reward gained in the last quarter of a training, above which more of the same is worth it."""


def first_decision(remembered: Sequence[Recollection]) -> Decision:
    """Say how the first lap begins: from a near reward that passed, or from nothing."""
    near = next((hit for hit in remembered if hit.near and hit.passed), None)
    if near:
        return Decision(
            lap=0,
            action="warm_start",
            reason=f"Memory holds {near.attempt}: {near.sentence}",
            numbers={"distance": near.distance, "gsi": near.gsi},
            parent=near.attempt,
        )
    if remembered:
        hit = remembered[0]
        reason = f"The nearest remembered reward is no start: {hit.sentence}"
        return Decision(lap=0, action="explore", reason=reason, numbers={"distance": hit.distance, "gsi": hit.gsi})
    return Decision(lap=0, action="explore", reason="Nothing like it is remembered: the first rewards start fresh.")


def decide(
    attempts: Sequence[Attempt],
    limits: Limits,
    spent: Spending,
    rising: Mapping[str, float] | None = None,
    remembered: Sequence[Recollection] = (),
) -> Decision:
    """Decide after a lap, and say which other actions an author may wish for.

    `rising`: by attempt, the share of its reward gained in the last quarter of training. `remembered`: what memory
    holds; a near reward that passed and was not begun from yet is a start.
    """
    lap = max((attempt.lap for attempt in attempts), default=0)
    best = best_of(attempts)
    numbers = _numbers(attempts, best, limits, spent)

    def say(action, reason: str, parent: Attempt | str | None = None, ending=None, also=(), limit="") -> Decision:
        name = parent.id if isinstance(parent, Attempt) else parent
        return Decision(
            lap=lap, action=action, reason=reason, numbers=numbers, parent=name, ending=ending, limit=limit,
            allowed=(action, *also),
        )  # fmt: skip

    if best and best.critique and best.passed and is_good_enough(best.critique.similarity):
        return say("stop", _good(best.id, best.critique.similarity), best, "passed")
    if best and best.passed and (stale := _stale_laps(attempts)) >= PATIENCE_LAPS:
        reason = f"{best.id} passes every gate; {stale} laps have not improved its GSI {best.gsi:.2f} by {LEAST_GAIN}."
        return say("stop", reason, best, "passed", () if reached(limits, spent) else ("explore", "refine"))
    if limit := reached(limits, spent):
        if best and best.passed:
            reason = f"{best.id} passes every gate with GSI {best.gsi:.2f}, and {limit}"
            return say("stop", reason, best, "passed", limit=limit)
        near = f" {best.id} came nearest: {_failed(best)}" if best else _nothing_judged(attempts)
        reason = f"The budget ended before the gates passed: {limit}{near}"
        return say("stop", reason, best, "budget", limit=limit)
    if best is None:
        if _barren_laps(attempts) >= FAILED_LAPS:
            reason = f"In {FAILED_LAPS} laps no reward could be trained: {_last_reason(attempts)}"
            return say("stop", reason, None, "failed")
        return say("explore", f"No attempt could be judged: {_last_reason(attempts)}")
    return _go_on(attempts, best, rising or {}, _untried(attempts, remembered), say)


def is_good_enough(similarity: Similarity) -> bool:
    """Say whether a robot that passes needs no further lap: it has `GOOD_GSI` of the similarity its target allows."""
    return similarity.gsi >= GOOD_GSI * similarity.reachable_gsi


def best_of(attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the best judged attempt: passed first, then similarity; the earlier of equals."""
    judged = [attempt for attempt in attempts if attempt.critique]
    return max(judged, key=lambda attempt: attempt.rank, default=None)


def improves(found: Attempt, best: Attempt) -> bool:
    """Tell whether an attempt is better than the best before it by more than chance gives."""
    if found.passed != best.passed:
        return found.passed
    if best.passed:
        return found.gsi >= best.gsi + LEAST_GAIN
    return found.rank[2] >= best.rank[2] + LEAST_GAIN


def gain_of_last_quarter(rewards: Sequence[float]) -> float:
    """Return which share of a training's whole gain in reward its last quarter brought; 0 for short curves."""
    if len(rewards) < 16:
        return 0.0
    tail = max(2, len(rewards) // 8)

    def mean(part: Sequence[float]) -> float:
        return sum(part) / len(part)

    start, before, end = mean(rewards[:tail]), mean(rewards[-3 * tail : -2 * tail]), mean(rewards[-tail:])
    span = max(end, before) - start
    return max(0.0, end - before) / span if span > 1e-9 else 0.0


def _go_on(
    attempts: Sequence[Attempt], best: Attempt, rising: Mapping[str, float], near: Recollection | None, say
) -> Decision:
    if best.passed:
        part, value = _worst_part(best)
        reason = f"{best.id} passes with GSI {best.gsi:.2f}; what is furthest off is {part} ({value:.3f})."
        return say("refine", reason, best, None, ("explore", "stop"))
    share = rising.get(best.id, 0.0)
    repeated = best.program.parent is not None and any(a.id == best.program.parent for a in attempts)
    longer = ("train_longer",) if share > 0.0 and not repeated else ()
    others = (*longer, "warm_start") if near else longer
    if share >= STILL_RISING and not repeated:
        reason = f"{best.id} was still learning: the last quarter brought {share:.0%} of its reward. {_failed(best)}"
        return say("train_longer", reason, best, None, ("refine", "explore"))
    passed_gates = sum(gate.passed for gate in best.critique.gates) if best.critique else 0
    if _stale_laps(attempts) >= 1:
        if near:
            reason = f"Mending {best.id} brought nothing; memory holds {near.attempt}: {near.sentence}"
            return say("warm_start", reason, near.attempt, None, ("refine", "explore", *longer))
        reason = f"Mending {best.id} brought nothing ({_failed(best)}): something new is tried."
        return say("explore", reason, best, None, ("refine", *others))
    if passed_gates >= 2:
        return say("refine", f"{best.id} came nearest: {_failed(best)}", best, None, ("explore", *others))
    reason = f"{best.id} is too far from walking to be mended: {_failed(best)}"
    return say("explore", reason, best, None, ("refine", *others))


def _untried(attempts: Sequence[Attempt], remembered: Sequence[Recollection]) -> Recollection | None:
    """Return the nearest remembered reward that passed and that no attempt of this run began from."""
    begun = {attempt.recalled_from for attempt in attempts}
    return next((hit for hit in remembered if hit.near and hit.passed and hit.attempt not in begun), None)


def _numbers(attempts: Sequence[Attempt], best: Attempt | None, limits: Limits, spent: Spending) -> dict[str, float]:
    return {
        "attempts": float(len(attempts)),
        "passed": float(sum(attempt.passed for attempt in attempts)),
        "best_gsi": round(best.gsi, 4) if best else 0.0,
        "best_gsi_ungated": round(best.critique.similarity.gsi_ungated, 4) if best and best.critique else 0.0,
        "stale_laps": float(_stale_laps(attempts)),
        "wall_s": round(spent.wall_s, 1),
        "wall_left_s": round(wall_left_s(limits, spent), 1),
        "env_steps": float(spent.env_steps),
    }


def _stale_laps(attempts: Sequence[Attempt]) -> int:
    """Count the laps at the end that did not improve the best so far."""
    stale, best = 0, None
    for lap in sorted({attempt.lap for attempt in attempts}):
        found = best_of([attempt for attempt in attempts if attempt.lap == lap])
        if found is None:
            stale += best is not None
        elif best is None or improves(found, best):
            best, stale = found, 0
        else:
            stale += 1
    return stale


def _nothing_judged(attempts: Sequence[Attempt]) -> str:
    return f" No attempt could be judged: {_last_reason(attempts)}" if attempts else " No reward was written yet."


def _barren_laps(attempts: Sequence[Attempt]) -> int:
    return len({attempt.lap for attempt in attempts})


def _good(name: str, similarity: Similarity) -> str:
    if similarity.reachable_gsi == 1.0 or similarity.gsi >= GOOD_GSI:
        return f"{name} passes every gate and moves like the clip: GSI {similarity.gsi:.2f}, {GOOD_GSI} is good enough."
    return (
        f"{name} passes every gate and does what was asked: GSI {similarity.gsi:.2f} of the "
        f"{similarity.reachable_gsi:.2f} that a robot can have whose target was cut down to what it can do."
    )


def _failed(attempt: Attempt) -> str:
    gates = attempt.critique.gates if attempt.critique else ()
    said = [gate.sentence for gate in gates if not gate.passed]
    return " ".join(said) if said else "every gate passed."


def _worst_part(attempt: Attempt) -> tuple[str, float]:
    """Return the error that costs most similarity, by the scales of GSI, beyond what the target itself costs."""
    assert attempt.critique is not None
    parts = attempt.critique.similarity
    scales = {"E_f": 0.1, "E_beta": 0.1, "E_phi": 0.1, "E_Fr": 0.25}
    name = max(scales, key=lambda key: (getattr(parts, key) - parts.asked.get(key, 0.0)) / scales[key])
    words = {"E_f": "the cadence", "E_beta": "the duty factor", "E_phi": "the footfall order", "E_Fr": "the speed"}
    return f"{words[name]}, {name}", getattr(parts, name)


def _last_reason(attempts: Sequence[Attempt]) -> str:
    for attempt in reversed(attempts):
        if attempt.program.status == "rejected":
            return f"{attempt.id} was refused: {attempt.program.reason}"
        if attempt.training and attempt.training.status != "ok":
            return f"the training of {attempt.id} ended as {attempt.training.status}: {attempt.training.reason}"
    return "the author gave nothing that could be used."
