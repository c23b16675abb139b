"""The command line: typed options, one line for every error, and exit codes that scripts can rely on.

    0 the gates passed   3 finished without passing   2 bad input   1 our fault   130 interrupted

Only this file and the two with the options are read for `--help`; what a command needs is imported when it runs.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import subcommand
from video2reward.agent.look_options import (
    Bench,
    Describe,
    Doctor,
    Export,
    Guard,
    Judge,
    Memory,
    Models,
    Play,
    Recall,
    Robot,
    Runs,
    Status,
)
from video2reward.agent.work_options import Chat, Overnight, Resume, Run, Train

Command = (
    Annotated[Run, subcommand("run")]
    | Annotated[Chat, subcommand("chat")]
    | Annotated[Overnight, subcommand("overnight")]
    | Annotated[Resume, subcommand("resume")]
    | Annotated[Status, subcommand("status")]
    | Annotated[Describe, subcommand("describe")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Judge, subcommand("judge")]
    | Annotated[Recall, subcommand("recall")]
    | Annotated[Memory, subcommand("memory")]
    | Annotated[Play, subcommand("play")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Guard, subcommand("guard")]
    | Annotated[Runs, subcommand("runs")]
    | Annotated[Doctor, subcommand("doctor")]
    | Annotated[Models, subcommand("models")]
    | Annotated[Robot, subcommand("robot")]
    | Annotated[Bench, subcommand("bench")]
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    command = tyro.cli(
        Command,  # type: ignore[arg-type]
        prog="video2reward",
        description="From a clip of something that walks to a reward, a trained robot, and proof that they move alike.",
        args=argv,
        config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff),
    )
    try:
        return _dispatch(command)
    except KeyboardInterrupt:
        print("\ninterrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone, as with `| head`; the interpreter must not complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _explain(error)


def _dispatch(command: object) -> int:
    from video2reward.agent import commands
    from video2reward.agent.amounts import check_amounts

    check_amounts(command)
    return commands.COMMANDS[type(command).__name__](command)


def _explain(error: Exception) -> int:
    """Print one line on what went wrong and what to do; a traceback goes to a file."""
    from video2reward.memory.errors import V2RError

    if isinstance(error, V2RError):
        print(f"video2reward: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    if (full := _cannot_write(error)) is not None:
        cure = "Free some space, or choose another folder with --out; what was finished is kept."
        print(f"video2reward: {full}. {cure}", file=sys.stderr)
        return 2
    import traceback

    where = _log("".join(traceback.format_exception(error)))
    said = " ".join(str(error).split())[:300]
    print(f"video2reward: our fault: {type(error).__name__}: {said} (traceback: {where})", file=sys.stderr)
    return 1


# EFBIG: a limit on the size of files, as some machines set it for each user.
_FULL_OR_CLOSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


def _cannot_write(error: BaseException | None) -> str | None:
    """Return what is said where a full or closed disk is at the bottom of an error, else None."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL_OR_CLOSED:
            return f"{error.strerror}: {error.filename or 'a file could not be written'}"
        # SQLite, which keeps the checkpoints, has words of its own for it.
        if type(error).__name__ == "OperationalError" and any(
            sign in str(error) for sign in ("full", "readonly", "disk I/O", "unable to open")
        ):
            return f"the run's checkpoints cannot be written: {error}"
        error = error.__cause__ or error.__context__
    return None


def _log(text: str) -> str:
    import tempfile

    from video2reward.memory.recall import memory_home

    name = f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    for folder in (memory_home() / "logs", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        except OSError:
            continue
        return str(folder / name)
    print(text, file=sys.stderr)
    return "above"


if __name__ == "__main__":
    sys.exit(main())
