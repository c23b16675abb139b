"""Hand-worked values of the reward terms, and the laws that hold for all of them."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from video2reward.memory.records import MotionTarget
from video2reward.sim import terms
from video2reward.sim.clock import stance_schedule
from video2reward.sim.config import GO1
from video2reward.sim.scripted import scripted_gait, standing_still

TROT = MotionTarget(
    robot="go1",
    feet=GO1.feet,
    gait="trot",
    speed_m_s=1.0,
    stride_frequency_hz=2.0,
    duty_factor=(0.5, 0.5, 0.5, 0.5),
    phase_offsets=(0.0, 0.5, 0.5, 0.0),
    leg_length_m=GO1.leg_length_m,
    froude=0.4,
)
OFFSETS, DUTY = TROT.phase_offsets, TROT.duty_factor


def test_a_foot_is_expected_on_the_ground_from_its_touchdown_for_its_duty_factor():
    stance = stance_schedule(torch.tensor([0.25, 0.75]), OFFSETS, DUTY)
    # At a quarter stride the reference diagonal is in mid-stance (1) and the other in mid-swing (0); then reversed.
    assert torch.allclose(stance, torch.tensor([[1.0, 0, 0, 1], [0, 1, 1, 0]]), atol=1e-3)


@given(duty=st.floats(0.2, 0.8))
def test_the_schedule_averages_to_the_duty_factor(duty):
    stance = stance_schedule((torch.arange(400) + 0.5) / 400, (0.0,), (duty,))
    assert float(stance.mean()) == pytest.approx(duty, abs=0.003)


def test_footfall_match_is_near_one_for_the_gait_and_half_for_standing():
    gait = terms.footfall_match(scripted_gait(GO1, TROT), offsets=OFFSETS, duty=DUTY).mean()
    standing = terms.footfall_match(standing_still(GO1, TROT), offsets=OFFSETS, duty=DUTY).mean()
    assert gait > 0.9
    # Every foot stands all the time and should stand half of it.
    assert float(standing) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("speed", "score"), [(1.0, 1.0), (0.0, 0.0), (0.5, 0.5), (2.0, 0.0), (-3.0, -1.0), (9.0, -1.0)]
)
def test_forward_progress_is_linear_about_the_command(speed, score):
    state = standing_still(GO1, TROT)
    state = replace(state, base_lin_vel_b=torch.tensor([[speed, 0.0, 0.0]]).repeat(64, 1))
    assert float(terms.forward_progress(state)[0]) == pytest.approx(score, abs=1e-6)


def test_speed_tracking_falls_as_a_gaussian_of_the_velocity_error():
    state = standing_still(GO1, TROT)
    # An error of 1 m/s at a command of 1 m/s: exp(-1 / 0.1).
    assert float(terms.speed_tracking(state, sharpness=0.1)[0]) == pytest.approx(math.exp(-10.0), rel=1e-4)


def test_trunk_height_error_counts_leg_lengths():
    state = replace(standing_still(GO1, TROT), base_height_m=torch.full((64,), GO1.standing_height_m + 0.1))
    assert float(terms.trunk_height_error(state)[0]) == pytest.approx((0.1 / GO1.leg_length_m) ** 2, rel=1e-4)


def test_a_touchdown_in_mid_swing_is_counted_and_one_on_time_is_not():
    state = scripted_gait(GO1, TROT)
    assert float(terms.early_touchdown(state, offsets=OFFSETS, duty=DUTY).sum()) == 0.0
    bounced = replace(state, feet_touchdown=torch.ones(64, 4))
    assert float(terms.early_touchdown(bounced, offsets=OFFSETS, duty=DUTY).mean()) > 1.5


@pytest.mark.parametrize("name", ["heading_hold", "upright", "trunk_bounce", "trunk_wobble", "action_rate", "torque",
                                  "foot_slip", "foot_tilt", "trunk_tilt", "trunk_height_error"])  # fmt: skip
@given(seed=st.integers(0, 2**16))
def test_terms_keep_their_sign_and_shape_on_any_state(name, seed):
    generator = torch.Generator().manual_seed(seed)
    state = standing_still(GO1, TROT)
    noisy = {
        field: value + torch.randn(value.shape, generator=generator) if isinstance(value, torch.Tensor) else value
        for field, value in state.__dict__.items()
        if field not in ("feet_contact", "feet_tilt")
    }
    value = getattr(terms, name)(replace(state, **noisy))
    assert value.shape == (64,)
    assert bool((value >= 0).all())
