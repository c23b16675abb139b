"""Where to look for a body in a whole picture, and which of the boxes that are found are different bodies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PADDING = 1.25
"""A network's square is so much wider than the box in it."""


def windows(width: int, height: int) -> list[NDArray[np.float64]]:
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


def distinct(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return which to keep of boxes that overlap by more than a third: the surest ones, at most six."""
    kept: list[int] = []
    for index in np.argsort(-scores):
        if len(kept) < 6 and all(_overlap(boxes[index], boxes[other]) < 0.35 for other in kept):
            kept.append(int(index))
    return np.array(kept, int)


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    both = float(np.prod(np.maximum(high - low, 0.0)))
    return both / (min(a[2] * a[3], b[2] * b[3]) + 1e-9)
