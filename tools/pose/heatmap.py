"""Read points off heatmaps: one map for every point."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def decode_heatmaps(
    heatmaps: NDArray[np.float32], *, blur: int = 11
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return points (N, K, 2) in pixels of the maps and their confidence (N, K) from maps (N, K, h, w).

    The maximum is put between the pixels by a Newton step on the logarithm of the smoothed map, which is exact for a
    Gaussian (Zhang et al. 2020, "Distribution-aware coordinate representation", eq. 8). `blur` is the odd width of the
    smoothing, 0 for none. A map that is nowhere above zero, or not a number, saw nothing: NaN and 0.
    """
    maps = np.nan_to_num(np.asarray(heatmaps, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    count, num_points, height, width = maps.shape
    flat = maps.reshape(count, num_points, -1)
    best = flat.argmax(-1)
    peak = np.take_along_axis(flat, best[..., None], -1)[..., 0].astype(float)
    y, x = np.divmod(best, width)
    xy = np.stack([x, y], axis=-1).astype(float)
    for body in range(count):
        for point in range(num_points):
            if peak[body, point] > 0 and min(height, width) >= 3:
                xy[body, point] += _newton_step(maps[body, point], x[body, point], y[body, point], blur)
    seen = peak > 0
    return np.where(seen[..., None], xy, np.nan), np.where(seen, np.clip(peak, 0.0, 1.0), 0.0)


def _newton_step(heatmap: NDArray[np.float32], x: int, y: int, blur: int) -> NDArray[np.float64]:
    """Return the way from a pixel to the top of the map around it, at most one pixel."""
    smooth = cv2.GaussianBlur(heatmap, (blur, blur), 0) if blur else heatmap
    near = cv2.copyMakeBorder(smooth, 1, 1, 1, 1, cv2.BORDER_REPLICATE)[y : y + 3, x : x + 3]
    log = np.log(np.maximum(near.astype(float), 1e-6))
    slope = np.array([log[1, 2] - log[1, 0], log[2, 1] - log[0, 1]]) / 2
    across = (log[2, 2] - log[2, 0] - log[0, 2] + log[0, 0]) / 4
    bend = np.array(
        [
            [log[1, 2] - 2 * log[1, 1] + log[1, 0], across],
            [across, log[2, 1] - 2 * log[1, 1] + log[0, 1]],
        ]
    )
    if np.linalg.eigvalsh(bend).max() >= -1e-9:  # no top here
        return np.zeros(2)
    return np.clip(-np.linalg.solve(bend, slope), -1.0, 1.0)
