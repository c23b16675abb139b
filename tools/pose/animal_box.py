"""The animal's box over time: what moves says where to look, the network's outline where the animal ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter
from video2reward.tools.pose.quadnet import QuadNet
from video2reward.tools.video import Frame

LOOKS_PER_S = 6.0
_GROWN = (1.0, 1.5)
SURE_BOX = 0.16
_CLOSE = 1.7
"""A size this many times larger or smaller than the clip's usual one is the outline of something else."""


_PLAIN_ODDS, _TURNED = 1.0, 0.3
"""Log-odds of one look count up to the first; on both sides of a turn the looks' mean reaches this share of it."""
_LEAST_TURNED_S = 1.0


class BoxFinder:
    """Take frames in order with the box around what moves; look at some of them."""

    def __init__(self, network: QuadNet, fps: float) -> None:
        self._network = network
        self._every = max(1, round(fps / LOOKS_PER_S))
        self._fps = fps
        self._facing: list[tuple[int, float]] = []
        self._last: NDArray[np.float64] | None = None
        self._frame_index: list[int] = []
        self._boxes: list[NDArray[np.float64]] = []
        self._scores: list[float] = []

    @property
    def facing(self) -> int:
        """Return 1 for an animal that faces right in the picture and -1 for left, from all looks together."""
        return 1 if sum(odds for _, odds in self._facing) >= 0 else -1

    @property
    def facing_odds(self) -> float:
        """Return the mean log-odds of a look that the animal faces right in the picture."""
        return float(np.mean([odds for _, odds in self._facing])) if self._facing else 0.0

    def turned_at(self) -> int | None:
        """Return the frame from which the animal faces the other way for good; None where it goes one way all along.

        Of all moments the one before and after which the looks agree best; both parts have to last and to be plain.
        """
        frames = [frame for frame, _ in self._facing]
        odds = np.clip([value for _, value in self._facing], -_PLAIN_ODDS, _PLAIN_ODDS)
        least = round(_LEAST_TURNED_S * LOOKS_PER_S)
        best: tuple[float, int | None] = (0.0, None)
        for split in range(least, len(odds) - least + 1):
            before, after = odds[:split].mean() / _PLAIN_ODDS, odds[split:].mean() / _PLAIN_ODDS
            plain = min(abs(before), abs(after))
            apart = abs(odds[:split].sum() - odds[split:].sum())
            if before * after < 0 and plain > _TURNED and apart > best[0]:
                best = (float(apart), frames[split])
        return best[1]

    def add(self, frame: Frame, moving_px: NDArray[np.float64]) -> None:
        """Close in on the animal from the moving box (4,), from larger ones, and from where it was last."""
        if frame.index % self._every or not np.isfinite(moving_px).all():
            return
        starts = [_grown(moving_px * frame.scale, factor) for factor in _GROWN]
        if self._last is not None:
            starts.append(self._last * frame.scale)
        box, score, odds = self._closed_in(frame.image, starts)
        if score > SURE_BOX:
            self._facing.append((frame.index, odds))
        self._frame_index.append(frame.index)
        self._boxes.append(box / frame.scale)
        self._scores.append(score)
        self._last = box / frame.scale if score > SURE_BOX else None

    def _closed_in(
        self, image: NDArray[np.uint8], starts: Sequence[NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], float, float]:
        """Return the surest box (4,), its score, and the log-odds that the animal in it faces right."""
        still = (image, image, image)
        found, scores = self._network.raw(still, np.array(starts), self.facing).boxes()
        usable = np.isfinite(found).all(1) & (found[:, 2:].min(1) > 8)
        if not usable.any():
            return np.full(4, np.nan), 0.0, 0.0
        top = int(np.argmax(np.where(usable, scores, -1)))
        box, score = found[top], float(scores[top])
        # Both ways: the difference tells which way it faces, and the way it is taken to face a closer box.
        raw = self._network.raw(still, np.tile(box, (2, 1)), np.array([1, -1]))
        odds = 0.5 * float(raw.facing_odds[0] - raw.facing_odds[1])
        closer, scores = raw.boxes()
        way = 0 if self.facing > 0 else 1
        if scores[way] > score and np.isfinite(closer[way]).all() and closer[way, 2:].min() > 8:
            box, score = closer[way], float(scores[way])
        return box, score, odds

    def result(self, segments: Sequence[slice], num_frames: int) -> tuple[NDArray[np.float64], float]:
        """Return the box in every frame, (T, 4) in pixels of the clip, and how surely an animal was seen, 0 to 1.

        NaN in segments (stretches without a cut) in which none was seen.
        """
        boxes, scores = np.array(self._boxes).reshape(-1, 4), np.array(self._scores)
        index = np.array(self._frame_index)
        along = np.full((num_frames, 4), np.nan)
        seen = []
        for segment in segments:
            good = (scores > SURE_BOX) & (index >= segment.start) & (index < segment.stop)
            if good.sum() < 2:
                continue
            sizes = np.sqrt(np.nan_to_num(boxes[:, 2] * boxes[:, 3], nan=1e12))
            usual = _weighted_median(sizes[good], scores[good])
            good &= np.abs(np.log(sizes / usual)) < np.log(_CLOSE)
            if good.sum() < 2:
                continue
            along[segment] = _smooth(boxes[good], index[good] - segment.start, segment.stop - segment.start, self._fps)
            seen.append(scores[good])
        return along, float(np.concatenate(seen).mean()) if seen else 0.0


def _smooth(boxes: NDArray[np.float64], index: NDArray[np.int64], num_frames: int, fps: float) -> NDArray[np.float64]:
    """Let the box's centre follow quickly and its size slowly, (num_frames, 4)."""
    centre = median_filter(boxes[:, :2] + boxes[:, 2:] / 2, size=(min(3, len(boxes)), 1), mode="nearest")
    size = median_filter(boxes[:, 2:], size=(min(9, len(boxes)), 1), mode="nearest")
    frames = np.arange(num_frames)
    every = np.stack([np.interp(frames, index, values) for values in np.hstack([centre, size]).T], axis=1)
    every[:, :2] = gaussian_filter1d(every[:, :2], 0.1 * fps, axis=0, mode="nearest")
    every[:, 2:] = gaussian_filter1d(every[:, 2:], 0.5 * fps, axis=0, mode="nearest")
    every[:, :2] -= every[:, 2:] / 2
    return every


def _grown(box: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    return np.concatenate([box[:2] + box[2:] * (1 - factor) / 2, box[2:] * factor])


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    along = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(along, along[-1] / 2)])
