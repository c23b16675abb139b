"""The gait clock: which foot should be on the ground at which phase of the stride."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

_NUM_BINS = 400


def stance_table(duty: tuple[float, ...]) -> Tensor:
    """Return the expected stance over a foot's own phase, (num_feet, bins), as `stance_schedule` looks it up."""
    return _stance_table(tuple(duty))[0].clone()


def stance_schedule(gait_phase: Tensor, offsets: tuple[float, ...], duty: tuple[float, ...]) -> Tensor:
    """Return the expected stance (num_envs, num_feet) for a clock (num_envs,)."""
    table, row = _stance_table(tuple(duty))
    phase = (gait_phase[:, None] - _offsets(tuple(offsets))) % 1.0
    bins = (phase * _NUM_BINS).long().clamp_(0, _NUM_BINS - 1)
    return table.take(bins + row)


def swing_arc(gait_phase: Tensor, offsets: tuple[float, ...], duty: tuple[float, ...]) -> Tensor:
    """Return how high a swinging foot should be, 0 in stance to 1 at the top (num_envs, num_feet).

    The foot leaves the ground at once and comes down slowly: sin(pi s^0.7) over the share s of the swing.
    """
    phase = (gait_phase[:, None] - _offsets(tuple(offsets))) % 1.0
    duties = _offsets(tuple(duty))
    share = ((phase - duties) / (1.0 - duties).clamp(min=1e-3)).clamp(0.0, 1.0)
    return torch.sin(torch.pi * share.pow(0.7)).clamp(min=0.0)


@lru_cache(maxsize=64)
def _stance_table(duty: tuple[float, ...], kappa: float = 40.0) -> tuple[Tensor, Tensor]:
    """Tabulate the smoothed stance (num_feet, bins): a box [0, duty) convolved with a von Mises kernel.

    The second tensor is where each foot's row begins in the flat table.
    """
    phase = torch.arange(_NUM_BINS, dtype=torch.float64) / _NUM_BINS
    kernel = torch.exp(kappa * (torch.cos(2.0 * torch.pi * phase) - 1.0))
    spectrum = torch.fft.rfft(kernel / kernel.sum())
    # Bin centres are compared with the duty factor as a share of a bin, so that a duty between two bins counts.
    edges = torch.tensor(duty, dtype=torch.float64)[:, None] * _NUM_BINS - torch.arange(_NUM_BINS)
    table = torch.fft.irfft(torch.fft.rfft(edges.clamp(0.0, 1.0)) * spectrum, n=_NUM_BINS).clamp(0.0, 1.0).float()
    return table, _NUM_BINS * torch.arange(len(duty))


@lru_cache(maxsize=64)
def _offsets(offsets: tuple[float, ...]) -> Tensor:
    return torch.tensor(offsets)
