"""The mean stride: its frequency, a common phase over time, and each signal as a smooth function of that phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

MIN_STRIDE_HZ = 0.3
MAX_STRIDE_HZ = 5.0
PHASE_GRID = np.arange(256) / 256
_MAX_HARMONICS = 8
_ROBUST_PASSES = 6


@dataclass(frozen=True)
class Stride:
    """When the subject is where in its stride: `phase` (T,) rises by 1 a stride, its zero is arbitrary."""

    frequency_hz: float
    phase: NDArray[np.float64]
    peak: float
    """Height of the autocorrelation's peak: 1 where every stride is like the one before."""

    @property
    def num_strides(self) -> float:
        return float(self.phase[-1] - self.phase[0])


@dataclass(frozen=True)
class MeanCycle:
    """One signal over the stride as a Fourier series: mean, then cosine and sine of each harmonic."""

    coefficients: NDArray[np.float64]
    explained: float

    def at(self, phase: NDArray[np.float64]) -> NDArray[np.float64]:
        return _harmonics(phase, self.num_harmonics) @ self.coefficients

    def slope(self, phase: NDArray[np.float64], frequency_hz: float) -> NDArray[np.float64]:
        """Return the derivative with respect to time, per second."""
        columns = _harmonics(phase, self.num_harmonics)
        order = np.arange(1, self.num_harmonics + 1)
        turned = np.zeros_like(self.coefficients)
        turned[1::2] = order * self.coefficients[2::2]
        turned[2::2] = -order * self.coefficients[1::2]
        return 2 * np.pi * frequency_hz * (columns @ turned)

    @property
    def num_harmonics(self) -> int:
        return (len(self.coefficients) - 1) // 2

    @property
    def fundamental(self) -> complex:
        """Return the first harmonic as a phasor; its angle over 2π is the phase at which the signal is largest."""
        return complex(self.coefficients[1], self.coefficients[2])


def find_stride(signals: NDArray[np.float64], fps: float, near_hz: float | None = None) -> Stride | None:
    """Find the stride that signals (T, S) have in common; None where they show no rhythm.

    Where its frequency is known already, `near_hz`, only the lag next to it is looked at.

    The frequency is the first peak of the summed unbiased autocorrelation that reaches 0.85 of the highest, which is
    the stride and not the half-stride as long as every signal belongs to one limb. Where a signal of a trot or walk is
    nearly the same in both halves (paw heights are), that peak alone would decide; signed forward motion is not.
    """
    signals = _detrended(signals)
    power = (signals**2).sum()
    if power <= 0 or len(signals) < 8:
        return None
    lags, correlation = _autocorrelation(signals, fps)
    if near_hz is not None:
        near = int(np.argmin(np.abs(lags - fps / near_hz)))
        phase = common_phase(signals, fps, near_hz)
        frequency = float(np.polyfit(np.arange(len(phase)) / fps, phase, 1)[0])
        return Stride(frequency, phase, float(np.clip(correlation[near], 0.0, 1.0)))
    inner = correlation[1:-1]
    peaks = 1 + np.flatnonzero((inner >= correlation[:-2]) & (inner > correlation[2:]))
    if not len(peaks) or correlation[peaks].max() <= 0:
        return None
    # A long lag rests on few frames, and may be high because it compares none of those that are bad.
    weighed = correlation[peaks] * (1 - lags[peaks] / len(signals)) ** 0.5
    first = peaks[weighed >= 0.85 * weighed.max()][0]
    lag = lags[first] + vertex(correlation[first - 1 : first + 2])
    frequency = sharpened_frequency(signals, fps, fps / lag)
    phase = common_phase(signals, fps, frequency)
    frequency = float(np.polyfit(np.arange(len(phase)) / fps, phase, 1)[0])
    if not MIN_STRIDE_HZ * 0.8 < frequency < MAX_STRIDE_HZ * 1.2:
        return None
    return Stride(frequency, phase, float(np.clip(correlation[first], 0.0, 1.0)))


def mean_cycle(values: NDArray[np.float64], phase: NDArray[np.float64], num_harmonics: int) -> MeanCycle:
    """Fit the mean stride to values (T,), with a straight drift beside it that is thrown away.

    Least squares, re-weighted (Tukey's bisquare) so that a few frames in which left and right were mixed up, or a point
    jumped, do not bend the mean of all strides.
    """
    known = np.isfinite(values)
    num_harmonics = max(1, min(num_harmonics, _MAX_HARMONICS, (int(known.sum()) - 4) // 3))
    drift = (phase - phase.mean()) / max(np.ptp(phase), 1e-9)
    columns = np.column_stack([_harmonics(phase, num_harmonics), drift])
    seen, wanted = columns[known], values[known]
    solution = np.linalg.lstsq(seen, wanted, rcond=None)[0]
    for _ in range(_ROBUST_PASSES):
        residual = wanted - seen @ solution
        spread = 1.4826 * float(np.median(np.abs(residual))) + 1e-9
        weight = np.clip(1 - (residual / (4.685 * spread)) ** 2, 0.0, 1.0)
        solution = np.linalg.lstsq(seen * weight[:, None], wanted * weight, rcond=None)[0]
    residual = wanted - seen @ solution
    moving = values[known] - columns[known][:, [0, -1]] @ solution[[0, -1]]
    total = float((moving**2).sum())
    solution[1:-1] *= _trust(solution[1:-1], residual, int(known.sum()) - columns.shape[1])
    explained = 1 - float((residual**2).sum()) / total if total > 0 else 0.0
    return MeanCycle(solution[:-1], max(explained, 0.0))


def longest_arc(mask: NDArray[np.bool_], bridge: int) -> tuple[float, float] | None:
    """Return the start and the length, in strides, of the longest stretch of a mask on PHASE_GRID that holds.

    Holes of at most `bridge` cells are bridged, and the mask is a circle.
    """
    size = len(mask)
    if mask.all():
        return 0.0, 1.0
    if not mask.any():
        return None
    start = int(np.flatnonzero(~mask)[0])
    ring = np.roll(mask, -start)  # begins with a hole, so no stretch runs over the seam
    edges = np.flatnonzero(np.diff(np.concatenate([[0], ring.astype(np.int8), [0]])))
    stretches = [[int(a), int(b)] for a, b in zip(edges[::2], edges[1::2], strict=True)]
    merged = [stretches[0]]
    for stretch in stretches[1:]:
        if stretch[0] - merged[-1][1] <= bridge:
            merged[-1][1] = stretch[1]
        else:
            merged.append(stretch)
    if len(merged) > 1 and merged[0][0] + size - merged[-1][1] <= bridge:
        merged[-1][1] = size + merged.pop(0)[1]
    best = max(merged, key=lambda stretch: stretch[1] - stretch[0])
    return ((best[0] + start) % size) / size, min((best[1] - best[0]) / size, 1.0)


def turn(difference: float) -> float:
    """Bring a phase to [0, 1)."""
    return float(difference % 1.0) % 1.0


def apart(a: float, b: float) -> float:
    """Return how far two phases lie apart, in strides, at most 0.5."""
    return abs((a - b + 0.5) % 1.0 - 0.5)


def _trust(coefficients: NDArray[np.float64], residual: NDArray[np.float64], freedom: int) -> NDArray[np.float64]:
    """Return the Wiener factor of each coefficient: a harmonic no larger than its noise adds nothing but wiggles."""
    # Smoothed noise is alike from frame to frame, so fewer frames are independent than there are: hence the 2.
    noise = 2 * 2 * float((residual**2).sum()) / max(freedom, 1) / len(residual)
    power = coefficients[::2] ** 2 + coefficients[1::2] ** 2
    return np.repeat(np.clip(1 - 2 * noise / np.maximum(power, 1e-12), 0.0, 1.0), 2)


def _detrended(signals: NDArray[np.float64]) -> NDArray[np.float64]:
    time = np.linspace(-1, 1, len(signals))
    basis = np.column_stack([np.ones_like(time), time])
    return signals - basis @ np.linalg.lstsq(basis, signals, rcond=None)[0]


def _autocorrelation(signals: NDArray[np.float64], fps: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return lags in frames and the unbiased autocorrelation, summed over signals, 1 at lag 0."""
    length = len(signals)
    size = 1 << (2 * length - 1).bit_length()
    spectrum = np.fft.rfft(signals, size, axis=0)
    raw = np.fft.irfft((np.abs(spectrum) ** 2).sum(1), size)[:length]
    unbiased = raw / (length - np.arange(length))
    unbiased /= unbiased[0]
    low = max(1, int(np.floor(fps / MAX_STRIDE_HZ)))
    # At least a third of the clip must overlap with itself, else the last lags rest on a few frames.
    high = min(int(np.ceil(fps / MIN_STRIDE_HZ)), int(0.67 * length))
    lags = np.arange(low, max(high, low + 1) + 1)
    lags = lags[lags < length]
    return lags, unbiased[lags]


def vertex(three: NDArray[np.float64]) -> float:
    """Return where the parabola through three neighbouring values peaks, in steps from the middle one."""
    bend = three[0] - 2 * three[1] + three[2]
    return float(0.5 * (three[0] - three[2]) / bend) if bend < 0 else 0.0


def sharpened_frequency(signals: NDArray[np.float64], fps: float, frequency: float) -> float:
    """Move the frequency to where a series of three harmonics explains most, within half a spectral bin."""
    time = np.arange(len(signals)) / fps
    reach = min(0.08 * frequency, 0.5 * fps / len(signals))
    best = frequency
    for step in (reach / 8, reach / 64):
        tried = best + step * np.arange(-8, 9)
        explained = []
        for candidate in tried:
            columns = _harmonics(candidate * time, 3)
            solution = np.linalg.lstsq(columns, signals, rcond=None)[0]
            explained.append(((columns @ solution) ** 2).sum())
        best = float(tried[int(np.argmax(explained))])
    return best


def common_phase(signals: NDArray[np.float64], fps: float, frequency: float) -> NDArray[np.float64]:
    """Return the stride's phase over time from all signals together, following slow changes of the rhythm.

    Each signal is shifted down by the stride frequency, smoothed over about a stride, and turned so that all agree.
    """
    time = np.arange(len(signals)) / fps
    down = signals * np.exp(-2j * np.pi * frequency * time)[:, None]
    whole = down.mean(0)
    sigma = 0.6 * fps / frequency
    weight = gaussian_filter1d(np.ones(len(signals)), sigma, mode="constant")
    smooth = (
        gaussian_filter1d(down.real, sigma, axis=0, mode="constant")
        + 1j * gaussian_filter1d(down.imag, sigma, axis=0, mode="constant")
    ) / weight[:, None]
    together = smooth @ whole.conj()
    drift = np.unwrap(np.angle(together)) / (2 * np.pi)
    return frequency * time + drift


def _harmonics(phase: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    angle = 2 * np.pi * np.asarray(phase)[:, None] * np.arange(1, count + 1)
    columns = np.empty((len(angle), 2 * count + 1))
    columns[:, 0] = 1.0
    columns[:, 1::2], columns[:, 2::2] = np.cos(angle), np.sin(angle)
    return columns
