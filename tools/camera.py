"""What the background does: how the camera moves, and which frames are repeats, black, or follow a cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import MissingPart
from video2reward.tools.video import Frame

try:
    import cv2
except ImportError as missing:  # the full build of OpenCV, which mediapipe brings, asks for libGL
    raise MissingPart(
        f"OpenCV cannot be loaded here ({missing}).",
        "Install it: apt install libgl1 libglib2.0-0, or opencv-python-headless.",
    ) from missing

WORK_SIDE_PX = 640
"""Optical flow is followed on pictures of at most this side."""
_FEATURES, _MIN_FEATURES = 120, 12
_STILL_PX = 0.12
_MIN_GROUND = 6
_GROUND_ROWS = (-0.1, 0.25)
"""Rows so far below the subject's feet, in shares of its height, are the ground it goes on."""
_GROUND_SHARE, _PARALLAX = 0.5, 0.15
"""It counts where it was followed in this share of the frames, and has gone this share of the picture's width farther
than what is behind, or less far."""
_GROUND_MARGIN_PX = 64
"""What the coarse levels of the flow see beyond the rows: with less, far moves are lost."""
_BAR_PX = 6
"""So much inside a black bar's edge nothing is followed."""
_THUMBNAIL = (96, 54)
_FLOW = {
    "winSize": (15, 15),
    "maxLevel": 3,
    "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
}


@dataclass(frozen=True)
class BackgroundMotion:
    """Per frame of the clip, in pixels of the clip.

    A point at `x_px` lies at `x_px + camera_x_px` in the frame of the still background. `inlier_ratio` is the share of
    the background that agrees on one motion, over the frames where it could be followed.
    """

    camera_x_px: NDArray[np.float64]
    camera_y_px: NDArray[np.float64]
    camera: Literal["still", "moving", "unknown"]
    inlier_ratio: float
    repeated: NDArray[np.bool_]
    black: NDArray[np.bool_]
    cut: NDArray[np.bool_]


class BackgroundWatch:
    """Take frames in order and follow what lies outside the subject: pyramidal Lucas-Kanade, RANSAC, chained."""

    def __init__(self) -> None:
        self._gray: NDArray[np.uint8] | None = None
        self._thumbnail: NDArray[np.float64] | None = None
        self._moves: list[tuple[float, float]] = []
        self._ground: list[tuple[float, float]] = []
        self._inliers: list[float] = []
        self._changes: list[float] = []
        self._black: list[bool] = []
        self._scale = 1.0

    def add(self, frame: Frame, boxes_px: NDArray[np.float64], anchor_px: NDArray[np.float64] | None = None) -> None:
        """Follow the background to the next frame.

        `boxes_px` (B, 4) as x, y, width, height are left out; the motion is taken at `anchor_px` (2,), the subject's
        feet, for a camera that turns or zooms moves the picture differently in different places.
        """
        gray = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)
        shrink = min(1.0, WORK_SIDE_PX / max(gray.shape))
        if shrink < 1:
            gray = cv2.resize(gray, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        scale = frame.scale * shrink
        thumbnail = cv2.resize(gray, _THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float64)
        ground = (np.nan, np.nan)
        self._black.append(bool(thumbnail.mean() < 10 and thumbnail.std() < 6))
        if self._gray is None or self._thumbnail is None or self._gray.shape != gray.shape:
            move, inliers, change = (0.0, 0.0), np.nan, np.nan
        else:
            change = float(np.abs(thumbnail - self._thumbnail).mean())
            anchor = anchor_px * scale if anchor_px is not None and np.isfinite(anchor_px).all() else None
            mask = _outside(self._gray, boxes_px * scale)
            move, inliers = _background_move(self._gray, gray, mask, anchor)
            move = (move[0] / scale, move[1] / scale)
            if anchor is not None and len(boxes_px):
                rows = (anchor[1] + np.array(_GROUND_ROWS) * boxes_px[0, 3] * scale).clip(0, len(gray)).astype(int)
                on_ground = _ground_move(self._gray, gray, mask, slice(*rows))
                ground = (on_ground[0] / scale, on_ground[1] / scale)
        self._moves.append(move)
        self._ground.append(ground)
        self._inliers.append(inliers)
        self._changes.append(change)
        self._gray, self._thumbnail, self._scale = gray, thumbnail, scale

    def result(self) -> BackgroundMotion:
        """Chain the moves. A camera whose moves are as small as their noise is called still and set to zero."""
        moves, inliers = np.array(self._moves).reshape(-1, 2), np.array(self._inliers)
        changes, black = np.array(self._changes), np.array(self._black, dtype=bool)
        usual = float(np.nanmedian(changes)) if np.isfinite(changes).any() else 0.0
        repeated = np.nan_to_num(changes, nan=np.inf) < min(0.35, 0.2 * usual)
        cut = _cuts(np.nan_to_num(changes), inliers, usual)
        followed = np.isfinite(inliers) & ~black
        ratio = float(np.mean(inliers[followed])) if followed.any() else 0.0
        moves = self._with_parallax(moves, followed)
        camera: Literal["still", "moving", "unknown"] = "moving"
        if followed.sum() < 0.5 * max(len(inliers) - 1 - black.sum(), 1) or ratio < 0.05:
            camera = "unknown"
        elif self._is_still(moves, followed):
            camera, moves = "still", np.zeros_like(moves)
        drift = -np.cumsum(moves, axis=0)
        return BackgroundMotion(drift[:, 0], drift[:, 1], camera, min(ratio, 1.0), repeated, black, cut)

    def _with_parallax(self, moves: NDArray[np.float64], followed: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the moves of the ground at the subject's feet where they are known and add up to another way.

        A camera that goes along with its subject passes the ground, while houses and trees far behind, where most
        features are, seem to stay.
        """
        ground = np.array(self._ground).reshape(-1, 2)
        known = np.isfinite(ground[:, 0]) & followed
        if known.sum() < max(_GROUND_SHARE * followed.sum(), 1):
            return moves
        apart = float(np.sum((ground - moves)[known, 0])) * self._scale * followed.sum() / known.sum()
        if abs(apart) < _PARALLAX * WORK_SIDE_PX:
            return moves
        index = np.arange(len(moves))
        return np.stack([np.interp(index, index[known], ground[known, axis]) for axis in range(2)], axis=1)

    def _is_still(self, moves: NDArray[np.float64], followed: NDArray[np.bool_]) -> bool:
        flow_px = moves * self._scale
        drift_px = np.abs(np.cumsum(flow_px, axis=0)).max()
        return bool(np.median(np.abs(flow_px[followed]).max(1)) < _STILL_PX and drift_px < 0.01 * WORK_SIDE_PX)


def inside_bars(brightest: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of what was ever brighter than a black bar."""
    bright = brightest > 24
    rows, columns = np.flatnonzero(bright.mean(1) > 0.1), np.flatnonzero(bright.mean(0) > 0.1)
    if len(rows) < 8 or len(columns) < 8:
        return 0, brightest.shape[0], 0, brightest.shape[1]
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _cuts(changes: NDArray[np.float64], inliers: NDArray[np.float64], usual: float) -> NDArray[np.bool_]:
    """Find frames that show another scene: far more changes than usual, or the background is lost all at once."""
    followed = float(np.nanmedian(inliers)) if np.isfinite(inliers).any() else 0.0
    agrees = np.nan_to_num(inliers)
    much = (changes > max(12.0, 3.5 * usual)) & (agrees < 0.5)
    lost = (changes > max(12.0, 1.15 * usual)) & (agrees < 0.25 * followed) & (followed > 0.4)
    return much | lost


def _background_move(
    before: NDArray[np.uint8], after: NDArray[np.uint8], mask: NDArray[np.uint8], anchor: NDArray[np.float64] | None
) -> tuple[tuple[float, float], float]:
    """Return the background's move at the anchor, in pixels, and the share of features that agree (NaN: none)."""
    height, width = before.shape
    points = cv2.goodFeaturesToTrack(before, _FEATURES, 0.01, 10, mask=mask)
    if points is None or len(points) < _MIN_FEATURES:
        return (0.0, 0.0), np.nan
    sources, targets = _followed(before, after, points)
    if len(sources) < _MIN_FEATURES:
        return (0.0, 0.0), 0.0
    cv2.setRNGSeed(0)
    affine, inliers = cv2.estimateAffinePartial2D(sources, targets, ransacReprojThreshold=1.0, maxIters=500)
    if affine is None:
        return (0.0, 0.0), 0.0
    place = anchor if anchor is not None else np.array([width / 2, height / 2])
    move = affine[:, :2] @ place + affine[:, 2] - place
    if np.abs(move).max() > 0.5 * max(width, height):
        return (0.0, 0.0), 0.0
    return (float(move[0]), float(move[1])), float(inliers.sum()) / len(points)


def _ground_move(
    before: NDArray[np.uint8], after: NDArray[np.uint8], mask: NDArray[np.uint8], rows: slice
) -> tuple[float, float]:
    """Return how the ground moves in some rows of the picture; NaN where too little of it agrees."""
    # Only what lies about these rows is looked at: the whole picture takes as long as the background itself.
    around = slice(max(rows.start - _GROUND_MARGIN_PX, 0), rows.stop + _GROUND_MARGIN_PX)
    band = np.zeros_like(mask)
    band[rows] = mask[rows]
    before, after, band = before[around], after[around], band[around]
    if min(band.shape) < 32:
        return np.nan, np.nan
    points = cv2.goodFeaturesToTrack(before, 60, 0.02, 6, mask=band)
    if points is None or len(points) < _MIN_GROUND:
        return np.nan, np.nan
    sources, targets = _followed(before, after, points)
    if len(sources) < _MIN_GROUND:
        return np.nan, np.nan
    moves = targets - sources
    middle = np.median(moves, axis=0)
    agree = np.abs(moves - middle).max(1) < max(1.0, 0.25 * float(np.abs(middle).max()))
    return (float(middle[0]), float(middle[1])) if agree.mean() > 0.5 else (np.nan, np.nan)


def _followed(
    before: NDArray[np.uint8], after: NDArray[np.uint8], points: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where features are before and after, (N, 2) each: those that are found there and back again."""
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, **_FLOW)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, moved, None, **_FLOW)
    there_and_back = np.abs(back - points).reshape(-1, 2).max(1) < 0.5
    good = (found.ravel() == 1) & (found_back.ravel() == 1) & there_and_back
    return points.reshape(-1, 2)[good], moved.reshape(-1, 2)[good]


def _outside(picture: NDArray[np.uint8], boxes: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a mask of what is neither in a box nor at a black bar, whose edge is all corners and never moves."""
    height, width = picture.shape
    top, bottom, left, right = inside_bars(picture)
    mask = np.zeros(picture.shape, np.uint8)
    rows = slice(top + _BAR_PX * (top > 0), bottom - _BAR_PX * (bottom < height))
    mask[rows, left + _BAR_PX * (left > 0) : right - _BAR_PX * (right < width)] = 255
    for x, y, box_width, box_height in np.nan_to_num(boxes):
        margin_x, margin_y = 0.12 * box_width, 0.08 * box_height
        left, right = np.clip([x - margin_x, x + box_width + margin_x], 0, width).astype(int)
        top, bottom = np.clip([y - margin_y, y + box_height + margin_y], 0, height).astype(int)
        mask[top:bottom, left:right] = 0
    return mask
