"""The memory as one file: what a later run needs of each judged attempt, for another machine or another team.

A zip of `<run>/attempts/<attempt>/{attempt.json, reward.py, draft.json, program.json, target.json, critique.json,
policy.pt}` and `<run>/request.json`. What comes in is read as a stranger's: only these names, no paths out of the
folder, no file larger than it may be; rewards are not run and policies not loaded by importing them.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.recall import Memory
from video2reward.memory.records import Attempt

FILES = ("attempt.json", "reward.py", "draft.json", "program.json", "target.json", "critique.json", "policy.pt")
_MOST_BYTES = 32 << 20
_MOST_FILES = 200_000
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,120}$")


def export_memory(memory: Memory, file: Path) -> int:
    """Write every judged attempt that is remembered into a zip; return their number."""
    count = 0
    part = file.with_name(f".{file.name}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for run in memory.known_runs():
                # Runs of one name in several folders are told apart by where they lie.
                name = f"{run.name}-{hashlib.sha256(str(run).encode()).hexdigest()[:8]}"
                judged = [attempt for attempt in runs.attempts(run) if attempt.critique]
                for attempt in judged:
                    folder = run / "attempts" / attempt.id
                    for wanted in FILES:
                        if (folder / wanted).is_file():
                            archive.write(folder / wanted, f"{name}/attempts/{attempt.id}/{wanted}")
                if judged and (run / "request.json").is_file():
                    archive.write(run / "request.json", f"{name}/request.json")
                count += len(judged)
        part.replace(file)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}.", "Name another file.") from None
    finally:
        part.unlink(missing_ok=True)
    return count


def import_memory(memory: Memory, file: Path) -> int:
    """Unpack an exported memory into the home's `imported/` and remember what it holds; return the number of attempts.

    Importing a file again changes nothing. Raises BadInput for what is no export, or holds what none would hold.
    """
    home = memory.home / "imported"
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            names = [_checked(member, file) for member in members]
            if len(members) > _MOST_FILES:
                raise BadInput(f"{file} holds {len(members)} files.", f"At most {_MOST_FILES} are taken.")
            for member, path in zip(members, names, strict=True):
                runs.write_atomic(home / path, archive.read(member))
    except FileNotFoundError:
        raise BadInput(f"there is no file {file}.", "Check the path.") from None
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise BadInput(f"{file} is not an exported memory: {error}.", "Make one with memory export.") from None
    count = 0
    for run in sorted({home / path.parts[0] for path in names}):
        for attempt in runs.attempts(run):
            folder = run / "attempts" / attempt.id
            if _readable(attempt, folder):
                memory.remember(attempt, folder)
                count += 1
            else:
                shutil.rmtree(folder, ignore_errors=True)
    return count


def _checked(member: zipfile.ZipInfo, file: Path) -> PurePosixPath:
    """Return where a member goes. Raises BadInput for any other place than an export has."""
    path = PurePosixPath(member.filename)
    parts = path.parts
    request = len(parts) == 2 and parts[1] == "request.json"
    attempt = len(parts) == 4 and parts[1] == "attempts" and parts[3] in FILES
    if not (request or attempt) or not all(_NAME.match(part) for part in parts):
        raise BadInput(f"{file} holds {member.filename[:80]!r}, which no exported memory does.", "It was not imported.")
    if member.file_size > _MOST_BYTES:
        raise BadInput(f"{file}: {member.filename} has {member.file_size / 1e6:.0f} MB.", "It was not imported.")
    return path


def _readable(attempt: Attempt, folder: Path) -> bool:
    return attempt.id == folder.name and (folder / "reward.py").is_file()
