"""Read points off SimCC outputs: one curve over x and one over y for every point (Li et al. 2022)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPLIT_RATIO = 2.0
"""Bins per pixel of the input in RTMPose."""


def decode_simcc(
    x_curves: NDArray[np.float32], y_curves: NDArray[np.float32], split_ratio: float = SPLIT_RATIO
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points (N, K, 2) in pixels of the input and their confidence (N, K) from curves (N, K, bins).

    A point lies at both curves' maxima, put between the bins by a parabola. The confidence is the lower of the two
    maxima, as in RTMPose, kept in [0, 1]; a curve that is nowhere above zero, or not a number, saw nothing: NaN and 0.
    """
    x, x_height = _peak(x_curves)
    y, y_height = _peak(y_curves)
    confidence = np.minimum(x_height, y_height)
    seen = confidence > 0
    xy = np.where(seen[..., None], np.stack([x, y], axis=-1) / split_ratio, np.nan)
    return xy, np.where(seen, np.clip(confidence, 0.0, 1.0), 0.0)


def _peak(curves: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    curves = np.nan_to_num(np.asarray(curves, float), nan=-1.0, posinf=-1.0, neginf=-1.0)
    best = curves.argmax(-1)
    inner = np.clip(best, 1, curves.shape[-1] - 2)
    low, middle, high = (np.take_along_axis(curves, (inner + step)[..., None], -1)[..., 0] for step in (-1, 0, 1))
    bend = low - 2 * middle + high
    shift = np.where((bend < 0) & (inner == best), 0.5 * (low - high) / np.where(bend < 0, bend, -1.0), 0.0)
    return best + np.clip(shift, -0.5, 0.5), np.take_along_axis(curves, best[..., None], -1)[..., 0]
