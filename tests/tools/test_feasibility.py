"""What is too much for the robot's joints is brought down, and said."""

import pytest
from video2reward.memory.records import MotionTarget
from video2reward.sim.config import GO1
from video2reward.sim.reference import reference_motion
from video2reward.tools.feasibility import MAX_JOINT_SPEED_RAD_S, MAX_RISE, within_means


def target_for(**changes):
    fields = {"gait": "trot", "speed_m_s": 1.0, "stride_frequency_hz": 2.0, "duty_factor": (0.5,) * 4,
              "phase_offsets": (0.0, 0.5, 0.5, 0.0), "froude": 0.4}  # fmt: skip
    return MotionTarget(robot="go1", feet=GO1.feet, leg_length_m=GO1.leg_length_m, **{**fields, **changes})


def test_what_the_robot_can_do_stays_as_it_is():
    assert within_means(target_for(), GO1) == target_for()


def test_a_flight_that_is_too_long_is_shortened_by_longer_stances():
    # All four feet off the ground for 0.7 of a second: 9.81 x 0.49 / 8 = 0.6 m, 2.3 leg lengths.
    target = target_for(gait="pronk", phase_offsets=(0.0,) * 4, duty_factor=(0.3,) * 4, stride_frequency_hz=1.0)
    possible = within_means(target, GO1)
    assert possible.feasibility == "adjusted" and "flight of 0.7" in possible.notes[-1]
    flight_s = reference_motion(GO1, possible.model_dump_json()).strain.flight_s
    assert 9.81 * flight_s**2 / 8 / GO1.leg_length_m == pytest.approx(MAX_RISE, abs=0.06)


def test_joints_that_would_turn_too_fast_get_a_lower_cadence_at_the_same_length_of_step():
    target = target_for(speed_m_s=3.2, stride_frequency_hz=4.0, duty_factor=(0.75,) * 4)
    possible = within_means(target, GO1)
    assert possible.feasibility == "adjusted" and "rad/s" in possible.notes[-1]
    assert possible.speed_m_s / possible.stride_frequency_hz == pytest.approx(3.2 / 4.0)
    strain = reference_motion(GO1, possible.model_dump_json()).strain
    assert strain.joint_speed_rad_s == pytest.approx(MAX_JOINT_SPEED_RAD_S, rel=0.02)


def test_a_path_beyond_reach_is_said_and_changes_nothing():
    path = tuple((1.4 if index < 16 else -1.4, -0.9) for index in range(32))
    target = target_for(stride_frequency_hz=0.6, limb_cycle={f"{foot}_foot": path for foot in GO1.feet})
    assert any("beyond its reach" in note for note in within_means(target, GO1).notes)
