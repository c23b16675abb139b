"""Run folders: the truth about what was tried. Everything else is an index over them.

OUT/request.json  description.json  track.json + track.npz  target.json
OUT/attempts/L1-C1/{reward.py, program.json, spec.json, progress.jsonl, result.json, policy.pt, worker.log,
                    rollout.npz, critique.json, attempt.json}
OUT/best/{reward.py, policy.pt, video.mp4}   OUT/decisions.jsonl   OUT/events.jsonl   OUT/checkpoints.sqlite
OUT/report.html   OUT/result.json
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from video2reward.memory.errors import BadInput, RunExists
from video2reward.memory.records import Attempt, RunResult

R = TypeVar("R", bound=BaseModel)
Upgrade = Callable[[dict[str, object]], dict[str, object]]

UPGRADES: dict[str, tuple[Upgrade, ...]] = {}
"""By kind of record: the function at place n makes version n + 1 of what version n wrote.

A kind that is not here has only ever gained fields with defaults, so that its older files are read as they are.
"""
_MOST_RECORD_BYTES = 64 << 20


def sha256_of(path: Path) -> str:
    """Return the hex digest of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a whole file or nothing: a reader, or a crash, never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = data.encode() if isinstance(data, str) else data
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def save(record: BaseModel, path: Path) -> Path:
    """Write a record as readable JSON, atomically."""
    write_atomic(path, record.model_dump_json(indent=2, by_alias=True) + "\n")
    return path


def load(kind: type[R], path: Path) -> R:
    """Read a record, older versions too; what is missing, damaged, foreign or newer is refused in one sentence."""
    try:
        if path.stat().st_size > _MOST_RECORD_BYTES:
            raise BadInput(f"{path} is too large to be a {kind.__name__}.")
        text = path.read_text(encoding="utf-8")
        return kind.model_validate_json(_brought_up(kind, text, path))
    except FileNotFoundError:
        raise BadInput(f"{path} is not there.") from None
    except (IsADirectoryError, NotADirectoryError):
        raise BadInput(f"{path} is not a file.") from None
    except (ValidationError, UnicodeDecodeError) as error:
        first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"{path} is not a readable {kind.__name__}{' at ' + where if where else ''}: {first['msg']}."
        ) from None


def _brought_up(kind: type[BaseModel], text: str, path: Path) -> str:
    """Return a record's text as the current version writes it. Raises BadInput where it is of a later one."""
    if "schema_version" not in kind.model_fields:
        return text
    ours = int(kind.model_fields["schema_version"].default)
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(record, dict):
        return text
    # The first records of all bore no version.
    version = record.get("schema_version", 0)
    if not isinstance(version, int) or version == ours:
        return text
    if version > ours:
        raise BadInput(
            f"{path} was written by a newer video2reward: its {kind.__name__} is of version {version}, "
            f"this one reads up to {ours}.",
            "Update video2reward.",
        )
    for upgrade in UPGRADES.get(kind.__name__, ())[max(version, 0) :]:
        record = upgrade(record)
    return json.dumps({**record, "schema_version": ours})


def create(out: Path) -> Path:
    """Make a run folder; one that already holds something is left alone.

    Raises RunExists where it does, BadInput where nothing can be written there.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunExists(
            f"{out} already exists and is not empty.", "Name another folder with --out; nothing was changed."
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe = out / ".probe"
        probe.write_bytes(b"0" * 4096)
        probe.unlink()
    except OSError as error:
        raise BadInput(
            f"{out} cannot be written: {error.strerror}.", "Free some space or name another folder with --out."
        ) from None
    return out


def append_event(run: Path, kind: str, **fields: object) -> None:
    """Add one line to the run's `events.jsonl`, the append-only log that the command line and the report read."""
    line = json.dumps({"time": round(time.time(), 3), "kind": kind, **fields}, default=str)
    with (run / "events.jsonl").open("ab+") as file:
        # What a full disk cut short shall not take this line with it.
        if file.tell() and file.seek(-1, os.SEEK_END) and file.read(1) != b"\n":
            line = "\n" + line
        file.write(line.encode() + b"\n")


def rows(path: Path) -> Iterator[dict]:
    """Yield the objects of a file of JSON lines; lines that were cut short or are something else are passed over."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict):
            yield row


def attempts(run: Path) -> Iterator[Attempt]:
    """Yield the readable attempts of one run in order; damaged ones are passed over here and named by `doctor`."""
    for path in sorted(run.glob("attempts/*/attempt.json")):
        try:
            yield load(Attempt, path)
        except BadInput:
            continue


def results(root: Path) -> Iterator[tuple[Path, RunResult]]:
    """Yield the run folders under `root` that hold a readable result, newest first."""
    found = sorted(root.glob("*/result.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found:
        try:
            yield path.parent, load(RunResult, path)
        except BadInput:
            continue
