"""Strides that come back in the pictures, and legs told apart by their common rhythm."""

from __future__ import annotations

import numpy as np
import pytest
from video2reward.tools.pose.limbs import told_apart
from video2reward.tools.pose.quadnet import CHANNELS, PAIRS
from video2reward.tools.pose.rhythm import CELLS, Rhythm, find_rhythm

FPS = 30.0
_SIZE = 6 * (CELLS // 2) ** 2 + (CELLS - CELLS // 3) * CELLS


def _looks(hertz: float, num_frames: int, noise: float, seed: int = 0) -> np.ndarray:
    """Pictures that come back once a stride; the second half of a stride looks half like the first."""
    rng = np.random.default_rng(seed)
    whole, half = rng.normal(size=(2, 2, _SIZE))
    turns = 2 * np.pi * hertz * np.arange(num_frames) / FPS
    looks = np.outer(np.cos(turns), whole[0]) + np.outer(np.sin(turns), whole[1])
    looks += 0.7 * (np.outer(np.cos(2 * turns), half[0]) + np.outer(np.sin(2 * turns), half[1]))
    return (looks + noise * rng.normal(size=looks.shape)).astype(np.float32)


@pytest.mark.parametrize("hertz", [0.8, 1.6, 2.4])
def test_the_stride_is_found_and_not_its_half(hertz: float) -> None:
    rhythm = find_rhythm(_looks(hertz, 150, noise=1.0), [slice(0, 150)], FPS)
    assert rhythm is not None and rhythm.frequency_hz == pytest.approx(hertz, rel=0.02)
    assert rhythm.strength > 0.3


def test_the_stretch_with_the_plainest_strides_is_taken() -> None:
    noise = np.random.default_rng(1).normal(size=(90, _SIZE)).astype(np.float32)
    unseen = np.full((10, _SIZE), np.nan, np.float32)
    looks = np.concatenate([noise, unseen, _looks(2.0, 120, noise=1.0)])
    rhythm = find_rhythm(looks, [slice(0, 90), slice(90, 100), slice(100, 220)], FPS)
    assert rhythm is not None and rhythm.window == slice(100, 220)
    assert rhythm.frequency_hz == pytest.approx(2.0, rel=0.02)


def test_what_never_comes_back_is_no_plain_rhythm() -> None:
    noise = np.random.default_rng(2).normal(size=(150, _SIZE)).astype(np.float32)
    rhythm = find_rhythm(noise, [slice(0, 150)], FPS)
    assert rhythm is None or rhythm.strength < 0.12


@pytest.mark.parametrize("facing", [1, -1])
@pytest.mark.parametrize("far_lag", [0.5, 0.25])
def test_near_and_far_legs_are_told_apart_over_all_strides(facing: int, far_lag: float) -> None:
    """The network is right about near and far in six of ten frames only; over the clip that is enough."""
    rng = np.random.default_rng(3)
    num_frames, side, hertz = 180, 100.0, 2.0
    phase = hertz * np.arange(num_frames) / FPS
    anchor = np.tile([300.0, 200.0], (num_frames, 1))
    places = np.full((num_frames, len(CHANNELS), 2), 200.0)
    places[..., 0] = 300.0
    near_behind = np.zeros((num_frames, len(PAIRS)))
    for pair in range(len(PAIRS)):
        near, far = (20 * np.cos(2 * np.pi * (phase - lag)) for lag in (0.0, far_lag))
        behind, ahead = np.minimum(near, far), np.maximum(near, far)
        for place, way in ((0, behind), (1, ahead)):
            places[:, 20 + 2 * pair + place, 0] += facing * (way + rng.normal(0, 2, num_frames))
        right = np.where(rng.random(num_frames) < 0.6, 1.0, -1.0)
        near_behind[:, pair] = np.where(near < far, 1.0, -1.0) * right
    points = told_apart(
        places,
        np.full((num_frames, len(CHANNELS)), 0.8),
        near_behind,
        anchor,
        side,
        Rhythm(hertz, 0.5, slice(0, num_frames), phase),
        facing,
        "test",
    )
    # Facing right, the near legs are the right ones.
    near_paw = points.names.index("right_front_paw" if facing > 0 else "left_front_paw")
    forward = facing * (points.xy_px[:, near_paw, 0] - 300.0)
    assert np.median(np.abs(forward - 20 * np.cos(2 * np.pi * phase))) < 4.0
    assert points.sides_sure is not None and points.sides_sure > 1.6
