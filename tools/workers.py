"""The second seam: work that runs in a process of its own, outlives its starter and answers through its folder.

`python -m MODULE spec.json` fills the folder the spec lies in and writes `result.json`, whole and last. That folder is
`worker/` within the job's: the worker runs foreign code and can write nowhere else, so that what lies beside it is
ours. The job's file `lock` is held while the worker lives, so that whoever comes next attaches to it instead of
starting another: a process id can be used again by a stranger, a lock cannot.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from video2reward.memory import runs
from video2reward.tools import airlock
from video2reward.tools.confine import confined, locked_environment

LOG = "worker.log"
RESULT = "result.json"
PROGRESS = "progress.jsonl"
WORK = "worker"
_LOCK = "lock"
_STARTS = "starts.jsonl"
_BLOCK_BYTES = 4096

# Children of this process, kept only to be reaped: a dead one stays a zombie until someone asks after it.
_children: dict[Path, subprocess.Popen[bytes]] = {}

State = Literal["new", "running", "finished", "dead"]


@dataclass(frozen=True)
class Worker:
    """One job: a module, the folder that is ours, and in it the worker's own, `worker/`."""

    folder: Path
    module: str
    gpu: bool = False

    @property
    def work(self) -> Path:
        return self.folder / WORK

    def state(self) -> State:
        """Say where the job stands: a result means finished, a held lock running, a start without either dead."""
        self._reap()
        if self._locked():
            return "running"
        # Asked in this order, because a worker writes its result before it lets the lock go.
        if self._has_result():
            return "finished"
        return "dead" if self.num_starts() else "new"

    def start(self, given: Mapping[str, bytes], readable: Sequence[Path] = ()) -> bool:
        """Start the process unless one is alive or the result is there; return whether one was started.

        `given` are the worker's files by name, `spec.json` among them: it can read and not change them,
        nor the files `readable`, which lie elsewhere.
        """
        if self._has_result() or (lock := _take_lock(self.folder)) is None:
            return False
        self.work.mkdir(exist_ok=True)
        for name, content in given.items():
            runs.write_atomic(self.work / name, content)
        work = self.work.resolve()
        with lock, (self.folder / LOG).open("ab") as log:
            os.set_inheritable(lock.fileno(), True)
            process = subprocess.Popen(
                confined(
                    self.module,
                    [str(work / "spec.json")],
                    work,
                    readable=[*(work / name for name in given), *readable],
                    gpu=self.gpu,
                ),
                cwd=work,
                env=locked_environment(work),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # The lock is taken before the worker exists and lives on in it: there is no gap for a second one.
                pass_fds=(lock.fileno(),),
            )
            _children[self.folder.resolve()] = process
            now = {"pid": process.pid, "time": round(time.time(), 3), "monotonic": time.monotonic(), "boot": _boot()}
            with (self.folder / _STARTS).open("a", encoding="utf-8") as starts:
                starts.write(json.dumps(now) + "\n")
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

    def pid(self) -> int | None:
        """Return the process id of the last start; it is the worker's only while its lock is held."""
        starts = self._starts()
        return starts[-1]["pid"] if starts else None

    def age_s(self) -> float | None:
        """Return the seconds since the last start by a clock that nobody sets; None after a restart of the machine."""
        starts = self._starts()
        if not starts or starts[-1].get("boot") != _boot():
            return None
        return max(0.0, time.monotonic() - float(starts[-1]["monotonic"]))

    def memory_bytes(self) -> int:
        """Return the memory that the worker and what stands around it hold at the moment."""
        import psutil

        starts, total = self._starts(), 0
        try:
            first = psutil.Process(starts[-1]["pid"]) if starts else None
            for process in [first, *first.children(recursive=True)] if first else []:
                total += process.memory_info().rss
        except psutil.Error:
            return total
        return total

    def disk_bytes(self, most: int) -> int:
        """Return what the worker's folder holds, each entry with a block of its own; links are not followed.

        Folders may be as deep and entries as many as a stranger likes: counting ends once there is more than `most`.
        """
        total, rest = 0, [str(self.work)]
        while rest and total <= most:
            try:
                with os.scandir(rest.pop()) as entries:
                    for entry in entries:
                        total += _BLOCK_BYTES + entry.stat(follow_symlinks=False).st_size
                        if entry.is_dir(follow_symlinks=False):
                            rest.append(entry.path)
                        if total > most:
                            break
            except OSError:
                continue
        return total

    def progress(self) -> dict[str, object]:
        """Return the newest row of the progress file, cut down to names and finite numbers; {} before the first."""
        return airlock.last_row(self.work / PROGRESS)

    def last_words(self) -> str:
        """Return the last line of the log: of a traceback, the exception."""
        return airlock.words(next((line for line in reversed(self._log().splitlines()) if line.strip()), ""))

    def crashed(self) -> bool:
        """Say whether the worker ended with an exception, which a new start would only repeat."""
        return "Traceback (most recent call last)" in self._log()

    def _log(self) -> str:
        try:
            return airlock.read_bytes(self.folder / LOG, 65_536, tail=True).decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def _has_result(self) -> bool:
        # Even a link in the result's place ends the job: what it is worth is asked when it is read.
        return (self.folder / RESULT).exists() or os.path.lexists(self.work / RESULT)

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
        return [start for line in lines if (start := _start_of(line))]


def write_spec(folder: Path, spec_json: str) -> Path:
    """Write a job's spec once; a spec that lies there already stays, so that a second entry changes nothing."""
    path = folder / "spec.json"
    if not path.exists():
        runs.write_atomic(path, spec_json)
    return path


def _start_of(line: str) -> dict:
    """Read one line of the starts; {} where a full disk cut it short."""
    try:
        start = json.loads(line)
    except ValueError:
        return {}
    return start if isinstance(start, dict) and isinstance(start.get("pid"), int) else {}


@functools.cache
def _boot() -> str:
    """Return what names this run of the machine; monotonic clocks of two runs cannot be compared."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


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
