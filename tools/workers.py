"""The second seam: work that runs in a process of its own, outlives its starter and answers through its folder.

`python -m MODULE spec.json` fills the folder the spec lies in and writes `result.json`, whole and last. The worker
holds a lock on the file `lock` while it lives, so that whoever comes next attaches to it instead of starting another:
a process id can be used again by a stranger, a lock cannot.

Of the starter's environment only what `confine` lets through reaches the worker, so no key does.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from video2reward.memory import runs
from video2reward.tools.confine import clean_environment

LOG = "worker.log"
RESULT = "result.json"
_PROGRESS = "progress.jsonl"
_LOCK = "lock"
_STARTS = "starts.jsonl"

# Children of this process, kept only to be reaped: a dead one stays a zombie until someone asks after it.
_children: dict[Path, subprocess.Popen[bytes]] = {}

State = Literal["new", "running", "finished", "dead"]


@dataclass(frozen=True)
class Worker:
    """One job: a module, and the folder that holds its `spec.json`."""

    folder: Path
    module: str

    def state(self) -> State:
        """Say where the job stands: a result means finished, a held lock running, a start without either dead."""
        self._reap()
        if self._locked():
            return "running"
        # Asked in this order, because a worker writes its result before it lets the lock go.
        if (self.folder / RESULT).exists():
            return "finished"
        return "dead" if self.num_starts() else "new"

    def start(self) -> bool:
        """Start the process unless one is alive or the result is there; return whether one was started."""
        if (self.folder / RESULT).exists() or (lock := _take_lock(self.folder)) is None:
            return False
        with lock, (self.folder / LOG).open("ab") as log:
            os.set_inheritable(lock.fileno(), True)
            process = subprocess.Popen(
                # -P keeps the run folder, which holds foreign files, off the import path.
                [sys.executable, "-P", "-m", self.module, str((self.folder / "spec.json").resolve())],
                cwd=self.folder,
                env={**clean_environment(self.folder), "V2R_LOCK_FD": str(lock.fileno())},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # The lock is taken before the worker exists and lives on in it: there is no gap for a second one.
                pass_fds=(lock.fileno(),),
            )
            _children[self.folder.resolve()] = process
            line = json.dumps({"pid": process.pid, "time": round(time.time(), 3)})
            with (self.folder / _STARTS).open("a", encoding="utf-8") as starts:
                starts.write(line + "\n")
        return True

    def cancel(self, grace_s: float = 3.0) -> None:
        """Ask the worker to end, then end it; return when its lock is free."""
        for name, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 10.0)):
            if not self._signal(name):
                return
            deadline = time.monotonic() + wait_s
            while time.monotonic() < deadline:
                self._reap()
                if not self._locked():
                    return
                time.sleep(0.05)

    def num_starts(self) -> int:
        return len(self._starts())

    def started_at(self) -> float | None:
        """Return the time of the first start, in seconds since the epoch."""
        starts = self._starts()
        return starts[0]["time"] if starts else None

    def silent_s(self) -> float:
        """Return how long ago the worker last wrote anything or was started."""
        starts = self._starts()
        times = [starts[-1]["time"]] if starts else []
        for name in (_PROGRESS, LOG):
            try:
                times.append((self.folder / name).stat().st_mtime)
            except FileNotFoundError:
                continue
        return max(0.0, time.time() - max(times)) if times else 0.0

    def progress(self) -> dict[str, object]:
        """Return the newest whole line of the progress file; {} before the first. What it says is not checked."""
        try:
            with (self.folder / _PROGRESS).open("rb") as file:
                file.seek(0, os.SEEK_END)
                file.seek(max(0, file.tell() - 16_384))
                lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return {}
        for line in reversed(lines):
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                return row
        return {}

    def last_words(self) -> str:
        """Return the last line of the log: of a traceback, the exception."""
        try:
            lines = (self.folder / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def crashed(self) -> bool:
        """Say whether the worker ended with an exception, which a new start would only repeat."""
        try:
            return "Traceback (most recent call last)" in (self.folder / LOG).read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return False

    def _locked(self) -> bool:
        try:
            with (self.folder / _LOCK).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def _signal(self, number: signal.Signals) -> bool:
        """Signal the worker's whole session; only while the lock proves that the process id is still the worker's."""
        starts = self._starts()
        if not starts or not self._locked():
            return False
        try:
            os.killpg(starts[-1]["pid"], number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _reap(self) -> None:
        child = _children.get(self.folder.resolve())
        if child is not None and child.poll() is not None:
            _children.pop(self.folder.resolve(), None)

    def _starts(self) -> list[dict]:
        try:
            lines = (self.folder / _STARTS).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]


def write_spec(folder: Path, spec_json: str) -> Path:
    """Write a job's spec once; a spec that lies there already stays, so that a second entry changes nothing."""
    path = folder / "spec.json"
    if not path.exists():
        runs.write_atomic(path, spec_json)
    return path


def _take_lock(folder: Path) -> IO[bytes] | None:
    """Take the folder's lock, or return None where a worker holds it. A mere look at the lock lasts microseconds."""
    file = (folder / _LOCK).open("ab")
    for pause_s in (0.01, 0.02, 0.05, 0.0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            time.sleep(pause_s)
    file.close()
    return None
