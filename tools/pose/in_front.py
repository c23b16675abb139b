"""Which of two legs is the nearer one, by which is seen where they cross.

The nearer leg covers the farther one. Where the two are apart each shows its own shade, in the light or in the trunk's
shadow, in its own coat; where they cross the picture shows the shade of the one in front. Of legs that look alike this
tells nothing. No training went into it: it holds for any animal and any picture.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from video2reward.tools.pose.rhythm import Glimpse

Floats = NDArray[np.float64]
_APART = 0.06
"""In sides of the grid: so far from the other leg a part of a leg shows its own shade."""
_FEWEST_FRAMES, _FEWEST_CROSSINGS = 8, 3
_NOISE = 5.0
"""Of 255: no leg's shade is surer than this."""
_UNLIKE = 0.8
"""Shades that differ by less, in their own scatter, tell nothing."""
_MOST = 2.0
"""Log-odds that one moment tells at most."""
_ALONG = (0.3, 0.5, 0.7)
_COVERED = 0.025
"""So near to the middle of the other leg, in sides of the grid, one of the two covers the other."""


def seen_in_front(
    glimpses: Sequence[Glimpse | None], one_px: Floats, other_px: Floats, phase: Floats, side_px: float
) -> float:
    """Return in standard errors how surely the first leg passes before the other; below 0 it passes behind.

    `one_px` and `other_px` (T, J, 2) are the legs' joints from the top down, in pixels of the clip, NaN where unseen;
    `phase` (T,) is the stride's. Each crossing of the legs counts once.
    """
    legs = (one_px, other_px)
    shades = [np.stack([_shade(glimpses, leg[:, part], leg[:, part + 1]) for part in range(leg.shape[1] - 1)], axis=1)
              for leg in legs]  # fmt: skip
    alone = [_alone(leg, other, side_px) for leg, other in (legs, legs[::-1])]
    known = [[_usual(shade[:, part], free[:, part]) for part in range(shade.shape[1])]
             for shade, free in zip(shades, alone, strict=True)]  # fmt: skip
    told: dict[int, list[float]] = {}
    for part, first in enumerate(known[0]):
        for share in _ALONG:
            point = one_px[:, part] + share * (one_px[:, part + 1] - one_px[:, part])
            for other_part, second in enumerate(known[1]):
                if first is None or second is None:
                    continue
                scatter = max(float(np.hypot(first[1], second[1])) / np.sqrt(2), _NOISE)
                if abs(first[0] - second[0]) < _UNLIKE * scatter:
                    continue
                there = _nearest(point, other_px[:, other_part], other_px[:, other_part + 1])
                covered = np.hypot(*(there - point).T) < _COVERED * side_px
                at = np.where(covered[:, None], 0.5 * (point + there), np.nan)
                shade = _shade(glimpses, at, at)
                odds = ((shade - second[0]) ** 2 - (shade - first[0]) ** 2) / (2 * scatter**2)
                for frame in np.flatnonzero(np.isfinite(odds)):
                    told.setdefault(int(np.floor(2 * phase[frame])), []).append(
                        float(np.clip(odds[frame], -_MOST, _MOST))
                    )
    crossings = np.array([np.mean(each) for each in told.values()])
    if len(crossings) < _FEWEST_CROSSINGS:
        return 0.0
    return float(crossings.sum() / np.sqrt((crossings**2).sum() + 1.0))


def _usual(shade: Floats, free: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return the middle and the scatter of a part's shade where it is alone; None where that is too seldom."""
    values = shade[free & np.isfinite(shade)]
    if len(values) < _FEWEST_FRAMES:
        return None
    middle = float(np.median(values))
    return middle, 1.48 * float(np.median(np.abs(values - middle)))


def _shade(glimpses: Sequence[Glimpse | None], start_px: Floats, end_px: Floats) -> Floats:
    """Return the mean grey (T,) along the middle of a line; NaN where it is not in the picture."""
    out = np.full(len(glimpses), np.nan)
    for frame, glimpse in enumerate(glimpses):
        if glimpse is None or not np.isfinite(start_px[frame] + end_px[frame]).all():
            continue
        along = np.array(_ALONG)[:, None]
        points = start_px[frame] + along * (end_px[frame] - start_px[frame])
        cells = np.round((points - glimpse.origin_px) / glimpse.cell_px).astype(int)
        inside = ((cells >= 0) & (cells < glimpse.pixels.shape[0])).all()
        if inside:
            out[frame] = glimpse.pixels[cells[:, 1], cells[:, 0]].mean()
    return out


def _alone(leg: Floats, other: Floats, side_px: float) -> NDArray[np.bool_]:
    """Tell where the middle of each part of a leg, (T, J - 1), is far from all of the other leg."""
    middle = 0.5 * (leg[:, :-1] + leg[:, 1:])
    nearest = np.full(middle.shape[:2], np.inf)
    for part in range(other.shape[1] - 1):
        off = middle - _nearest(middle, other[:, None, part], other[:, None, part + 1])
        nearest = np.minimum(nearest, np.nan_to_num(np.hypot(off[..., 0], off[..., 1]), nan=np.inf))
    return nearest > _APART * side_px


def _nearest(point: Floats, start: Floats, end: Floats) -> Floats:
    """Return where on lines from `start` to `end` (..., 2) points (..., 2) are nearest."""
    way = end - start
    share = ((point - start) * way).sum(-1) / ((way**2).sum(-1) + 1e-9)
    return start + np.clip(share, 0, 1)[..., None] * way
