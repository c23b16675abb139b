"""Watch a clip with a detector and a pose backend: boxes first, then the points in them; riders kept apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from video2reward.tools.pose.backend import Detection, Detector, PoseBackend
from video2reward.tools.pose.subject import Sighting
from video2reward.tools.video import Frame

MAX_BODIES = 4
_RIDER_SHARE = 0.25
"""Share of a person's box inside an animal's from which they are one pair: a rider sits in it to the thigh."""
_SAME = 0.7
"""Overlap (IoU) from which two boxes of different kinds are one body seen twice."""


class TopDown:
    """A Watcher made of a detector and a backend for one skeleton."""

    def __init__(self, detector: Detector, backend: PoseBackend, notes: tuple[str, ...] = ()) -> None:
        self.name = f"{backend.name} in boxes by {detector.name}"
        self.skeleton, self.names = backend.skeleton, backend.names
        self.name_by_source_name = backend.name_by_source_name
        self.notes = notes
        self._detector, self._backend = detector, backend

    def look(self, frame: Frame) -> list[Sighting]:
        """Return the bodies of the backend's kind in a frame, in pixels of the clip; points outside it are unsure."""
        found = self._detector.detect(frame.image)
        wanted = subjects(found, "person" if self.skeleton == "person" else "animal")[:MAX_BODIES]
        boxes = np.array([body.box_px for body in wanted]).reshape(-1, 4)
        xy, confidence = self._backend.see(frame.image, boxes)
        size = np.array(frame.image.shape[1::-1])
        inside = ((xy >= 0) & (xy < size)).all(-1)
        return [
            Sighting(frame.index, points / frame.scale, sure)
            for points, sure in zip(xy, np.where(inside, confidence, 0.0), strict=True)
        ]


def subjects(found: Sequence[Detection], kind: str) -> tuple[Detection, ...]:
    """Return the bodies of a kind that may be the subject, the surest first.

    A body that was seen as both a person and an animal counts as what it was surer of. A person on an animal is a
    rider: its legs follow the animal's stride, so it is no walking person; the animal stays.
    """
    bodies = sorted((body for body in found if body.kind in ("person", "animal")), key=lambda body: -body.score)
    kept: list[Detection] = []
    for body in bodies:
        if not any(other.kind != body.kind and _iou(other.box_px, body.box_px) > _SAME for other in kept):
            kept.append(body)
    animals = [body for body in kept if body.kind == "animal"]
    if kind == "animal":
        return tuple(animals)
    return tuple(
        body for body in kept if body.kind == "person" and not any(_rides(body.box_px, a.box_px) for a in animals)
    )


def _rides(person: NDArray[np.float64], animal: NDArray[np.float64]) -> bool:
    """Tell a rider: well inside the animal's width, above its middle, the feet clear of the ground it stands on."""
    share = _overlap(person, animal) / max(person[2] * person[3], 1e-9)
    centre = person[0] + person[2] / 2
    between = animal[0] < centre < animal[0] + animal[2]
    feet_up = person[1] + person[3] < animal[1] + 0.85 * animal[3]
    return bool(share > _RIDER_SHARE and between and feet_up and person[1] < animal[1] + 0.2 * animal[3])


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    low = np.maximum(a[:2], b[:2])
    high = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    return float(np.prod(np.maximum(high - low, 0.0)))


def _iou(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    both = _overlap(a, b)
    return both / max(a[2] * a[3] + b[2] * b[3] - both, 1e-9)
