"""People in the pixels, by BlazePose through mediapipe's Tasks API."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import MissingPart
from video2reward.memory.records import Skeleton
from video2reward.tools.models import find_model, is_known
from video2reward.tools.pose.subject import Sighting
from video2reward.tools.video import Frame

if TYPE_CHECKING:
    from mediapipe.tasks.python.vision import PoseLandmarker

MAX_PEOPLE = 4
_LEFT = {"shoulder": 11, "elbow": 13, "wrist": 15, "hip": 23, "knee": 25, "ankle": 27, "heel": 29, "toe": 31}
_INDEX_BY_NAME = {"nose": 0} | {
    f"{side}_{part}": first + offset for part, first in _LEFT.items() for offset, side in enumerate(("left", "right"))
}
_CURE_LIBRARIES = "Install them: apt install libgl1 libegl1 libgles2 libglib2.0-0"


@contextmanager
def open_blazepose(model: Path | None = None, most_people: int = MAX_PEOPLE) -> Iterator[BlazePose]:
    """Load BlazePose and close it again. The model file is found by `model`, V2R_POSE_TASK or the cache.

    It looks for more people in every frame in which it follows fewer than `most_people`, which takes time.
    Raises MissingPart without mediapipe or the file.
    """
    task = find_model("blazepose", model)
    notes = (
        () if is_known("blazepose", task) else (f"the model file {task.name} is not one whose sha256 is known here",)
    )
    with _landmarker(task, most_people) as landmarker:
        yield BlazePose(landmarker, notes)


class BlazePose:
    """A Watcher for up to four people. It follows them from frame to frame, so one is needed for each clip."""

    name = "BlazePose (mediapipe)"
    skeleton: Skeleton = "person"
    names = tuple(_INDEX_BY_NAME)
    name_by_source_name: Mapping[str, str] = {name.replace("toe", "foot_index"): name for name in _INDEX_BY_NAME}

    def __init__(self, landmarker: PoseLandmarker, notes: tuple[str, ...] = ()) -> None:
        self.notes = notes
        self._landmarker = landmarker
        self._last_ms = -1

    def look(self, frame: Frame) -> list[Sighting]:
        """Return the people in a frame, in pixels of the clip."""
        import mediapipe

        self._last_ms = max(int(round(frame.time_s * 1000)), self._last_ms + 1)
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frame.image)
        with _quiet():
            people = self._landmarker.detect_for_video(image, self._last_ms).pose_landmarks
        size = np.array(frame.image.shape[1::-1]) / frame.scale
        return [_sighting(frame.index, person, size) for person in people]


@contextmanager
def _landmarker(task: Path, most_people: int) -> Iterator[PoseLandmarker]:
    """Load the network and close it again: left to the interpreter's exit, its own clean-up fails."""
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _quiet():
            from mediapipe.tasks.python import BaseOptions
            from mediapipe.tasks.python.vision import PoseLandmarker, PoseLandmarkerOptions, RunningMode
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] == "mediapipe":
            raise MissingPart(
                "mediapipe is not installed.", "Install it: pip install 'video2reward[people]'."
            ) from error
        raise MissingPart(f"mediapipe cannot be loaded ({error}).", "Install it again.") from error
    except (ImportError, OSError) as error:
        raise MissingPart(f"mediapipe misses system libraries ({error}).", _CURE_LIBRARIES) from error
    options = PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(task)),
        running_mode=RunningMode.VIDEO,
        num_poses=most_people,
    )
    try:
        with _quiet():
            landmarker = PoseLandmarker.create_from_options(options)
    except OSError as error:
        raise MissingPart(f"mediapipe misses system libraries ({error}).", _CURE_LIBRARIES) from error
    except (RuntimeError, ValueError) as error:
        raise MissingPart(
            f"{task} cannot be loaded as a BlazePose model.", "Get it: video2reward models pull"
        ) from error
    try:
        yield landmarker
    finally:
        with _quiet():
            landmarker.close()


def _sighting(frame: int, person: list[Any], size: NDArray[np.float64]) -> Sighting:
    marks = [person[index] for index in _INDEX_BY_NAME.values()]
    xy = np.array([[mark.x, mark.y] for mark in marks]) * size
    confidence = np.array([mark.visibility if mark.visibility is not None else 1.0 for mark in marks])
    # Points that lie outside the picture are guesses of the network.
    inside = ((xy >= 0) & (xy < size)).all(1)
    return Sighting(frame, xy, np.where(inside, confidence, 0.0))


@contextmanager
def _quiet() -> Iterator[None]:
    """Send what the C++ libraries write to file descriptor 2 nowhere; Python cannot reach their log otherwise."""
    try:
        kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except OSError:
        yield
        return
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
