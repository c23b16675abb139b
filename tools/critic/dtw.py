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
NUM_BINS = 32
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
    candidates = [ours]
    swapped = [_mirror(name) for name in names]
    if set(swapped) == set(names):
        candidates.append(ours[[names.index(name) for name in swapped]])
    # One stride against one, (bins, bins, mirrors, joints): two strides at any start are rolls and repeats of it.
    apart = np.stack([_distances(candidate, theirs) for candidate in candidates], axis=2)
    once = np.arange(NUM_BINS)
    twice = np.arange(NUM_STRIDES * NUM_BINS) % NUM_BINS
    rolled = apart[(twice[:, None, None] + once) % NUM_BINS, twice[None, :, None]]  # (2 bins, 2 bins, starts, …)
    by_alignment = warp(rolled.reshape(*rolled.shape[:2], -1)).reshape(NUM_BINS, len(candidates), -1).mean(axis=-1)
    start, mirror = np.unravel_index(int(by_alignment.argmin()), by_alignment.shape)
    moved = candidates[mirror][:, (twice + start) % NUM_BINS]
    poses = [joints.swapaxes(0, 1).reshape(len(twice), -1) for joints in (moved, theirs[:, twice])]
    return CycleDistance(float(by_alignment[start, mirror]), fastdtw(*poses), int(start), bool(mirror))


def dtw(a: Floats, b: Floats) -> float:
    """Return the path-normalised DTW distance of two series (n, D) and (m, D)."""
    return float(warp(np.linalg.norm(a[:, None] - b[None], axis=-1)[..., None])[0])


def warp(cost: Floats) -> Floats:
    """Return the least mean cost along a warp through each of B cost matrices (n, m, B): (B,).

    Steps are right, down and diagonal at equal weight; the least total is divided by the number of cells on its path.
    Of paths of equal total the shorter counts, so that the distance is symmetric.
    """
    n, m, num = cost.shape
    total = np.full((n + 1, m + 1, num), np.inf)
    length = np.zeros((n + 1, m + 1, num))
    total[0, 0] = 0.0
    # Cells of one anti-diagonal depend on the two before it only: they are filled at once.
    for diagonal in range(2, n + m + 1):
        i = np.arange(max(1, diagonal - m), min(n, diagonal - 1) + 1)
        j = diagonal - i
        best, steps = total[i - 1, j - 1], length[i - 1, j - 1]
        for k, q in ((i - 1, j), (i, j - 1)):
            other, other_steps = total[k, q], length[k, q]
            better = (other < best) | ((other == best) & (other_steps < steps))
            np.copyto(best, other, where=better)
            np.copyto(steps, other_steps, where=better)
        total[i, j] = best + cost[i - 1, j - 1]
        length[i, j] = steps + 1
    return total[n, m] / length[n, m]


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
    """Return cycles as (joints, bins, 2), all resampled to NUM_BINS; None where that cannot be done."""
    paths = [np.asarray(cycle[name], dtype=float) for name in names]
    if not paths or any(path.ndim != 2 or len(path) < 2 or not np.isfinite(path).all() for path in paths):
        return None
    wanted = np.arange(NUM_BINS) / NUM_BINS
    resampled = [
        np.column_stack([np.interp(wanted, np.arange(len(path)) / len(path), column, period=1.0) for column in path.T])
        for path in paths
    ]
    return np.stack(resampled)


def _distances(a: Floats, b: Floats) -> Floats:
    """Return the distance of every bin of a from every bin of b, per joint (bins, bins, joints)."""
    difference = a[:, :, None] - b[:, None]
    return np.moveaxis(np.sqrt((difference**2).sum(-1)), 0, -1)


def _mirror(name: str) -> str:
    """Return the same joint on the other side: FR_foot for FL_foot, RR_mid for RL_mid, R_foot for L_foot."""
    limb, _, part = name.partition("_")
    return f"{limb[:-1]}{limb[-1:].translate(_MIRRORED)}_{part}"
