"""A stride is told from half a stride by how often the legs pass each other."""

from __future__ import annotations

import numpy as np
import pytest
from video2reward.evals.drawn_animals import DrawnAnimal, write_animal
from video2reward.memory.records import SubjectChoice
from video2reward.tools.describe import describe_clip
from video2reward.tools.pose.half_stride import is_half_a_stride
from video2reward.tools.pose.quadnet import CHANNELS, NEAR_FAR_KEYPOINTS
from video2reward.tools.pose.rhythm import Rhythm

FPS, SIDE_PX = 30.0, 250.0


def channels(hertz: float, lag: float, facing: int, noise_px: float = 4.0) -> np.ndarray:
    """Places (90, 32, 2) of legs that go 80 px to and fro, one `lag` strides after the other; behind comes first."""
    phase = np.arange(90) / FPS * hertz
    legs = np.stack([40 * np.cos(2 * np.pi * (phase - shift)) for shift in (0.0, lag)])
    places = np.zeros((90, len(CHANNELS), 2))
    count = len(NEAR_FAR_KEYPOINTS)
    places[:, count::2, 0], places[:, count + 1 :: 2, 0] = legs.min(0)[:, None], legs.max(0)[:, None]
    places[..., 0] *= facing
    return places + np.random.default_rng(1).normal(0, noise_px, places.shape)


def taken_for(hertz: float) -> Rhythm:
    return Rhythm(hertz, 0.5, slice(0, 90), np.arange(90) / FPS * hertz)


@pytest.mark.parametrize("facing", [1, -1])
@pytest.mark.parametrize("lag", [0.5, 0.44])
def test_legs_that_pass_once_a_period_show_that_it_is_half_a_stride(lag: float, facing: int) -> None:
    places, sure = channels(2.0, lag, facing), np.ones((90, len(CHANNELS)))
    assert is_half_a_stride(places, sure, SIDE_PX, facing, taken_for(4.0))
    assert not is_half_a_stride(places, sure, SIDE_PX, facing, taken_for(2.0))


@pytest.mark.parametrize("lag", [0.0, 0.05, 0.15, 0.3])
def test_legs_of_a_bound_or_a_gallop_show_nothing_of_the_kind(lag: float) -> None:
    places, sure = channels(2.4, lag, 1), np.ones((90, len(CHANNELS)))
    assert not is_half_a_stride(places, sure, SIDE_PX, 1, taken_for(2.4))


def test_fore_legs_alone_do_not_halve_a_rhythm() -> None:
    places, sure = channels(2.0, 0.5, 1), np.ones((90, len(CHANNELS)))
    hind = len(NEAR_FAR_KEYPOINTS) + 6  # three pairs of the fore legs come first
    places[:, hind:] = channels(4.0, 0.5, 1)[:, hind:]
    assert not is_half_a_stride(places, sure, SIDE_PX, 1, taken_for(4.0))


@pytest.mark.slow
def test_a_drawn_trot_whose_legs_look_alike_is_told_from_its_half(tmp_path) -> None:
    clip, truth = write_animal(tmp_path, DrawnAnimal("trot", "robot", 13, seconds=3.0))
    _, description = describe_clip(clip, tmp_path / "out", subject=SubjectChoice(kind="animal"))
    gait = description.gait
    assert gait is not None and gait.stride_frequency_hz == pytest.approx(truth.stride_frequency_hz, rel=0.02)
    assert gait.gait == "trot"
