"""The embedded quadruped network: 20 points and the outline of an animal or a robot, from three frames of a box.

It was trained on drawn pictures only (`evals/quadnet`, card in `quadnet.md`) and needs no download. Its leg channels
are near and far, as seen by the camera: which of them is left depends on the way the animal faces, which a clip tells
better than a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import as_file, files

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.memory.records import QUADRUPED_KEYPOINTS
from video2reward.tools.pose.backend import Detection
from video2reward.tools.pose.network import Network
from video2reward.tools.pose.simcc import decode_simcc
from video2reward.tools.pose.windows import PADDING, distinct, windows

NEAR_FAR_KEYPOINTS = tuple(name.replace("left_", "near_").replace("right_", "far_") for name in QUADRUPED_KEYPOINTS)
PAIRS = tuple(
    (NEAR_FAR_KEYPOINTS.index(f"near_{part}"), NEAR_FAR_KEYPOINTS.index(f"far_{part}"))
    for part in ("elbow", "wrist", "front_paw", "knee", "ankle", "hind_paw")
)
"""The near and far channels of the joints that pass each other in a stride."""
CHANNELS = NEAR_FAR_KEYPOINTS + tuple(
    f"{NEAR_FAR_KEYPOINTS[near].removeprefix('near_')}_{place}" for near, _ in PAIRS for place in ("behind", "ahead")
)
"""What the network's maps show: the 20 points, then of each pair the one farther behind and the one farther ahead,
whichever of them is near. A leg's place is plain to see in these; which leg it is, only in the first 20."""
INPUT_PX = 192
CELL_PX = 4
"""Input pixels per cell of the heat maps and the outline; cell i is centred on input pixel 4 i + 1.5."""
FRAME_STEP_S = 0.066
"""How long before and after the middle frame the other two are best taken, for strides of 1-3 a second."""

_OUTLINE, _SURE, _FOUND = 0.4, 0.5, 0.4
_FIRST_LEG = 4  # nose, neck, withers and tail_base come first, then pairs of near and far
Three = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class RawPose:
    """What the network says about N boxes of one frame, in which the animals were taken to face `facing` (N,), 1 or -1.

    `x_curves`, `y_curves` (N, 32, 384): SimCC curves, two bins an input pixel, whose height is the share of probability
    near the peak. `heatmaps` (N, 32, 48, 48): probabilities that sum to one over a map; of two legs that look alike
    both channels may show both. `outline` (N, 48, 48): how surely each cell belongs to the animal, in [0, 1]. A pixel
    (x, y) of the input lies at `origin_px + scale_px * (x, y)` of the frame; both are (N, 2). For an animal that faces
    left the input is the mirrored picture and its x scale is negative. `facing_odds` (N,) are the log-odds that it does
    face the way it was taken to; where it does not, the points mean nothing and the outline still does.
    """

    x_curves: NDArray[np.float32]
    y_curves: NDArray[np.float32]
    heatmaps: NDArray[np.float32]
    outline: NDArray[np.float32]
    origin_px: NDArray[np.float64]
    scale_px: NDArray[np.float64]
    facing: NDArray[np.int64]
    facing_odds: NDArray[np.float64]

    @cached_property
    def _read(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return decode_simcc(self.x_curves, self.y_curves)

    def places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what each channel says by itself: (N, 32, 2) in pixels of the frame, confidence (N, 32)."""
        xy, confidence = self._read
        return xy * self.scale_px[:, None] + self.origin_px[:, None], confidence

    def near_is_behind(self) -> NDArray[np.float64]:
        """Return for each pair (N, 6) the log-odds that the near joint is the one farther behind.

        It compares how well the near and far channels fit the two places one way and the other; near 0 where a single
        moment does not tell. Summed over moments between two crossings, it tells better.
        """
        xy, _ = self._read
        odds = np.zeros((len(xy), len(PAIRS)))
        for pair, (near, far) in enumerate(PAIRS):
            behind, ahead = (xy[:, len(NEAR_FAR_KEYPOINTS) + 2 * pair + place] for place in (0, 1))
            one_way = np.log(self._mass(near, behind)) + np.log(self._mass(far, ahead))
            other_way = np.log(self._mass(near, ahead)) + np.log(self._mass(far, behind))
            odds[:, pair] = one_way - other_way
        return odds

    def points(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the 20 points (N, 20, 2) in pixels of the frame, near and far told apart, and confidence (N, 20).

        The joints that pass each other take the two places the ordered channels show, in the likelier order.
        """
        xy, confidence = self.places()
        count = len(NEAR_FAR_KEYPOINTS)
        points, sure = xy[:, :count].copy(), confidence[:, :count].copy()
        near_behind = self.near_is_behind() > 0
        for pair, (near, far) in enumerate(PAIRS):
            of_near = count + 2 * pair + np.where(near_behind[:, pair], 0, 1)
            of_far = count + 2 * pair + near_behind[:, pair]
            rows = np.arange(len(xy))
            for channel, source in ((near, of_near), (far, of_far)):
                points[:, channel], sure[:, channel] = xy[rows, source], confidence[rows, source]
        return points, sure

    def _mass(self, channel: int, xy_input: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a channel's probability (N,) within a cell of places (N, 2) given in pixels of the input."""
        cells = np.nan_to_num((xy_input - 1.5) / CELL_PX).round().astype(int)
        cells = np.clip(cells, 0, self.heatmaps.shape[-1] - 1)
        maps = self.heatmaps[:, channel]
        near = [maps[row, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].sum() for row, (x, y) in enumerate(cells)]
        return np.array(near, float) + 1e-3

    def boxes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the box (N, 4; x, y, width, height in pixels of the frame) of each animal, and how sure it is (N,).

        It holds the largest outline and the points that are sure, since thin legs often miss in the outline. Where
        there is no outline the box is NaN and the score 0.
        """
        boxes, scores = np.full((len(self.outline), 4), np.nan), np.zeros(len(self.outline))
        xy, confidence = self.places()
        for index, outline in enumerate(self.outline):
            count, labels, stats, _ = cv2.connectedComponentsWithStats((outline > _OUTLINE).astype(np.uint8))
            if count < 2:
                continue
            best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
            cells = np.array([stats[best, :2], stats[best, :2] + stats[best, 2:4]], float)
            corners = self.origin_px[index] + self.scale_px[index] * (cells * CELL_PX - 0.5)
            if self.facing_odds[index] > 0:
                corners = np.concatenate([corners, xy[index, confidence[index] > _SURE]])
            low, high = corners.min(0), corners.max(0)
            boxes[index] = (*low, *(high - low))
            scores[index] = outline[labels == best].mean() * confidence[index].mean()
        return boxes, scores


def to_left_right(values: NDArray, facing: int, axis: int = -2) -> NDArray:
    """Reorder near and far along an axis of 20 into `QUADRUPED_KEYPOINTS`.

    `facing` is 1 for an animal that faces right in the picture, whose near side is its right one, and -1 for left.
    """
    if facing < 0:
        return values
    order = np.arange(len(NEAR_FAR_KEYPOINTS))
    order[_FIRST_LEG:] = order[_FIRST_LEG:].reshape(-1, 2)[:, ::-1].ravel()
    return np.take(values, order, axis)


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
        still = (image_rgb, image_rgb, image_rgb)
        ways = [self.raw(still, boxes_px, facing) for facing in (1, -1)]
        right = ways[0].facing_odds > ways[1].facing_odds
        sides = [
            (to_left_right(raw.points()[0], f), to_left_right(raw.points()[1], f, axis=-1))
            for raw, f in zip(ways, (1, -1), strict=True)
        ]
        return np.where(right[:, None, None], sides[0][0], sides[1][0]), np.where(
            right[:, None], sides[0][1], sides[1][1]
        )

    def facing(self, frames_rgb: Three, boxes_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log-odds (N,) that each animal faces right. It hardly ever turns: sum them over a clip."""
        boxes = np.asarray(boxes_px, float).reshape(-1, 4)
        ways = np.repeat([1, -1], len(boxes))
        right, left = self.raw(frames_rgb, np.tile(boxes, (2, 1)), ways).facing_odds.reshape(2, -1)
        return 0.5 * (right - left)

    def raw(
        self,
        frames_rgb: Three,
        boxes_px: NDArray[np.float64],
        facing: int | NDArray[np.int64] = 1,
        *,
        boxes_before_px: NDArray[np.float64] | None = None,
        boxes_after_px: NDArray[np.float64] | None = None,
    ) -> RawPose:
        """Return everything the network says about boxes (N, 4) of the middle one of three frames (H, W, 3).

        The frames lie about FRAME_STEP_S apart. Where the animal moves through the picture, its boxes in the frame
        before and after keep it in place: only their centres are used. The same frame three times is a still picture.
        `facing` is 1 where the animals face right in the picture and -1 for left, for all or each (N,).
        """
        boxes = np.asarray(boxes_px, float).reshape(-1, 4)
        ways = np.broadcast_to(np.asarray(facing, int), len(boxes))
        side = np.maximum(boxes[:, 2:].max(1, initial=0.0), 2.0) * PADDING
        scale = np.repeat((side / INPUT_PX)[:, None], 2, axis=1)
        origin = _origin(boxes, side, scale)
        pictures = np.empty((len(boxes), 5, INPUT_PX, INPUT_PX), np.float32)
        for row in range(len(boxes)):
            now = _window(frames_rgb[1], origin[row], scale[row])
            pictures[row, :3] = now.transpose(2, 0, 1)
            for channel, frame, others in ((3, frames_rgb[0], boxes_before_px), (4, frames_rgb[2], boxes_after_px)):
                other = now
                if frame is not frames_rgb[1] or others is not None:
                    there = origin if others is None else _origin(np.asarray(others, float), side, scale)
                    other = _window(frame, there[row], scale[row])
                pictures[row, channel] = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY)
        mirrored = ways < 0
        pictures[mirrored] = pictures[mirrored, :, :, ::-1]
        origin[mirrored, 0] += scale[mirrored, 0] * (INPUT_PX - 1)
        scale[mirrored, 0] *= -1
        x_curves, y_curves, heatmaps, outline, odds = self._network.run(pictures)
        return RawPose(x_curves, y_curves, heatmaps, outline[:, 0], origin, scale, ways, odds.astype(float))

    def detect(self, image_rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Find quadrupeds in a whole picture (H, W, 3), the surest first; slow: for a frame now and then.

        Square windows over the picture give rough boxes; each is looked at twice more at its own size. Smaller windows
        follow where the larger ones saw nothing sure.
        """
        height, width = image_rgb.shape[:2]
        found = (np.empty((0, 4)), np.empty(0))
        for starts in windows(width, height):
            boxes, scores = self._closing_in(image_rgb, starts)
            boxes, scores = np.concatenate([found[0], boxes]), np.concatenate([found[1], scores])
            kept = distinct(boxes, scores)
            found = boxes[kept], scores[kept]
            if len(found[1]) and found[1][0] > _FOUND:
                break
        return tuple(Detection(b, "animal", "quadruped", float(s)) for b, s in zip(*found, strict=True))

    def _closing_in(
        self, image_rgb: NDArray[np.uint8], boxes: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        scores, facing = np.zeros(len(boxes)), np.ones(len(boxes), int)
        for _ in range(3):
            raw = self.raw((image_rgb, image_rgb, image_rgb), boxes, facing)
            boxes, scores = raw.boxes()
            facing = np.where(raw.facing_odds > 0, facing, -facing)
            kept = np.flatnonzero(np.isfinite(boxes).all(1) & (boxes[:, 2:].min(1) > 8.0))
            kept = kept[distinct(boxes[kept], scores[kept])]
            boxes, scores, facing = boxes[kept], scores[kept], facing[kept]
            if not len(boxes):
                break
        return boxes, scores


def _origin(boxes: NDArray[np.float64], side: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return where the centre of the input's first pixel lies for boxes (N, 4) and squares of `side` (N,)."""
    return boxes[:, :2] + boxes[:, 2:] / 2 - side[:, None] / 2 + scale / 2 - 0.5


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
