"""Ctrl-C that cannot be lost: it leaves a word in the run's folder, too."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from video2reward.memory import runs

INTERRUPTED = "It was interrupted from the keyboard."


@contextmanager
def heard(run: Path) -> Iterator[None]:
    """Write Ctrl-C down as a `STOP` of the run before it is raised as KeyboardInterrupt.

    An exception that strikes within a finalizer or a library's callback is dropped by Python; the loop then ends by
    the file at its next step. Left as it is off the main thread, and where somebody else handles the signal.
    """
    if threading.current_thread() is not threading.main_thread() or (
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        runs.write_atomic(run / "STOP", INTERRUPTED)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
