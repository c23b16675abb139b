"""Which of two legs is the nearer one, by where in the picture they stand.

A camera above the ground shows what stands nearer lower in the picture. Of two like feet that stand in turn, the lower
one is the near one's, the plainer so the more the camera looks down; of a camera at the height of the paws it tells
nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ALWAYS, _AT_TIMES = 0.01, 0.02
"""How far off a foot of the network stands, in sides of the grid, for a whole clip: up to the first in any, by the
second (a standard deviation) beyond it in some. Told from rendered dogs whose feet stand level, and drawn animals."""
_MIDDLE = 0.35
"""The middle of a stance: within this share of the foot's whole way of its middle, before and behind."""
_FEWEST = 3
"""Stances of each foot that are needed."""


def stands_nearer(
    height_px: tuple[NDArray[np.float64], NDArray[np.float64]],
    seen: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    paths: tuple[NDArray[np.float64], NDArray[np.float64]],
    phase: NDArray[np.float64],
    side_px: float,
) -> float:
    """Return in standard errors how surely the first of a pair's feet is the nearer one; below 0 it is the other.

    For each foot: its place (T,) down the picture in pixels, whether it was seen there (T,), and its forward way over
    the stride (BINS,). `phase` (T,) is the stride's. Each stance counts once, as the median over its middle; what rises
    or sinks evenly over the clip, as of an animal that comes nearer, is taken out.
    """
    stances: list[tuple[float, float, float]] = []
    frames = np.arange(len(phase))
    for first, (y, known, path) in enumerate(zip(height_px, seen, paths, strict=True)):
        bins = (phase % 1.0 * len(path)).astype(int) % len(path)
        back = (np.roll(path, -1) < path) & (np.abs(path - (path.max() + path.min()) / 2) < _MIDDLE * np.ptp(path))
        stride = np.floor(phase - np.argmax(path) / len(path))
        standing = back[bins] & known
        for number in np.unique(stride[standing]):
            at = standing & (stride == number)
            if at.sum() >= 2:
                stances.append((float(frames[at].mean()), 1.0 - first, float(np.median(y[at])) / side_px))
    when, which, lower = np.array(stances).reshape(-1, 3).T
    if min((which == 1).sum(), (which == 0).sum()) < _FEWEST:
        return 0.0
    columns = np.stack([np.ones_like(when), (when - when.mean()) / len(phase), which], axis=1)
    solution, *_ = np.linalg.lstsq(columns, lower, rcond=None)
    left_over = lower - columns @ solution
    noise = float(left_over @ left_over) / (len(lower) - 3) * float(np.linalg.inv(columns.T @ columns)[2, 2])
    difference = float(solution[2])
    plain = np.sign(difference) * max(abs(difference) - _ALWAYS, 0.0)
    return float(plain / np.hypot(_AT_TIMES, np.sqrt(noise)))
