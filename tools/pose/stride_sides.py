"""Mend what is left of mixed-up sides by the stride itself: every limb has to fit its own mean path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from video2reward.tools.cycle import find_stride, mean_cycle
from video2reward.tools.pose.points import PointSeries
from video2reward.tools.pose.sides import PAIR_GROUPS, paired_columns

_PASSES = 3
_HARMONICS = 5
_CAP = 12.0
"""A misfit costs at most this, in squared noise: beyond it, it is a misfit, however far."""
_SURPLUS = 12.0
"""By how much exchanged sides have to fit better: strides differ a little from each other, and a limb as a whole."""
_MIN_STRIDES = 2.5
_MIN_EXPLAINED = 0.6
_FEET = ("_paw", "_ankle", "_wrist", "_heel", "_toe")


def mend_sides_by_stride(points: PointSeries, fps: float) -> PointSeries:
    """Exchange left and right in frames in which both limbs then fit their mean paths over the stride better.

    Mean paths and decisions are found in turn, as in k-means with two places and known rhythm. Nothing is done where
    the limbs show no clear rhythm: then there is no mean path to hold on to.
    """
    if len(points.frame_index) < 12:
        return points
    xy, confidence = points.xy_px.copy(), points.confidence.copy()
    exchanged = np.zeros(len(xy), dtype=bool)
    for _ in range(_PASSES):
        phase = _phase(points.names, xy, points.frame_index, fps)
        if phase is None:
            break
        changed = _one_pass(points.names, xy, confidence, phase)
        exchanged ^= changed
        if not changed.any():
            break
    if not exchanged.any():
        return points
    note = f"left and right were set right by the stride in {int(exchanged.sum())} frames"
    return replace(points, xy_px=xy, confidence=confidence, notes=(*points.notes, note))


def _one_pass(
    names: tuple[str, ...], xy: NDArray[np.float64], confidence: NDArray[np.float64], phase: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Exchange in place what fits better exchanged; return the frames that were touched."""
    relative = xy - _middle(xy)[:, None]
    touched = np.zeros(len(xy), dtype=bool)
    for parts in PAIR_GROUPS:
        pairs = [pair for pair in paired_columns(names) if names[pair[0]].endswith(parts)]
        better = np.zeros(len(xy))
        votes = 0
        for pair in pairs:
            fits = [_fit(relative[:, column], phase) for column in pair]
            if any(fit is None or fit[2] < _MIN_EXPLAINED for fit in fits):
                continue
            votes += 1
            noise = max(float(np.median([fit[1] for fit in fits])), 0.5)
            kept = sum(_misfit(relative[:, column], fit[0], noise) for column, fit in zip(pair, fits, strict=True))
            swapped = sum(
                _misfit(relative[:, column], fit[0], noise) for column, fit in zip(pair[::-1], fits, strict=True)
            )
            better += kept - swapped
        if not votes:
            continue
        mixed = better > _SURPLUS
        left, right = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        for values in (xy, confidence):
            side = values[:, left].copy()
            values[np.ix_(mixed, left)] = values[np.ix_(mixed, right)]
            values[np.ix_(mixed, right)] = side[mixed]
        touched |= mixed
    return touched


def _fit(path: NDArray[np.float64], phase: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, float] | None:
    """Return a point's mean path (T, 2), its scatter in pixels, and how much of its forward way the path explains."""
    known = np.isfinite(path).all(1)
    if known.sum() < 12:
        return None
    cycles = [mean_cycle(path[:, axis], phase, _HARMONICS) for axis in range(2)]
    mean = np.stack([cycle.at(phase) for cycle in cycles], axis=1)
    scatter = 1.4826 * float(np.median(np.abs(path[known] - mean[known])))
    return mean, scatter, cycles[0].explained


def _misfit(path: NDArray[np.float64], mean: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    return np.nan_to_num(np.clip((((path - mean) / noise) ** 2).sum(1), 0, _CAP))


def _phase(
    names: tuple[str, ...], xy: NDArray[np.float64], frame_index: NDArray[np.int64], fps: float
) -> NDArray[np.float64] | None:
    """Return the stride's phase at every frame that was seen, from the feet's way against the body."""
    feet = [index for index, name in enumerate(names) if name.endswith(_FEET)]
    relative = (xy - _middle(xy)[:, None])[:, feet, 0]
    known = np.isfinite(relative)
    feet_seen = known.mean(0) > 0.5
    if feet_seen.sum() < 2:
        return None
    grid = np.arange(frame_index[0], frame_index[-1] + 1)
    signals = np.stack(
        [
            np.interp(grid, frame_index[known[:, column]], relative[known[:, column], column])
            for column in np.flatnonzero(feet_seen)
        ],
        axis=1,
    )
    stride = find_stride(signals, fps)
    if stride is None or stride.num_strides < _MIN_STRIDES:
        return None
    return np.interp(frame_index, grid, _steady(stride.phase))


def _steady(phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the phase as a cubic of time: sides mixed up for a stride turn a trot's phase by half a stride."""
    along = np.linspace(-1, 1, len(phase))
    weight = np.ones(len(phase))
    for _ in range(4):
        smooth = np.polynomial.Polynomial.fit(along, phase, 3, w=weight)(along)
        weight = 1 / np.sqrt(1 + (np.abs(phase - smooth) / 0.02) ** 2)
    return smooth


def _middle(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the middle of all points, (T, 2): it moves with the trunk, and exchanging sides does not move it."""
    counts = np.isfinite(xy).all(-1).sum(1)
    return np.where(counts[:, None] > 0, np.nansum(xy, axis=1) / np.maximum(counts, 1)[:, None], np.nan)
