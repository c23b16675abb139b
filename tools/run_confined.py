"""Run something small to its end in a box, and keep what it said: a trial, a payload of the escape suite."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from video2reward.memory.records import Record
from video2reward.tools.confine import confined, locked_environment

_MOST_WORDS = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """How a confined program ended; `exit_code` is None where its time ran out."""

    exit_code: int | None
    stdout: str
    stderr: str


class Ending(Record):
    """How a file ended behind the lock: `exit` is 0 at its end, negative for a signal, None where its time ran out."""

    file: str
    exit: int | None
    words: str


def run_confined(
    module: str, arguments: Sequence[str], folder: Path, *, readable: Sequence[Path] = (), timeout_s: float
) -> Outcome:
    """Run a module of ours to its end in a box; what it says goes through files, so that it cannot fill our memory."""
    command = confined(module, arguments, folder, readable=readable)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command, cwd=folder, env=locked_environment(folder), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            start_new_session=True,
        )  # fmt: skip
        try:
            code: int | None = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = None
        except BaseException:
            _end(process)
            raise
        if code is None:
            _end(process)
        return Outcome(code, _words(out), _words(err))


def run_files(files: Sequence[Path], folder: Path, *, seconds: float = 5.0, torch: bool = False) -> dict[str, Ending]:
    """Run Python files behind the operating system's layer alone; return how each ended, by name.

    No guard looks at them. Each runs in a fork of one process, with `folder` as its working directory and the only
    place to write; names must differ. `torch` imports torch before the first.
    """
    arguments = ["--seconds", str(seconds), *(["--torch"] if torch else []), *(str(path.resolve()) for path in files)]
    done = run_confined(
        "video2reward.sim.lockdown",
        arguments,
        folder,
        readable=[path.resolve() for path in files],
        timeout_s=30.0 + (seconds + 1.0) * len(files),
    )
    endings = [Ending(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith('{"file"')]
    return {ending.file: ending for ending in endings}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything in its box."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()


def _words(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_MOST_WORDS).decode(errors="replace")
