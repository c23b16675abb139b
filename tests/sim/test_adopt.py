"""Any robot: legs, feet, signs and stance are found in MJCFs that were not written for us."""

from __future__ import annotations

from dataclasses import replace

import foreign_robots
import mujoco
import numpy as np
import pytest
import torch
from video2reward.memory.errors import BadInput
from video2reward.memory.records import MotionTarget
from video2reward.sim.config import CARD_FILE, robot_config, robot_title
from video2reward.sim.robots.adopt import MODEL_FILE, adopt
from video2reward.sim.robots.anatomy import find_anatomy
from video2reward.sim.robots.model import load_model


@pytest.fixture
def adopted(tmp_path):
    def adopt_text(text: str, name: str = "thing"):
        path = tmp_path / f"{name}.xml"
        path.write_text(text)
        return adopt(path, tmp_path / name)

    return adopt_text


def axes_of(found, leg: str) -> list[str]:
    return [servo.axis for servo in found.servos if servo.leg == leg]


def test_four_legs_are_told_apart_by_where_they_are_and_not_by_name(adopted):
    found = adopted(foreign_robots.four_legs())
    robot = robot_config(str(found.card))
    assert (found.kind, robot.feet) == ("quadruped", ("FL", "FR", "RL", "RR"))
    # The four hips were written as front left, front right, rear left, rear right.
    assert robot.joint_names == tuple(f"{part}{leg}" for leg in range(4) for part in "abc")
    assert axes_of(found, "RR") == ["roll", "pitch", "pitch"]
    # 6 kg of trunk and four legs of 0.5 + 0.8 + 0.2 kg.
    assert found.mass_kg == pytest.approx(12.0)


def test_it_stands_on_what_was_found(adopted):
    found = adopted(foreign_robots.four_legs())
    robot = robot_config(str(found.card))
    assert found.stands
    # Thigh and shank are 0.2 m each: the hip is below 0.42 m, and not on the ground.
    assert 0.2 < found.leg_length_m < 0.42
    model = load_model(robot, full_collision=True)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    for _ in range(400):
        mujoco.mj_step(model, data)
    assert data.qpos[2] == pytest.approx(robot.standing_height_m, abs=0.02)
    touching = [i for i in range(model.nsensor) if model.sensor(i).name.startswith("body_touch_")]
    assert touching and not data.sensordata[[model.sensor(i).adr[0] for i in touching]].any()
    forces = [data.sensor(f"{foot}_touch").data[0] for foot in robot.feet]
    assert sum(forces) == pytest.approx(12.0 * 9.81, rel=0.1)


def test_left_and_right_stand_alike(adopted):
    robot = robot_config(str(adopted(foreign_robots.four_legs()).card))
    legs = np.array(robot.default_joint_pos).reshape(4, 3)
    assert legs[0, 1:] == pytest.approx(legs[1, 1:], abs=0.02) and legs[2, 1:] == pytest.approx(legs[3, 1:], abs=0.02)
    # The shanks' range lets them bend one way only: the knees point back.
    assert (legs[:, 1] > 0).all() and (legs[:, 2] < 0).all()


def test_a_humanoids_arms_and_waist_are_held_and_its_soles_are_flat(adopted):
    found = adopted(foreign_robots.two_legs())
    robot = robot_config(str(found.card))
    assert (found.kind, robot.feet, robot.num_joints) == ("biped", ("L", "R"), 12)
    assert any("waist" in note for note in found.notes)
    model = load_model(robot)
    assert model.nv == 6 + 12
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    mujoco.mj_forward(model, data)
    assert data.sensor("L_up").data[2] > 0.99
    assert abs(data.sensor("L_pos").data[2]) < 0.01


def test_legs_may_be_written_in_any_order(adopted):
    found = adopted(foreign_robots.four_legs(legs=((-0.2, -0.1), (0.2, 0.1), (-0.2, 0.1), (0.2, -0.1))))
    robot = robot_config(str(found.card))
    model = load_model(robot)
    # Feet are in our order, rear right was written first; joints are as the state has them.
    assert robot.feet == ("FL", "FR", "RL", "RR")
    assert robot.joint_names == tuple(f"{part}{leg}" for leg in range(4) for part in "abc")
    assert [model.joint(j + 1).name for j in range(12)] == [model.actuator(j).name for j in range(12)]
    servos = {servo.joint: servo for servo in found.servos}
    assert servos["a0"].leg == "RR" and servos["a1"].leg == "FL"
    for name in robot.joint_names:
        home = model.key("home").qpos[model.joint(name).qposadr[0]]
        assert home == pytest.approx(servos[name].default_rad)


def test_a_card_whose_joints_are_not_in_its_models_order_is_refused(adopted):
    robot = robot_config(str(adopted(foreign_robots.four_legs()).card))
    with pytest.raises(BadInput, match="another order"):
        load_model(replace(robot, joint_names=robot.joint_names[::-1]))


def test_legs_that_stand_out_are_swung_by_their_vertical_hinges_and_stand_with_room_to_all_sides(adopted):
    found = adopted(foreign_robots.sprawled_legs())
    robot = robot_config(str(found.card))
    assert robot.sprawled and found.stands
    assert robot.joint_names[:2] == ("swing0", "fold0") and robot.joint_axes[:2] == ("yaw", "pitch")
    # The swing is let do as much as the fold: nothing else takes the foot forward.
    assert set(robot.action_scale) == {0.25}
    for servo in found.servos:
        low, high = servo.range_rad
        assert low + 0.1 < servo.default_rad < high - 0.1
    # The hip is where the vertical hinge is, whatever that hinge does.
    model = load_model(robot, full_collision=True)
    data = mujoco.MjData(model)
    data.joint("swing0").qpos = 0.5
    mujoco.mj_kinematics(model, data)
    assert data.site("FL_root").xpos[:2] == pytest.approx([0.1, 0.1])


def test_a_servo_is_damped_by_what_it_turns(adopted):
    found = adopted(foreign_robots.sprawled_legs(armature=1.0))
    model = load_model(robot_config(str(found.card)))
    kp, kd = -model.actuator_biasprm[0, 1], model.dof_damping[6]
    # A damping ratio of 0.6 on 1 kg m2 of rotor: less, and the robot rings whenever a foot lands.
    assert kd >= 2 * 0.6 * np.sqrt(kp * 1.0) - 1e-6


def test_a_biped_stands_with_its_soles_under_its_centre_of_mass(adopted):
    # Something heavy before the chest: 3 kg 0.3 m ahead move the centre of mass by some centimetres.
    load = '<geom type="sphere" pos="0.3 0 0.2" size="0.05" mass="3"/>'
    chest = '<joint name="waist" axis="0 0 1" range="-1 1"/>'
    found = adopted(foreign_robots.two_legs().replace(chest, chest + load))
    robot = robot_config(str(found.card))
    model = load_model(robot)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    mujoco.mj_forward(model, data)
    ahead = data.subtree_com[1, 0]
    assert ahead - data.site("L_root").xpos[0] > 0.02
    for foot in robot.feet:
        assert data.site(f"{foot}_sole").xpos[0] == pytest.approx(ahead, abs=0.015)
    # No biped stands on its servos for long: they are as stiff as G1's for its weight and leg, not stiffer.
    hip = next(servo for servo in found.servos if servo.joint == "l3")
    assert hip.kp == pytest.approx(0.6 * found.mass_kg * 9.81 * found.leg_length_m, rel=0.1)


def test_a_servo_of_its_own_is_kept_and_a_motors_torque_too(adopted):
    knees = [servo for servo in adopted(foreign_robots.two_legs()).servos if servo.joint in ("l4", "r4")]
    assert {(servo.kp, servo.torque_limit_n_m) for servo in knees} == {(180.0, 90.0)}
    motors = adopted(foreign_robots.four_legs(), "motors").servos
    assert {servo.torque_limit_n_m for servo in motors} == {20.0}  # gear 20, control up to 1
    assert all("as stated" in servo.source for servo in motors)
    guessed = adopted(foreign_robots.four_legs(motors=False), "bare").servos
    assert all("by weight" in servo.source for servo in guessed)


def test_a_policy_can_be_trained_on_it(adopted):
    from video2reward.sim.env import LocomotionEnv

    robot = robot_config(str(adopted(foreign_robots.four_legs()).card))
    target = MotionTarget(robot=robot.name, feet=robot.feet, gait="trot", speed_m_s=1.0, stride_frequency_hz=2.0,
                          duty_factor=(0.5,) * 4, phase_offsets=(0.0, 0.5, 0.5, 0.0),
                          leg_length_m=robot.leg_length_m, froude=0.3)  # fmt: skip
    env = LocomotionEnv(robot, target, num_envs=8, num_threads=1, seed=0)
    for _ in range(25):
        _, _, dones, extras = env.step(torch.zeros(8, robot.num_joints))
    assert not extras["fell"].any() and env.state.feet_contact.mean() > 0.9


def test_the_written_model_needs_no_other_file(adopted, tmp_path):
    folder = adopted(foreign_robots.four_legs()).card.parent
    text = (folder / MODEL_FILE).read_text()
    assert "file=" not in text and 'class="foot"' in text


def test_meshes_that_are_not_there_are_left_out_and_said(adopted):
    text = foreign_robots.four_legs(extra='<geom type="mesh" mesh="shell"/>').replace(
        "<worldbody>", '<asset><mesh name="shell" file="nowhere.stl"/></asset><worldbody>'
    )
    assert any("meshes" in note for note in adopted(text).notes)


def test_a_key_in_which_it_stands_is_believed(adopted):
    key = " ".join(["0 0 0.36 1 0 0 0", *["0 0.7 -1.4"] * 4])
    text = foreign_robots.four_legs().replace(
        "<actuator>", f'<keyframe><key name="home" qpos="{key}"/></keyframe><actuator>'
    )
    robot = robot_config(str(adopted(text).card))
    assert robot.default_joint_pos == pytest.approx((0.0, 0.7, -1.4) * 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<mujoco><worldbody><body><freejoint/><geom size='1'/></body></worldbody></mujoco>", "nothing is hinged"),
        ("not xml at all", "not an MJCF"),
        ("<mujoco><worldbody/></mujoco>", "holds no body"),
        (foreign_robots.four_legs(legs=tuple((x, y) for x in (0.2, 0.0, -0.2) for y in (0.1, -0.1))), "6 legs"),
        (foreign_robots.four_legs(legs=((0.1, 0.2), (0.1, -0.2), (-0.1, 0.2))), "3 legs"),
        (foreign_robots.four_legs(legs=((0.2, 0.0), (-0.2, 0.0))), "faces \\+x"),
    ],
    ids=["a ball", "text", "an empty world", "six legs", "three legs", "sideways"],
)
def test_what_is_no_legged_robot_is_refused_in_one_sentence(tmp_path, text, said):
    path = tmp_path / "thing.xml"
    path.write_text(text)
    with pytest.raises(BadInput, match=said):
        adopt(path, tmp_path / "out")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'mass="6"', b'mass="1e300"', "the number 1e\\+300"),
        (b'"a1"', b'"a1\xff\xfe"', "not UTF-8"),
        (b'"a1"', b'"a1\xc2\x9b31m"', "can be printed"),
    ],
    ids=["a mass beyond any robot's", "a name that is not UTF-8", "a name that steers a terminal"],
)
def test_numbers_and_names_that_nothing_can_work_with_are_refused(tmp_path, old, new, said):
    text = foreign_robots.four_legs().encode()
    (tmp_path / "thing.xml").write_bytes(text.replace(old, new))
    with pytest.raises(BadInput, match=said):
        adopt(tmp_path / "thing.xml", tmp_path / "out")


def test_an_infinite_range_of_a_hinge_is_refused(tmp_path):
    text = foreign_robots.four_legs().replace('range="-50 50"', 'range="-50 inf"')
    (tmp_path / "thing.xml").write_text(text)
    with pytest.raises(BadInput, match="the number inf"):
        adopt(tmp_path / "thing.xml", tmp_path / "out")


def test_names_of_cards_are_read_by_people(adopted):
    found = adopted(foreign_robots.four_legs(), "spot")
    assert robot_title(str(found.card)) == "spot" and robot_title("go1") == "go1"


def test_a_damaged_card_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="no robot card"):
        robot_config(str(tmp_path / CARD_FILE))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / CARD_FILE).write_text('{"name": "x"}')
    with pytest.raises(BadInput, match="not a robot's card"):
        robot_config(str(tmp_path / "a" / CARD_FILE))


def test_our_own_robots_are_found_again_in_their_own_models():
    for name in ("go1", "g1"):
        robot = robot_config(name)
        anatomy = find_anatomy(load_model(robot))
        assert tuple(leg.name for leg in anatomy.legs) == robot.feet
        assert tuple(axis for leg in anatomy.legs for axis in leg.axes) == robot.joint_axes
