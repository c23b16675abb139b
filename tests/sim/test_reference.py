"""The reference motion: feet follow their paths, joints stay within limits, and what is too much is said."""

import foreign_robots
import numpy as np
import pytest
from video2reward.memory.records import MotionTarget
from video2reward.sim.config import G1, GO1, robot_config
from video2reward.sim.reference import NUM_BINS, bounce, foot_path, longest_flight, reference_motion, rise, stance_bins
from video2reward.sim.robots.adopt import adopt
from video2reward.sim.robots.model import load_model


def target_for(robot=GO1, **changes):
    fields = {"gait": "trot", "speed_m_s": 1.0, "stride_frequency_hz": 2.0, "duty_factor": (0.5,) * robot.num_feet,
              "phase_offsets": (0.0, 0.5, 0.5, 0.0)[: robot.num_feet], "froude": 0.4}  # fmt: skip
    return MotionTarget(
        robot=robot.name, feet=robot.feet, leg_length_m=robot.leg_length_m, **{**fields, **changes}
    )  # fmt: skip


def reference_of(robot, target):
    return reference_motion(robot, target.model_dump_json())


@pytest.mark.parametrize("robot", [GO1, G1], ids=["go1", "g1"])
def test_the_robots_feet_are_where_the_path_wants_them(robot):
    import mujoco

    target = target_for(robot, speed_m_s=0.6)
    reference = reference_of(robot, target)
    model = load_model(robot, full_collision=True)
    data = mujoco.MjData(model)
    for index in range(0, NUM_BINS, 7):
        mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
        data.qpos[7:] = reference.joint_pos[index].numpy()
        mujoco.mj_kinematics(model, data)
        for foot, name in enumerate(robot.feet):
            away = data.site(f"{name}_sole").xpos - data.site(f"{name}_root").xpos
            wanted = foot_path(target, foot, stance_bins(target)[:, foot])[index] * robot.leg_length_m
            assert away[0] == pytest.approx(wanted[0], abs=0.015)
            assert away[2] - robot.foot_radius_m == pytest.approx(wanted[1], abs=0.015)


def test_a_standing_foot_goes_back_under_the_hip_as_fast_as_the_robot_goes_forward():
    target = target_for()
    path = foot_path(target, 0, stance_bins(target)[:, 0]) * GO1.leg_length_m
    # Over a stance of 0.25 s at 1 m/s the foot goes back by 25 cm, a bin being 1/64 of 0.5 s.
    assert np.diff(path[:31, 0]) == pytest.approx(-1.0 * 0.5 / NUM_BINS)
    backwards = foot_path(target_for(speed_m_s=-1.0), 0, stance_bins(target)[:, 0]) * GO1.leg_length_m
    assert np.diff(backwards[:31, 0]) == pytest.approx(1.0 * 0.5 / NUM_BINS)


def test_legs_that_stand_out_step_to_and_fro_about_where_they_stand(tmp_path):
    (tmp_path / "bug.xml").write_text(foreign_robots.sprawled_legs())
    robot = robot_config(str(adopt(tmp_path / "bug.xml", tmp_path / "bug").card))
    reference = reference_of(robot, target_for(robot, speed_m_s=0.4))
    assert reference.strain.out_of_reach < 0.02
    swing = reference.joint_pos[:, 0::2]
    # A foot that stands about 0.3 m from its hinge, at 45 degrees, and steps 0.1 m: at least 0.2 rad from end to end.
    assert (swing.amax(0) - swing.amin(0) > 0.2).all()
    fold = reference.joint_pos[:, 1::2].abs()
    assert (fold.amax(0) < np.deg2rad(75)).all() and (fold.amin(0) > np.deg2rad(20)).all()


def test_the_clips_own_paths_are_followed_where_it_has_them():
    clock = np.arange(32) / 32
    circle = tuple((0.2 * np.sin(2 * np.pi * c), -0.9 + 0.1 * np.cos(2 * np.pi * c)) for c in clock)
    path = foot_path(target_for(limb_cycle={"FL_foot": circle}), 0, stance_bins(target_for())[:, 0])
    assert path[:, 0].max() == pytest.approx(0.2, abs=0.01)
    # Stance lies on the ground, a leg length under the hip, and the swing above it.
    assert path[: NUM_BINS // 2, 1] == pytest.approx(-1.0) and (path[NUM_BINS // 2 :, 1] > -1.0).all()


def test_a_pronk_leaves_the_ground_as_a_thrown_stone_must():
    target = target_for(gait="pronk", phase_offsets=(0.0,) * 4)
    speed = bounce(target)
    # Half of 0.5 s is flight: it leaves the ground at g T / 2 = 9.81 x 0.25 / 2 = 1.23 m/s, comes down with as much,
    # and loses g x 0.5 s / 64 a bin in between.
    assert speed[NUM_BINS // 2 - 1] == pytest.approx(1.23, abs=0.08) and speed[-1] == pytest.approx(-1.23, abs=0.08)
    assert np.diff(speed[NUM_BINS // 2 :]) == pytest.approx(-9.81 * 0.5 / NUM_BINS, rel=1e-3)
    assert speed.mean() == pytest.approx(0.0, abs=1e-9)
    assert longest_flight(stance_bins(target)) == pytest.approx(0.5, abs=0.02)
    assert reference_of(GO1, target).strain.flight_s == pytest.approx(0.25, abs=0.01)


def test_a_pronk_rises_in_flight_as_a_thrown_stone_does_and_a_walk_does_not_fly():
    target = target_for(gait="pronk", phase_offsets=(0.0,) * 4)
    up = rise(target, stance_bins(target))
    # A flight of 0.25 s: g t² / 8 = 9.81 x 0.0625 / 8 = 7.7 cm, in the middle of it, and nothing in stance.
    assert up.max() == pytest.approx(0.077, abs=0.006)
    assert abs(int(up.argmax()) - 3 * NUM_BINS // 4) <= 2 and up[: NUM_BINS // 2].max() == 0.0
    walk = target_for(gait="walk", duty_factor=(0.62,) * 4, speed_m_s=0.5)
    assert rise(walk, stance_bins(walk)).max() == 0.0


def test_without_flight_the_reference_says_so_and_asks_little():
    strain = reference_of(GO1, target_for(gait="walk", duty_factor=(0.62,) * 4, speed_m_s=0.5)).strain
    assert strain.flight_s == 0.0 and strain.out_of_reach < 0.05 and 0.1 < strain.torque_share < 1.0


def test_steps_longer_than_the_leg_are_out_of_reach():
    clock = np.arange(32) / 32
    wide = tuple((1.5 * np.sin(2 * np.pi * c), -0.9) for c in clock)
    strain = reference_of(GO1, target_for(limb_cycle={"FL_foot": wide})).strain
    # The straight leg of 0.426 m is 1.66 leg lengths; a foot 1.5 ahead and 1 down is 1.8 away.
    assert strain.out_of_reach > 0.1
