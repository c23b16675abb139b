"""Which leg is which, over a whole stretch of strides: two like legs that pass each other in a known rhythm.

In single frames the network sees where the two legs of a pair are, one behind and one ahead; which of them is the near
one it can only guess. Both legs of a pair go the same way, one a part of a stride after the other. So a path of few
numbers is fitted to all frames at once: back at one speed for the stance, forward again for the swing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_ndtr, ndtr, ndtri
from video2reward.memory.records import QUADRUPED_KEYPOINTS
from video2reward.tools.pose.in_front import seen_in_front
from video2reward.tools.pose.nearer import stands_nearer
from video2reward.tools.pose.points import PointSeries
from video2reward.tools.pose.quadnet import NEAR_FAR_KEYPOINTS, PAIRS, to_left_right
from video2reward.tools.pose.rhythm import Glimpse, Rhythm

_BINS = 24
_GRID = np.linspace(-0.6, 0.6, 97)
_SIGMA = 0.05
"""How far off a place is usually, as a share of the grid's side."""
_CAP = 6.0
_DUTIES = (0.3, 0.45, 0.6)
_SWINGS = np.array([0.04, 0.08, 0.12, 0.17, 0.22, 0.28, 0.35])
_MIDDLES = np.linspace(-0.12, 0.12, 7)
_FAR_OFF = 0.12
_SEEN = 0.3
_SURE_SIDE = 2.0
"""In standard errors: above it, near and far are told apart."""
_GIRDLES = ((0, 1, 2), (3, 4, 5))


@dataclass(frozen=True)
class _PairPath:
    """Where the two legs of a pair are over the stride (BINS,), forward, in sides of the grid: one, and the other."""

    one: NDArray[np.float64]
    other: NDArray[np.float64]


def told_apart(
    places_px: NDArray[np.float64],
    confidence: NDArray[np.float64],
    near_behind: NDArray[np.float64],
    anchor_px: NDArray[np.float64],
    side_px: float,
    rhythm: Rhythm | None,
    facing: int,
    source: str,
    glimpses: Sequence[Glimpse | None] | None = None,
) -> PointSeries:
    """Give the places (T, 32, 2) of the network's channels to left and right legs, within the rhythm's stretch.

    `near_behind` (T, 6) are log-odds that the near leg of a pair is the one behind. Without a rhythm the network's own
    near and far are taken as they are.
    """
    count = len(NEAR_FAR_KEYPOINTS)
    xy, sure = places_px[:, :count].copy(), confidence[:, :count].copy()
    notes: list[str] = []
    girdles_sure: list[float] = []
    if rhythm is not None:
        inside = np.zeros(len(xy), dtype=bool)
        inside[rhythm.window] = True
        sure[~inside] = 0.0
        frames = np.arange(len(xy))[rhythm.window]
        forward = facing * (places_px[frames, :, 0] - anchor_px[frames, None, 0]) / side_px
        bins = (rhythm.phase % 1.0 * _BINS).astype(int) % _BINS
        for girdle, what in zip(_GIRDLES, ("fore", "hind"), strict=True):
            paths = _fit_girdle(forward, confidence[frames], bins, girdle)
            odds = both_tell(
                _identity(paths, near_behind[frames], bins, girdle),
                _by_the_ground(paths[-1], places_px[frames], confidence[frames], rhythm.phase, girdle[-1], side_px),
            )
            if glimpses is not None:
                legs = _joints(paths, places_px[frames], confidence[frames], bins, girdle)
                front = seen_in_front([glimpses[frame] for frame in frames], *legs, rhythm.phase, side_px)
                odds = both_tell(odds, front)
            girdles_sure.append(abs(odds))
            if abs(odds) < _SURE_SIDE:
                notes.append(f"which of the {what} legs is the near one is a guess ({abs(odds):.1f} standard errors)")
            for pair, path in zip(girdle, paths, strict=True):
                near, far = (path.one, path.other) if odds >= 0 else (path.other, path.one)
                behind, ahead = count + 2 * pair, count + 2 * pair + 1
                near_ahead = near[bins] > far[bins]
                for channel, leg, source_channel in (
                    (PAIRS[pair][0], near, np.where(near_ahead, ahead, behind)),
                    (PAIRS[pair][1], far, np.where(near_ahead, behind, ahead)),
                ):
                    rows = np.arange(len(frames))
                    xy[frames, channel] = places_px[frames, source_channel]
                    off = np.abs(forward[rows, source_channel] - leg[bins]) > _FAR_OFF
                    sure[frames, channel] = np.where(off, 0.0, np.maximum(confidence[frames, source_channel], 0.31))
    return PointSeries(
        skeleton="quadruped",
        names=QUADRUPED_KEYPOINTS,
        frame_index=np.arange(len(xy)),
        xy_px=to_left_right(xy, facing),
        confidence=to_left_right(sure, facing, axis=-1),
        source=source,
        name_by_source_name={name: name for name in QUADRUPED_KEYPOINTS},
        notes=tuple(notes),
        sides_sure=_together(*girdles_sure) if girdles_sure else None,
    )


def both_tell(one: float, other: float) -> float:
    """Return what two independent witnesses say together; all in standard errors, below 0 for the opposite."""
    odds = sum(log_ndtr(witness) - log_ndtr(-witness) for witness in (one, other))
    return float(np.sign(odds) * ndtri(np.clip(expit(abs(odds)), 0.5, 1 - 1e-9)))


def _by_the_ground(
    paths: _PairPath, places_px: NDArray[np.float64], confidence: NDArray[np.float64], phase: NDArray[np.float64],
    pair: int, side_px: float,
) -> float:  # fmt: skip
    """Return in standard errors how surely the first leg of a pair of paws stands nearer than the other."""
    behind = len(NEAR_FAR_KEYPOINTS) + 2 * pair
    rows, bins = np.arange(len(phase)), (phase % 1.0 * _BINS).astype(int) % _BINS
    ahead = (paths.one > paths.other)[bins]
    channels = (np.where(ahead, behind + 1, behind), np.where(ahead, behind, behind + 1))
    one, other = ((places_px[rows, at, 1], confidence[rows, at] >= _SEEN) for at in channels)
    return stands_nearer((one[0], other[0]), (one[1], other[1]), (paths.one, paths.other), phase, side_px)


def _joints(
    paths: list[_PairPath], places_px: NDArray[np.float64], confidence: NDArray[np.float64], bins: NDArray[np.int64],
    girdle: tuple[int, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # fmt: skip
    """Return the joints (T, J, 2) of the first and of the other leg, NaN where they are not seen."""
    rows = np.arange(len(bins))
    legs: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    for pair, path in zip(girdle, paths, strict=True):
        behind = len(NEAR_FAR_KEYPOINTS) + 2 * pair
        ahead = (path.one > path.other)[bins]
        for leg, first in zip(legs, (ahead, ~ahead), strict=True):
            at = np.where(first, behind + 1, behind)
            seen = confidence[rows, at] >= _SEEN
            leg.append(np.where(seen[:, None], places_px[rows, at], np.nan))
    return np.stack(legs[0], axis=1), np.stack(legs[1], axis=1)


def _together(fore: float, hind: float) -> float:
    """Return in standard errors how surely fore and hind legs of one side were given to one side, near or far.

    That is what tells a pace from a trot. Both mistaken is as good as both right: the whole animal is then mirrored,
    which changes no gait's name.
    """
    right = ndtr(fore) * ndtr(hind) + ndtr(-fore) * ndtr(-hind)
    return float(ndtri(np.clip(right, 0.5, 1 - 1e-9)))


def _fit_girdle(
    forward: NDArray[np.float64], confidence: NDArray[np.float64], bins: NDArray[np.int64], girdle: tuple[int, ...]
) -> list[_PairPath]:
    """Return the paths of a girdle's joints: one phase and one lag between the legs for all, a swing for each."""
    count = len(NEAR_FAR_KEYPOINTS)
    total = np.zeros((_BINS, _BINS))
    fits = []
    for pair in girdle:
        behind, ahead = forward[:, count + 2 * pair], forward[:, count + 2 * pair + 1]
        weights = [np.clip(confidence[:, count + 2 * pair + place], 0.05, 1.0) for place in (0, 1)]
        costs = [_folded(x, w, bins) for x, w in zip((behind, ahead), weights, strict=True)]
        middle = float(np.median(np.concatenate([behind, ahead])))
        cost, choice = _search(costs[0], costs[1], middle)
        total += cost
        fits.append((choice, middle))
    start, lag = np.unravel_index(int(np.argmin(total)), total.shape)
    paths = []
    for choice, middle in fits:
        duty, swing, shift = np.unravel_index(int(choice[start, lag]), (len(_DUTIES), len(_SWINGS), len(_MIDDLES)))
        base = _SWINGS[swing] * _path(_DUTIES[duty]) + middle + _MIDDLES[shift]
        paths.append(_PairPath(np.roll(base, start), np.roll(base, start + lag)))
    return paths


def _search(
    behind: NDArray[np.float64], ahead: NDArray[np.float64], middle: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the least cost for every phase and lag, (BINS, BINS), and which path reaches it."""
    cells = np.arange(_BINS)
    shifts = (cells[None] - cells[:, None]) % _BINS  # row s: the path rolled by s
    best = np.full((_BINS, _BINS), np.inf)
    choice = np.zeros((_BINS, _BINS), dtype=np.int64)
    number = 0
    for duty in _DUTIES:
        shape = _path(duty)
        for swing in _SWINGS:
            for moved in _MIDDLES:
                base = swing * shape + middle + moved
                at = np.clip(np.round((base - _GRID[0]) / (_GRID[1] - _GRID[0])).astype(int), 0, len(_GRID) - 1)
                rolled = at[shifts]  # (BINS, BINS): the path begun at each phase
                partner = rolled[(cells[:, None] + cells[None]) % _BINS]  # (start, lag, bin)
                low, high = np.minimum(rolled[:, None], partner), np.maximum(rolled[:, None], partner)
                cost = behind[cells, low].sum(-1) + ahead[cells, high].sum(-1)
                better = cost < best
                best[better], choice[better] = cost[better], number
                number += 1
    return best, choice


def _folded(x: NDArray[np.float64], weight: NDArray[np.float64], bins: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return what it costs, for each part of the stride, to be at each place of the grid: (BINS, G)."""
    cost = np.zeros((_BINS, len(_GRID)))
    off = weight[:, None] * np.minimum(((x[:, None] - _GRID) / _SIGMA) ** 2, _CAP)
    np.add.at(cost, bins, off)
    return cost


def _path(duty: float) -> NDArray[np.float64]:
    """Return a foot's way over a stride from touchdown on, forward, between 0.5 and -0.5."""
    phase = (np.arange(_BINS) + 0.5) / _BINS
    swing = np.clip((phase - duty) / (1 - duty), 0, 1)
    return np.where(phase < duty, 0.5 - phase / duty, swing**2 * (3 - 2 * swing) - 0.5)


def _identity(
    paths: list[_PairPath], near_behind: NDArray[np.float64], bins: NDArray[np.int64], girdle: tuple[int, ...]
) -> float:
    """Return in standard errors how surely the near leg is the first of each path; below 0 it is the other."""
    votes = []
    for pair, path in zip(girdle, paths, strict=True):
        gap = (path.other - path.one)[bins]  # above 0 where the first is behind
        votes.append(np.clip(near_behind[:, pair], -3, 3) * np.clip(gap / 0.1, -1, 1))
    vote = np.sum(votes, axis=0)
    # Frames next to each other and joints of one leg err together: about one in four tells something new.
    return float(vote.sum() / (np.sqrt(4 * (vote**2).sum()) + 1e-9))
