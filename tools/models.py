"""Model files that are too large for the package: which there are, where they lie, how to get them.

They come from the package index alone, the one source every user has: the networks are taken out of an older wheel of
mediapipe, which still carried them.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from video2reward.memory.errors import BadInput, MissingPart
from video2reward.memory.runs import sha256_of, write_atomic
from video2reward.tools.pose.tflite_metadata import NotTFLite, has_metadata, with_normalisation

_PULL = "video2reward models pull"


@dataclass(frozen=True)
class ModelFile:
    """A file that can be fetched. `sha256` is what the fetched one has; `same` are files known to do the same."""

    name: str
    file_name: str
    purpose: str
    licence: str
    source: str
    size_mb: float
    sha256: str
    same: tuple[str, ...]
    env: str


@dataclass(frozen=True)
class ModelStatus:
    """A model and the file that would be used, None where there is none."""

    model: ModelFile
    path: Path | None


BLAZEPOSE = ModelFile(
    name="blazepose",
    file_name="pose_landmarker_full.task",
    purpose="people: 33 points of the body",
    licence="Apache-2.0",
    source="mediapipe==0.10.21 on the package index",
    size_mb=9.4,
    sha256="e5287c7eefada9131a5cff40973975de8f4aeca3df00ae71b20783d4b9f2a7fc",
    same=("245fac96ee28477cc0e6195d2fda4b6159dbed80d922cf4ca8502929be647ba4",),
    env="V2R_POSE_TASK",
)
MODELS = {model.name: model for model in (BLAZEPOSE,)}

_WHEEL = "mediapipe==0.10.21"
# The networks in the wheel are the same for every Python and machine, so any wheel of that version will do.
_WHEEL_TAGS: tuple[tuple[str, ...], ...] = (
    tuple("--python-version 3.11 --implementation cp --abi cp311 --platform manylinux_2_28_x86_64".split()),
    tuple("--python-version 3.12 --implementation cp --abi cp312 --platform manylinux_2_28_x86_64".split()),
    (),
)
_DETECTOR = "mediapipe/modules/pose_detection/pose_detection.tflite"
_LANDMARKS = "mediapipe/modules/pose_landmark/pose_landmark_full.tflite"
_PULL_TIMEOUT_S = 900


def cache_folder() -> Path:
    """Return the user's folder for model files."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "video2reward" / "models"


def list_models() -> tuple[ModelStatus, ...]:
    """Return every model with the file that would be used for it."""
    found = []
    for model in MODELS.values():
        try:
            found.append(ModelStatus(model, find_model(model.name)))
        except MissingPart:
            found.append(ModelStatus(model, None))
    return tuple(found)


def find_model(name: str, path: Path | str | None = None) -> Path:
    """Return the file of a model: `path`, else the one its environment variable names, else the cached one.

    Raises MissingPart where there is none, or where it is damaged.
    """
    model = _model(name)
    named = path or os.environ.get(model.env)
    if named:
        given = Path(named)
        if not given.is_file():
            raise MissingPart(
                f"the model file {given} is not there.", f"Name another with {model.env}, or: {_PULL} {name}"
            )
        if sha256_of(given) not in (model.sha256, *model.same) and not _is_task(given):
            raise MissingPart(
                f"{given} is no model file of the kind {name}, or is damaged.", f"Get it with: {_PULL} {name}"
            )
        return given
    cached = cache_folder() / model.file_name
    if not cached.is_file():
        raise MissingPart(
            f"the model file for {model.purpose.split(':')[0]} ({model.file_name}) is not here.",
            f"Get it with: {_PULL} {name}, or put it at {cached}.",
        )
    if sha256_of(cached) not in (model.sha256, *model.same):
        raise MissingPart(
            f"{cached} is damaged: its sha256 is not the known one.", f"Get it again with: {_PULL} {name}"
        )
    return cached


def is_known(name: str, path: Path) -> bool:
    """Tell whether a file is one whose sha256 is known, and not one the user brought along."""
    model = _model(name)
    return sha256_of(path) in (model.sha256, *model.same)


def pull(name: str) -> Path:
    """Fetch a model from the package index into the cache and return its path; one that is there is kept.

    Raises MissingPart where the index cannot be reached: it says which file to put where.
    """
    model = _model(name)
    target = cache_folder() / model.file_name
    if target.is_file() and sha256_of(target) == model.sha256:
        return target
    with tempfile.TemporaryDirectory(prefix="video2reward-") as folder:
        wheel = _download(Path(folder), target)
        try:
            with zipfile.ZipFile(wheel) as archive:
                task = task_file(archive.read(_DETECTOR), archive.read(_LANDMARKS))
        except (zipfile.BadZipFile, KeyError, NotTFLite) as error:
            raise MissingPart(
                f"{wheel.name} does not hold the expected networks ({error}).", _by_hand(target)
            ) from error
    if hashlib.sha256(task).hexdigest() != model.sha256:
        raise MissingPart(f"what was fetched for {name} has another sha256 than it should.", _by_hand(target))
    try:
        write_atomic(target, task)
    except OSError as error:
        raise BadInput(
            f"{target} cannot be written: {error.strerror}.", "Free some space or set XDG_CACHE_HOME."
        ) from None
    return target


def task_file(detector: bytes, landmarks: bytes) -> bytes:
    """Bundle the two networks the way mediapipe's Tasks API reads them: metadata added, zipped without compression.

    The older wheel's graphs knew how the pictures are scaled; Tasks reads it from the model: the detector takes values
    from -1 to 1, the landmark network from 0 to 1. The same input always gives the same bytes.
    """
    detector = detector if has_metadata(detector) else with_normalisation(detector, 127.5, 127.5, num_outputs=2)
    landmarks = landmarks if has_metadata(landmarks) else with_normalisation(landmarks, 0.0, 255.0, num_outputs=5)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in (("pose_detector.tflite", detector), ("pose_landmarks_detector.tflite", landmarks)):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            archive.writestr(entry, content)
    return packed.getvalue()


def _model(name: str) -> ModelFile:
    if name not in MODELS:
        raise BadInput(f"there is no model {name!r}.", f"The models are {', '.join(MODELS)}.")
    return MODELS[name]


def _is_task(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return {"pose_detector.tflite", "pose_landmarks_detector.tflite"} <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _download(folder: Path, target: Path) -> Path:
    pip = _pip()
    said = ""
    for tags in _WHEEL_TAGS:
        command = [
            *pip,
            "download",
            _WHEEL,
            "--no-deps",
            "--only-binary=:all:",
            "--quiet",
            "--retries",
            "1",
            "--dest",
            str(folder),
            *tags,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PULL_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            said = "it took too long"
            continue
        wheels = sorted(folder.glob("mediapipe-*.whl"))
        if done.returncode == 0 and wheels:
            return wheels[0]
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = (errors or [f"pip ended with {done.returncode}"])[-1].removeprefix("ERROR: ")[:200]
    raise MissingPart(f"{_WHEEL} could not be fetched from the package index: {said}.", _by_hand(target))


def _pip() -> list[str]:
    """Return a pip that can be called: this Python's own, else any on the path."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return [sys.executable, "-m", "pip"]
    other = shutil.which("pip3") or shutil.which("pip")
    if other:
        return [other]
    raise MissingPart("pip is not installed here, so nothing can be fetched.", "Install it with: python -m ensurepip")


def _by_hand(target: Path) -> str:
    return (
        f"On a machine with access run the same command and copy the file to {target}, or name it with "
        f"{BLAZEPOSE.env}=FILE; mediapipe's own pose_landmarker_full.task will do."
    )
