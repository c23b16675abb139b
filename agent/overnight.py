"""The night's work: one run after the other, each in a process of its own, until the time, the money or the disk ends.

Whoever is killed, nothing is lost: the queue's state is what its folders hold. A run that is still alive when the
queue is taken up again is attached to; one that died goes on where it was; one that finished is left alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from video2reward.agent.finish import record_failure
from video2reward.agent.launch import exit_code, last_words, launch
from video2reward.agent.lease import holder, lease
from video2reward.agent.morning import write_morning_report
from video2reward.agent.queue import (
    END,
    LEAST_FREE_BYTES,
    QUEUE,
    End,
    Item,
    Queue,
    disk_full,
    is_done,
    no_next,
    request_for,
    result_of,
    unfinished,
)
from video2reward.agent.rounds import grant_share, worth_more
from video2reward.agent.session import Silent, Watcher, check, stop_workers
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import RunRequest

_CRASHES = 3
"""A run whose process ends this often without a result, by itself, is given up."""
_KILLS = 50


@dataclass(frozen=True)
class Pace:
    """How the queue watches its run."""

    poll_s: float = 0.5
    least_free_bytes: int = LEAST_FREE_BYTES
    launch: Callable[[Path], int] = launch
    exit_code: Callable[[int], int | None] = exit_code


def begin(root: Path, queue: Queue) -> None:
    """Write a new queue down. Raises RunExists where the folder is taken, BadInput where nothing can come of it."""
    runs.create(root)
    check(request_for(root, queue, queue.items[0], time.time()))
    runs.save(queue, root / QUEUE)


def more_time(root: Path, until: float) -> None:
    """Give a queue another end, and those of its runs too that were begun and did not finish."""
    queue = runs.load(Queue, root / QUEUE)
    before, queue = queue, queue.model_copy(update={"until": until})
    runs.save(queue, root / QUEUE)
    for item in unfinished(root, queue):
        path = root / item.name / "request.json"
        if path.exists():
            request = runs.load(RunRequest, path)
            moved = {"until": until - (before.until - (request.until or before.until))}
            runs.save(request.model_copy(update=moved), path)


def work(root: Path, watcher: Watcher | None = None, pace: Pace = Pace()) -> End:
    """Work on a queue until it ends, and report; one that ended is taken up again where something is left to do."""
    queue, watcher = runs.load(Queue, root / QUEUE), watcher or Silent()
    with lease(root):
        runs.append_event(root, "started", items=len(queue.items), left=len(unfinished(root, queue)))
        (root / END).unlink(missing_ok=True)
        reason = _turns(root, queue, unfinished(root, queue), watcher, pace)
        if not reason:
            reason = _further_rounds(root, queue, watcher, pace)
        asked = (root / "STOP").exists()
        if asked:
            reason = "The queue was asked to stop."
        end = End(reason=reason, time=time.time(), stopped=asked)
        runs.save(end, root / END)
        runs.append_event(root, "ended", reason=reason)
        write_morning_report(root)
    return end


def _turns(root: Path, queue: Queue, items: list[Item], watcher: Watcher, pace: Pace) -> str:
    """Bring one item after the other to its result; return why not all had their turn, or ""."""
    for item in items:
        if reason := no_next(root, queue, time.time(), pace.least_free_bytes):
            return reason
        _run(root, queue, item, watcher, pace)
        write_morning_report(root)
    return ""


def _further_rounds(root: Path, queue: Queue, watcher: Watcher, pace: Pace) -> str:
    """Let those go on that more time or laps may help, as long as it does; return why that ended."""
    reason = "Every clip had its turn."
    while again := worth_more(root, queue):
        anew = [_goes_on(root, queue, item, len(again) - place, watcher, pace) for place, item in enumerate(again)]
        if ended := no_next(root, queue, time.time(), pace.least_free_bytes):
            return ended
        if not any(anew):
            break
        reason = "Every clip had its turn. Those that were not good enough went on, until going on brought nothing."
    return reason


def _goes_on(root: Path, queue: Queue, item: Item, among: int, watcher: Watcher, pace: Pace) -> bool:
    """Bring an item to a new result with its share of what `among` items have left; False where that is too little."""
    now = time.time()
    if no_next(root, queue, now, pace.least_free_bytes) or not grant_share(root, queue, item, among, now):
        return False
    _turns(root, queue, [item], watcher, pace)
    return True


def _run(root: Path, queue: Queue, item: Item, watcher: Watcher, pace: Pace) -> None:
    """Bring one item to its result, whatever it is."""
    run = root / item.name
    if not (run / "request.json").exists():
        request = request_for(root, queue, item, time.time())
        run.mkdir(exist_ok=True)
        runs.save(request, run / "request.json")
        runs.append_event(root, "began", item=item.name, minutes=request.minutes, usd=request.usd)
    watcher.event("item", {"name": item.name})
    follower, crashes, kills = _Follower(run, watcher), 0, 0
    pid: int | None = None
    if (was := result_of(run)) and was.status == "stopped" and holder(run) is None:
        (run / "result.json").unlink()  # it goes on
    while not is_done(run) or holder(run) is not None:
        follower.follow()
        _pass_on_stop(root, run, pace)
        # Asked in this order: a run writes its result before it lets its lease go.
        if holder(run) is None and not is_done(run) and (pid is None or pace.exit_code(pid) is not None):
            code = None if pid is None else pace.exit_code(pid)
            crashes, kills = crashes + bool(code and code > 0), kills + bool(code and code < 0)
            if crashes >= _CRASHES or kills >= _KILLS:
                _give_up(run, crashes)
                break
            if code is not None:
                runs.append_event(root, "died", item=item.name, exit_code=code, said=last_words(run))
            pid = pace.launch(run)
        time.sleep(pace.poll_s)
    follower.follow()
    result = result_of(run)
    assert result is not None
    runs.append_event(root, "finished", item=item.name, status=result.status, reason=result.stop_reason)
    watcher.event("item_done", {"name": item.name, "status": result.status, "reason": result.stop_reason})


def _pass_on_stop(root: Path, run: Path, pace: Pace) -> None:
    """Ask the run to stop where the queue was asked to, or where the disk is half way from enough to full."""
    if (run / "STOP").exists():
        return
    if (root / "STOP").exists():
        (run / "STOP").write_text("The queue was asked to stop.")
    elif full := disk_full(run, pace.least_free_bytes // 2):
        (run / "STOP").write_text(full)


def _give_up(run: Path, crashes: int) -> None:
    stop_workers(run)
    how = f"ended {crashes} times without a result" if crashes else f"was killed {_KILLS} times"
    record_failure(run, runs.load(RunRequest, run / "request.json"), f"Its process {how}: {last_words(run)}")


class _Follower:
    """Reads a run's events and curves as they grow, and shows them."""

    def __init__(self, run: Path, watcher: Watcher) -> None:
        self._run, self._watcher = run, watcher
        self._read = (run / "events.jsonl").stat().st_size if (run / "events.jsonl").exists() else 0
        self._training: set[str] = set()

    def follow(self) -> None:
        try:
            with (self._run / "events.jsonl").open("rb") as file:
                file.seek(self._read)
                text = file.read()
        except FileNotFoundError:
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            self._show(event)
        for name in self._training:
            if row := newest_row(self._run / "attempts" / name):
                self._watcher.row(name, row)

    def _show(self, event: dict[str, object]) -> None:
        kind, attempt = str(event.pop("kind", "")), str(event.get("attempt", ""))
        if kind == "training":
            self._training.add(attempt)
        elif kind == "trained":
            self._training.discard(attempt)
        self._watcher.event(kind, event)


def newest_row(folder: Path) -> dict[str, object]:
    """Return the newest row of an attempt's curve, {} where there is none."""
    from video2reward.tools.train_policy import WORKER_MODULE
    from video2reward.tools.workers import Worker

    return Worker(folder, WORKER_MODULE).progress()


def is_queue(folder: Path) -> bool:
    return (folder / QUEUE).is_file()


def ended(root: Path) -> End | None:
    """Return why the work on a queue ended; None while it has not."""
    try:
        return runs.load(End, root / END)
    except BadInput:
        return None
