"""The third tool: train a policy with a reward, in a worker of its own, and say what came of it.

The worker runs reward code, so what it writes is read with suspicion: a result that does not fit the schema, the
folder or the clock is a rejected training and not a fact. What is believed is carried out of the worker's folder into
the attempt's, where no reward can reach it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import TrainingRun, TrainingSpec
from video2reward.sim.config import robot_files
from video2reward.tools import airlock
from video2reward.tools.workers import PROGRESS, RESULT, WORK, Worker, write_spec

WORKER_MODULE = "video2reward.sim.train"
MAX_STARTS = 3
POLL_S = 0.2
_LOOK_EVERY_S = 1.0
_POLICY = "policy.pt"
_COUNTS = ("iteration", "env_steps", "wall_s", "env_steps_per_s")
_BATCH_SLACK = 200
"""A worker ends at the end of a batch: it may overshoot its steps by this many steps of every environment."""
_FASTEST_ENV_STEPS_PER_S = 50e6

Progress = Callable[[str, dict[str, object]], None]
"""Called with the attempt and the newest row of its `progress.jsonl`."""


@dataclass(frozen=True)
class Watchdog:
    """When a worker is ended from outside. None of its limits hangs on the time of day, which may be set."""

    over_s: float = 60.0
    """Seconds over the spec's own limit."""
    silent_s: float = 180.0
    """Seconds without a new environment step, the start included."""
    memory_bytes: int = 4 << 30
    disk_bytes: int = 1 << 30


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
        self.worker = Worker(folder, module, gpu=spec.backend != "mujoco")
        self.run: TrainingRun | None = None
        self.shown: dict[str, object] = {}
        self._seen_steps, self._seen_at, self._looked_at = -1.0, time.monotonic(), 0.0

    def advance(self, *, may_start: bool) -> bool:
        """Take the next step; return whether a worker was started."""
        state = self.worker.state()
        if state == "finished":
            self.run = collect(self.folder, self.spec, self.worker.age_s())
        elif state == "running":
            self._watch()
        elif state == "dead" and (self.worker.crashed() or self.worker.num_starts() >= MAX_STARTS):
            words = self.worker.last_words()
            self._record("killed", f"the worker ended without a result: {words}" if words else "the worker was killed")
        elif may_start:
            self._seen_at = time.monotonic()
            return self.worker.start(_given(self.folder, self.spec), robot_files(self.spec.target.robot))
        return False

    def end(self, status: Literal["timeout", "killed"], reason: str) -> None:
        self.worker.cancel()
        if self.worker.state() == "finished":
            self.run = collect(self.folder, self.spec, self.worker.age_s())
        else:
            self._record(status, reason)

    def _watch(self) -> None:
        now, limits = time.monotonic(), self.watchdog
        allowed_s = self.spec.max_wall_s + limits.over_s
        if (self.worker.age_s() or 0.0) > allowed_s:
            self.end("timeout", f"the worker did not end by itself within {allowed_s:.0f} s")
            return
        if now - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = now
        steps = _whole(self.worker.progress().get("env_steps"))
        if steps != self._seen_steps:
            self._seen_steps, self._seen_at = steps, now
            _carry_curves(self.folder)
        if now - self._seen_at > limits.silent_s:
            self.end("killed", f"the worker was silent for {limits.silent_s:.0f} s: it made no step")
        elif (held := self.worker.memory_bytes()) > limits.memory_bytes:
            self.end(
                "killed", f"the worker held {held / 1e9:.1f} GB of memory; {limits.memory_bytes / 1e9:.1f} allowed"
            )
        elif (held := self.worker.disk_bytes(limits.disk_bytes)) > limits.disk_bytes:
            self.end("killed", f"the worker left over {limits.disk_bytes / 1e9:.2g} GB on the disk, or too many files")

    def _record(self, status: Literal["timeout", "killed"], reason: str) -> None:
        """Write the result that the worker could not write, with what it left, so that a second look finds the same."""
        row = self.worker.progress()
        run = TrainingRun(
            attempt=self.spec.attempt,
            status=status,
            reason=reason,
            env_steps=min(_whole(row.get("env_steps")), self.spec.max_env_steps),
            wall_s=round(self.worker.age_s() or 0.0, 2),
            checkpoint=_POLICY if airlock.is_plain(self.folder / WORK / _POLICY) else None,
            metrics={name: value for name, value in airlock.finite(row).items() if name not in _COUNTS},
            term_means=airlock.finite(row.get("terms")),
        )
        self.run = _carry_out(run, self.folder)


def collect(folder: Path, spec: TrainingSpec, age_s: float | None) -> TrainingRun:
    """Read a finished worker's result and carry what is believed of it into `folder`; a second call finds it there."""
    if (folder / RESULT).exists():
        return read_result(folder, spec, age_s)
    return _carry_out(read_result(folder / WORK, spec, age_s), folder)


def read_result(work: Path, spec: TrainingSpec, age_s: float | None) -> TrainingRun:
    """Read a worker's result as a stranger's word: what cannot be true is a rejected training."""
    try:
        text = airlock.read_bytes(work / RESULT, airlock.MOST_JSON_BYTES)
        run = TrainingRun.model_validate_json(text)
    except (BadInput, FileNotFoundError) as error:
        return _rejected(spec, f"the worker's result: {error}")
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return _rejected(spec, f"the worker's result is not a readable TrainingRun at {where!r}: {first['msg']}.")
    if doubt := _doubt(run, spec, work, age_s):
        return _rejected(spec, f"the worker's result cannot be believed: {doubt}")
    return run.model_copy(
        update={
            "reason": airlock.words(run.reason),
            "metrics": airlock.finite(run.metrics),
            "term_means": airlock.finite(run.term_means),
            "progress": PROGRESS,
        }
    )


def _given(folder: Path, spec: TrainingSpec) -> dict[str, bytes]:
    """Return the worker's files: the spec, the reward, and the policy it starts from, each beside the other."""
    sources = {"reward.py": folder / spec.reward}
    if spec.warm_start:
        sources["warm_start.pt"] = folder / spec.warm_start
    given = {name: source.read_bytes() for name, source in sources.items() if source.is_file()}
    named = {"reward": "reward.py", "warm_start": "warm_start.pt" if spec.warm_start else None}
    given["spec.json"] = (spec.model_copy(update=named).model_dump_json(indent=2) + "\n").encode()
    return given


def _carry_out(run: TrainingRun, folder: Path) -> TrainingRun:
    """Carry a worker's policy and curves into our folder, then write the result; what cannot be carried is said."""
    _carry_curves(folder)
    if run.checkpoint is not None:
        try:
            airlock.carry(folder / WORK / _POLICY, folder / _POLICY, airlock.MOST_POLICY_BYTES)
        except (BadInput, FileNotFoundError) as error:
            run = run.model_copy(update={"status": "rejected", "checkpoint": None, "reason": f"the policy: {error}"})
    runs.save(run, folder / RESULT)
    return run


def _carry_curves(folder: Path) -> None:
    try:
        airlock.carry(folder / WORK / PROGRESS, folder / PROGRESS, airlock.MOST_PROGRESS_BYTES, tail=True)
    except (BadInput, FileNotFoundError):
        # A training without curves is one that did not come so far, or hid them; its result says the rest.
        return


def _rejected(spec: TrainingSpec, reason: str) -> TrainingRun:
    return TrainingRun(attempt=spec.attempt, status="rejected", reason=airlock.words(reason))


def _doubt(run: TrainingRun, spec: TrainingSpec, work: Path, age_s: float | None) -> str:
    most = spec.max_env_steps + _BATCH_SLACK * spec.num_envs
    if run.attempt != spec.attempt:
        return f"it speaks of attempt {run.attempt!r}, not of {spec.attempt!r}."
    if not 0 <= run.env_steps <= most:
        return f"{run.env_steps} environment steps, of {spec.max_env_steps} allowed."
    if run.wall_s < 0 or run.env_steps > _FASTEST_ENV_STEPS_PER_S * max(run.wall_s, 1e-3):
        return f"{run.env_steps} environment steps in {run.wall_s:.3f} s."
    if age_s is not None and run.wall_s > age_s + 5.0:
        return f"{run.wall_s:.0f} s of training, but it was started {age_s:.0f} s ago."
    if run.checkpoint is None:
        return "it is said to be ok, but left no checkpoint." if run.status == "ok" else ""
    if run.checkpoint != _POLICY or not airlock.is_plain(work / _POLICY):
        return f"its checkpoint {run.checkpoint!r} is not a file of its folder."
    return ""


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0
