"""Watch a clip with a detector and a pose backend: boxes first, then the points in them; riders kept apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from video2reward.tools.pose.backend import Detection, Detector, PoseBackend
from video2reward.tools.pose.detectors import iou, overlap
from video2reward.tools.pose.subject import Sighting
from video2reward.tools.video import Frame

MAX_BODIES = 4
DETECT_EVERY = 5
_SURE = 0.3
_MIN_POINTS = 6
_RIDER_SHARE = 0.25
"""Share of a person's box inside an animal's from which they are one pair: a rider sits in it to the thigh."""
_SAME = 0.7
"""Overlap (IoU) from which two boxes of different kinds are one body seen twice."""


class TopDown:
    """A Watcher made of a detector and a backend for one skeleton.

    The detector looks at every few frames; in between, each box goes along with the points in it.
    """

    def __init__(self, detector: Detector, backend: PoseBackend, notes: tuple[str, ...] = ()) -> None:
        self.name = f"{backend.name} in boxes by {detector.name}"
        self.skeleton, self.names = backend.skeleton, backend.names
        self.name_by_source_name = backend.name_by_source_name
        self.notes = notes
        self._detector, self._backend = detector, backend
        self._kind = "person" if self.skeleton == "person" else "animal"
        self._boxes = np.empty((0, 4))
        self._last = np.empty((0, len(self.names), 2))
        self._until_detection = 0

    def look(self, frame: Frame) -> list[Sighting]:
        """Return the bodies of the backend's kind in a frame, in pixels of the clip; points outside it are unsure."""
        if self._until_detection <= 0:
            found = subjects(self._detector.detect(frame.image), self._kind)[:MAX_BODIES]
            self._boxes = np.array([body.box_px for body in found]).reshape(-1, 4)
            self._until_detection = DETECT_EVERY
            self._last = np.empty((0, len(self.names), 2))
        self._until_detection -= 1
        xy, confidence = self._backend.see(frame.image, self._boxes)
        size = np.array(frame.image.shape[1::-1])
        inside = ((xy >= 0) & (xy < size)).all(-1)
        confidence = np.where(inside, confidence, 0.0)
        self._go_along(xy, confidence)
        return [Sighting(frame.index, points / frame.scale, sure) for points, sure in zip(xy, confidence, strict=True)]

    def _go_along(self, xy: NDArray[np.float64], confidence: NDArray[np.float64]) -> None:
        """Move each box to where its points are; have the detector look again once a body has few sure points."""
        sure = (confidence > _SURE) & np.isfinite(xy).all(-1)
        if not len(xy) or (sure.sum(1) < _MIN_POINTS).any():
            self._until_detection = 0 if len(xy) else self._until_detection
            return
        points = np.where(sure[..., None], xy, np.nan)
        steps = points - self._last if len(self._last) == len(points) else np.full_like(points, np.nan)
        for box, step in zip(self._boxes, steps, strict=True):
            if np.isfinite(step).any():
                box[:2] += np.nanmedian(step, axis=0)
        self._last = points


def subjects(found: Sequence[Detection], kind: str) -> tuple[Detection, ...]:
    """Return the bodies of a kind that may be the subject, the surest first.

    A body that was seen as both a person and an animal counts as what it was surer of. A person on an animal is a
    rider: its legs follow the animal's stride, so it is no walking person; the animal stays.
    """
    bodies = sorted((body for body in found if body.kind in ("person", "animal")), key=lambda body: -body.score)
    kept: list[Detection] = []
    for body in bodies:
        if not any(other.kind != body.kind and iou(other.box_px, body.box_px) > _SAME for other in kept):
            kept.append(body)
    animals = [body for body in kept if body.kind == "animal"]
    if kind == "animal":
        return tuple(animals)
    return tuple(
        body for body in kept if body.kind == "person" and not any(_rides(body.box_px, a.box_px) for a in animals)
    )


def _rides(person: NDArray[np.float64], animal: NDArray[np.float64]) -> bool:
    """Tell a rider: well inside the animal's width, above its middle, the feet clear of the ground it stands on."""
    share = overlap(person, animal) / max(person[2] * person[3], 1e-9)
    centre = person[0] + person[2] / 2
    between = animal[0] < centre < animal[0] + animal[2]
    feet_up = person[1] + person[3] < animal[1] + 0.85 * animal[3]
    return bool(share > _RIDER_SHARE and between and feet_up and person[1] < animal[1] + 0.2 * animal[3])
