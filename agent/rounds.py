"""Further rounds: a run that a limit of its own ended goes on where it was, once it is granted more.

In a night, when every clip had its turn and time is left, those go on that time or laps ended short of good enough,
the worst first. What the rules or a person ended is left alone, and so is what a whole further round did not improve.
"""

from __future__ import annotations

from pathlib import Path

from video2reward.agent.budget import limits_for, reached, spending_of, wall_left_s
from video2reward.agent.decide import GOOD_GSI, best_of, improves
from video2reward.agent.folder import RunFolder
from video2reward.agent.narrate import decisions_of
from video2reward.agent.queue import LEAST_S, Item, Queue, end_of_runs, money_left, result_of
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import RunRequest

_GRANTED = "granted"


def worth_more(root: Path, queue: Queue) -> list[Item]:
    """Return the items of a night that a further round may help, the worst first."""
    if queue.minutes_each is not None:  # whoever named the most for each run has it
        return []
    granted = {str(event["item"]): str(event["best"]) for event in _grants(root)}
    found = []
    for item in queue.items:
        result, attempts = result_of(root / item.name), RunFolder(root / item.name).attempts()
        best = best_of(attempts)
        if result is None or result.status not in ("budget", "passed") or best is None:
            continue
        decisions = decisions_of(root / item.name)
        if not (decisions and decisions[-1].limit) or (best.passed and best.gsi >= GOOD_GSI):
            continue
        before = next((attempt for attempt in attempts if attempt.id == granted.get(item.name)), None)
        if before is None or improves(best, before):
            found.append((best.rank, item))
    return [item for _, item in sorted(found, key=lambda pair: pair[0])]


def grant_share(root: Path, queue: Queue, item: Item, among: int, now: float) -> bool:
    """Grant an item its share of the time and money that `among` items have left; False where that is too little."""
    run = root / item.name
    usd, tokens = money_left(root, queue)
    best = best_of(RunFolder(run).attempts())
    too_little = grant(
        run, (end_of_runs(queue) - now) / 60.0 / among, queue.laps, now,
        usd=None if usd is None else usd / among, tokens=None if tokens is None else tokens // among,
    )  # fmt: skip
    if not too_little:
        runs.append_event(root, _GRANTED, item=item.name, best=best.id if best else "")
    return not too_little


def grant(
    run: Path, minutes: float, laps: int, now: float, *, usd: float | None = None, tokens: int | None = None
) -> str:
    """Let an ended run go on for so much more than it has spent; return why that is too little, or "".

    Raises BadInput for a run that no limit of its own ended.
    """
    request, result, spent = runs.load(RunRequest, run / "request.json"), result_of(run), spending_of(run)
    decisions = decisions_of(run)
    if result is not None and not (decisions and decisions[-1].limit):
        why = decisions[-1].reason if decisions else result.stop_reason
        raise BadInput(f"{run.name} was not ended by its time or its laps: {why}", "Begin a new run, with a --wish.")
    changed: dict[str, object] = {"minutes": spent.wall_s / 60.0 + minutes, "laps": spent.laps + laps}
    if request.usd is not None and usd is not None:
        changed["usd"] = spent.usd + usd
    if request.tokens is not None and tokens is not None:
        changed["tokens"] = spent.tokens + tokens
    request = request.model_copy(update=changed)
    limits = limits_for(request, spent, now)
    if limit := reached(limits, spent):
        return limit
    if wall_left_s(limits, spent) < min(LEAST_S, 30.0 * minutes):
        return f"{wall_left_s(limits, spent):.0f} s are too few."
    runs.save(request, run / "request.json")
    (run / "result.json").unlink(missing_ok=True)
    return ""


def _grants(root: Path) -> list[dict[str, object]]:
    return [event for event in runs.rows(root / "events.jsonl") if event.get("kind") == _GRANTED]
