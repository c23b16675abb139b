"""Dynamic time warping of limb cycles: how far apart two ways of moving are, whatever the timing within the stride.

Cycles are root-centred paths in leg lengths. Two strides are compared, at the best start phase, mirrored or not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cycle = Mapping[str, Sequence[Sequence[float]]]

NUM_STRIDES = 2
_MIRRORED = str.maketrans("LR", "RL")


@dataclass(frozen=True)
class CycleDistance:
    """The mean over joints of the path-normalised DTW distance, leg lengths, and the alignment at which it is least."""

    dtw: float
    fastdtw: float
    """FastDTW (Salvador & Chan 2007, radius 1) of the whole pose at that alignment, summed along the path."""
    start_bin: int
    mirrored: bool


def compare_cycles(robot: Cycle, subject: Cycle) -> CycleDistance | None:
    """Compare limb cycles by name; None where they have no joint in common or one is not usable."""
    names = sorted(set(robot) & set(subject))
    found = [_points(cycle, names) for cycle in (robot, subject)]
    if not names or any(points is None for points in found):
        return None
    ours, theirs = found
    num_bins = ours.shape[1]
    candidates = [ours]
    swapped = [_mirror(name) for name in names]
    if set(swapped) == set(names):
        candidates.append(ours[[names.index(name) for name in swapped]])
    # (mirrors x starts, joints, two strides, 2)
    starts = (np.arange(num_bins)[:, None] + np.arange(NUM_STRIDES * num_bins)) % num_bins
    series = np.concatenate([candidate[:, starts].swapaxes(0, 1) for candidate in candidates])
    wanted = np.tile(theirs, (1, NUM_STRIDES, 1))
    pairs = series.reshape(-1, *series.shape[2:])
    distance = dtw(pairs, np.broadcast_to(wanted, series.shape).reshape(pairs.shape))
    by_alignment = distance.reshape(len(series), len(names)).mean(axis=1)
    best = int(by_alignment.argmin())
    whole = [joints.swapaxes(0, 1).reshape(joints.shape[1], -1) for joints in (series[best], wanted)]
    return CycleDistance(float(by_alignment[best]), fastdtw(*whole), best % num_bins, best >= num_bins)


def dtw(a: Floats, b: Floats) -> Floats:
    """Return the path-normalised DTW distance of pairs of series (B, n, D) and (B, m, D): (B,).

    Steps are right, down and diagonal at equal weight; the least total Euclidean cost is divided by the number of
    cells on its path. Of paths of equal cost the shorter counts, so that the distance is symmetric.
    """
    num_pairs, n, m = len(a), a.shape[1], b.shape[1]
    cost = np.linalg.norm(a[:, :, None] - b[:, None], axis=-1)
    total = np.full((num_pairs, n + 1, m + 1), np.inf)
    length = np.zeros((num_pairs, n + 1, m + 1))
    total[:, 0, 0] = 0.0
    # Cells of one anti-diagonal depend on the two before it only: they are filled at once.
    for diagonal in range(2, n + m + 1):
        i = np.arange(max(1, diagonal - m), min(n, diagonal - 1) + 1)
        j = diagonal - i
        best_total, best_length = total[:, i - 1, j - 1], length[:, i - 1, j - 1]
        for k, q in ((i - 1, j), (i, j - 1)):
            other, steps = total[:, k, q], length[:, k, q]
            better = (other < best_total) | ((other == best_total) & (steps < best_length))
            best_total, best_length = np.where(better, other, best_total), np.where(better, steps, best_length)
        total[:, i, j] = best_total + cost[:, i - 1, j - 1]
        length[:, i, j] = best_length + 1
    return total[:, n, m] / length[:, n, m]


def fastdtw(a: Floats, b: Floats, radius: int = 1) -> float:
    """Return the un-normalised FastDTW distance of two series (n, D) and (m, D) (Salvador & Chan 2007).

    The warp is found on series of half the length, then refined within `radius` cells around it.
    """
    return _fastdtw(np.asarray(a, dtype=float), np.asarray(b, dtype=float), radius)[0]


def _fastdtw(a: Floats, b: Floats, radius: int) -> tuple[float, list[tuple[int, int]]]:
    shortest = radius + 2
    if min(len(a), len(b)) <= shortest:
        return _windowed(a, b, sorted((i, j) for i in range(len(a)) for j in range(len(b))))
    _, path = _fastdtw(_halved(a), _halved(b), radius)
    near = {(i + di, j + dj) for i, j in path for di in range(-radius, radius + 1) for dj in range(-radius, radius + 1)}
    fine = {(2 * i + di, 2 * j + dj) for i, j in near for di in (0, 1) for dj in (0, 1)}
    # A last sample that had no partner when halving keeps the window open to the far corner.
    fine |= {(i, j) for i in range(len(a) - 2, len(a)) for j in range(len(b) - 2, len(b))}
    return _windowed(a, b, sorted((i, j) for i, j in fine if 0 <= i < len(a) and 0 <= j < len(b)))


def _windowed(a: Floats, b: Floats, window: list[tuple[int, int]]) -> tuple[float, list[tuple[int, int]]]:
    """Return the least total cost within a window, row by row, and its path."""
    rows, columns = np.array(window).T
    costs = np.linalg.norm(a[rows] - b[columns], axis=-1)
    total: dict[tuple[int, int], float] = {(-1, -1): 0.0}
    came_from: dict[tuple[int, int], tuple[int, int]] = {}
    for (i, j), cost in zip(window, costs, strict=True):
        before = min(((i - 1, j - 1), (i - 1, j), (i, j - 1)), key=lambda cell: total.get(cell, np.inf))
        if before in total:
            total[i, j] = total[before] + float(cost)
            came_from[i, j] = before
    cell, path = (len(a) - 1, len(b) - 1), []
    while cell != (-1, -1):
        path.append(cell)
        cell = came_from[cell]
    return total[len(a) - 1, len(b) - 1], path[::-1]


def _halved(series: Floats) -> Floats:
    whole = len(series) // 2 * 2
    return 0.5 * (series[0:whole:2] + series[1:whole:2])


def _points(cycle: Cycle, names: list[str]) -> Floats | None:
    """Return cycles as (joints, bins, 2), all resampled to the longest one's bins; None where that cannot be done."""
    paths = [np.asarray(cycle[name], dtype=float) for name in names]
    if not paths or any(path.ndim != 2 or len(path) < 2 or not np.isfinite(path).all() for path in paths):
        return None
    num_bins = 32
    wanted = np.arange(num_bins) / num_bins
    resampled = [
        np.column_stack([np.interp(wanted, np.arange(len(path)) / len(path), column, period=1.0) for column in path.T])
        for path in paths
    ]
    return np.stack(resampled)


def _mirror(name: str) -> str:
    """Return the same joint on the other side: FR_foot for FL_foot, RR_mid for RL_mid, R_foot for L_foot."""
    limb, _, part = name.partition("_")
    return f"{limb[:-1]}{limb[-1:].translate(_MIRRORED)}_{part}"
