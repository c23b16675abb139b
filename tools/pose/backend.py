"""What finds a subject's points in pictures, behind one interface, and which of those installed is taken.

A `PoseBackend` puts points into boxes it is given; a `Detector` finds the boxes; a `Watcher` does both, frame by frame.
Whoever reads a clip needs only a `Watcher`, or a `PoseBackend` where the boxes come from elsewhere (a user's drag,
stabilised motion). `choose_backend` takes the best that can be loaded and says why better ones were passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadInput, MissingPart
from video2reward.memory.records import Skeleton
from video2reward.tools.pose.subject import Sighting
from video2reward.tools.video import Frame

BodyKind = Literal["person", "animal", "other"]


@dataclass(frozen=True)
class Detection:
    """A body in one picture: `box_px` (4,) as x, y, width, height; `label` is the detector's own word for it."""

    box_px: NDArray[np.float64]
    kind: BodyKind
    label: str
    score: float


class PoseBackend(Protocol):
    """Puts named points into boxes.

    `names` (K,) are canonical; `name_by_source_name` maps the network's own names to them. `name` says in the output
    which backend was at work.
    """

    name: str
    skeleton: Skeleton
    names: tuple[str, ...]
    name_by_source_name: Mapping[str, str]

    def see(
        self, image_rgb: NDArray[np.uint8], boxes_px: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return points (N, K, 2) in pixels of the picture (H, W, 3) and their confidence (N, K) in [0, 1].

        `boxes_px` (N, 4) are x, y, width, height, without a margin: the backend adds what its network wants.
        """
        ...


class Detector(Protocol):
    """Finds the bodies in a picture."""

    name: str

    def detect(self, image_rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Return the bodies in a picture (H, W, 3), the surest first."""
        ...


class Watcher(Protocol):
    """Finds all bodies of one kind in frame after frame, in the order of time."""

    name: str
    skeleton: Skeleton
    names: tuple[str, ...]
    name_by_source_name: Mapping[str, str]
    notes: tuple[str, ...]

    def look(self, frame: Frame) -> list[Sighting]:
        """Return what is seen in a frame, in pixels of the clip."""
        ...


@dataclass(frozen=True)
class Choice:
    """The backend that is taken, and a sentence for each better one that could not be."""

    backend: PoseBackend
    passed_over: tuple[str, ...] = ()


Opener = Callable[[], PoseBackend]
"""Loads a backend; raises MissingPart where its package or model file is not here."""


def choose_backend(skeleton: Skeleton, only: str | None = None) -> Choice:
    """Load the best backend for a kind of body that can be had here, or the one called `only`.

    Raises BadInput for a name that is not known and MissingPart where none can be loaded, with what each one lacks.
    """
    known = _openers()[skeleton]
    if only is not None and only not in known:
        raise BadInput(f"there is no pose backend {only!r} for a {skeleton}.", f"There are {', '.join(known)}.")
    passed_over = []
    cure = ""
    for name, opener in known.items():
        if only is not None and name != only:
            continue
        try:
            return Choice(opener(), tuple(passed_over))
        except MissingPart as error:
            passed_over.append(f"{name}: {error.what}")
            cure = cure or error.cure
    raise MissingPart(f"no pose backend for a {skeleton} is here. {' '.join(passed_over)}", cure)


def backend_names(skeleton: Skeleton) -> tuple[str, ...]:
    """Return the backends there are for a kind of body, the best first."""
    return tuple(_openers()[skeleton])


def _openers() -> Mapping[Skeleton, Mapping[str, Opener]]:
    """Return how each backend is loaded, the best first; BlazePose, which finds its own boxes, is a Watcher."""
    from video2reward.tools.pose.mmpose import open_mmpose_animal, open_mmpose_person
    from video2reward.tools.pose.quadnet import QuadNet
    from video2reward.tools.pose.rtmpose import open_ap10k, open_halpe26
    from video2reward.tools.pose.vitpose import open_vitpose_animal, open_vitpose_onnx, open_vitpose_person

    return {
        "person": {"rtmpose": open_halpe26, "vitpose": open_vitpose_person, "mmpose": open_mmpose_person},
        "quadruped": {
            "rtmpose": open_ap10k,
            "vitpose-onnx": open_vitpose_onnx,
            "vitpose": open_vitpose_animal,
            "mmpose": open_mmpose_animal,
            "quadnet": QuadNet,
        },
    }
