"""Mend left and right where a pose backend has mixed them up for some frames: one decision over the whole clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from video2reward.tools.pose.points import PointSeries

PAIR_GROUPS = (("hip", "knee", "ankle", "heel", "toe", "hind_paw"), ("shoulder", "elbow", "wrist", "front_paw"))
_CAP = 16.0
"""A jump costs at most this, in squared noise: beyond it, it is a jump, however far."""
_SWAPPED = 1.5
"""What each frame costs that is said to be mixed up: a backend is right more often than not."""
_SWITCH = 4.0


def mend_sides(points: PointSeries) -> PointSeries:
    """Exchange left and right where that makes the limbs' paths smooth, and say how often it was done.

    For each pair of limbs, then for each pair of points, a path through the states "as named" and "exchanged" is found
    that costs least (Viterbi): the cost is the points' change of velocity against its usual size, plus a price for each
    frame that is said to be mixed up, which keeps limbs that pass each other under their own names.
    """
    xy, confidence = points.xy_px.copy(), points.confidence.copy()
    steady = np.diff(points.frame_index) == 1
    exchanged = np.zeros(len(xy), dtype=bool)
    pairs = paired_columns(points.names)
    groups = [[pair for pair in pairs if points.names[pair[0]].endswith(parts)] for parts in PAIR_GROUPS]
    for group in (*groups, *([pair] for pair in pairs)):
        if not group:
            continue
        left, right = [pair[0] for pair in group], [pair[1] for pair in group]
        mixed = _mixed_up(xy[:, left], xy[:, right], steady)
        for values in (xy, confidence):
            kept = values[:, left].copy()
            values[np.ix_(mixed, left)] = values[np.ix_(mixed, right)]
            values[np.ix_(mixed, right)] = kept[mixed]
        exchanged |= mixed
    if not exchanged.any():
        return points
    note = f"left and right were mixed up in {int(exchanged.sum())} frames and are mended"
    return replace(points, xy_px=xy, confidence=confidence, notes=(*points.notes, note))


def paired_columns(names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return the columns of each point of the left and of its twin of the right."""
    twins = {name: name.replace("left_", "right_", 1) for name in names if name.startswith("left_")}
    return [(names.index(name), names.index(twin)) for name, twin in twins.items() if twin in names]


def _mixed_up(left: NDArray[np.float64], right: NDArray[np.float64], steady: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the frames in which left and right (T, P, 2) are exchanged."""
    length = len(left)
    mixed = np.zeros(length, dtype=bool)
    if length < 5:
        return mixed
    both = np.stack([np.stack([left, right], 1), np.stack([right, left], 1)])  # (state, T, side, P, 2)
    cost = np.empty((2, 2, 2, length))
    noise = _noise(both[0])
    usable = np.concatenate([[False, False], steady[1:] & steady[:-1]])
    for first in (0, 1):
        for second in (0, 1):
            for third in (0, 1):
                bend = both[third, 2:] - 2 * both[second, 1:-1] + both[first, :-2]
                jump = np.nan_to_num(np.clip((bend**2).sum(-1) / noise**2, 0, _CAP)).mean(axis=(1, 2))
                cost[first, second, third] = np.concatenate([[0, 0], jump]) * usable
    return _cheapest_path(cost * 2.0, steady)


def _noise(sides: NDArray[np.float64]) -> float:
    """Return the usual change of velocity of points (T, side, P, 2) from frame to frame, in pixels."""
    bend = np.hypot(*np.moveaxis(sides[2:] - 2 * sides[1:-1] + sides[:-2], -1, 0))
    return max(float(np.nanmedian(bend)) * 1.5, 0.5) if np.isfinite(bend).any() else 1.0


def _cheapest_path(cost: NDArray[np.float64], steady: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Run Viterbi over pairs of neighbouring states; `cost` (2, 2, 2, T) is that of three in a row, by the last one."""
    length = cost.shape[-1]
    total = np.array([[0.0, _SWAPPED + _SWITCH], [_SWAPPED + _SWITCH, 2 * _SWAPPED]])
    came_from = np.zeros((length, 2, 2), dtype=np.int8)
    price = np.array([[0.0, _SWITCH + _SWAPPED], [_SWITCH, _SWAPPED]])
    for frame in range(2, length):
        step = price if steady[frame - 1] else price * [[1, 1], [1, 1]] - [[0, _SWITCH], [_SWITCH, 0]]
        # through[first, second, third]
        through = total[:, :, None] + cost[..., frame] + step[None]
        came_from[frame] = through.argmin(0)
        total = through.min(0)
    second, third = np.unravel_index(int(total.argmin()), (2, 2))
    states = np.zeros(length, dtype=np.int8)
    states[-1], states[-2] = third, second
    for frame in range(length - 1, 1, -1):
        states[frame - 2] = came_from[frame, states[frame - 1], states[frame]]
    return states.astype(bool)
