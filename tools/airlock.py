"""What a worker leaves is carried over the threshold here: plain files of a known size, and numbers that can be true.

A worker fills its own folder, `worker/`; nothing else of the run is within its reach. It may have left links, pipes,
mountains of text or lies there. So files are opened without following links and without waiting, are read up to a
limit, and rows are cut down to what a training says.
"""

from __future__ import annotations

import json
import math
import os
import stat
from pathlib import Path

from video2reward.memory import runs
from video2reward.memory.errors import BadInput

MOST_JSON_BYTES = 1 << 20
MOST_PROGRESS_BYTES = 32 << 20
MOST_POLICY_BYTES = 64 << 20
_MOST_TERMS = 64
_MOST_WORDS = 600


def is_plain(path: Path) -> bool:
    """Say whether something lies at a path that is a file and no link."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def read_bytes(path: Path, most: int, *, tail: bool = False) -> bytes:
    """Read a worker's file. `tail` reads the last `most` bytes of a longer one.

    Raises FileNotFoundError where there is none, BadInput where it is no plain file or too large.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadInput(f"{path.name} of the worker is not a plain file ({error.strerror}).") from None
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        raise BadInput(f"{path.name} of the worker is not a plain file.")
    with os.fdopen(handle, "rb") as file:
        if about.st_size > most:
            if not tail:
                raise BadInput(f"{path.name} of the worker has {about.st_size} bytes; {most} are allowed.")
            file.seek(about.st_size - most)
        return file.read(most)


def carry(source: Path, destination: Path, most: int, *, tail: bool = False) -> None:
    """Copy a worker's file out of its folder, whole or not at all. Raises as `read_bytes` does."""
    runs.write_atomic(destination, read_bytes(source, most, tail=tail))


def last_row(path: Path) -> dict[str, object]:
    """Return the newest whole line of a worker's progress as known names with finite numbers; {} where there is none.

    `terms` holds numbers by the name of the term.
    """
    try:
        lines = read_bytes(path, 16_384, tail=True).split(b"\n")[:-1]
    except (FileNotFoundError, BadInput):
        return {}
    for line in reversed(lines):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            return _row(row)
    return {}


def words(text: str) -> str:
    """Return a worker's words as one short line that a terminal and a page can show."""
    return "".join(part if part.isprintable() else " " for part in text[: 4 * _MOST_WORDS]).strip()[:_MOST_WORDS]


def finite(row: object) -> dict[str, float]:
    """Return the finite numbers of a mapping by name; names are Python's, and at most 64."""
    if not isinstance(row, dict):
        return {}
    kept = [(k, float(v)) for k, v in row.items() if isinstance(k, str) and k.isidentifier() and _is_number(v)]
    return dict(kept[:_MOST_TERMS])


def _row(row: dict[str, object]) -> dict[str, object]:
    numbers: dict[str, object] = {k: v for k, v in row.items() if k.isidentifier() and _is_number(v)}
    kept = dict(list(numbers.items())[:_MOST_TERMS])
    return kept | ({"terms": finite(row["terms"])} if "terms" in row else {})


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # Past this an integer does not fit into a float, and nothing a training counts comes near.
    return abs(value) < 1e15 and math.isfinite(value)
