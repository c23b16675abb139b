"""The stride's rhythm straight from the pictures: how alike an animal's legs look to themselves, moments apart.

Points of single frames are often wrong where legs cover each other; that the same picture comes back stride after
stride is plain all the same. The legs' heat maps and the animal's own pixels, with the background masked out, are laid
over each other along the trunk and compared over time (self-similarity, as Cutler & Davis, 2000, do for people).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from video2reward.tools.cycle import common_phase, sharpened_frequency, vertex

CELLS = 32
"""Side of the square grid that is laid over the animal."""
WIDTH = 1.5
"""Its side, in units of the root of the box's area."""
_MIN_HZ, _MAX_HZ = 0.4, 5.0
_LIKE_THE_BEST = 0.7
_COMPONENTS = 8
_LONGEST_S = 20.0
_NEAR = 0.15


@dataclass(frozen=True)
class Rhythm:
    """A stride frequency in clip hertz, how alike strides look (0 to 1), where in the clip, and the phase there."""

    frequency_hz: float
    strength: float
    window: slice
    phase: NDArray[np.float64]
    halves: float = 0.0
    """How alike the legs look half a stride apart, against a whole stride: a walk, trot or pace shows the same, with
    sides exchanged, which the maps do not tell apart; a gallop or bound shows the opposite."""

    @property
    def num_strides(self) -> float:
        return float(self.phase[-1] - self.phase[0])


@dataclass(frozen=True)
class Glimpse:
    """What is kept of one frame: small pictures of the network's window, as bytes.

    `legs` (M, 24, 24): roots of the legs' heat maps; `outline`, `pixels` (48, 48). A cell (x, y) of the larger ones
    lies at `origin_px + cell_px * (x, y)` of the clip.
    """

    legs: NDArray[np.uint8]
    outline: NDArray[np.uint8]
    pixels: NDArray[np.uint8]
    origin_px: NDArray[np.float64]
    cell_px: NDArray[np.float64]


def glimpse_of(
    image: NDArray[np.uint8],
    scale: float,
    leg_maps: NDArray[np.float32],
    outline: NDArray[np.float32],
    origin_px: NDArray[np.float64],
    cell_px: NDArray[np.float64],
) -> Glimpse:
    """Keep what is needed of a picture and of the network's maps (M, 48, 48) and (48, 48) in it."""
    half = outline.shape[0] // 2
    legs = np.stack([cv2.resize(cv2.GaussianBlur(one, (0, 0), 1.0), (half, half)) for one in leg_maps])
    window = np.array([[cell_px[0], 0, origin_px[0]], [0, cell_px[1], origin_px[1]]]) * scale
    return Glimpse(
        legs=_bytes(np.sqrt(legs)),
        outline=_bytes(cv2.GaussianBlur(outline, (0, 0), 1.0)),
        pixels=_pixels(image, window, outline.shape[0]),
        origin_px=origin_px,
        cell_px=cell_px,
    )


def looks_along(
    glimpses: Sequence[Glimpse | None], anchor_px: NDArray[np.float64], side_px: float
) -> NDArray[np.float32]:
    """Lay a grid of side `side_px` about the trunk, at `anchor_px` (T, 2), over each glimpse: (T, D), NaN where none.

    The first part of a row is the legs' maps, the second the animal's own pixels below its back.
    """
    cell = side_px / CELLS
    rows: list[NDArray[np.float32] | None] = []
    for glimpse, anchor in zip(glimpses, anchor_px, strict=True):
        if glimpse is None or not np.isfinite(anchor).all():
            rows.append(None)
            continue
        corner = (anchor - side_px / 2 + cell / 2 - glimpse.origin_px) / glimpse.cell_px
        step = cell / glimpse.cell_px
        fine = np.array([[step[0], 0, corner[0]], [0, step[1], corner[1]]])
        coarse = np.array([[step[0], 0, corner[0] / 2 - 0.25], [0, step[1], corner[1] / 2 - 0.25]])
        legs = [_laid_over(one, coarse, CELLS // 2) for one in glimpse.legs]
        pixels, mask = (_laid_over(one, fine, CELLS) for one in (glimpse.pixels, glimpse.outline))
        own = ((pixels - np.median(pixels)) * mask)[CELLS // 3 :]
        rows.append(np.concatenate([_unit(np.stack(legs).ravel()), _unit(own.ravel())]))
    size = next((len(row) for row in rows if row is not None), 1)
    return np.stack([row if row is not None else np.full(size, np.nan, np.float32) for row in rows])


def find_rhythm(
    looks: NDArray[np.float32], segments: list[slice], fps: float, near_hz: float | None = None
) -> Rhythm | None:
    """Find the stretch with the plainest strides and their frequency; None where nothing comes back.

    `looks` (T, D), NaN where no animal was seen. Where the frequency is known from elsewhere, `near_hz`, only what
    comes back about so often is looked at.
    """
    best: Rhythm | None = None
    for segment in segments:
        for window in _windows(segment, fps):
            known = np.isfinite(looks[window, 0])
            if known.sum() < 12 or not known.all():
                continue
            rhythm = _rhythm_in(looks[window], fps, window, near_hz)
            if rhythm and (best is None or _worth(rhythm) > _worth(best)):
                best = rhythm
    return best


def _worth(rhythm: Rhythm) -> float:
    # What comes back once or twice may be chance.
    return rhythm.strength * float(np.clip((rhythm.num_strides - 1) / 4, 0, 1))


def _windows(segment: slice, fps: float) -> list[slice]:
    longest = max(int(_LONGEST_S * fps), 2)
    starts = range(segment.start, max(segment.stop - longest // 2, segment.start + 1), longest // 2)
    return [slice(start, min(start + longest, segment.stop)) for start in starts]


def _rhythm_in(looks: NDArray[np.float32], fps: float, window: slice, near_hz: float | None) -> Rhythm | None:
    half = len(looks[0]) - (CELLS - CELLS // 3) * CELLS
    parts = [_unit_rows(_without_drift(part, fps)) for part in (looks[:, :half], looks[:, half:])]
    both = np.concatenate(parts, axis=1) / np.sqrt(2)
    alike = both @ both.T
    lags = np.arange(min(int(0.67 * len(looks)), int(fps / _MIN_HZ) + 2))
    mean = np.array([np.diagonal(alike, lag).mean() for lag in lags])
    peaks = 1 + np.flatnonzero((mean[1:-1] > mean[:-2]) & (mean[1:-1] >= mean[2:]) & (mean[1:-1] > 0))
    peaks = peaks[peaks >= fps / _MAX_HZ]
    if near_hz is not None:
        peaks = peaks[np.abs(np.log(peaks * near_hz / fps)) < _NEAR]
    if not len(peaks):
        return None
    weighed = mean[peaks] * np.sqrt(1 - peaks / len(looks))
    # In a trot or a walk half a stride looks much like a whole one: it is passed over unless it looks as much alike.
    lag = int(peaks[weighed >= _LIKE_THE_BEST * weighed.max()][0])
    values, vectors = np.linalg.eigh(alike.astype(np.float64))
    signals = vectors[:, -_COMPONENTS:] * np.sqrt(np.maximum(values[-_COMPONENTS:], 0))
    frequency = sharpened_frequency(signals, fps, fps / (lag + vertex(mean[lag - 1 : lag + 2])))
    phase = common_phase(signals, fps, frequency)
    frequency = float(np.polyfit(np.arange(len(phase)) / fps, phase, 1)[0])
    legs = parts[0] @ parts[0].T
    of_legs = [float(np.diagonal(legs, at).mean()) for at in lags]
    half, whole = np.interp([0.5 * fps / frequency, fps / frequency], lags, of_legs)
    halves = float(np.clip(half / max(whole, 0.05), -1, 1))
    return Rhythm(frequency, float(np.clip(mean[lag], 0, 1)), window, phase, halves)


def _without_drift(looks: NDArray[np.float32], fps: float) -> NDArray[np.float32]:
    smooth = gaussian_filter1d(looks, 0.7, axis=0, mode="nearest")
    return smooth - gaussian_filter1d(smooth, 0.7 * fps, axis=0, mode="nearest")


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values / (float(np.linalg.norm(values)) + 1e-6)


def _unit_rows(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values / (np.linalg.norm(values, axis=1, keepdims=True) + 1e-6)


def _laid_over(picture: NDArray[np.uint8], transform: NDArray[np.float64], size: int) -> NDArray[np.float32]:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        picture.astype(np.float32), transform, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


def _pixels(image: NDArray[np.uint8], window: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """Return the window as a gray picture (size, size), averaged over what a cell covers."""
    fine = max(1, min(int(abs(window[0, 0])), 4))
    part = window.copy()
    part[:, :2] /= fine
    part[:, 2] -= window[[0, 1], [0, 1]] * (0.5 - 0.5 / fine)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    large = cv2.warpAffine(image, part, (size * fine, size * fine), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    gray = cv2.cvtColor(large, cv2.COLOR_RGB2GRAY)
    return cv2.GaussianBlur(cv2.resize(gray, (size, size), interpolation=cv2.INTER_AREA), (0, 0), 0.7)


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.clip(255 * values, 0, 255).astype(np.uint8)
