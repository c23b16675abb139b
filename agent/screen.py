"""What a run shows in the terminal: a bar for whatever takes longer than two seconds, a line for what is known."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from video2reward.memory.records.training import how_it_ended
from video2reward.sim.config import robot_title

_PLAIN_EVERY_S = 15.0


class Screen:
    """A watcher that draws. It writes to stderr, so that what a command prints can be piped."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[said]}"),
            console=self.console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._env_steps: dict[str, int] = {}
        self._said_at: dict[str, float] = {}

    def __enter__(self) -> Screen:
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.stop()

    def say(self, line: str) -> None:
        self.console.print(escape(line))

    def share(self, task: str, share: float) -> None:
        """Show how much of a task is done, 0 to 1; 1 takes the bar away."""
        self._bar(task, share, "")

    def row(self, attempt: str, row: dict[str, object]) -> None:
        """Show the newest row of a training. What a worker writes is not trusted to be complete, nor to be numbers."""
        total = self._env_steps.get(attempt, 0)
        steps = _number(row, "env_steps")
        said = (
            f"{_number(row, 'env_steps_per_s') / 1000:.1f} k steps/s  "
            f"{_number(row, 'speed_m_s'):+.2f} m/s  "
            f"{_number(row, 'fall_rate_per_min'):.1f} falls/min  "
            f"reward {_number(row, 'mean_reward'):.2f}"
        )
        share = min(steps / total, 0.999) if total else 0.0
        self._bar(f"training {attempt}", share, said)
        if not self.console.is_terminal and time.monotonic() - self._said_at.get(attempt, 0.0) > _PLAIN_EVERY_S:
            self._said_at[attempt] = time.monotonic()
            self.say(f"  training {attempt}: {100 * share:.0f} %  {said}")

    def event(self, kind: str, fields: dict[str, object]) -> None:
        """Show one event of a run, if it is one to show."""
        attempt = str(fields.get("attempt", ""))
        if kind == "training":
            self._env_steps[attempt] = int(str(fields.get("max_env_steps", 0)))
        elif kind == "trained":
            self.share(f"training {attempt}", 1.0)
        elif kind == "judging":
            self._bar(f"judging {attempt}", None, "")
        elif kind in ("judged", "judge_failed", "confirmed"):
            self.share(f"judging {attempt}", 1.0)
        if line := line_of(kind, fields):
            self.say(line)

    def _bar(self, name: str, share: float | None, said: str) -> None:
        if share is not None and share >= 1.0:
            if (task := self._tasks.pop(name, None)) is not None:
                self._bars.remove_task(task)
            return
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=None if share is None else 1.0, said=said)
        self._bars.update(self._tasks[name], completed=share or 0.0, said=said)


def line_of(kind: str, f: dict) -> str:
    """Return the line that an event is worth, or ""."""
    if kind == "watched":
        doubts = f" (with doubts: {' '.join(f['reasons'])})" if f["verdict"] == "warn" else ""
        return (
            f"clip      {f['subject']}, {f['gait']}, {f['stride_frequency_hz']:.2f} strides/s, "
            f"{f['speed_leg_lengths_s']:.2f} leg lengths/s{doubts}"
        )
    if kind == "unprotected" and f["missing"]:
        return f"note      rewards run without all of the operating system's protection: {f['missing']}"
    if kind == "target":
        speed, cadence = f["speed_m_s"], f["stride_frequency_hz"]
        notes = "".join(f"\n          {note}" for note in f["notes"])
        return f"target    {robot_title(f['robot'])}: {f['gait']} at {speed:.2f} m/s, {cadence:.2f} strides/s{notes}"
    if kind == "proposed":
        what = f["rationale"] if f["status"] == "ok" else f"refused: {f['reason']}"
        return f"{f['attempt']:<9} {what}"
    if kind == "trained":
        ended = how_it_ended(f["status"], f["reason"])
        return f"{f['attempt']:<9} trained {f['env_steps']:,} steps in {f['wall_s']:.0f} s{ended}"
    if kind in ("judged", "confirmed"):
        passed = "passes" if f["passed"] else "fails"
        again = " on fresh seeds" if kind == "confirmed" else ""
        return f"{f['attempt']:<9} {passed}{again}, GSI {f['gsi']:.2f}. {f.get('verdict', '')}".rstrip()
    if kind == "decided":
        return f"{f['action']:<9} {f['reason']}"
    if kind in ("judge_failed", "report_failed"):
        return f"{kind.replace('_', ' ')}: {f.get('attempt', '')} {f['error']}"
    if kind == "steered":
        return f"asked     {'; '.join(f['asked'])}"
    if kind == "critic_failed":
        return f"critic    {f['reason']}"
    if kind == "author_failed":
        return f"author    {f['reason']}"
    if kind == "transfer":
        return f"memory    {f['attempt']} {'helps' if f['accepted'] else 'does not help'}: {f['reason']}"
    if kind == "item":
        return f"\n{f['name']}"
    if kind == "item_done":
        return f"{f['status']:<9} {f['name']}: {f['reason']}"
    if kind == "memory":
        return f"memory    {f['trouble']}"
    return ""


def _number(row: dict[str, object], name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else 0.0
