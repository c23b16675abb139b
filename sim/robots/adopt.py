"""Takes somebody's MJCF as a robot: finds its legs, gives them servos, stands it up, and writes its card.

The card (`robot.json`, a RobotConfig) and the model it was written anew as (`model.xml`) are all that anything needs
afterwards; both are meant to be read, and mended by hand where a guess was wrong.

`python -m video2reward.sim.robots.adopt MODEL.xml FOLDER` does it in a process of its own, because a damaged model can
take MuJoCo's parser down, and prints a `RobotInspection` as JSON.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
from video2reward.memory.errors import BadInput
from video2reward.memory.records import RobotInspection, Servo
from video2reward.memory.runs import write_atomic
from video2reward.sim.config import CARD_FILE, GRAVITY_M_S2, RobotConfig, card_json, read_card
from video2reward.sim.robots.anatomy import Anatomy, find_anatomy
from video2reward.sim.robots.model import load_model
from video2reward.sim.robots.rewrite import Drive, rewrite
from video2reward.sim.robots.sound import refuse_unsound
from video2reward.sim.robots.stance import find_stance, foot_point

MODEL_FILE = "model.xml"
_STIFFNESS = {"quadruped": 1.1, "biped": 0.6}
"""Servo stiffness over weight x leg length: 1.1 on Go1 (35 N m/rad), 0.5 to 0.7 at G1's hips and knees."""
_ANKLE_STIFFNESS = 0.35
"""An ankle's stiffness over a knee's, of those of bipeds: G1 has 40 and 150 N m/rad, its hips 100."""
_LEAST_SERVO_HZ = 4.0
"""A servo is at least so stiff that it moves its own armature at this rate."""
_DAMPING_S = 1.0 / 60.0
"""Damping over stiffness, between Go1's 1/70 and G1's 1/50 s."""
_TORQUE = {"quadruped": 0.8, "biped": 0.6}
"""Torque limit over weight x leg length where the model states none: Go1's is 0.74, G1's 0.4 to 0.66."""
_LEAST_ARMATURE = 0.005
_LEAST_DAMPING_RATIO = 0.6
"""Against its own armature alone a servo is damped at least so well, as Go1's is."""
_ACTION_SCALE = {
    "quadruped": {"roll": 0.15, "pitch": 0.25, "yaw": 0.15},
    "biped": {"roll": 0.12, "pitch": 0.25, "yaw": 0.12},
}
_STIFFER = (1.0, 2.0, 4.0)
"""Guessed stiffness is raised by these until the robot stays up."""
_SETTLE_S = {"quadruped": 2.0, "biped": 0.5}
"""A biped has to balance: on its servos alone G1 tips over after 1.2 s. Stiff enough not to is too stiff to learn."""
_LEAST_STANDING = 0.65
"""Of the fitted height: below it a robot has not sagged but gone down."""
_FALL_SHARE = 0.63
_CONTACT_SHARE = 0.008
"""A foot touches the ground where it is pushed harder than this share of the weight: Go1's 1 N."""


def adopt(mjcf: Path, folder: Path) -> RobotInspection:
    """Find the robot in an MJCF and write its card and model into `folder`.

    Raises BadInput where the file is no MJCF, or holds no two- or four-legged robot.
    """
    model, notes = _compile(mjcf)
    refuse_unsound(model, mjcf)
    anatomy = find_anatomy(model)
    data = mujoco.MjData(model)
    data.qpos[:] = anatomy.rest
    mujoco.mj_kinematics(model, data)
    feet = {leg.name: foot_point(model, data, leg, flat=anatomy.kind == "biped") for leg in anatomy.legs}
    stance = find_stance(model, anatomy, feet)
    notes.append(
        f"it stands as in its key {anatomy.rest_key!r}"
        if anatomy.rest_key
        else "its stance was fitted: it has no rest key"
    )
    if anatomy.held_joints:
        names = ", ".join(model.joint(j).name or "?" for j in anatomy.held_joints[:6])
        more = f" and {len(anatomy.held_joints) - 6} more" if len(anatomy.held_joints) > 6 else ""
        notes.append(f"held still: {names}{more}")
    if anatomy.sprawled:
        notes.append("its legs stand out to the sides: hinges that turn about the vertical swing them")
    leg_m = _leg_length_m(model, anatomy, stance, feet)
    weight_n = float(model.body_subtreemass[anatomy.trunk]) * GRAVITY_M_S2
    folder.mkdir(parents=True, exist_ok=True)
    for stiffer in _STIFFER:
        drives, sources = _drives(model, anatomy, weight_n * leg_m, stiffer)
        spec = rewrite(model, anatomy, feet, drives, mjcf.stem)
        try:
            spec.compile()
        except ValueError as error:
            raise BadInput(f"{mjcf} cannot be written as a robot: {_short(error)}.") from None
        write_atomic(folder / MODEL_FILE, spec.to_xml())
        robot, stands = _stood(_card(model, anatomy, stance, leg_m, feet, weight_n, notes), folder)
        if stands:
            break
    write_atomic(folder / CARD_FILE, card_json(robot))
    read_card.cache_clear()
    servos = tuple(
        Servo(
            joint=model.joint(j).name,
            leg=leg.name,
            axis=axis,
            range_rad=(float(model.jnt_range[j, 0]), float(model.jnt_range[j, 1])) if model.jnt_limited[j] else None,
            default_rad=stance[j],
            kp=round(drives[j].kp, 2),
            torque_limit_n_m=round(drives[j].torque_limit, 2),
            source=sources[j],
        )
        for leg in anatomy.legs
        for j, axis in zip(leg.joints, leg.axes, strict=True)
    )
    return RobotInspection(
        card=folder / CARD_FILE,
        source=str(mjcf),
        kind=robot.kind,
        trunk=model.body(anatomy.trunk).name,
        mass_kg=round(weight_n / GRAVITY_M_S2, 3),
        leg_length_m=robot.leg_length_m,
        standing_height_m=robot.standing_height_m,
        stands=stands,
        servos=servos,
        notes=robot.notes,
    )


def _compile(mjcf: Path) -> tuple[mujoco.MjModel, list[str]]:
    """Compile an MJCF; one whose meshes are not there is compiled without them."""
    try:
        spec = mujoco.MjSpec.from_file(str(mjcf))
    except (ValueError, OSError) as error:
        raise BadInput(
            f"{mjcf} is not an MJCF that can be read: {_short(error)}.", "Give a MuJoCo .xml file."
        ) from None
    notes: list[str] = []
    try:
        return spec.compile(), notes
    except ValueError as error:
        first = error
    for geom in [geom for geom in spec.geoms if geom.type == mujoco.mjtGeom.mjGEOM_MESH]:
        spec.delete(geom)
    for mesh in list(spec.meshes):
        spec.delete(mesh)
    for texture in [texture for texture in spec.textures if texture.file]:
        spec.delete(texture)
    try:
        model = spec.compile()
    except ValueError:
        raise BadInput(f"{mjcf} cannot be compiled: {_short(first)}.", "Open it in MuJoCo's viewer first.") from None
    notes.append("its meshes are not there and were left out")
    return model, notes


def _short(error: Exception) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in str(error))
    return " ".join(plain.split()).rstrip(".")[:200]


def _leg_length_m(model: mujoco.MjModel, anatomy: Anatomy, stance: dict[int, float], feet: dict) -> float:
    """Return the height of the hips' pitch axes over the soles in the stance, the mean of the legs, m."""
    data = mujoco.MjData(model)
    data.qpos[:] = anatomy.rest
    for joint, angle in stance.items():
        data.qpos[model.jnt_qposadr[joint]] = angle
    mujoco.mj_kinematics(model, data)
    heights = []
    for leg in anatomy.legs:
        foot = feet[leg.name]
        sole = data.xmat[leg.foot].reshape(3, 3) @ foot.pos_b + data.xpos[leg.foot]
        heights.append(data.xanchor[leg.hip_joint][2] - sole[2] + foot.radius_m)
    length = float(np.mean(heights))
    if length < 0.02:
        raise BadInput("the feet do not reach below the hips.", "Give the model a key in which it stands.")
    return length


def _drives(
    model: mujoco.MjModel, anatomy: Anatomy, weight_times_leg: float, stiffer: float
) -> tuple[dict[int, Drive], dict[int, str]]:
    """Give every leg hinge a servo: the model's own where it has one, else one that suits weight and leg."""
    drives, sources = {}, {}
    for leg in anatomy.legs:
        for index, joint in enumerate(leg.joints):
            dof = int(model.jnt_dofadr[joint])
            armature = max(float(model.dof_armature[dof]), _LEAST_ARMATURE)
            own = _own_actuator(model, joint)
            limit = _torque_limit(model, joint, own)
            source = ["torque as stated" if limit else "torque by weight and leg"]
            limit = limit or _TORQUE[anatomy.kind] * weight_times_leg
            if own is not None and model.actuator_biastype[own] == mujoco.mjtBias.mjBIAS_AFFINE:
                kp = float(model.actuator_gainprm[own, 0])
                kd = max(float(model.dof_damping[dof] - model.actuator_biasprm[own, 2]), 0.2 * _DAMPING_S * kp)
                source.append("stiffness of its own servo")
            else:
                ankle = anatomy.kind == "biped" and index > leg.joints.index(leg.knee_joint)
                share = stiffer * _STIFFNESS[anatomy.kind] * (_ANKLE_STIFFNESS if ankle else 1.0)
                kp = max(share * weight_times_leg, armature * (2.0 * math.pi * _LEAST_SERVO_HZ) ** 2)
                least_kd = 2.0 * _LEAST_DAMPING_RATIO * math.sqrt(kp * armature)
                kd = max(kp * _DAMPING_S, min(float(model.dof_damping[dof]), 0.05 * kp), least_kd)
                source.append("stiffness by weight and leg")
            drives[joint] = Drive(kp=kp, kd=kd, torque_limit=limit, armature=armature)
            sources[joint] = ", ".join(source)
    return drives, sources


def _own_actuator(model: mujoco.MjModel, joint: int) -> int | None:
    on_joint = {int(mujoco.mjtTrn.mjTRN_JOINT), int(mujoco.mjtTrn.mjTRN_JOINTINPARENT)}
    return next(
        (a for a in range(model.nu) if model.actuator_trntype[a] in on_joint and model.actuator_trnid[a, 0] == joint),
        None,
    )


def _torque_limit(model: mujoco.MjModel, joint: int, actuator: int | None) -> float:
    """Return the torque limit that the model states, N m; 0 where it states none."""
    if model.jnt_actfrclimited[joint]:
        return float(np.abs(model.jnt_actfrcrange[joint]).max())
    if actuator is None:
        return 0.0
    gear = abs(float(model.actuator_gear[actuator, 0])) or 1.0
    if model.actuator_forcelimited[actuator]:
        return gear * float(np.abs(model.actuator_forcerange[actuator]).max())
    motor = model.actuator_biastype[actuator] == mujoco.mjtBias.mjBIAS_NONE
    if motor and model.actuator_ctrllimited[actuator]:
        return (
            gear
            * abs(float(model.actuator_gainprm[actuator, 0]))
            * float(np.abs(model.actuator_ctrlrange[actuator]).max())
        )
    return 0.0


def _card(model, anatomy: Anatomy, stance, leg_m: float, feet, weight_n: float, notes: list[str]) -> RobotConfig:
    joints = anatomy.joints
    data = mujoco.MjData(model)
    data.qpos[:] = anatomy.rest
    for joint, angle in stance.items():
        data.qpos[model.jnt_qposadr[joint]] = angle
    mujoco.mj_kinematics(model, data)
    soles = [
        (data.xmat[leg.foot].reshape(3, 3) @ feet[leg.name].pos_b + data.xpos[leg.foot])[2] - feet[leg.name].radius_m
        for leg in anatomy.legs
    ]
    height = float(data.xpos[anatomy.trunk, 2] - min(soles))
    radius = float(np.mean([foot.radius_m for foot in feet.values()]))
    return RobotConfig(
        name=MODEL_FILE,
        kind=anatomy.kind,
        mjcf=MODEL_FILE,
        feet=tuple(leg.name for leg in anatomy.legs),
        joint_names=tuple(model.joint(j).name for j, _ in joints),
        joint_axes=tuple(axis for _, axis in joints),
        default_joint_pos=tuple(stance[j] for j, _ in joints),
        action_scale=tuple(_ACTION_SCALE[anatomy.kind]["pitch" if anatomy.sprawled else axis] for _, axis in joints),
        leg_length_m=round(leg_m, 4),
        standing_height_m=round(height, 4),
        fall_height_m=round(_FALL_SHARE * height, 4),
        foot_radius_m=round(radius, 4),
        contact_force_n=round(max(_CONTACT_SHARE * weight_n, 0.05), 3),
        sprawled=anatomy.sprawled,
        notes=tuple(notes),
    )


def _stood(robot: RobotConfig, folder: Path) -> tuple[RobotConfig, bool]:
    """Let the robot stand on its servos for a while and measure it then; say whether it stayed up."""
    model = load_model(replace(robot, mjcf=str(folder / MODEL_FILE)), timestep_s=0.005)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    for _ in range(round(_SETTLE_S[robot.kind] / model.opt.timestep)):
        mujoco.mj_step(model, data)
    height = float(data.qpos[2])
    upright = 1.0 - 2.0 * float(data.qpos[4] ** 2 + data.qpos[5] ** 2) > 0.9
    if not (np.isfinite(data.qpos).all() and upright and height > _LEAST_STANDING * robot.standing_height_m):
        return replace(robot, notes=(*robot.notes, "on its servos alone it does not stay up")), False
    measured = replace(
        robot,
        standing_height_m=round(height, 4),
        leg_length_m=round(robot.leg_length_m - (robot.standing_height_m - height), 4),
        fall_height_m=round(_FALL_SHARE * height, 4),
    )
    return measured, True


def main(argv: list[str] | None = None) -> int:
    """Adopt the model named first into the folder named second; print what was found, or why not, exit 0 or 2."""
    mjcf, folder = sys.argv[1:] if argv is None else argv
    try:
        print(adopt(Path(mjcf), Path(folder)).model_dump_json())
    except BadInput as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
