"""The morning report: what a night brought, failures first, as a page that holds its videos and as plain markdown."""

from __future__ import annotations

import base64
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from video2reward.agent.budget import Spending, spending_of
from video2reward.agent.folder import RunFolder
from video2reward.agent.narrate import decisions_of
from video2reward.agent.queue import END, QUEUE, End, Item, Queue, result_of
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import Attempt, RunResult
from video2reward.sim.config import robot_title

_MAX_VIDEO_BYTES = 24 << 20
_MAX_PAGE_BYTES = 150 << 20
"""Videos beyond this stay beside the page: a page that cannot be sent or opened is of no use."""
_ORDER = {"failed": 0, "unfinished": 1, "waiting": 2, "stopped": 3, "budget": 4, "passed": 5}
_WORDS = {
    "failed": "failed",
    "unfinished": "not finished",
    "waiting": "not begun",
    "stopped": "stopped",
    "budget": "did not pass",
    "passed": "passed",
}


@dataclass(frozen=True)
class Tried:
    """One attempt and what became of it."""

    name: str
    what: str
    outcome: str
    kept: bool


@dataclass(frozen=True)
class ItemStory:
    """One clip on one robot: what came of it, why it stopped, what to do next."""

    item: Item
    run: Path
    state: str
    result: RunResult | None
    spent: Spending
    reason: str
    tried: tuple[Tried, ...]
    next_command: str

    @property
    def word(self) -> str:
        return _WORDS[self.state]

    @property
    def gsi(self) -> float:
        return self.result.best.gsi if self.result and self.result.best else -1.0


@dataclass(frozen=True)
class ClipStory:
    """The best that a clip came to, of all robots, with its video."""

    clip: Path
    best: ItemStory
    video: str | None


@dataclass(frozen=True)
class Night:
    """All of it. `items` has the failures first."""

    root: Path
    queue: Queue
    end: End | None
    items: tuple[ItemStory, ...]
    clips: tuple[ClipStory, ...]
    written: float

    @property
    def counts(self) -> str:
        states = [item.state for item in self.items]
        return ", ".join(f"{states.count(state)} {_WORDS[state]}" for state in _ORDER if state in states)

    @property
    def failures(self) -> tuple[ItemStory, ...]:
        return tuple(item for item in self.items if item.state != "passed")

    @property
    def spent(self) -> Spending:
        each = [item.spent for item in self.items]
        return Spending(
            wall_s=sum(s.wall_s for s in each), env_steps=sum(s.env_steps for s in each),
            candidates=sum(s.candidates for s in each), laps=sum(s.laps for s in each),
            tokens=sum(s.tokens for s in each), usd=sum(s.usd for s in each), calls=sum(s.calls for s in each),
            unpriced_tokens=sum(s.unpriced_tokens for s in each),
        )  # fmt: skip


def write_morning_report(root: Path) -> Path:
    """Write `report.html` and `report.md` of a queue, at any time; return the page's path."""
    night = read_night(root)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(enabled_extensions=("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"robot": robot_title, "clock": clock, "hour": _hour, "money": money}
    runs.write_atomic(root / "report.html", environment.get_template("morning.html").render(night=night))
    runs.write_atomic(root / "report.md", _markdown(night))
    return root / "report.html"


def read_night(root: Path) -> Night:
    """Read a queue's folder; what is damaged in it is left out, and the rest is told."""
    queue = runs.load(Queue, root / QUEUE)
    items = [_item(root, queue, item) for item in queue.items]
    try:
        end = runs.load(End, root / END)
    except BadInput:
        end = None
    ordered = tuple(sorted(items, key=lambda story: (_ORDER[story.state], story.item.name)))
    return Night(root, queue, end, ordered, _clips(root, items), time.time())


def _item(root: Path, queue: Queue, item: Item) -> ItemStory:
    run = root / item.name
    result = result_of(run)
    if result:
        state, reason = result.status, result.stop_reason
    elif (run / "request.json").exists():
        state, reason = "unfinished", "It was still being worked on when this was written."
    else:
        state, reason = "waiting", "Its turn did not come."
    spent = spending_of(run)
    if result:  # counts are noted at the end of a lap, the result knows them all
        spent = spent.model_copy(update={"env_steps": result.env_steps, "candidates": result.candidates})
    best = result.best.attempt if result and result.best else None
    tried = tuple(_tried(attempt, best) for attempt in RunFolder(run).attempts()) if run.is_dir() else ()
    return ItemStory(item, run, state, result, spent, reason, tried, _next(root, queue, item, state, result, spent))


def _tried(attempt: Attempt, best: str | None) -> Tried:
    what = attempt.program.rationale or "no reward was written"
    if attempt.program.status == "rejected":
        outcome = f"refused: {attempt.program.reason}"
    elif attempt.critique:
        failed = [gate.sentence for gate in attempt.critique.gates if not gate.passed]
        outcome = f"passed, GSI {attempt.gsi:.2f}" if attempt.passed else f"failed: {' '.join(failed)}"
    elif attempt.training:
        outcome = f"{attempt.training.status}: {attempt.training.reason or 'it was not judged'}"
    else:
        outcome = "it was not trained"
    return Tried(attempt.id, what, outcome, attempt.id == best)


def _next(root: Path, queue: Queue, item: Item, state: str, result: RunResult | None, spent: Spending) -> str:
    """Return the command that goes on from here."""
    if state == "passed":
        return f"video2reward play {shlex.quote(str(root / item.name))}"
    if state in ("unfinished", "waiting", "stopped"):
        return f"video2reward resume {shlex.quote(str(root))}"
    keypoints = f" --keypoints {shlex.quote(str(item.keypoints))}" if item.keypoints else ""
    clip = f"{shlex.quote(str(item.clip))}{keypoints}"
    if state == "failed" and not (result and result.candidates):
        return f"video2reward describe {clip}"
    minutes = max(round(2.0 * spent.wall_s / 60.0), 10)
    decisions = decisions_of(root / item.name)
    if decisions and decisions[-1].limit:
        return f"video2reward resume {shlex.quote(str(root / item.name))} --minutes {minutes}"
    # What was tried is remembered: the next run starts from there. It gets twice the time.
    robot, author = shlex.quote(item.robot), shlex.quote(queue.author)
    return f"video2reward run {clip} --robot {robot} --author {author} --minutes {minutes}"


def _clips(root: Path, items: list[ItemStory]) -> tuple[ClipStory, ...]:
    page_bytes, stories = 0, []
    for clip in dict.fromkeys(story.item.clip for story in items):
        judged = [story for story in items if story.item.clip == clip and story.result and story.result.best]
        if not judged:
            continue
        best = max(judged, key=lambda story: (story.state == "passed", story.gsi))
        video, path = None, best.run / "best" / "video.mp4"
        if path.is_file() and (size := path.stat().st_size):
            if size <= _MAX_VIDEO_BYTES and page_bytes + size <= _MAX_PAGE_BYTES:
                page_bytes += size
                video = "data:video/mp4;base64," + base64.b64encode(path.read_bytes()).decode()
            else:
                video = path.relative_to(root).as_posix()
        stories.append(ClipStory(clip, best, video))
    return tuple(stories)


def _markdown(night: Night) -> str:
    spent = night.spent
    lines = [
        f"# The night of {time.strftime('%Y-%m-%d', time.localtime(night.queue.begun))}: {night.counts}",
        "",
        night.end.reason if night.end else "The work goes on.",
        "",
        f"Spent: {clock(spent.wall_s)}, {spent.env_steps:,} environment steps, {money(spent, night.queue.usd)}.",
        "",
    ]
    for title, stories in (("Not passed", night.failures), ("Passed", [s for s in night.items if s.state == "passed"])):
        if stories:
            lines += [f"## {title}", ""]
        for story in stories:
            lines += [f"### {story.item.name}: {story.word}", "", story.reason, ""]
            if story.result and story.result.best:
                best = story.result.best
                lines += [f"Best {best.attempt}: {best.gait} at {best.speed_m_s:.2f} m/s, GSI {best.gsi:.2f}.", ""]
                if (story.run / "best" / "video.mp4").is_file():
                    lines += [f"Video: {story.item.name}/best/video.mp4", ""]
            lines += [f"- {'**' if t.kept else ''}{t.name}{'**' if t.kept else ''}: {t.what} {_plain(t.outcome)}"
                      for t in story.tried]  # fmt: skip
            lines += ["", f"Spent: {clock(story.spent.wall_s)}, {money(story.spent, None)}."]
            lines += ["", "Next:", "", f"    {story.next_command}", ""]
    return "\n".join(lines) + "\n"


def clock(seconds: float) -> str:
    """Write a time as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else (f"{minutes} min {rest} s" if minutes else f"{rest} s")


def money(spent: Spending, limit: float | None) -> str:
    """Write what language models cost; tokens without a price are named as such."""
    if not spent.calls:
        return "no language model was asked"
    of = f" of ${limit:.2f}" if limit is not None else ""
    unpriced = f", {spent.unpriced_tokens:,} tokens without a known price" if spent.unpriced_tokens else ""
    return f"{spent.tokens:,} tokens in {spent.calls} calls, ${spent.usd:.2f}{of}{unpriced}"


def _hour(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _plain(text: str) -> str:
    return f"({text})" if text else ""
