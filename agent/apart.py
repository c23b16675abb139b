"""The project's own commands in processes of their own: some to their end, some that outlive whoever started them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from video2reward.agent import narrate
from video2reward.memory.errors import BadInput, V2RError

_BEGUN_WITHIN_S = 20.0
_REFUSED_WITHIN_S = 4.0
"""A night that cannot begin says so within this time."""
_POLL_S = 0.2
_COMMAND_TIMEOUT_S = 600.0
_COMMAND = [sys.executable, "-m", "video2reward.agent.cli"]

_children: list[subprocess.Popen[bytes]] = []
"""What this process has started; looked at now and then, so that none that ended is left undead."""


class Commands:
    """Starts commands; what those that outlive it print lies in `logs`, by name."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    def run(self, arguments: list[str]) -> str:
        """Run a command to its end and return what it printed. Raises V2RError with its own words."""
        done = subprocess.run(
            [*_COMMAND, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_COMMAND_TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode not in (0, 3):
            words = done.stderr.strip().splitlines()
            raise V2RError(words[-1].removeprefix("video2reward: ") if words else f"{arguments[0]} failed.")
        return done.stdout

    def spawn(self, arguments: list[str], name: str) -> subprocess.Popen[bytes]:
        """Start a command in a session of its own: neither a Ctrl-C here nor our end reaches it."""
        _children[:] = [child for child in _children if child.poll() is None]
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                [*_COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        _children.append(process)
        return process

    def begin(self, arguments: list[str], run: Path) -> None:
        """Start a run and wait until it has the folder. Raises BadInput with the words of one that ends before that."""
        before = len(narrate.events(run))
        process = self.spawn(arguments, run.name)
        until = time.monotonic() + _BEGUN_WITHIN_S
        while time.monotonic() < until:
            if len(narrate.events(run)) > before or process.poll() in (0, 3):
                return
            if process.poll() is not None:
                raise BadInput(last_words(self.log(run.name)))
            time.sleep(_POLL_S)

    def start_unless_refused(self, arguments: list[str], name: str) -> None:
        """Start a command and wait a moment. Raises BadInput with its words where it ends within it."""
        process = self.spawn(arguments, name)
        try:
            process.wait(_REFUSED_WITHIN_S)
        except subprocess.TimeoutExpired:
            return
        raise BadInput(last_words(self.log(name)))

    def log(self, name: str) -> Path:
        return self._logs / f"{name}.log"


def last_words(log: Path) -> str:
    words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return words[-1].removeprefix("video2reward: ") if words else "It ended without a word."
