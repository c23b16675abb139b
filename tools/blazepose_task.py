"""BlazePose's two networks, out of an older wheel of mediapipe which still carried them.

They come from the package index alone, the one source every user has.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from video2reward.memory.errors import MissingPart
from video2reward.tools.pose.tflite_metadata import NotTFLite, has_metadata, with_normalisation

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


def fetch_task() -> bytes:
    """Fetch the wheel with pip and return the networks in it as one task file.

    Raises MissingPart, without a cure, where the index cannot be reached or the wheel is another one.
    """
    with tempfile.TemporaryDirectory(prefix="video2reward-") as folder:
        wheel = _download(Path(folder))
        try:
            with zipfile.ZipFile(wheel) as archive:
                return task_file(archive.read(_DETECTOR), archive.read(_LANDMARKS))
        except (zipfile.BadZipFile, KeyError, NotTFLite) as error:
            raise MissingPart(f"{wheel.name} does not hold the expected networks ({error}).") from error


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


def is_task(path: Path) -> bool:
    """Tell whether a file holds the two networks the way mediapipe's Tasks API reads them."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {"pose_detector.tflite", "pose_landmarks_detector.tflite"} <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _download(folder: Path) -> Path:
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
    raise MissingPart(f"{_WHEEL} could not be fetched from the package index: {said}.")


def _pip() -> list[str]:
    """Return a pip that can be called: this Python's own, else any on the path."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return [sys.executable, "-m", "pip"]
    other = shutil.which("pip3") or shutil.which("pip")
    if other:
        return [other]
    raise MissingPart("pip is not installed here, so nothing can be fetched.", "Install it with: python -m ensurepip")
