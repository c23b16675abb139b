"""What is measured is what was scripted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from video2reward.tools.critic.evidence import read_rollout
from video2reward.tools.critic.measure import MAX_CHATTER, measure

GAITS = {
    "trot": ((0.0, 0.5, 0.5, 0.0), 0.42),
    "pace": ((0.0, 0.5, 0.0, 0.5), 0.45),
    "walk": ((0.0, 0.5, 0.75, 0.25), 0.62),
    "bound": ((0.0, 0.0, 0.5, 0.5), 0.4),
    "canter": ((0.0, 0.18, 0.81, 0.64), 0.28),
    "gallop": ((0.0, 0.18, 0.71, 0.64), 0.24),
}


@pytest.mark.parametrize("name", GAITS)
def test_every_gait_is_measured_as_it_was_scripted(scripted, name):
    offsets, duty = GAITS[name]
    motion = replace(scripted.good("go1"), offsets=offsets, duty=(duty,) * 4)
    robot = measure(read_rollout(scripted.write(motion))).robot
    assert robot.gait == name
    assert robot.stride_frequency_hz == pytest.approx(2.5, rel=0.01)
    assert robot.duty_factor == pytest.approx((duty,) * 4, abs=0.01)
    apart = (np.array(robot.phase_offsets) - offsets + 0.5) % 1.0 - 0.5
    assert np.abs(apart).max() < 0.02
    assert robot.speed_m_s == pytest.approx(1.5, rel=0.01)
    assert robot.lifted_steps_hz == pytest.approx((2.5,) * 4, rel=0.05)
    assert robot.chatter == pytest.approx((0.0,) * 4, abs=1e-9)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hz=st.floats(0.7, 3.2),
    duty=st.floats(0.25, 0.7),
    shift=st.floats(0.0, 1.0),
    seed=st.integers(0, 1000),
)
def test_frequency_duty_and_phase_are_found_whatever_they_are(scripted, hz, duty, shift, seed):
    motion = replace(
        scripted.good("g1"), stride_hz=hz, duty=(duty, duty), offsets=(0.0, shift), num_envs=6, seed=seed, lift=0.2
    )
    robot = measure(read_rollout(scripted.write(motion))).robot
    # A swing shorter than three control steps is no step.
    if (1.0 - duty) / hz < 0.07 or 0.8 * duty / hz < 0.02:
        return
    assert robot.stride_frequency_hz == pytest.approx(hz, rel=0.02)
    assert robot.duty_factor == pytest.approx((duty, duty), abs=0.03)
    # A touchdown is seen to within one physics step.
    assert abs((robot.phase_offsets[1] - shift + 0.5) % 1.0 - 0.5) < 0.005 * hz + 0.01


def test_the_limb_cycle_starts_at_touchdown_and_is_in_leg_lengths(scripted):
    robot = measure(read_rollout(scripted.write(scripted.good("go1")))).robot
    foot = np.array(robot.limb_cycle["FL_foot"])
    assert foot.shape == (32, 2)
    stance = foot[:12]  # duty 0.4 of 32 bins
    assert foot[0, 0] == pytest.approx(foot[:, 0].max(), abs=0.08)
    assert stance[:, 1] == pytest.approx(np.full(12, -1.0), abs=0.02)
    # A planted foot goes back under the hip at the body's speed: 11 of 32 bins of 1.5 m/s / 2.5 Hz / 0.256 m.
    assert np.ptp(stance[:, 0]) == pytest.approx(11 / 32 * 1.5 / 2.5 / 0.256, rel=0.05)
    assert np.array(robot.limb_cycle["FL_mid"]) == pytest.approx(0.5 * foot, abs=0.01)


def test_bounces_are_raw_touchdowns_and_not_steps(scripted):
    motion = replace(scripted.good("go1"), bounce=True)
    robot = measure(read_rollout(scripted.write(motion))).robot
    assert robot.lifted_steps_hz == pytest.approx((2.5,) * 4, rel=0.05)
    assert robot.raw_touchdowns_hz == pytest.approx((5.0,) * 4, rel=0.05)
    assert robot.chatter == pytest.approx((1.0,) * 4, abs=0.1)
    # Two tenths to three tenths of each stance are spent in the air.
    assert robot.duty_factor[0] == pytest.approx(0.4 * 0.8, abs=0.02)
    assert robot.gait == "trot"


def test_a_foot_without_strict_steps_has_the_largest_chatter(scripted):
    shuffle = scripted.bad("go1")["shuffle with 1 cm lifts"]
    robot = measure(read_rollout(scripted.write(shuffle))).robot
    assert robot.lifted_steps_hz == (0.0,) * 4 and robot.chatter == (MAX_CHATTER,) * 4
    assert robot.gait == "stand"


def test_steps_of_a_shuffle_still_have_a_frequency(scripted):
    shuffle = replace(scripted.bad("go1")["shuffle with 1 cm lifts"], stride_hz=4.3)
    measured = measure(read_rollout(scripted.write(shuffle)))
    assert measured.robot.stride_frequency_hz == pytest.approx(4.3, rel=0.02)
    assert measured.step_frequency_hz == 0.0


def test_time_after_a_fall_is_left_out(scripted):
    good = scripted.good("go1")
    whole = measure(read_rollout(scripted.write(good))).robot
    fell = measure(read_rollout(scripted.write(replace(good, fell_at_s={0: 2.0, 1: 6.0})))).robot
    assert fell.lifted_steps_hz == pytest.approx(whole.lifted_steps_hz, rel=0.05)
    assert fell.speed_m_s == pytest.approx(whole.speed_m_s, rel=0.01)
    assert fell.survival == pytest.approx(14 / 16)


def test_a_robot_that_stands_has_no_gait_and_no_frequency(scripted):
    robot = measure(read_rollout(scripted.write(scripted.bad("go1")["stand still"]))).robot
    assert robot.gait == "stand"
    assert robot.stride_frequency_hz == 0.0 and robot.limb_cycle == {}
    assert robot.duty_factor == (1.0,) * 4


def test_a_limp_has_no_name_and_its_cycle_is_anchored_to_a_foot_that_steps(scripted):
    limp = replace(scripted.bad("go1")["limp, one leg dragged"], stepping=(False, True, True, True))
    robot = measure(read_rollout(scripted.write(limp))).robot
    assert robot.gait == "unknown" and robot.limb_cycle


def test_a_doubled_foot_does_not_double_the_stride(scripted):
    """Autocorrelation over all feet together: the first peak near the highest is the stride, not the half-stride."""
    motion = replace(scripted.good("g1"), offsets=(0.0, 0.5), lift=(0.15, 0.1))
    assert measure(read_rollout(scripted.write(motion))).robot.stride_frequency_hz == pytest.approx(1.0, rel=0.02)


def test_a_robot_that_lands_once_and_stands_takes_no_steps(scripted):
    rollout = read_rollout(scripted.write(scripted.bad("go1")["stand still"]))
    rollout.foot_contact[:] = True
    rollout.foot_contact[:40] = False  # it is dropped, and no foot ever leaves the ground
    measured = measure(rollout)
    assert measured.robot.lifted_steps_hz == (0.0,) * 4
    assert len(measured.swings.env) == 0
