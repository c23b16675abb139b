"""Model files that are too large for the package: which there are, where they lie, how to get them.

A file is used when its sha256 is one that is known, or the one it had when the user added it or it was first used.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from video2reward.memory.errors import BadInput, MissingPart
from video2reward.memory.runs import sha256_of, write_atomic
from video2reward.tools.blazepose_task import fetch_task, is_task
from video2reward.tools.fetch import fetch
from video2reward.tools.model_files import BLAZEPOSE, MODELS, ModelFile

OnShare = Callable[[float], None]
"""Called with the share of a file that has been fetched, 0 to 1."""


@dataclass(frozen=True)
class ModelStatus:
    """A model, the file that would be used, None where there is none, and how far it is known."""

    model: ModelFile
    path: Path | None
    state: Literal["verified", "not verified", "missing", "damaged"]


_PINS = "pins.json"


def cache_folder() -> Path:
    """Return the user's folder for model files."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "video2reward" / "models"


def list_models() -> tuple[ModelStatus, ...]:
    """Return every model with the file that would be used for it."""
    return tuple(_status(model) for model in MODELS.values())


def find_model(name: str, path: Path | str | None = None) -> Path:
    """Return the file of a model: `path`, else the one its environment variable names, else the cached one.

    A cached file whose sha256 nobody publishes is pinned when it is first used: its sha256 is written down, and a later
    change refused. Raises MissingPart where there is no file, or where it is damaged.
    """
    model = _model(name)
    named = path or (os.environ.get(model.env) if model.env else None)
    if named:
        given = Path(named)
        if not given.is_file():
            raise MissingPart(
                f"the model file {given} is not there.", f"Name another with {model.env}, or: {_pull(name)}"
            )
        if not is_known(name, given) and not _is_of_the_kind(model, given):
            raise MissingPart(f"{given} is no model file of the kind {name}, or is damaged.", f"Get it: {_pull(name)}")
        return given
    cached = cache_folder() / model.file_name
    if not cached.is_file():
        raise MissingPart(
            f"the model file for {model.purpose.split(':')[0]} ({model.file_name}) is not here.", _cure(model)
        )
    sha256 = sha256_of(cached)
    pinned = _pins().get(model.file_name)
    if sha256 in (model.sha256, *model.same, pinned):
        return cached
    if not model.sha256 and pinned is None:
        _pin(model.file_name, sha256)
        return cached
    raise MissingPart(
        f"{cached} is damaged: its sha256 is not the one it should have.", f"Get it again: {_cure(model)}"
    )


def is_known(name: str, path: Path) -> bool:
    """Tell whether a file is one whose sha256 is known, and not one the user brought along."""
    model = _model(name)
    return sha256_of(path) in (model.sha256, *model.same)


def pull(name: str, on_share: OnShare | None = None) -> Path:
    """Fetch a model into the cache and return its path; one that is there is kept, half of one is gone on with.

    Raises MissingPart where no source has it: it says which file to put where.
    """
    model = _model(name)
    target = cache_folder() / model.file_name
    if target.is_file() and sha256_of(target) in (model.sha256, _pins().get(model.file_name)):
        return target
    if model is not BLAZEPOSE and not model.sources:
        raise MissingPart(f"there is no place to fetch {name} from.", _by_hand(model))
    try:
        if model is BLAZEPOSE:
            write_atomic(target, fetch_task())
        else:
            fetch(model.sources, target, model.sha256, on_share)
    except MissingPart as error:
        raise MissingPart(error.what, f"{error.cure} {_by_hand(model)}".strip()) from error
    except OSError as error:
        raise _cannot_write(target, error) from None
    if model.sha256 and sha256_of(target) != model.sha256:
        target.unlink()
        raise MissingPart(f"what was fetched for {name} has another sha256 than it should.", _by_hand(model))
    _pin(model.file_name, None if model.sha256 else sha256_of(target))
    return target


def add(name: str, file: Path) -> ModelStatus:
    """Copy a file of the user's into the cache, from where it is used; its sha256 is pinned.

    One that is not the published file is taken too, and called not verified: it may be another export.
    Raises BadInput for a file that cannot be it.
    """
    model = _model(name)
    if not file.is_file():
        raise BadInput(f"there is no file {file}.", "Check the path.")
    if not is_known(name, file) and not _is_of_the_kind(model, file):
        raise BadInput(f"{file} is no model file of the kind {name}.", _by_hand(model))
    target = cache_folder() / model.file_name
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, half)
        half.replace(target)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise _cannot_write(target, error) from None
    _pin(model.file_name, None if is_known(name, target) else sha256_of(target))
    return _status(model)


def _status(model: ModelFile) -> ModelStatus:
    try:
        path = find_model(model.name)
    except MissingPart as error:
        return ModelStatus(model, None, "damaged" if "damaged" in error.what else "missing")
    return ModelStatus(model, path, "verified" if is_known(model.name, path) else "not verified")


def _model(name: str) -> ModelFile:
    if name not in MODELS:
        raise BadInput(f"there is no model {name!r}.", f"The models are {', '.join(MODELS)}.")
    return MODELS[name]


def _is_of_the_kind(model: ModelFile, file: Path) -> bool:
    """Tell whether a file could be the model; what it really holds is seen when it is opened."""
    if model is BLAZEPOSE:
        return is_task(file)
    with file.open("rb") as opened:
        # An ONNX file is a protobuf that begins with its IR version, field 1: a small number.
        head = opened.read(2)
    return len(head) == 2 and head[0] == 0x08 and 1 <= head[1] <= 32


def _pins() -> dict[str, str]:
    """Return the sha256 of each file that was pinned, by file name."""
    try:
        pins = json.loads((cache_folder() / _PINS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(sha256) for name, sha256 in pins.items()} if isinstance(pins, dict) else {}


def _pin(file_name: str, sha256: str | None) -> None:
    pins = {name: value for name, value in _pins().items() if name != file_name}
    if sha256:
        pins[file_name] = sha256
    if pins != _pins():
        write_atomic(cache_folder() / _PINS, json.dumps(pins, indent=2) + "\n")


def _pull(name: str) -> str:
    return f"video2reward models pull {name}"


def _cure(model: ModelFile) -> str:
    if model is BLAZEPOSE or model.sources:
        return f"Get it with: {_pull(model.name)}, or put it at {cache_folder() / model.file_name}."
    return _by_hand(model)


def _by_hand(model: ModelFile) -> str:
    """Say how to bring a file from a machine that has access."""
    add_it = f"video2reward models add {model.name} FILE (it goes to {cache_folder() / model.file_name})"
    if model is BLAZEPOSE:
        return (
            f"On a machine with access run `{_pull(model.name)}` and bring its file here: {add_it}; mediapipe's own "
            f"pose_landmarker_full.task will do. Or name it with {model.env}=FILE."
        )
    if not model.sources:
        return f"Bring your own file: {add_it}."
    first = model.sources[0]
    inside = f" and take {first.member} out of it" if first.member else ""
    return f"On a machine with access get {first.url}{inside}, then here: {add_it}."


def _cannot_write(target: Path, error: OSError) -> BadInput:
    return BadInput(f"{target} cannot be written: {error.strerror}.", "Free some space or set XDG_CACHE_HOME.")
