"""Where something moves against the background: a box that follows it, found before any network looks.

The camera that follows an animal keeps it in place while the ground runs past, fast near the camera and slowly far
away. So the background's motion is told row by row, from the left and right edges of the picture, and what moves
otherwise is the subject. Dense flow by DIS (Kroeger et al., 2016) on small pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter, uniform_filter1d
from video2reward.tools.camera import inside_bars
from video2reward.tools.video import Frame

_SHORT_SIDE_PX = 136
_LONG_SIDE_PX = 960
_CELL_PX = 4
_EDGE_SHARE = 0.18
_ROWS = 15
_AVERAGED_S = 0.7
_SIZES = (0.3, 0.45, 0.62, 0.8)
_WIDER = 1.35
"""An animal from the side is longer than high, legs included."""
_STEP_PRICE = 0.25
_SMOOTH_S = 0.25
_PLAIN = 0.4
"""In units of what parallax would allow. Still scenes, noise and a running belt come to 0.3, animals to 1 and more."""


@dataclass(frozen=True)
class MovingBox:
    """`boxes_px` (T, 4) as x, y, width, height in pixels of the clip; `strength` (T,): how far it stands out, 0 to 1.

    The picture's own part that is not a black bar is `content_px` (4,).
    """

    boxes_px: NDArray[np.float64]
    strength: NDArray[np.float64]
    content_px: NDArray[np.float64]


class MotionWatch:
    """Take frames in order; memory grows by a few kilobytes a frame."""

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._gray: NDArray[np.uint8] | None = None
        self._scale = 1.0
        self._brightest: NDArray[np.uint8] | None = None
        self._maps: list[NDArray[np.float16]] = []

    def add(self, frame: Frame) -> None:
        """Compare a frame with the one before it."""
        height, width = frame.image.shape[:2]
        shrink = min(1.0, max(_SHORT_SIDE_PX / min(height, width), 240 / max(height, width)))
        shrink = min(shrink, _LONG_SIDE_PX / max(height, width))
        size = (max(round(width * shrink), 2 * _CELL_PX), max(round(height * shrink), 2 * _CELL_PX))
        gray = cv2.cvtColor(cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        self._scale = frame.scale * shrink
        self._brightest = gray.copy() if self._brightest is None else np.maximum(self._brightest, gray)
        if self._gray is None or self._gray.shape != gray.shape:
            residual = np.zeros(gray.shape, np.float32)
        else:
            residual = _residual(self._flow.calc(self._gray, gray, None), inside_bars(self._brightest))
        small = (gray.shape[1] // _CELL_PX, gray.shape[0] // _CELL_PX)
        self._maps.append(cv2.resize(residual, small, interpolation=cv2.INTER_AREA).astype(np.float16))
        self._gray = gray

    def moves(self) -> bool:
        """Tell whether anything moves otherwise than the background, in half of the frames."""
        much = [float(np.quantile(one, 0.98)) for one in self._maps[1:]]
        return len(much) > 0 and float(np.median(much)) > _PLAIN

    def result(self, wanted: tuple[int, NDArray[np.float64]] | None = None) -> MovingBox | None:
        """Return the box that follows what moves; None where nothing does or there is nothing to compare.

        `wanted` is a frame and a box (4,) in pixels of the clip: what is followed is there, and about that large, then.
        """
        if len(self._maps) < 4 or self._brightest is None:
            return None
        top, bottom, left, right = inside_bars(self._brightest)
        maps = np.stack(self._maps).astype(np.float32)
        maps[0] = maps[1]
        inside = np.zeros(maps.shape[1:], bool)
        inside[top // _CELL_PX : -(-bottom // _CELL_PX), left // _CELL_PX : -(-right // _CELL_PX)] = True
        maps *= inside
        if maps.max() <= 0 and wanted is None:
            return None
        maps /= np.maximum(np.quantile(maps.reshape(len(maps), -1), 0.98, axis=1), 0.3)[:, None, None]
        maps = np.clip(uniform_filter1d(maps, 5, axis=0, mode="nearest"), 0, 1.5)
        start = None
        if wanted is not None:
            start = (min(wanted[0], len(maps) - 1), wanted[1] * self._scale / _CELL_PX)
        centre, size = _centre_path(maps, (bottom - top) / _CELL_PX, start)
        boxes, strength = _boxes_along(maps, centre, size, max(int(_AVERAGED_S * self._fps), 1))
        if start is not None:
            boxes = np.concatenate([centre, np.tile(start[1][2:], (len(maps), 1))], axis=1)
        boxes[:, :2] -= boxes[:, 2:] / 2
        pixels = _CELL_PX / self._scale
        content = np.array([left, top, right - left, bottom - top]) / self._scale
        return MovingBox(_smoothed(boxes * pixels, self._fps), strength, content)


def _residual(flow: NDArray[np.float32], bars: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """Return how differently from its row's background each pixel moves, in units of what parallax would allow."""
    top, bottom, left, right = bars
    edge = max(int(_EDGE_SHARE * (right - left)), 2)
    sides = np.concatenate([flow[top:bottom, left : left + edge], flow[top:bottom, right - edge : right]], axis=1)
    background = median_filter(np.median(sides, axis=1), size=(_ROWS, 1), mode="nearest")
    off = np.hypot(*np.moveaxis(flow[top:bottom] - background[:, None], -1, 0))
    allowed = 0.5 + 0.1 * np.hypot(*background.T)[:, None]
    residual = np.zeros(flow.shape[:2], np.float32)
    residual[top:bottom, left:right] = np.clip(off / allowed / 2, 0, 3)[:, left:right]
    return residual


def _centre_path(
    maps: NDArray[np.float32], content_height: float, start: tuple[int, NDArray[np.float64]] | None = None
) -> tuple[NDArray[np.float64], float]:
    """Return the path (T, 2; x, y) of the box that holds most motion and least around it, in cells, and its height.

    For each height, Viterbi over the places on a coarse grid with a price on every step.
    """
    num_frames, height, width = maps.shape
    stride = max(1, int(round(max(height / 16, width / 40))))
    ys, xs = np.mgrid[0:height:stride, 0:width:stride]
    places = np.stack([xs.ravel(), ys.ravel()], axis=1).astype(float)
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    best: tuple[float, NDArray[np.float64], float] = (-np.inf, np.zeros((num_frames, 2)), content_height)
    for size in (share * content_height for share in _SIZES) if start is None else (max(float(start[1][3]), 2.0),):
        price = _STEP_PRICE * apart / size
        total = np.zeros(len(places))
        came_from = np.zeros((num_frames, len(places)), np.int16)
        for frame in range(num_frames):
            through = total[:, None] - price
            came_from[frame] = through.argmax(0)
            total = through.max(0) + _contrast(maps[frame], size)[ys.ravel(), xs.ravel()]
            if start is not None and frame == start[0]:
                total -= 10.0 * np.hypot(*(places - start[1][:2] - start[1][2:] / 2).T) / size
        score = float(total.max()) / num_frames
        if score > best[0]:
            states = [int(total.argmax())]
            for frame in range(num_frames - 1, 0, -1):
                states.append(int(came_from[frame, states[-1]]))
            best = (score, places[states[::-1]], size)
    return best[1], best[2]


def _contrast(residual: NDArray[np.float32], size: float) -> NDArray[np.float32]:
    """Return, for every place, the motion within the box less the motion in the ring around it, times its size."""
    wide, high = max(int(_WIDER * size), 2), max(int(size), 2)
    pad = int(1.4 * max(wide, high))
    padded = cv2.copyMakeBorder(residual, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0.0)
    inner = cv2.blur(padded, (wide, high), borderType=cv2.BORDER_CONSTANT)
    outer = cv2.blur(padded, (int(1.5 * wide), int(1.5 * high)), borderType=cv2.BORDER_CONSTANT)
    ring = (1.5**2 * outer - inner) / (1.5**2 - 1)
    return (inner - ring)[pad:-pad, pad:-pad] * np.sqrt(size / residual.shape[0])


def _boxes_along(
    maps: NDArray[np.float32], centre: NDArray[np.float64], size: float, span: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return boxes (T, 4; centre x, y, width, height, in cells) of the moving patch, averaged while it is followed."""
    half = np.array([int(1.1 * _WIDER * size), int(1.1 * size)]) // 2 + 1
    steady = np.stack([gaussian_filter1d(centre[:, axis], 4, mode="nearest") for axis in range(2)], axis=1)
    patches = np.stack(
        [
            cv2.getRectSubPix(
                cv2.copyMakeBorder(m, *([40] * 4), cv2.BORDER_CONSTANT), tuple(2 * half + 1), tuple(c + 40)
            )
            for m, c in zip(maps, steady.astype(np.float32), strict=True)
        ]
    )
    patches = uniform_filter1d(patches, span, axis=0, mode="nearest")
    boxes, strength = np.empty((len(maps), 4)), np.empty(len(maps))
    for frame, patch in enumerate(patches):
        peak = max(float(np.quantile(patch, 0.97)), 1e-6)
        moving = (patch > 0.45 * peak).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(moving)
        label = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else 0
        x, y, w, h = stats[label, :4].astype(float)
        boxes[frame] = (*(steady[frame] - half + (x + w / 2, y + h / 2)), w, h)
        outside = maps[frame].mean()
        strength[frame] = np.clip((patch[labels == label].mean() - outside) / peak, 0, 1) * min(peak, 1.0)
    return boxes, strength


def _smoothed(boxes: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
    """Let the box's corner follow quickly and its size slowly."""
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    span = max(int(fps), 3)
    size = median_filter(boxes[:, 2:], size=(min(span, len(boxes)), 1), mode="nearest")
    size = gaussian_filter1d(size, _SMOOTH_S * fps, axis=0, mode="nearest")
    centre = median_filter(centre, size=(9, 1), mode="nearest")
    centre = gaussian_filter1d(centre, _SMOOTH_S * fps / 2, axis=0, mode="nearest")
    return np.concatenate([centre - size / 2, size], axis=1)
