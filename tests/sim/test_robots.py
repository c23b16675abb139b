"""The robots against the published numbers, and on their feet.

The numbers were read once, with MuJoCo, from mjlab 1.6.0 (asset_zoo/robots/unitree_go1/xmls/go1.xml with
go1_constants.py, asset_zoo/robots/unitree_g1/xmls/g1.xml with g1_constants.py), which carries Unitree's own models.
"""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from video2reward.sim.config import G1, GO1, ROBOTS, RobotConfig
from video2reward.sim.robots.model import BODY_TOUCH_PREFIX, load_model

WITHIN = 0.01
"""Masses, inertias, centres of mass, limits and gains agree with the source within one per cent."""

# kind of link: mass kg, principal inertias kg m² (largest first), |centre of mass| components m in the link's frame
GO1_LINKS = {
    "hip": (0.68, (7.34064e-4, 4.68438e-4, 3.98719e-4), (0.0049166, 0.00762615, 8.865e-5)),
    "thigh": (1.009, (4.78717e-3, 4.60903e-3, 7.09268e-4), (0.00304722, 0.019315, 0.0305004)),
    "calf": (0.195862, (1.49767e-3, 1.48468e-3, 3.58427e-5), (0.00429862, 0.000976676, 0.146197)),
}
G1_LINKS = {
    "hip_pitch": (1.35, (1.81517e-3, 1.53422e-3, 1.16212e-3), (0.002741, 0.047791, 0.02606)),
    "hip_roll": (1.52, (2.54986e-3, 2.41169e-3, 1.48755e-3), (0.029812, 0.001045, 0.087934)),
    "hip_yaw": (1.702, (7.76166e-3, 7.17575e-3, 1.60139e-3), (0.057709, 0.010981, 0.15078)),
    "knee": (1.932, (1.13804e-2, 1.12778e-2, 1.46458e-3), (0.005457, 0.003964, 0.12074)),
    "ankle_pitch": (0.074, (1.89e-5, 1.40805e-5, 6.9195e-6), (0.007269, 0.0, 0.011137)),
    "ankle_roll": (0.608, (1.67218e-3, 1.6161e-3, 2.17621e-4), (0.026505, 0.0, 0.016425)),
}
LINKS = {
    "go1": {
        "trunk": (5.204, (0.0716565, 0.0630105, 0.0168101), (0.0223, 0.002, 0.0005)),
        **{f"{leg}_{part}": numbers for leg in GO1.feet for part, numbers in GO1_LINKS.items()},
    },
    "g1": {
        "pelvis": (3.813, (0.010549, 0.0093089, 0.0079184), (0.0, 0.0, 0.07605)),
        # The 17 held bodies of g1.xml together: mass, inertia and centre as MuJoCo gives them with the waist straight,
        # shoulder pitch 0.2, shoulder roll ±0.2 and elbow 1.28 rad.
        "torso": (15.156142, (0.5449028, 0.2982336, 0.2684099), (0.0052159, 0.000181, 0.1291171)),
        **{f"{side}_{part}": numbers for side in ("left", "right") for part, numbers in G1_LINKS.items()},
    },
}
TOTAL_MASS_KG = {"go1": 12.743448, "g1": 33.341142}

# Go1's gains: MuJoCo Playground, its armature our own choice. G1's: unitree_rl_gym, deploy/deploy_real/configs/g1.yaml.
# part of a joint's name: range rad, torque limit N m, kp N m/rad, kd N m s/rad, armature kg m²
GO1_DRIVES = {
    "hip": ((-0.863, 0.863), 23.7, 35, 0.5, 0.005),
    "thigh": ((-0.686, 4.501), 23.7, 35, 0.5, 0.005),
    "calf": ((-2.818, -0.888), 35.55, 35, 0.5, 0.005),
}
# Armatures of G1 by the two-stage planetary formula of mjlab's actuator.py: 7520-14 0.010178, 7520-22 0.025102,
# two 5020 side by side 0.007219. Hip roll has its range mirrored on the right.
G1_DRIVES = {
    "hip_pitch": ((-2.5307, 2.8798), 88, 100, 2, 0.010178),
    "hip_roll": ((-0.5236, 2.9671), 139, 100, 2, 0.025102),
    "hip_yaw": ((-2.7576, 2.7576), 88, 100, 2, 0.010178),
    "knee": ((-0.087267, 2.8798), 139, 150, 4, 0.025102),
    "ankle_pitch": ((-0.87267, 0.5236), 50, 40, 2, 0.007219),
    "ankle_roll": ((-0.2618, 0.2618), 50, 40, 2, 0.007219),
}
# Distances from joint to joint, m: parent link, child link, length.
SPANS = {
    "go1": (("trunk", "FL_hip", 0.193822), ("FL_hip", "FL_thigh", 0.08), ("FL_thigh", "FL_calf", 0.213)),
    "g1": (
        ("pelvis", "left_hip_pitch", 0.121251),
        ("left_hip_pitch", "left_hip_roll", 0.060268),
        ("left_hip_roll", "left_hip_yaw", 0.126613),
        ("left_hip_yaw", "left_knee", 0.193857),
        ("left_knee", "left_ankle_pitch", 0.30001),
        ("left_ankle_pitch", "left_ankle_roll", 0.017558),
    ),
}

robots = pytest.mark.parametrize("config", ROBOTS.values(), ids=ROBOTS)


def drive(config: RobotConfig, joint: str) -> tuple[tuple[float, float], float, float, float, float]:
    table = GO1_DRIVES if config is GO1 else G1_DRIVES
    part = joint.removesuffix("_joint").split("_", 1)[1]
    limits, *rest = table[part]
    return (-limits[1], -limits[0]) if joint == "right_hip_roll_joint" else limits, *rest


def at_home(model: mujoco.MjModel) -> mujoco.MjData:
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    mujoco.mj_forward(model, data)
    return data


def tilt_rad(data: mujoco.MjData) -> float:
    w, x, y, z = data.qpos[3:7]
    return float(np.arccos(np.clip(1 - 2 * (x * x + y * y), -1, 1)))


@robots
def test_mass_inertia_and_centre_of_every_link_are_the_published_ones(config: RobotConfig) -> None:
    model = load_model(config)
    assert model.body_mass.sum() == pytest.approx(TOTAL_MASS_KG[config.name], rel=WITHIN)
    assert {model.body(i).name for i in range(1, model.nbody)} == set(LINKS[config.name])
    for name, (mass, inertia, centre) in LINKS[config.name].items():
        body = model.body(name)
        assert body.mass[0] == pytest.approx(mass, rel=WITHIN), name
        assert sorted(body.inertia, reverse=True) == pytest.approx(inertia, rel=WITHIN), name
        assert np.abs(body.ipos) == pytest.approx(centre, rel=WITHIN, abs=1e-6), name


@robots
def test_links_are_as_long_as_published(config: RobotConfig) -> None:
    model = load_model(config)
    for parent, child, length in SPANS[config.name]:
        assert model.body(model.body(child).parentid[0]).name == parent
        assert np.linalg.norm(model.body(child).pos) == pytest.approx(length, rel=WITHIN), child


@robots
def test_left_and_right_mirror_each_other(config: RobotConfig) -> None:
    # Reflecting y keeps xx, yy, zz, xz and turns the signs of xy and yz.
    model = load_model(config)
    pairs = [("FL", "FR"), ("RL", "RR")] if config is GO1 else [("left", "right")]
    for left, right in pairs:
        for name in (name for name in LINKS[config.name] if name.startswith(f"{left}_")):
            one, other = model.body(name).id, model.body(name.replace(left, right, 1)).id
            mirror = np.diag([1.0, -1.0, 1.0])
            calf = name.endswith("calf")  # Unitree gives all four calves the same, unmirrored numbers.
            wanted = inertia_matrix(model, one) if calf else mirror @ inertia_matrix(model, one) @ mirror
            assert inertia_matrix(model, other) == pytest.approx(wanted, abs=0.01 * model.body_inertia[one].max())
            assert model.body_ipos[other] == pytest.approx(model.body_ipos[one] * (1, 1 if calf else -1, 1))


def inertia_matrix(model: mujoco.MjModel, body: int) -> np.ndarray:
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, model.body_iquat[body])
    axes = rotation.reshape(3, 3)
    return axes @ np.diag(model.body_inertia[body]) @ axes.T


@robots
def test_joints_and_drives_are_the_published_ones_in_the_order_of_the_config(config: RobotConfig) -> None:
    model = load_model(config)
    assert tuple(model.actuator(i).name for i in range(model.nu)) == config.joint_names
    for index, name in enumerate(config.joint_names):
        limits, torque, kp, kd, armature = drive(config, name)
        joint = model.joint(name)
        assert model.actuator_trnid[index, 0] == joint.id
        assert joint.qposadr[0] == 7 + index, "joint_pos is qpos[7:] in the order of the actuators"
        assert joint.range == pytest.approx(limits, rel=WITHIN)
        assert model.actuator_forcerange[index] == pytest.approx((-torque, torque), rel=WITHIN)
        assert model.actuator_gainprm[index, 0] == pytest.approx(kp, rel=WITHIN)
        assert model.actuator_biasprm[index, :3] == pytest.approx((0, -kp, 0), rel=WITHIN)
        assert joint.damping[0] == pytest.approx(kd, rel=WITHIN)
        assert joint.armature[0] == pytest.approx(armature, rel=WITHIN)
        assert not model.actuator_ctrllimited[index]


@robots
def test_home_stands_in_the_default_pose_with_its_feet_on_the_floor(config: RobotConfig) -> None:
    data = at_home(load_model(config))
    assert data.qpos[7:] == pytest.approx(config.default_joint_pos)
    assert data.ctrl == pytest.approx(config.default_joint_pos)
    heights = [data.sensor(f"{foot}_pos").data[2] - config.foot_radius_m for foot in config.feet]
    assert heights == pytest.approx([0.0] * config.num_feet, abs=0.002)


@pytest.mark.parametrize("timestep_s", [0.005, 0.001])
def test_a_dropped_robot_lands_on_rubber_and_does_not_rattle(timestep_s: float) -> None:
    model = load_model(GO1, timestep_s=timestep_s)
    data = at_home(model)
    data.qpos[2] += 0.05
    touched = []
    while data.time < 1.0:
        mujoco.mj_step(model, data)
        touched.append([data.sensor(f"{foot}_touch").data[0] > GO1.contact_force_n for foot in GO1.feet])
    touchdowns = (np.diff(np.array(touched).astype(int), axis=0) > 0).sum(axis=0)
    # On MuJoCo's own hard contact the front feet touch down 10 times, or 25 at the finer step.
    assert touchdowns.min() >= 1 and touchdowns.max() <= 3


def test_go1_stands_on_its_own_for_two_seconds_at_the_measured_height() -> None:
    model = load_model(GO1)
    data = at_home(model)
    while data.time < 2.0:
        mujoco.mj_step(model, data)
    assert tilt_rad(data) < 0.1
    # Its rubber feet give by 5 mm.
    assert data.qpos[2] == pytest.approx(GO1.standing_height_m - 0.005, abs=0.004)
    hips_m = [data.site(f"{foot}_root").xpos[2] for foot in GO1.feet]
    assert np.mean(hips_m) == pytest.approx(GO1.leg_length_m - 0.005, abs=0.004)
    carried_n = sum(data.sensor(f"{foot}_touch").data[0] for foot in GO1.feet)
    assert carried_n == pytest.approx(TOTAL_MASS_KG["go1"] * 9.81, rel=0.05)


def test_g1_stands_for_two_seconds_when_its_ankles_push_back() -> None:
    # Two ankles of 40 N m/rad hold against 33 kg at 0.6 m, which topple with about 200 N m/rad: no pose stands unaided.
    # What a person does, pressing the toes down as the centre of mass moves over them, is enough.
    model = load_model(G1)
    data = at_home(model)
    ankles = [G1.joint_names.index(f"{side}_ankle_pitch_joint") for side in ("left", "right")]
    while data.time < 2.0:
        mujoco.mj_subtreeVel(model, data)
        over_toes_m = data.subtree_com[1, 0] - np.mean([data.site(f"{f}_sole").xpos[0] for f in G1.feet]) + 0.01
        data.ctrl[ankles] = np.array(G1.default_joint_pos)[ankles] + 8.0 * over_toes_m + 2.0 * data.subtree_linvel[1, 0]
        mujoco.mj_step(model, data)
    assert tilt_rad(data) < 0.1
    assert data.qpos[2] == pytest.approx(G1.standing_height_m - 0.004, abs=0.004)  # rubber soles give
    hips_m = [data.site(f"{foot}_root").xpos[2] for foot in G1.feet]
    assert np.mean(hips_m) == pytest.approx(G1.leg_length_m - 0.004, abs=0.004)
    carried_n = sum(data.sensor(f"{foot}_touch").data[0] for foot in G1.feet)
    assert carried_n == pytest.approx(TOTAL_MASS_KG["g1"] * 9.81, rel=0.05)
    for foot in G1.feet:
        assert data.sensor(f"{foot}_up").data[2] > 0.99


@robots
def test_foot_sensors_follow_the_feet_and_feel_nothing_in_the_air(config: RobotConfig) -> None:
    model = load_model(config)
    data = at_home(model)
    data.qpos[2] += 0.5
    data.qvel[0] = 1.0
    mujoco.mj_forward(model, data)
    for foot in config.feet:
        assert data.sensor(f"{foot}_touch").data[0] == 0
        assert data.sensor(f"{foot}_pos").data[2] - config.foot_radius_m == pytest.approx(0.5, abs=0.002)
        assert data.sensor(f"{foot}_vel").data == pytest.approx([1, 0, 0], abs=1e-6)


@robots
def test_a_robot_on_its_side_is_felt_by_its_body_and_only_in_the_judges_model(config: RobotConfig) -> None:
    assert not [name for name in sensor_names(load_model(config)) if name.startswith(BODY_TOUCH_PREFIX)]
    model = load_model(config, full_collision=True)
    touch = [name for name in sensor_names(model) if name.startswith(BODY_TOUCH_PREFIX)]
    data = at_home(model)
    assert not any(data.sensor(name).data[0] for name in touch), "nothing but feet touches while standing"
    data.qpos[3:7] = (np.sqrt(0.5), np.sqrt(0.5), 0, 0)
    felt = set()
    while data.time < 1.0:
        mujoco.mj_step(model, data)
        felt |= {name for name in touch if data.sensor(name).data[0] > 0}
    assert len(felt) >= 2
    assert data.qpos[2] > 0.03, "the floor holds the body"


@robots
def test_every_moving_body_but_a_biped_s_foot_has_a_touch_sensor(config: RobotConfig) -> None:
    touch = {name for name in sensor_names(load_model(config, full_collision=True)) if name.startswith("body_touch_")}
    ankles = {name for name in LINKS["g1"] if "ankle" in name}
    for name in set(LINKS[config.name]) - ankles:
        assert f"{BODY_TOUCH_PREFIX}{name}" in touch


@robots
def test_hip_and_knee_are_reported_to_the_judge(config: RobotConfig) -> None:
    data = at_home(load_model(config, full_collision=True))
    for foot in config.feet:
        root, mid, sole = (data.sensor(f"{foot}_{point}").data for point in ("root", "mid", "pos"))
        assert root[2] > mid[2] > sole[2]


@robots
def test_pictures_do_not_change_the_physics_and_training_carries_no_pictures(config: RobotConfig) -> None:
    plain, dressed = load_model(config), load_model(config, visual=True)
    assert plain.ngeom < dressed.ngeom
    ends = []
    for model in (plain, dressed):
        data = at_home(model)
        for _ in range(50):
            mujoco.mj_step(model, data)
        ends.append(data.qpos.copy())
    assert ends[0] == pytest.approx(ends[1], abs=1e-9)


def sensor_names(model: mujoco.MjModel) -> list[str]:
    return [model.sensor(index).name for index in range(model.nsensor)]
