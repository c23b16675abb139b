"""Everything that parses is given what is nearly right: `python -m video2reward.evals.fuzz [--only NAME]`.

Each parser runs in a process of its own, which may use 1 GB beyond what it has imported. A refusal in words is what is
wanted; any other exception, a signal, five seconds on one input or memory over the limit is a finding. The inputs
follow from the seed; those that were findings are kept with --keep. Prints one row a parser; exit 3 with findings.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from video2reward.evals.fuzz_parsers import ELSEWHERE, PARSERS, Parser
from video2reward.evals.mutations import mutate
from video2reward.memory.errors import BadInput
from video2reward.memory.records import Record

INPUTS = 20_000
HANG_S = 5.0
MEMORY_BYTES = 1 << 30
_SHOWN = 5


class Fuzzed(Record):
    """What came of one parser's inputs. `findings` are distinct, with the times each was met."""

    parser: str
    inputs: int
    accepted: int
    refused: int
    slowest_s: float
    memory_mb: float
    seconds: float
    findings: dict[str, int]


class _Hang(BaseException):
    """An input took too long; no parser's `except Exception` may swallow that."""


def fuzz(parser: Parser, folder: Path, *, inputs: int, seconds: float, seed: int, keep: Path | None = None) -> Fuzzed:
    """Give a parser mutated inputs, in this process, until their number or the time is reached."""
    path, draw = folder / f"input{parser.suffix}", random.Random(f"{seed} {parser.name}")
    seeds, read = parser.seeds(folder), parser.reader()
    for index, data in enumerate(seeds):
        path.write_bytes(data)
        try:
            read(path)
        except parser.refusals as error:
            raise AssertionError(f"seed {index} of {parser.name} is refused itself: {error}") from error
    findings: dict[str, int] = {}
    accepted = refused = done = 0
    slowest, begun = 0.0, time.monotonic()
    before = _memory_bytes()
    signal.signal(signal.SIGALRM, _alarm)
    while done < inputs and time.monotonic() - begun < seconds:
        data = mutate(seeds, draw)
        path.write_bytes(data)
        started, what = time.monotonic(), ""
        signal.setitimer(signal.ITIMER_REAL, HANG_S)
        try:
            read(path)
            accepted += 1
        except parser.refusals:
            refused += 1
        except _Hang:
            what = f"more than {HANG_S:.0f} s on one input"
        except Exception as error:  # what a parser lets through is what is looked for
            what = _place_of(error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        slowest, done = max(slowest, time.monotonic() - started), done + 1
        if what:
            findings[what] = findings.get(what, 0) + 1
            if keep and findings[what] == 1:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{parser.name}-{done}{parser.suffix}").write_bytes(data)
    used = _memory_bytes()
    if used - before > MEMORY_BYTES:
        findings[f"{(used - before) / 2**20:.0f} MB of memory"] = 1
    return Fuzzed(
        parser=parser.name, inputs=done, accepted=accepted, refused=refused, slowest_s=round(slowest, 3),
        memory_mb=round((used - before) / 2**20, 1), seconds=round(time.monotonic() - begun, 1), findings=findings,
    )  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Fuzz the parsers, each in a process of its own, and print a table."""
    arguments = _arguments(argv)
    chosen = [parser for parser in PARSERS if arguments.only in (None, parser.name)]
    if not chosen:
        raise BadInput(f"there is no parser {arguments.only!r}.", f"There are: {', '.join(p.name for p in PARSERS)}.")
    if arguments.here:
        return _here(chosen[0], arguments)
    print(f"{'parser':<16}{'inputs':>8}{'accepted':>10}{'refused':>9}{'slowest s':>11}{'MB':>8}{'s':>7}  findings")
    found, few = 0, 0
    for parser in chosen:
        result = _elsewhere(parser, arguments)
        found += sum(result.findings.values())
        few += result.inputs < INPUTS and result.seconds < 60.0
        print(
            f"{result.parser:<16}{result.inputs:>8}{result.accepted:>10}{result.refused:>9}{result.slowest_s:>11.3f}"
            f"{result.memory_mb:>8.0f}{result.seconds:>7.0f}  {'none' if not result.findings else ''}",
            flush=True,
        )
        for what, times in list(result.findings.items())[:_SHOWN]:
            print(f"    {times} x {what}")
    for name, module in ELSEWHERE.items():
        print(f"{name}: python -m {module}")
    total = f"{len(chosen)} parsers, {found} findings"
    print(total + (f"; {few} had less than {INPUTS} inputs and less than 60 s" if few else ""))
    return 3 if found else 0


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--seconds", type=float, default=60.0, help="the most for each parser")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[p.name for p in PARSERS])
    parser.add_argument("--keep", type=Path, help="folder for the inputs that were findings")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _elsewhere(parser: Parser, arguments: argparse.Namespace) -> Fuzzed:
    command = [sys.executable, "-m", "video2reward.evals.fuzz", "--here", "--only", parser.name]
    command += ["--inputs", str(arguments.inputs), "--seconds", str(arguments.seconds), "--seed", str(arguments.seed)]
    command += ["--keep", str(arguments.keep.resolve())] if arguments.keep else []
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    try:
        return Fuzzed.model_validate_json(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        words = (done.stderr.strip().splitlines() or ["no word"])[-1]
        died = f"the process ended with exit code {done.returncode}: {words}"
        return Fuzzed(
            parser=parser.name, inputs=0, accepted=0, refused=0, slowest_s=0.0, memory_mb=0.0, seconds=0.0,
            findings={died: 1},
        )  # fmt: skip


def _here(parser: Parser, arguments: argparse.Namespace) -> int:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parser.seeds(folder), parser.reader()  # whatever is imported, is imported before memory is counted
        limit = _address_space_bytes() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        result = fuzz(
            parser, folder, inputs=arguments.inputs, seconds=arguments.seconds, seed=arguments.seed, keep=arguments.keep
        )
    print(json.dumps(result.model_dump()))
    return 0


def _alarm(number: int, frame: object) -> None:
    raise _Hang


def _place_of(error: Exception) -> str:
    """Name an exception by its kind and the last line of ours that it came through."""
    ours = [f for f in traceback.extract_tb(error.__traceback__) if f"{os.sep}site-packages{os.sep}" not in f.filename]
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {where}: {str(error)[:100]}"


def _memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _address_space_bytes() -> int:
    import psutil

    return psutil.Process().memory_info().vms


if __name__ == "__main__":
    sys.exit(main())
