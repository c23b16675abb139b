"""One process works on a folder at a time: a lock that the kernel lets go when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from video2reward.memory.errors import RunExists

_FILE = "lease"
# A mere look at the lock, by `status`, holds it for microseconds.
_RETRY_S = (0.01, 0.03, 0.1, 0.0)


@contextmanager
def lease(folder: Path) -> Iterator[None]:
    """Hold a run or a queue for this process: two on one would silently lose each other's updates. Raises RunExists."""
    with (folder / _FILE).open("a+") as file:
        for pause_s in _RETRY_S:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(pause_s)
        else:
            raise RunExists(f"another process is working on {folder}.", "Wait for it, or stop it first.")
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def holder(folder: Path) -> int | None:
    """Return the process that works on a folder, 0 where it has not said its id yet, None where nobody does."""
    try:
        with (folder / _FILE).open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else 0
    except FileNotFoundError:
        pass
    return None
