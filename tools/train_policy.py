"""The third tool: train a policy with a reward, in a worker of its own, and say what came of it.

The worker runs reward code, so what it writes is read with suspicion: a result that does not fit the schema, the
folder or the clock is a rejected training and not a fact.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import TrainingRun, TrainingSpec
from video2reward.tools.workers import RESULT, Worker, write_spec

WORKER_MODULE = "video2reward.sim.train"
MAX_STARTS = 3
POLL_S = 0.2
_BATCH_SLACK = 200
"""A worker ends at the end of a batch: it may overshoot its steps by this many steps of every environment."""
_FASTEST_ENV_STEPS_PER_S = 50e6

Progress = Callable[[str, dict[str, object]], None]
"""Called with the attempt and the newest row of its `progress.jsonl`."""


@dataclass(frozen=True)
class Watchdog:
    """When a worker is ended from outside: too long over its own limit, or silent for too long."""

    over_s: float = 60.0
    silent_s: float = 180.0


def submit(spec: TrainingSpec, folder: Path) -> Path:
    """Put a spec into a folder, ready for a worker; return its path."""
    return write_spec(folder, spec.model_dump_json(indent=2) + "\n")


def train_policy(
    spec_path: Path,
    *,
    on_progress: Progress | None = None,
    watchdog: Watchdog = Watchdog(),
    module: str = WORKER_MODULE,
) -> TrainingRun:
    """Train as `spec.json` says, or attach to the worker that already does; return what came of it."""
    return train_policies([spec_path], on_progress=on_progress, watchdog=watchdog, module=module)[0]


def train_policies(
    spec_paths: Sequence[Path],
    *,
    parallel: int = 1,
    on_progress: Progress | None = None,
    on_done: Callable[[TrainingRun], None] | None = None,
    should_stop: Callable[[], str] = lambda: "",
    watchdog: Watchdog = Watchdog(),
    module: str = WORKER_MODULE,
) -> list[TrainingRun]:
    """Train several specs, at most `parallel` at a time; return their runs in the same order.

    `on_done` gets each run as soon as it is there, while the others go on. `should_stop` is asked all the while: a
    sentence ends every worker, and becomes the reason. Workers are left alive when this process dies: the next call
    with the same folders attaches to them.
    """
    jobs = [_Job(path.parent, runs.load(TrainingSpec, path), watchdog, module) for path in spec_paths]
    while waiting := [job for job in jobs if job.run is None]:
        if reason := should_stop():
            for job in waiting:
                job.end("killed", reason)
                if on_done and job.run is not None:
                    on_done(job.run)
            break
        room = parallel - sum(job.worker.state() == "running" for job in waiting)
        for job in waiting:
            room -= job.advance(may_start=room > 0)
            row = job.worker.progress()
            if on_progress and row and row != job.shown:
                job.shown = row
                on_progress(job.spec.attempt, row)
            if on_done and job.run is not None:
                on_done(job.run)
        if any(job.run is None for job in jobs):
            time.sleep(POLL_S)
    return [job.run for job in jobs if job.run is not None]


class _Job:
    """One training on its way to a TrainingRun."""

    def __init__(self, folder: Path, spec: TrainingSpec, watchdog: Watchdog, module: str) -> None:
        self.folder, self.spec, self.watchdog = folder, spec, watchdog
        self.worker = Worker(folder, module)
        self.run: TrainingRun | None = None
        self.shown: dict[str, object] = {}

    def advance(self, *, may_start: bool) -> bool:
        """Take the next step; return whether a worker was started."""
        state = self.worker.state()
        if state == "finished":
            self.run = read_result(self.folder, self.spec, self.worker.started_at())
        elif state == "running":
            self._watch()
        elif state == "dead" and (self.worker.crashed() or self.worker.num_starts() >= MAX_STARTS):
            words = self.worker.last_words()
            self._record("killed", f"the worker ended without a result: {words}" if words else "the worker was killed")
        elif may_start:
            return self.worker.start()
        return False

    def _watch(self) -> None:
        elapsed_s = time.time() - (self.worker.started_at() or time.time())
        allowed_s = self.spec.max_wall_s + self.watchdog.over_s
        if elapsed_s > allowed_s:
            self.end("timeout", f"the worker did not end by itself within {allowed_s:.0f} s")
        elif self.worker.silent_s() > self.watchdog.silent_s:
            self.end("killed", f"the worker was silent for {self.watchdog.silent_s:.0f} s")

    def end(self, status: Literal["timeout", "killed"], reason: str) -> None:
        self.worker.cancel()
        if self.worker.state() == "finished":
            self.run = read_result(self.folder, self.spec, self.worker.started_at())
        else:
            self._record(status, reason)

    def _record(self, status: Literal["timeout", "killed"], reason: str) -> None:
        """Write the result that the worker could not write, so that a second look finds the same one."""
        row = self.worker.progress()
        started_at = self.worker.started_at()
        checkpoint = "policy.pt" if (self.folder / "policy.pt").is_file() else None
        self.run = TrainingRun(
            attempt=self.spec.attempt,
            status=status,
            reason=reason,
            env_steps=min(_whole(row.get("env_steps")), self.spec.max_env_steps),
            wall_s=round(time.time() - started_at, 2) if started_at else 0.0,
            checkpoint=checkpoint,
        )
        runs.save(self.run, self.folder / RESULT)


def read_result(folder: Path, spec: TrainingSpec, started_at: float | None) -> TrainingRun:
    """Read a worker's result as a stranger's word: what cannot be true is a rejected training."""
    try:
        run = runs.load(TrainingRun, folder / RESULT)
    except BadInput as error:
        return TrainingRun(attempt=spec.attempt, status="rejected", reason=f"the worker's result: {error}")
    if doubt := _doubt(run, spec, folder, started_at):
        return TrainingRun(
            attempt=spec.attempt, status="rejected", reason=f"the worker's result cannot be believed: {doubt}"
        )
    return run


def _doubt(run: TrainingRun, spec: TrainingSpec, folder: Path, started_at: float | None) -> str:
    most = spec.max_env_steps + _BATCH_SLACK * spec.num_envs
    if run.attempt != spec.attempt:
        return f"it speaks of attempt {run.attempt!r}, not of {spec.attempt!r}."
    if not 0 <= run.env_steps <= most:
        return f"{run.env_steps} environment steps, of {spec.max_env_steps} allowed."
    if run.wall_s < 0 or run.env_steps > _FASTEST_ENV_STEPS_PER_S * max(run.wall_s, 1e-3):
        return f"{run.env_steps} environment steps in {run.wall_s:.3f} s."
    if started_at and run.wall_s > time.time() - started_at + 5.0:
        return f"{run.wall_s:.0f} s of training, but it was started {time.time() - started_at:.0f} s ago."
    if run.checkpoint is not None:
        path = (folder / run.checkpoint).resolve()
        if not path.is_relative_to(folder.resolve()) or not path.is_file():
            return f"its checkpoint {run.checkpoint!r} is not a file of its folder."
    elif run.status == "ok":
        return "it is said to be ok, but left no checkpoint."
    return ""


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0
