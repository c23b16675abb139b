"""In which order legs swing, from where along an animal something swings at which part of the stride.

Over a stride each leg sweeps from behind its hip to ahead of it, once. Four such sweeps are fitted to what was seen:
either the legs of each pair swing half a stride apart, as in every symmetrical gait (walk, trot, pace), or nearly
together, as in gallops and bounds (Hildebrand, 1989). Of a pair, the leg that is seen more of is the near one: the far
one is partly behind it.

How late hind swings are seen, and the shares asked for, were set on 36 drawn animals and eleven clips: how often a name
is right on others is not known from those.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.records import GaitLabel, SwingReading
from video2reward.tools.pose.swings import COLUMNS, SPAN, Swings

_BINS = 24
_HALF = _BINS // 2
_ALONG = SPAN[0] + (np.arange(COLUMNS) + 0.5) / COLUMNS * (SPAN[1] - SPAN[0])
_SHOULDERS, _HIPS, _REACHES, _SWINGS = (0.62, 0.69, 0.76), (0.22, 0.29, 0.36), (0.1, 0.16, 0.22), (0.35, 0.5, 0.65)
Body = tuple[float, float, float, float]
"""Where the shoulders and the hips are, how far a foot reaches, and the swing's share of the stride."""
_BODIES: list[Body] = list(product(_SHOULDERS, _HIPS, _REACHES, _SWINGS))
_TOGETHER = (0, 2, 4)
"""How far apart, in bins, the legs of a pair may swing where they swing together."""
_WIDTH_X, _WIDTH_BINS = 0.055, 0.8
_STIFF = 0.05
_HIND_LATE = 0.06
"""How much later a hind leg's swing is seen than it is, in strides: the mean over drawn animals (evals/quadnet), whose
hind legs start behind the thigh."""
_RESAMPLED = 100
_APART, _SHARE = -1.0, 0.85
"""In standard errors and as a share of the resamples: a symmetrical gait is named where both are reached."""
_HIND_LAGS: dict[GaitLabel, float] = {"trot": 0.5, "pace": 0.0, "walk": 0.75}
_LEAST_EXPLAINED = 0.12
_LEAST_STRIDES = 3


@dataclass(frozen=True)
class SwingOrder:
    """`symmetrical`: by how much more half a stride between the legs of a pair explains than none, and its error.

    `hind_lags` (R,): how long after the near fore leg the near hind leg swings, in strides, in resamples of the strides
    (bootstrap), as symmetrical gaits have it.
    """

    symmetrical: float
    error: float
    hind_lags: NDArray[np.float64]

    def share(self, lag: float, within: float = 0.125) -> float:
        """Return the share of resamples whose lag is that near to `lag`."""
        off = np.abs((self.hind_lags - lag + 0.5) % 1.0 - 0.5)
        return float((off <= within).mean())


def read_swings(swings: Swings, phase: NDArray[np.float64]) -> SwingReading | None:
    """Return what the swings say of the gait, given the stride's phase (T,) in strides; None where they say nothing."""
    order = find_order(swings.forward, phase)
    if order is None:
        return None
    apart = order.symmetrical / max(order.error, 1e-3)
    gait, share = max(((name, order.share(lag)) for name, lag in _HIND_LAGS.items()), key=lambda item: item[1])
    named = apart >= _APART and share >= _SHARE
    return SwingReading(gait=gait if named else None, share=share)


def find_order(forward: NDArray[np.float64], phase: NDArray[np.float64]) -> SwingOrder | None:
    """Fit both kinds of gait to what swings, (T, COLUMNS), at each phase (T,) in strides; None where neither fits."""
    sums, counts = _by_stride(forward, phase)
    if len(sums) < _LEAST_STRIDES:
        return None
    mean = _mean(sums, counts)
    apart = _best_by_lag(mean, *_symmetrical(), _BODIES)
    together = _best_by_lag(mean, *_together(), _BODIES)
    gap = float(apart.explained(mean).max() - together.explained(mean).max())
    if max(apart.explained(mean).max(), together.explained(mean).max()) < _LEAST_EXPLAINED:
        return None
    rng = np.random.default_rng(0)
    lags, gaps = [], []
    for _ in range(_RESAMPLED):
        drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)))
        again = _mean(sums * drawn[:, None, None], counts * drawn[:, None])
        by_lag = apart.explained(again)
        lags.append(int(np.argmax(by_lag)) / _BINS)
        gaps.append(by_lag.max() - together.explained(again).max())
    return SwingOrder(gap, float(np.std(gaps)), (np.array(lags) - _HIND_LATE) % 1.0)


@dataclass(frozen=True)
class _Fits:
    """Orders of four legs, each on a body: what their parts (N, 4, BINS * COLUMNS) show, and the parts' products."""

    parts: NDArray[np.float64]
    gram: NDArray[np.float64]

    def explained(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of the mean stride's variation that each explains, (N,)."""
        return _explained(self.parts @ mean, self.gram, mean)


def _by_stride(
    forward: NDArray[np.float64], phase: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return sums (S, BINS, COLUMNS) and counts (S, BINS) over each stride."""
    stride = np.floor(phase - phase[0]).astype(int)
    bins = (phase % 1.0 * _BINS).astype(int) % _BINS
    sums = np.zeros((stride.max() + 1, _BINS, forward.shape[1]))
    counts = np.zeros(sums.shape[:2])
    np.add.at(sums, (stride, bins), forward)
    np.add.at(counts, (stride, bins), 1.0)
    return sums, counts


def _mean(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean stride without what is there all the time, (BINS * COLUMNS,)."""
    mean = sums.sum(0) / np.maximum(counts.sum(0), 1.0)[:, None]
    return (mean - mean.mean(0)).ravel()


def _symmetrical() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the bins (N, 4) of the four swings' middles for every start and lag, and the lags (N,)."""
    rows = np.array([(at, at + _HALF, at + lag, at + lag + _HALF) for lag in range(_BINS) for at in range(_BINS)])
    return rows % _BINS, np.repeat(np.arange(_BINS), _BINS)


def _together() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    starts = product(range(_BINS), range(_BINS), _TOGETHER, _TOGETHER)
    rows = np.array([(at, at + fore, at + lag, at + lag + hind) for at, lag, fore, hind in starts])
    return rows % _BINS, np.zeros(len(rows), np.int64)


def _best_by_lag(
    mean: NDArray[np.float64], legs: NDArray[np.int64], lags: NDArray[np.int64], bodies: list[Body]
) -> _Fits:
    """Return for each lag the order (N, 4) and body that explain most."""
    # In a symmetrical gait the amplitudes are what both legs of a pair show and what the near one shows beyond that.
    mixed = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]], float) if lags.any() else np.eye(4)
    count = int(lags.max()) + 1
    best = np.full(count, -np.inf)
    parts, grams = np.zeros((count, 4, len(mean))), np.zeros((count, 4, 4))
    for shoulders, hips, reach, swing in bodies:
        fore, hind = _sweeps(shoulders, reach, swing), _sweeps(hips, reach, swing)
        seen = np.concatenate([(fore @ mean)[legs[:, :2]], (hind @ mean)[legs[:, 2:]]], axis=1) @ mixed
        gram = mixed.T @ _products(fore, hind, legs) @ mixed + _STIFF * np.eye(4)
        explained = _explained(seen, gram, mean)
        for lag in range(count):
            rows = np.flatnonzero(lags == lag)
            top = rows[int(np.argmax(explained[rows]))]
            if explained[top] > best[lag]:
                sweeps = np.concatenate([fore[legs[top, :2]], hind[legs[top, 2:]]])
                best[lag], parts[lag], grams[lag] = explained[top], mixed.T @ sweeps, gram[top]
    return _Fits(parts, grams)


def _products(fore: NDArray[np.float64], hind: NDArray[np.float64], legs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the products (N, 4, 4) of the four sweeps of each order: they depend on how far apart two are."""
    same, cross = [one @ one[0] for one in (fore, hind)], fore @ hind[0]
    gram = np.empty((len(legs), 4, 4))
    for p, q in product(range(4), range(4)):
        lag = (legs[:, p] - legs[:, q]) % _BINS
        gram[:, p, q] = same[p // 2][lag] if p // 2 == q // 2 else cross[lag if p < 2 else -lag % _BINS]
    return gram


def _explained(seen: NDArray[np.float64], gram: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share (N,) that parts explain whose products with the mean stride are `seen` (N, 4)."""
    amplitude = np.zeros_like(seen)
    for _ in range(8):  # coordinate descent: least squares with amplitudes of at least 0
        for part in range(4):
            of_others = np.einsum("nq,nq->n", gram[:, part], amplitude) - gram[:, part, part] * amplitude[:, part]
            amplitude[:, part] = np.maximum(seen[:, part] - of_others, 0.0) / gram[:, part, part]
    fitted = 2 * (amplitude * seen).sum(1) - np.einsum("np,npq,nq->n", amplitude, gram, amplitude)
    return fitted / max(float(mean @ mean), 1e-12)


@lru_cache(maxsize=128)
def _sweeps(place: float, reach: float, swing: float) -> NDArray[np.float64]:
    """Return one leg's sweep with its middle at each part of the stride, (BINS, BINS * COLUMNS), each of length 1."""
    sweep = np.zeros((_BINS, COLUMNS))
    for share in np.linspace(0.02, 0.98, 25):
        along = place + reach * (2 * share * share * (3 - 2 * share) - 1)
        late = (np.arange(_BINS) - (share - 0.5) * swing * _BINS + _HALF) % _BINS - _HALF
        spread = np.exp(-0.5 * (late / _WIDTH_BINS) ** 2)[:, None] * np.exp(-0.5 * ((_ALONG - along) / _WIDTH_X) ** 2)
        sweep += 6 * share * (1 - share) * spread
    sweep -= sweep.mean(0)
    sweep /= np.linalg.norm(sweep)
    return np.stack([np.roll(sweep, start, axis=0).ravel() for start in range(_BINS)])
