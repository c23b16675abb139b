"""The embedded quadruped network: 20 points and the outline of an animal or a robot, from three frames of a box.

It was trained on drawn pictures only (`evals/quadnet`, card in `quadnet.md`) and needs no download. Its leg channels
are near and far, as seen by the camera: which of them is left depends on the way the animal faces, which a clip tells
better than a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.memory.records import QUADRUPED_KEYPOINTS
from video2reward.tools.pose.backend import Detection
from video2reward.tools.pose.network import Network
from video2reward.tools.pose.simcc import decode_simcc

NEAR_FAR_KEYPOINTS = tuple(name.replace("left_", "near_").replace("right_", "far_") for name in QUADRUPED_KEYPOINTS)
INPUT_PX = 192
CELL_PX = 4
"""Input pixels per cell of the heat maps and the outline; cell i is centred on input pixel 4 i + 1.5."""
FRAME_STEP_S = 0.066
"""How long before and after the middle frame the other two are best taken, for strides of 1-3 a second."""
PADDING = 1.25

_OUTLINE, _SURE, _FOUND = 0.4, 0.5, 0.4
_FIRST_LEG = 4  # nose, neck, withers and tail_base come first, then pairs of near and far
_FORE = [i for i, name in enumerate(NEAR_FAR_KEYPOINTS) if name.endswith(("nose", "neck", "withers", "shoulder"))]
_HIND = [i for i, name in enumerate(NEAR_FAR_KEYPOINTS) if name.endswith(("tail_base", "hip"))]


@dataclass(frozen=True)
class RawPose:
    """What the network says about N boxes of one frame.

    `x_curves`, `y_curves` (N, 20, 384): SimCC curves, two bins an input pixel, whose height is the share of probability
    near the peak. `heatmaps` (N, 20, 48, 48): probabilities that sum to one over a map; of two legs that look alike
    both channels may show both. `outline` (N, 48, 48): how surely each cell belongs to the animal, in [0, 1]. A pixel
    (x, y) of the input lies at `origin_px + scale_px * (x, y)` of the frame; both are (N, 2).
    """

    x_curves: NDArray[np.float32]
    y_curves: NDArray[np.float32]
    heatmaps: NDArray[np.float32]
    outline: NDArray[np.float32]
    origin_px: NDArray[np.float64]
    scale_px: NDArray[np.float64]

    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return points (N, 20, 2) in pixels of the frame and their confidence (N, 20), in the order near, far."""
        xy, confidence = decode_simcc(self.x_curves, self.y_curves)
        return xy * self.scale_px[:, None] + self.origin_px[:, None], confidence

    def boxes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the box (N, 4; x, y, width, height in pixels of the frame) of each animal, and how sure it is (N,).

        It holds the largest outline and the points that are sure, since thin legs often miss in the outline. Where
        there is no outline the box is NaN and the score 0.
        """
        boxes, scores = np.full((len(self.outline), 4), np.nan), np.zeros(len(self.outline))
        xy, confidence = self.points()
        for index, outline in enumerate(self.outline):
            count, labels, stats, _ = cv2.connectedComponentsWithStats((outline > _OUTLINE).astype(np.uint8))
            if count < 2:
                continue
            best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
            cells = np.array([stats[best, :2], stats[best, :2] + stats[best, 2:4]], float)
            corners = self.origin_px[index] + self.scale_px[index] * (cells * CELL_PX - 0.5)
            corners = np.concatenate([corners, xy[index, confidence[index] > _SURE]])
            low, high = corners.min(0), corners.max(0)
            boxes[index] = (*low, *(high - low))
            scores[index] = outline[labels == best].mean() * confidence[index].mean()
        return boxes, scores


def to_left_right(values: NDArray, facing: int) -> NDArray:
    """Reorder near and far along the last axis but one (…, 20, D) into `QUADRUPED_KEYPOINTS`.

    `facing` is 1 for an animal that faces right in the picture, whose near side is its right one, and -1 for left.
    """
    if facing < 0:
        return values
    order = np.arange(len(NEAR_FAR_KEYPOINTS))
    order[_FIRST_LEG:] = order[_FIRST_LEG:].reshape(-1, 2)[:, ::-1].ravel()
    return values[..., order, :]


def facing_of(xy_px: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return 1 (right) or -1 (left) for points (N, 20, 2) in the order near, far: where the fore part lies."""
    ahead = np.median(xy_px[:, _FORE, 0], axis=1) - np.median(xy_px[:, _HIND, 0], axis=1)
    return np.where(ahead < 0, -1, 1)


class QuadNet:
    """A PoseBackend and Detector that comes with the package."""

    name = "QuadNet (embedded)"
    skeleton = "quadruped"
    names = QUADRUPED_KEYPOINTS
    name_by_source_name = {name: name for name in QUADRUPED_KEYPOINTS}

    def __init__(self) -> None:
        with as_file(files("video2reward.tools.pose") / "quadnet.onnx") as file:
            self._network = Network(file)

    def see(
        self, image_rgb: NDArray[np.uint8], boxes_px: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return points (N, 20, 2) and confidence (N, 20) of a single picture, as `PoseBackend` has it.

        Left and right follow from the facing in this picture alone. `raw` with three frames sees more.
        """
        if not len(boxes_px):
            return np.empty((0, len(self.names), 2)), np.empty((0, len(self.names)))
        xy, confidence = self.raw((image_rgb, image_rgb, image_rgb), boxes_px).points()
        sided = [to_left_right(p, side) for p, side in zip(xy, facing_of(xy), strict=True)]
        sure = [to_left_right(c[:, None], side)[:, 0] for c, side in zip(confidence, facing_of(xy), strict=True)]
        return np.stack(sided), np.stack(sure)

    def raw(
        self,
        frames_rgb: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
        boxes_px: NDArray[np.float64],
        boxes_before_px: NDArray[np.float64] | None = None,
        boxes_after_px: NDArray[np.float64] | None = None,
    ) -> RawPose:
        """Return everything the network says about boxes (N, 4) of the middle one of three frames (H, W, 3).

        The frames lie about FRAME_STEP_S apart. Where the animal moves through the picture, its boxes in the frame
        before and after keep it in place: only their centres are used. The same frame three times is a still picture.
        """
        boxes = np.asarray(boxes_px, float).reshape(-1, 4)
        side = np.maximum(boxes[:, 2:].max(1), 2.0) * PADDING
        scale = np.repeat((side / INPUT_PX)[:, None], 2, axis=1)
        origins = [
            (other[:, :2] + other[:, 2:] / 2) - side[:, None] / 2 + scale / 2
            for other in (
                np.asarray(b if b is not None else boxes, float) for b in (boxes_before_px, boxes, boxes_after_px)
            )
        ]
        pictures = np.empty((len(boxes), 5, INPUT_PX, INPUT_PX), np.float32)
        for channel, frame, origin in ((3, frames_rgb[0], origins[0]), (4, frames_rgb[2], origins[2])):
            same = frame is frames_rgb[1] and np.array_equal(origin, origins[1])
            for row in range(len(boxes)):
                if not same:
                    pictures[row, channel] = cv2.cvtColor(_window(frame, origin[row], scale[row]), cv2.COLOR_RGB2GRAY)
        for row in range(len(boxes)):
            now = _window(frames_rgb[1], origins[1][row], scale[row])
            pictures[row, :3] = now.transpose(2, 0, 1)
            for channel, frame, origin in ((3, frames_rgb[0], origins[0]), (4, frames_rgb[2], origins[2])):
                if frame is frames_rgb[1] and np.array_equal(origin, origins[1]):
                    pictures[row, channel] = cv2.cvtColor(now, cv2.COLOR_RGB2GRAY)
        x_curves, y_curves, heatmaps, outline = self._network.run(pictures)
        return RawPose(x_curves, y_curves, heatmaps, outline[:, 0], origins[1], scale)

    def detect(self, image_rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Find quadrupeds in a whole picture (H, W, 3), the surest first; slow: for a frame now and then.

        Square windows over the picture give rough boxes; each is looked at twice more at its own size. Smaller windows
        follow where the larger ones saw nothing sure.
        """
        height, width = image_rgb.shape[:2]
        found = (np.empty((0, 4)), np.empty(0))
        for windows in _windows(width, height):
            boxes, scores = self._closing_in(image_rgb, windows)
            found = _distinct(np.concatenate([found[0], boxes]), np.concatenate([found[1], scores]))
            if len(found[1]) and found[1][0] > _FOUND:
                break
        return tuple(Detection(b, "animal", "quadruped", float(s)) for b, s in zip(*found, strict=True))

    def _closing_in(
        self, image_rgb: NDArray[np.uint8], boxes: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        scores = np.zeros(len(boxes))
        for _ in range(3):
            boxes, scores = self.raw((image_rgb, image_rgb, image_rgb), boxes).boxes()
            kept = np.isfinite(boxes).all(1) & (boxes[:, 2:].min(1) > 8.0)
            boxes, scores = _distinct(boxes[kept], scores[kept])
            if not len(boxes):
                break
        return boxes, scores


def _window(frame: NDArray[np.uint8], origin: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.uint8]:
    if scale[0] > 2.0:  # sampling a large window point by point would flicker
        shrink = int(scale[0])
        x0, y0 = (int(max(v, 0)) for v in origin)
        x1, y1 = (int(v) + 1 for v in origin + scale * INPUT_PX)
        part = frame[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
        if part.size == 0:
            return np.zeros((INPUT_PX, INPUT_PX, 3), np.uint8)
        size = (max(part.shape[1] // shrink, 1), max(part.shape[0] // shrink, 1))
        ratio = np.array([part.shape[1] / size[0], part.shape[0] / size[1]])
        frame = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        origin, scale = (origin - (x0, y0) + 0.5) / ratio - 0.5, scale / ratio
    warp = np.array([[scale[0], 0.0, origin[0]], [0.0, scale[1], origin[1]]])
    return cv2.warpAffine(frame, warp, (INPUT_PX, INPUT_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _windows(width: int, height: int) -> list[NDArray[np.float64]]:
    """Return boxes (N, 4) whose padded squares cover the picture: whole and of its shorter side, then of half of it."""
    levels = []
    for side in (min(width, height), 0.55 * min(width, height)):
        centres_x, centres_y = (
            np.linspace(side / 2, length - side / 2, max(1, int(np.ceil((length - side) / (0.5 * side))) + 1))
            for length in (width, height)
        )
        inner = side / PADDING
        levels.append([(x - inner / 2, y - inner / 2, inner, inner) for y in centres_y for x in centres_x])
    if min(width, height) < max(width, height) < 3 * min(width, height):
        whole = max(width, height) / PADDING
        levels[0].append(((width - whole) / 2, (height - whole) / 2, whole, whole))
    return [np.array(level) for level in levels]


def _distinct(
    boxes: NDArray[np.float64], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Keep the surest of boxes that overlap by more than a third, at most six."""
    kept: list[int] = []
    for index in np.argsort(-scores):
        if len(kept) < 6 and all(_overlap(boxes[index], boxes[other]) < 0.35 for other in kept):
            kept.append(int(index))
    return boxes[kept], scores[kept]


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    both = float(np.prod(np.maximum(high - low, 0.0)))
    return both / (min(a[2] * a[3], b[2] * b[3]) + 1e-9)
