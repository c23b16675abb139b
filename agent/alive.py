"""What lives: runs and queues under a folder, who works on them, how far they are and what they have used."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from video2reward.agent.budget import spending_of
from video2reward.agent.lease import holder
from video2reward.agent.overnight import ended
from video2reward.agent.queue import QUEUE, Queue, is_done, result_of, unfinished
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import Record, RunRequest
from video2reward.tools.train_policy import WORKER_MODULE
from video2reward.tools.workers import Worker

RunState = Literal["working", "left", "passed", "budget", "stopped", "failed"]


class WorkerStatus(Record):
    """One training that is alive. The row is the worker's own word."""

    attempt: str
    pid: int | None
    age_s: float | None
    row: dict[str, float]


class RunStatus(Record):
    """One run. `left` is a run that nobody works on and that has not ended: `resume` takes it up."""

    run: Path
    state: RunState
    pid: int | None = None
    lap: int = 0
    doing: str = ""
    attempts: int = 0
    passed: int = 0
    best_gsi: float = 0.0
    workers: tuple[WorkerStatus, ...] = ()
    wall_s: float = 0.0
    limit_s: float = 0.0
    env_steps: int = 0
    tokens: int = 0
    usd: float = 0.0
    usd_limit: float | None = None


class QueueStatus(Record):
    """One queue."""

    queue: Path
    pid: int | None
    items: int
    left: int
    until: float
    ended: str = ""
    usd: float = 0.0
    usd_limit: float | None = None


def queues(root: Path) -> list[Path]:
    """Return the queue folders at and under `root`, the oldest first."""
    return sorted(path.parent for pattern in (QUEUE, f"*/{QUEUE}") for path in root.glob(pattern))


def run_folders(root: Path) -> list[Path]:
    """Return the run folders at and under `root`, those of queues too, the oldest first."""
    found = {path.parent for depth in ("", "*/", "*/*/") for path in root.glob(f"{depth}request.json")}
    return sorted(found, key=lambda run: ((run / "request.json").stat().st_mtime, run.name))


def left_over(root: Path) -> Iterator[Path]:
    """Yield the runs outside of queues that ended in the middle and that nobody works on."""
    for run in run_folders(root):
        if not (run.parent / QUEUE).exists() and not is_done(run) and holder(run) is None:
            yield run


def look_at_run(run: Path) -> RunStatus:
    """Return how a run stands. Raises BadInput where its request cannot be read."""
    request, result, pid = runs.load(RunRequest, run / "request.json"), result_of(run), holder(run)
    spent, attempts = spending_of(run), list(runs.attempts(run))
    folders = sorted((run / "attempts").glob("*"))
    if pid is not None:
        state: RunState = "working"
    else:
        state = result.status if result else "left"
    return RunStatus(
        run=run,
        state=state,
        pid=pid or None,
        lap=max((_lap(folder.name) for folder in folders), default=0),
        doing=_doing(run) if pid is not None else "",
        attempts=len(folders),
        passed=sum(attempt.passed for attempt in attempts),
        best_gsi=max((attempt.gsi for attempt in attempts), default=0.0),
        workers=tuple(status for folder in folders if (status := _worker(folder))),
        wall_s=spent.wall_s,
        limit_s=60.0 * request.minutes,
        env_steps=spent.env_steps,
        tokens=spent.tokens,
        usd=spent.usd,
        usd_limit=request.usd,
    )


def look_at_queue(root: Path) -> QueueStatus:
    queue, pid, end = runs.load(Queue, root / QUEUE), holder(root), ended(root)
    return QueueStatus(
        queue=root,
        pid=pid or None,
        items=len(queue.items),
        left=len(unfinished(root, queue)),
        until=queue.until,
        ended=end.reason if end and pid is None else "",
        usd=sum(spending_of(root / item.name).usd for item in queue.items),
        usd_limit=queue.usd,
    )


def look(root: Path) -> tuple[list[QueueStatus], list[RunStatus]]:
    """Return how everything under `root` stands; what cannot be read is left out."""
    found_queues, found_runs = [], []
    for path in queues(root):
        try:
            found_queues.append(look_at_queue(path))
        except BadInput:
            continue
    for path in run_folders(root):
        try:
            found_runs.append(look_at_run(path))
        except BadInput:
            continue
    return found_queues, found_runs


def _worker(folder: Path) -> WorkerStatus | None:
    worker = Worker(folder, WORKER_MODULE)
    if worker.state() != "running":
        return None
    row = {name: float(value) for name, value in worker.progress().items() if isinstance(value, int | float)}
    return WorkerStatus(attempt=folder.name, pid=worker.pid(), age_s=worker.age_s(), row=row)


def _lap(name: str) -> int:
    number = name.partition("-")[0].removeprefix("L")
    return int(number) if number.isdigit() else 0


def _doing(run: Path) -> str:
    """Return the newest event of a run and its age, in a few words."""
    try:
        with (run / "events.jsonl").open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 8192))
            event = json.loads(file.read().splitlines()[-1])
        return f"{event['kind']} {event.get('attempt', '')}".strip() + f", {time.time() - event['time']:.0f} s ago"
    except (OSError, ValueError, IndexError, KeyError):
        return ""
