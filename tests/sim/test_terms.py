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
                                  "foot_slip", "foot_tilt", "trunk_tilt", "trunk_height_error",
                                  "joint_cycle", "power", "trunk_bob", "hard_landing", "pair_symmetry"])  # fmt: skip
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


def at_phase(phase, **fields):
    """Return one standing robot whose clock shows `phase`."""
    state = standing_still(GO1, TROT)
    one = {k: v[:1] for k, v in state.__dict__.items() if isinstance(v, torch.Tensor) and v.shape[0] == 64}
    return replace(state, **{**one, "gait_phase": torch.tensor([phase]), **fields})


def feet(*values):
    return torch.tensor([values])


def test_stance_match_counts_the_feet_that_agree():
    # At a quarter stride FL and RR should stand and FR and RL swing: of four standing feet two agree.
    assert float(terms.stance_match(at_phase(0.25), offsets=OFFSETS, duty=DUTY)) == pytest.approx(0.5, abs=1e-3)


def test_flight_is_scored_only_where_all_feet_should_be_off_the_ground():
    pronk = {"offsets": (0.0,) * 4, "duty": (0.5,) * 4}
    up = feet(0.0, 0.0, 0.0, 0.0)
    assert float(terms.flight_match(at_phase(0.75, feet_contact=up), **pronk)) == pytest.approx(1.0, abs=1e-3)
    assert float(terms.flight_match(at_phase(0.25, feet_contact=up), **pronk)) == pytest.approx(0.0, abs=1e-3)
    assert float(terms.flight_match(at_phase(0.75, feet_contact=feet(0.0, 0.0, 0.0, 1.0)), **pronk)) == 0.0


def test_a_swinging_foot_on_the_ground_lacks_all_of_its_clearance():
    # The arc of a swing from 0.5 to 1 is at its top at the share s with s^0.7 = 1/2: s = 0.3715, a phase of 0.6857.
    # FL and RR swing then and lie on the ground: (1 + 1 + 0 + 0) / 4.
    assert float(terms.foot_clearance(at_phase(0.6857), offsets=OFFSETS, duty=DUTY)) == pytest.approx(0.5, abs=1e-3)
    high = feet(0.05, 0.0, 0.0, 0.05)  # more than 0.18 x 0.256 m
    lifted = at_phase(0.6857, feet_height_m=high)
    assert float(terms.foot_clearance(lifted, offsets=OFFSETS, duty=DUTY)) == 0.0


def test_joint_cycle_is_one_on_the_reference_and_falls_with_the_squared_deviation():
    state = scripted_gait(GO1, TROT)
    assert float(terms.joint_cycle(state).min()) == 1.0
    off = replace(state, joint_pos=state.joint_pos + 0.1)
    # Twelve joints, each 0.1 rad off: exp(-2 x 12 x 0.01).
    assert float(terms.joint_cycle(off)[0]) == pytest.approx(math.exp(-0.24), rel=1e-4)


def test_power_counts_the_work_that_motors_do_and_not_what_they_take():
    torque, speed = torch.zeros(1, 12), torch.zeros(1, 12)
    torque[0, :2], speed[0, :2] = torch.tensor([2.0, 3.0]), torch.tensor([4.0, -5.0])
    assert float(terms.power(at_phase(0.0, joint_torque=torque, joint_vel=speed))) == 8.0


def test_pairs_are_symmetric_when_both_stand_and_not_when_one_is_up():
    assert float(terms.pair_symmetry(at_phase(0.0))) == 1.0
    one_up = at_phase(0.0, feet_contact=feet(0.0, 1.0, 1.0, 1.0), feet_height_m=feet(0.0256, 0.0, 0.0, 0.0))
    # The front pair disagrees in contact and earns nothing, the hind pair all of its half.
    assert float(terms.pair_symmetry(one_up)) == pytest.approx(0.5)


def test_a_trunk_that_bounces_with_its_gait_costs_nothing():
    state = scripted_gait(GO1, TROT)
    assert float(terms.trunk_bob(state).max()) == 0.0
    still = replace(state, base_lin_vel_b=torch.zeros(64, 3), ref_base_vel_z=torch.full((64,), 0.5))
    assert float(terms.trunk_bob(still)[0]) == pytest.approx(0.25)


def test_a_touchdown_costs_the_square_of_how_far_it_is_from_its_time():
    touched = feet(1.0, 1.0, 0.0, 0.0)
    # At a phase of 0.06 FL (due at 0) is half a window off, FR (due at 0.5) all of it and more: 0.25 + 1.
    early = {"offsets": OFFSETS, "window": 0.12}
    assert float(terms.touchdown_timing(at_phase(0.06, feet_touchdown=touched), **early)) == pytest.approx(1.25)
    # The circle closes: 0.94 is as late as 0.06 is early. A foot that bounced twice in a step counts once.
    assert float(terms.touchdown_timing(at_phase(0.94, feet_touchdown=3 * touched), **early)) == pytest.approx(1.25)
    assert float(terms.touchdown_timing(at_phase(0.06), **early)) == 0.0


def test_a_foot_about_to_hit_the_ground_costs_what_it_falls_too_fast():
    velocity = torch.zeros(1, 4, 3)
    velocity[0, 0, 2] = -2.0
    falling = {"feet_contact": feet(0.0, 1.0, 1.0, 1.0), "feet_vel_w": velocity}
    # 2 m/s, of which 1 is gentle; at 3 cm it lands within a step and a half of 20 ms (6 cm), at 10 cm it does not.
    near = at_phase(0.0, feet_height_m=feet(0.03, 0.0, 0.0, 0.0), **falling)
    far = at_phase(0.0, feet_height_m=feet(0.10, 0.0, 0.0, 0.0), **falling)
    assert float(terms.hard_landing(near)) == pytest.approx(1.0)
    assert float(terms.hard_landing(far)) == 0.0


def test_a_knee_on_the_ground_costs_one_and_a_high_knee_nothing():
    quarter = 0.25 * GO1.leg_length_m
    knees = feet(0.0, 0.5 * quarter, quarter, 1.0)
    # All of the height lacks, half of it, none, none: 1 + 0.25.
    assert float(terms.low_knees(at_phase(0.0, knees_height_m=knees))) == pytest.approx(1.25)
