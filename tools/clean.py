"""Raw points to smooth ones on an even time grid: outliers out, short gaps filled, zero-lag low-pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.signal import butter, sosfiltfilt

MIN_CONFIDENCE = 0.3
MAX_GAP_S = 0.2
HAMPEL_WINDOW = 7
HAMPEL_SIGMAS = 2.0
MAX_CUTOFF_HZ = 10.0
WALKING_PERSON_CUTOFF_HZ = 6.0


def even_grid(times_s: NDArray[np.float64], fps: float) -> NDArray[np.float64]:
    """Return the even time grid that spans the frames, (T,) seconds."""
    return np.arange(int(round((times_s[-1] - times_s[0]) * fps)) + 1) / fps


def clean_points(
    times_s: NDArray[np.float64],
    xy_px: NDArray[np.float64],
    confidence: NDArray[np.float64],
    grid_s: NDArray[np.float64],
    *,
    cutoff_hz: float,
    max_gap_s: float = MAX_GAP_S,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put points (N, K, 2) seen at `times_s` on the grid: (T, K, 2), NaN in long gaps, and confidence (T, K).

    Confidence is 0 where a point was filled in. The subject's mean motion is taken out before outliers are looked for,
    so that travel across the picture is none.
    """
    num_points = xy_px.shape[1]
    clean = np.full((len(grid_s), num_points, 2), np.nan)
    sure = np.zeros((len(grid_s), num_points))
    seen = np.isfinite(xy_px).all(-1) & (confidence >= MIN_CONFIDENCE)
    middle = _middle(xy_px, seen)
    fps = (len(grid_s) - 1) / (grid_s[-1] - grid_s[0])
    for point in range(num_points):
        rows = np.flatnonzero(seen[:, point])
        if len(rows) < 4:
            continue
        relative = xy_px[rows, point] - middle[rows]
        rows = rows[~(hampel_outliers(relative[:, 0]) | hampel_outliers(relative[:, 1]))]
        if len(rows) < 4:
            continue
        track = PchipInterpolator(times_s[rows], xy_px[rows, point], extrapolate=False)(grid_s)
        before = np.searchsorted(times_s[rows], grid_s, side="right") - 1
        after = np.clip(before + 1, 0, len(rows) - 1)
        before = np.clip(before, 0, len(rows) - 1)
        gap = times_s[rows][after] - times_s[rows][before]
        on_frame = np.abs(times_s[rows][before] - grid_s) < 1e-6
        track[(gap > max_gap_s) & ~on_frame] = np.nan
        clean[:, point] = _low_pass(track, cutoff_hz, fps)
        nearest = np.where(
            np.abs(times_s[rows][before] - grid_s) <= np.abs(times_s[rows][after] - grid_s), before, after
        )
        close = np.abs(times_s[rows][nearest] - grid_s) < 0.75 / fps
        sure[:, point] = np.where(close & np.isfinite(track[:, 0]), confidence[rows[nearest], point], 0.0)
    return clean, sure


def hampel_outliers(
    values: NDArray[np.float64], window: int = HAMPEL_WINDOW, sigmas: float = HAMPEL_SIGMAS
) -> NDArray[np.bool_]:
    """Mark values that lie more than `sigmas` robust deviations from the running median.

    The deviation is at least the clip's own median one: at the turning points of a swing the running median lags, and
    in calm stretches the local deviation is close to zero; neither makes an outlier.
    """
    if len(values) < window:
        return np.zeros(len(values), dtype=bool)
    half = window // 2
    padded = np.pad(values, half, mode="reflect", reflect_type="odd")
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)
    median = np.median(windows, axis=1)
    spread = 1.4826 * np.median(np.abs(windows - median[:, None]), axis=1)
    off = np.abs(values - median)
    return off > sigmas * np.maximum(spread, 1.4826 * np.quantile(off, 0.7) + 1e-9)


def cutoff_for(fps: float, slow_motion_factor: float, walking_person: bool) -> float:
    """Return the low-pass cutoff in clip hertz: 10 Hz (6 Hz for a walking person) of real time, at most 0.4 fps."""
    real_hz = WALKING_PERSON_CUTOFF_HZ if walking_person else MAX_CUTOFF_HZ
    return min(real_hz / slow_motion_factor, 0.4 * fps)


def runs_of(mask: NDArray[np.bool_]) -> list[slice]:
    """Return the unbroken stretches in which the mask holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [slice(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _low_pass(track: NDArray[np.float64], cutoff_hz: float, fps: float) -> NDArray[np.float64]:
    """Run a second-order Butterworth forwards and backwards (fourth order, no lag) over each unbroken stretch."""
    # Two passes halve the power at the cutoff twice; this factor puts the -3 dB point back (Winter 2009, ch. 3).
    sections = butter(2, min(cutoff_hz / 0.802, 0.49 * fps), fs=fps, output="sos")
    smooth = track.copy()
    for stretch in runs_of(np.isfinite(track[:, 0])):
        if stretch.stop - stretch.start > 12:
            smooth[stretch] = sosfiltfilt(sections, track[stretch], axis=0)
    return smooth


def _middle(xy_px: NDArray[np.float64], seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the subject's middle in every frame, (N, 2), bridged over frames in which nothing was seen."""
    frames = np.arange(len(xy_px))
    middle = np.zeros((len(xy_px), 2))
    some = seen.any(1)
    if not some.any():
        return middle
    for axis in range(2):
        values = np.where(seen, xy_px[..., axis], np.nan)
        middle[:, axis] = np.interp(frames, frames[some], np.nanmedian(values[some], axis=1))
    return middle
