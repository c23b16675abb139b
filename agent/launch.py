"""A run in a process of its own, which outlives whoever started it: `python -m video2reward.agent.launch RUN`.

The run folder holds the request; the process goes on with it wherever it was left, and every end, a clip that cannot
be used too, is a `result.json`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from video2reward.memory import runs
from video2reward.memory.errors import RunExists, V2RError
from video2reward.memory.records import RunRequest, RunResult

LOG = "agent.log"
_LAUNCHES = "launches.jsonl"

# Children of this process, kept only to be reaped.
_children: dict[int, subprocess.Popen[bytes]] = {}


def launch(run: Path) -> int:
    """Start the process that works on a run whose `request.json` is there; return its id."""
    with (run / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "video2reward.agent.launch", str(run.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[process.pid] = process
    with (run / _LAUNCHES).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"pid": process.pid, "time": round(time.time(), 3)}) + "\n")
    return process.pid


def exit_code(pid: int) -> int | None:
    """Return how a process that this one launched ended, below 0 for a signal; None while it lives."""
    return _children[pid].poll()


def last_words(run: Path) -> str:
    """Return the last line that the process of a run wrote: of a traceback, the exception."""
    try:
        lines = (run / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def main(argv: list[str] | None = None) -> int:
    """Work on one run to its end; exit 0 when it has a result, whatever it is."""
    from video2reward.agent.embeddings import open_memory
    from video2reward.agent.finish import record_failure
    from video2reward.agent.session import resume

    run = Path((sys.argv[1:] if argv is None else argv)[0])
    request = runs.load(RunRequest, run / "request.json")
    try:
        result: RunResult = resume(run, memory=open_memory(request.memory) if request.memory else None)
    except RunExists as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except V2RError as error:
        result = record_failure(run, request, str(error))
    print(f"{os.getpid()}: {result.status}: {result.stop_reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
