"""The queue of a night: which clips on which robots, until when and for how much. Its folder is the truth about it.

QUEUE/queue.json  end.json (once it ended, why)  lease  STOP  events.jsonl  report.html  report.md
QUEUE/<nn>-<clip>-<robot>/   the run folder of each item
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field
from video2reward.agent.budget import spending_of
from video2reward.agent.finish import is_complete
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import Record, RunRequest, RunResult, StoredRecord
from video2reward.sim.config import robot_config, robot_title

QUEUE, END = "queue.json", "end.json"
LEAST_FREE_BYTES = 500_000_000
LEAST_S = 60.0
"""With less time than this left no further item is begun."""
_REPORT_S = 20.0
_FILMS = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif")
_KEYPOINTS = ("_keypoints.csv", "_keypoints.json", "_keypoints.npz", ".keypoints.csv", ".keypoints.json")


class Item(Record):
    """One clip on one robot. `name` is the name of its run folder."""

    name: str
    clip: Path
    keypoints: Path | None = None
    robot: str


class Queue(StoredRecord):
    """What was asked for a night."""

    items: tuple[Item, ...] = Field(min_length=1)
    until: float = Field(description="seconds since the epoch")
    begun: float
    author: str = "offline"
    critic: str = "offline"
    usd: float | None = None
    tokens: int | None = None
    minutes_each: float | None = None
    laps: int = 12
    candidates: int = 2
    seed: int = 0
    memory: Path | None = None
    unsafe: bool = False


class End(StoredRecord):
    """Why the work on a queue ended."""

    reason: str
    time: float
    stopped: bool = Field(False, description="somebody asked for it")


def items_of(clips: Sequence[Path], robots: Sequence[str]) -> tuple[Item, ...]:
    """Return an item for each clip on each robot; a folder stands for the clips in it. Raises BadInput.

    A keypoint file beside a clip that is called like it (`dog.mp4`, `dog_keypoints.csv`) goes with it.
    """
    films: list[Path] = []
    for path in clips:
        if path.is_dir():
            inside = sorted(film for film in path.iterdir() if film.suffix.lower() in _FILMS)
            if not inside:
                raise BadInput(f"no clip lies in {path}.", f"Clips end in {', '.join(_FILMS)}.")
            films += inside
        elif path.exists():
            films.append(path)
        else:
            raise BadInput(f"there is no clip {path}.", "Check the path.")
    films = list(dict.fromkeys(film.absolute() for film in films))
    if not films:
        raise BadInput("no clip is named.", "Name clips, or a folder of clips.")
    pairs = [(film, robot_config(robot).name) for film in films for robot in dict.fromkeys(robots)]
    return tuple(
        Item(
            name=f"{number:02d}-{_plain(film.stem)}-{_plain(robot_title(robot))}",
            clip=film,
            keypoints=_keypoints(film),
            robot=robot,
        )  # fmt: skip
        for number, (film, robot) in enumerate(pairs, 1)
    )


def until_time(text: str, now: float) -> float:
    """Return the time that `07:00` (the next one), `2026-11-27T07:00` or `90m` means, in seconds since the epoch."""
    if match := re.fullmatch(r"(\d{1,2}):(\d\d)", text):
        hour, minute = int(match[1]), int(match[2])
        if hour < 24 and minute < 60:
            today = time.localtime(now)
            for days in (0, 1):
                # mktime carries days over the end of a month and knows about summer time.
                found = time.mktime((today.tm_year, today.tm_mon, today.tm_mday + days, hour, minute, 0, 0, 0, -1))
                if found > now:
                    return found
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*(m|min|h)", text):
        return now + float(match[1]) * (3600.0 if match[2] == "h" else 60.0)
    try:
        found = time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M"))
    except ValueError:
        raise BadInput(f"--until {text} is no time.", "Write 07:00, 2026-11-27T07:00, 90m or 8h.") from None
    if found <= now:
        raise BadInput(f"--until {text} has passed already.", "Name a time to come.")
    return found


def unfinished(root: Path, queue: Queue) -> list[Item]:
    """Return the items that have no result of their own yet, those that somebody stopped among them."""
    results = {item: result_of(root / item.name) for item in queue.items}
    return [item for item, r in results.items() if r is None or r.status == "stopped" or not is_complete(r)]


def request_for(root: Path, queue: Queue, item: Item, now: float) -> RunRequest:
    """Return an item's request with its fair share: what is left of time and money over the items that are left.

    What an item does not use flows on to those after it.
    """
    left = len(unfinished(root, queue))
    minutes = max(end_of_runs(queue) - now, 1.0) / 60.0 / left
    if queue.minutes_each is not None:
        minutes = min(minutes, queue.minutes_each)
    usd, tokens = money_left(root, queue)
    usd = None if usd is None else max(usd, 1e-9) / left
    tokens = None if tokens is None else max(tokens // left, 1)
    return RunRequest(
        clip=item.clip, keypoints=item.keypoints, robot=item.robot, author=queue.author, critic=queue.critic,
        minutes=minutes, until=end_of_runs(queue), laps=queue.laps, candidates=queue.candidates, usd=usd,
        tokens=tokens, seed=queue.seed, out=root / item.name, memory=queue.memory, unsafe=queue.unsafe,
    )  # fmt: skip


def end_of_runs(queue: Queue) -> float:
    """Return when the last run must have ended: the report takes a moment too."""
    return queue.until - _REPORT_S


def money_left(root: Path, queue: Queue) -> tuple[float | None, int | None]:
    """Return the dollars and the tokens that are left; None for what has no limit."""
    spent = [spending_of(root / item.name) for item in queue.items]
    usd = None if queue.usd is None else queue.usd - sum(each.usd for each in spent)
    return usd, None if queue.tokens is None else queue.tokens - sum(each.tokens for each in spent)


def no_next(root: Path, queue: Queue, now: float, least_free_bytes: int = LEAST_FREE_BYTES) -> str:
    """Return why no further item may be begun, as a sentence, or ""."""
    if (root / "STOP").exists():
        return "The queue was asked to stop."
    if end_of_runs(queue) - now < LEAST_S:
        return f"The time ended ({time.strftime('%H:%M', time.localtime(queue.until))})."
    if full := disk_full(root, least_free_bytes):
        return full
    usd, tokens = money_left(root, queue)
    if queue.usd is not None and usd is not None and usd <= 0:
        return f"The money is used up: ${queue.usd - usd:.2f} of ${queue.usd:.2f}."
    if queue.tokens is not None and tokens is not None and tokens <= 0:
        return f"The tokens are used up: {queue.tokens - tokens} of {queue.tokens}."
    return ""


def disk_full(folder: Path, least_free_bytes: int = LEAST_FREE_BYTES) -> str:
    free = shutil.disk_usage(folder).free
    if free >= least_free_bytes:
        return ""
    return f"The disk is nearly full: {free / 1e6:.0f} MB are free, {least_free_bytes / 1e6:.0f} MB are needed."


def is_done(run: Path) -> bool:
    """Say whether a run has ended, by itself or because somebody stopped it."""
    result = result_of(run)
    return result is not None and is_complete(result)


def result_of(run: Path) -> RunResult | None:
    """Return a run's result; None where there is none, or none that can be read."""
    try:
        return runs.load(RunResult, run / "result.json")
    except BadInput:
        return None


def _keypoints(film: Path) -> Path | None:
    beside = (film.with_name(film.stem + ending) for ending in _KEYPOINTS)
    return next((path for path in beside if path.is_file()), None)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:60] or "clip"
