"""How an animal's legs swing, without any points: what goes forward faster than its own trunk is a leg that swings.

Legs on the ground go back with the ground, and what is behind the animal does so too. So no outline is needed, and no
knowledge of which leg is which: the flow of the pictures, less the trunk's, keeps its forward part below the trunk.
Dense flow by DIS (Kroeger et al., 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.memory.records import Clip
from video2reward.tools.video import frames

COLUMNS = 32
SPAN = (-0.15, 1.15)
"""What the columns cover along the animal, in widths of its box, from tail to head."""
_WIDTH_PX, _HEIGHT_PX = 160, 120
_TRUNK_Y, _TRUNK_X = (0.15, 0.45), (0.32, 0.68)
"""Where the trunk is: shares of the box's height, and of the window's width."""
_LEGS_Y = (0.5, 1.1)
_GROUND_Y = 0.95
_SLOWEST, _FASTEST = 0.25, 2.25
"""Of the ground's speed: slower is not surely a swing, faster is not surely a leg."""
_LEAST_PX = 1.0
_HIGHEST = 0.995


@dataclass(frozen=True)
class Swings:
    """`forward` (T, COLUMNS): the square root of how much swings there, frame by frame, from tail to head.

    `ground` is how fast the ground goes by, in widths of the box a frame: below 0 for an animal that goes ahead.
    """

    forward: NDArray[np.float64]
    ground: float


def watch_swings(
    clip: Clip, boxes_px: NDArray[np.float64], window: slice, facing: int, max_side_px: int
) -> Swings | None:
    """Look at a stretch of frames along the box (T, 4) of an animal that faces right (1) or left (-1).

    None where there are too few frames to compare.
    """
    size = np.nanmedian(boxes_px[window, 2:], axis=0)
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    top = (_HEIGHT_PX - size[1] / size[0] * _WIDTH_PX / (SPAN[1] - SPAN[0])) / 2
    rows = [int(np.clip(top + share * (_HEIGHT_PX - 2 * top), 0, _HEIGHT_PX)) for share in (*_TRUNK_Y, *_LEGS_Y)]
    trunk_x = slice(int(_TRUNK_X[0] * _WIDTH_PX), int(_TRUNK_X[1] * _WIDTH_PX))
    ground_y = min(int(top + _GROUND_Y * (_HEIGHT_PX - 2 * top)), _HEIGHT_PX - 8)
    if rows[1] - rows[0] < 2 or rows[3] - rows[2] < 4:
        return None
    legs = np.zeros((window.stop - window.start, rows[3] - rows[2], _WIDTH_PX), np.float16)
    ground = np.full(len(legs), np.nan)
    before: NDArray[np.uint8] | None = None
    last = -2
    for frame in frames(clip, max_side_px=max_side_px, only=set(range(window.start, window.stop))):
        box = boxes_px[frame.index] * frame.scale
        now = _cut_out(frame.image, box[:2] + box[2:] / 2, float(size[0]) * frame.scale, facing)
        if before is not None and last == frame.index - 1:
            along = flow.calc(before, now, None)[..., 0]
            along -= np.median(along[rows[0] : rows[1], trunk_x])
            at = frame.index - window.start
            legs[at] = along[rows[2] : rows[3]]
            ground[at] = np.median(along[ground_y:])
        before, last = now, frame.index
    if np.isfinite(ground).sum() < 12:
        return None
    ground_px = float(np.nanmedian(ground))
    speed_px = max(abs(ground_px), _LEAST_PX)
    swinging = np.clip(legs.astype(np.float32) - _SLOWEST * speed_px, 0, (_FASTEST - _SLOWEST) * speed_px).sum(1)
    forward = np.sqrt(swinging.reshape(len(legs), COLUMNS, -1).mean(2)).astype(np.float64)
    return Swings(np.minimum(forward, np.quantile(forward, _HIGHEST)), ground_px * (SPAN[1] - SPAN[0]) / _WIDTH_PX)


def _cut_out(
    image: NDArray[np.uint8], middle_px: NDArray[np.float64], width_px: float, facing: int
) -> NDArray[np.uint8]:
    """Return the grey window about an animal `width_px` wide, mirrored so that it faces right."""
    scale = width_px * (SPAN[1] - SPAN[0]) / _WIDTH_PX
    if scale > 1.5:  # sampling point by point would flicker
        image = cv2.blur(image, (int(scale + 0.5), int(scale + 0.5)))
    corner = middle_px - scale * np.array([_WIDTH_PX, _HEIGHT_PX]) / 2
    warp = np.array([[scale, 0, corner[0]], [0, scale, corner[1]]])
    window = cv2.warpAffine(image, warp, (_WIDTH_PX, _HEIGHT_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    grey = cv2.cvtColor(window, cv2.COLOR_RGB2GRAY)
    return grey if facing > 0 else np.ascontiguousarray(grey[:, ::-1])
