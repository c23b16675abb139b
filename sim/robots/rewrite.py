"""Writes a found robot anew as a model of our own kind: primitives, position servos on the legs, the rest held still.

The written MJCF needs no other file. Its classes are those of our robots: `foot` always meets the floor, `limb` only in
the judge's model, `look` is only seen; its sites are `<foot>_sole`, `<foot>_root` and `<foot>_mid`.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray
from video2reward.sim.robots.anatomy import Anatomy, Leg
from video2reward.sim.robots.stance import FootPoint

# As integers: NumPy's do not find themselves among MuJoCo's enums.
_PRIMITIVES = {
    int(getattr(mujoco.mjtGeom, f"mjGEOM_{name}")) for name in ("SPHERE", "CAPSULE", "ELLIPSOID", "CYLINDER", "BOX")
}
_SHANK_SHARE = 0.8
"""A shape that ends in the foot is watched for touching the ground down to this share of the shank."""
_SOLE_MARGIN_M = 0.02


@dataclass(frozen=True)
class Drive:
    """The position servo of one hinge: stiffness N m/rad, damping N m s/rad, torque limit N m, armature kg m²."""

    kp: float
    kd: float
    torque_limit: float
    armature: float


def rewrite(
    model: mujoco.MjModel, anatomy: Anatomy, feet: dict[str, FootPoint], drives: dict[int, Drive], name: str
) -> mujoco.MjSpec:
    """Return the robot as a fresh spec: floating trunk, hinged legs, everything else welded in its rest pose."""
    spec = mujoco.MjSpec()
    spec.modelname = name
    spec.compiler.degree = False
    for kind in ("limb", "look", "foot"):
        spec.add_default(kind, spec.default)
    data = mujoco.MjData(model)
    data.qpos[:] = model.qpos0
    for joint in anatomy.held_joints:
        address = model.jnt_qposadr[joint]
        data.qpos[address] = anatomy.rest[address]
    mujoco.mj_kinematics(model, data)
    legs = {body: leg for leg in anatomy.legs for body in leg.bodies}
    written: dict[int, mujoco.MjsBody] = {0: spec.worldbody}
    for body in _subtree(model, anatomy.trunk):
        parent = written[0] if body == anatomy.trunk else written[int(model.body_parentid[body])]
        made = written[body] = parent.add_body(name=_body_name(model, body))
        if body == anatomy.trunk:
            made.pos = [0.0, 0.0, float(data.xpos[body, 2])]
            made.add_freejoint(name="base")
        else:
            made.pos, made.quat = _relative(model, data, body)
        _write_mass(model, body, made)
        leg = legs.get(body)
        if leg:
            _write_hinges(model, leg, body, made, drives)
        flat = anatomy.kind == "biped"
        if leg and body == leg.foot:
            (_write_flat_foot if flat else _write_round_foot)(spec, model, leg, feet[leg.name], made)
        else:
            for index, geom in enumerate(_shapes(model, body)):
                _copy_shape(spec, model, geom, made, f"{made.name}_{index}")
    for joint, _ in anatomy.joints:
        drive = drives[joint]
        servo = spec.add_actuator(name=model.joint(joint).name, target=model.joint(joint).name)
        servo.trntype = mujoco.mjtTrn.mjTRN_JOINT
        servo.set_to_position(kp=drive.kp)
        servo.ctrllimited = False
        servo.forcelimited = True
        servo.forcerange = [-drive.torque_limit, drive.torque_limit]
    return spec


def _write_mass(model: mujoco.MjModel, body: int, made: mujoco.MjsBody) -> None:
    made.explicitinertial = True
    made.mass = float(model.body_mass[body])
    made.ipos, made.iquat = model.body_ipos[body].copy(), model.body_iquat[body].copy()
    made.inertia = model.body_inertia[body].copy()


def _write_hinges(model: mujoco.MjModel, leg: Leg, body: int, made: mujoco.MjsBody, drives: dict[int, Drive]) -> None:
    for joint in leg.joints:
        if model.jnt_bodyid[joint] != body:
            continue
        limited = bool(model.jnt_limited[joint])
        made.add_joint(
            name=model.joint(joint).name,
            type=mujoco.mjtJoint.mjJNT_HINGE,
            pos=model.jnt_pos[joint].copy(),
            axis=model.jnt_axis[joint].copy(),
            range=model.jnt_range[joint].copy() if limited else [0.0, 0.0],
            limited=limited,
            armature=drives[joint].armature,
            damping=drives[joint].kd,
            ref=float(model.qpos0[model.jnt_qposadr[joint]]),
        )
        for part, marked in (("root", leg.hip_joint), ("mid", leg.knee_joint)):
            if joint == marked:
                made.add_site(name=f"{leg.name}_{part}", pos=model.jnt_pos[joint].copy(), group=5)


def _write_round_foot(
    spec: mujoco.MjSpec, model: mujoco.MjModel, leg: Leg, foot: FootPoint, made: mujoco.MjsBody
) -> None:
    """Put a sphere where the leg ends; what lies under it or ends in it is seen, and watched only further up."""
    radius = foot.radius_m
    for index, geom in enumerate(_shapes(model, leg.foot)):
        to_foot = np.linalg.norm(model.geom_pos[geom] - foot.pos_b)
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_SPHERE and to_foot < 0.5 * radius:
            continue
        ends_there = to_foot - float(model.geom_rbound[geom]) < 0.5 * radius
        _copy_shape(spec, model, geom, made, f"{made.name}_{index}", "look" if ends_there else None)
    knee = model.jnt_pos[leg.joints[-1]] if model.jnt_bodyid[leg.joints[-1]] == leg.foot else np.zeros(3)
    shank = foot.pos_b - knee
    if np.linalg.norm(shank) > 2.0 * radius:
        end = knee + _SHANK_SHARE * shank
        _add(spec, made, "limb", f"{leg.name}_shank", mujoco.mjtGeom.mjGEOM_CAPSULE,
             size=[0.6 * radius, 0.0, 0.0], fromto=[*knee, *end])  # fmt: skip
    _add(spec, made, "foot", f"{leg.name}_foot", mujoco.mjtGeom.mjGEOM_SPHERE, size=[radius, 0, 0], pos=foot.pos_b)
    made.add_site(name=f"{leg.name}_sole", pos=foot.pos_b, size=[1.05 * radius, 0, 0], group=5)


def _write_flat_foot(
    spec: mujoco.MjSpec, model: mujoco.MjModel, leg: Leg, foot: FootPoint, made: mujoco.MjsBody
) -> None:
    """Put four small spheres under the sole's corners, as G1 has them; the foot's own shapes are seen."""
    rotation = _frame_of(foot.up_b)
    boxes = []
    for index, geom in enumerate(_shapes(model, leg.foot)):
        _copy_shape(spec, model, geom, made, f"{leg.name}_{index}_shoe", "look")
        boxes.append(_box_b(model, geom))
    signs = 2 * np.array(list(np.ndindex(2, 2, 2))) - 1
    corners = np.concatenate([center + signs * half for center, half in boxes] or [foot.pos_b[None]])
    half = np.maximum(np.abs((corners - foot.pos_b) @ rotation)[:, :2].max(0), 0.01)
    radius = float(min(0.01, 0.4 * half.min()))
    for index, (x, y) in enumerate(((1, 1), (1, -1), (-1, 1), (-1, -1))):
        corner = foot.pos_b + rotation @ np.array([x * (half[0] - radius), y * (half[1] - radius), radius])
        _add(spec, made, "foot", f"{leg.name}_corner_{index}", mujoco.mjtGeom.mjGEOM_SPHERE,
             size=[radius, 0, 0], pos=corner)  # fmt: skip
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, rotation.flatten())
    made.add_site(
        name=f"{leg.name}_sole",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=foot.pos_b,
        quat=quat,
        size=[half[0] + _SOLE_MARGIN_M, half[1] + _SOLE_MARGIN_M, 1.5 * _SOLE_MARGIN_M],
        group=5,
    )


def _copy_shape(
    spec: mujoco.MjSpec,
    model: mujoco.MjModel,
    geom: int,
    made: mujoco.MjsBody,
    name: str,
    kind: str | None = None,
) -> None:
    """Copy a primitive; of a mesh only its bounding box is kept."""
    solid = bool(model.geom_contype[geom] or model.geom_conaffinity[geom])
    kind = kind or ("limb" if solid or model.geom_type[geom] not in _PRIMITIVES else "look")
    if model.geom_type[geom] in _PRIMITIVES:
        shape, size, pos = model.geom_type[geom], model.geom_size[geom].copy(), model.geom_pos[geom].copy()
    else:
        shape, size = mujoco.mjtGeom.mjGEOM_BOX, model.geom_aabb[geom, 3:].copy()
        pos = _box_b(model, geom)[0]
    quat = model.geom_quat[geom].copy()
    _add(spec, made, kind, name, shape, size=size, pos=pos, quat=quat,
         rgba=[*model.geom_rgba[geom, :3], 1.0])  # fmt: skip


def _add(spec: mujoco.MjSpec, made: mujoco.MjsBody, kind: str, name: str, shape: int, **fields: object) -> None:
    """Add a shape of one of the three classes; none of them has mass, and only feet meet the floor as they are."""
    made.add_geom(
        spec.find_default(kind), name=name, type=shape, contype=0, conaffinity=1 if kind == "foot" else 0,
        mass=0.0, group={"foot": 1, "limb": 1, "look": 2}[kind], **fields,
    )  # fmt: skip


def _shapes(model: mujoco.MjModel, body: int) -> list[int]:
    """Return the shapes of a body worth keeping: its solid primitives and what is seen; meshes only where alone."""
    geoms = [int(g) for g in np.flatnonzero(model.geom_bodyid == body)]
    plain = [g for g in geoms if model.geom_type[g] in _PRIMITIVES]
    return plain or [g for g in geoms if model.geom_type[g] == mujoco.mjtGeom.mjGEOM_MESH][:1]


def _subtree(model: mujoco.MjModel, top: int) -> list[int]:
    """Return a body and all below it, parents first."""
    kept = [top]
    for body in range(top + 1, model.nbody):
        if int(model.body_parentid[body]) in kept:
            kept.append(body)
    return kept


def _relative(model: mujoco.MjModel, data: mujoco.MjData, body: int) -> tuple[NDArray, NDArray]:
    parent = int(model.body_parentid[body])
    back, pos, quat = np.zeros(4), np.zeros(3), np.zeros(4)
    mujoco.mju_negQuat(back, data.xquat[parent])
    mujoco.mju_rotVecQuat(pos, data.xpos[body] - data.xpos[parent], back)
    mujoco.mju_mulQuat(quat, back, data.xquat[body])
    return pos, quat


def _box_b(model: mujoco.MjModel, geom: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return middle and half extents of a shape's bounding box in its body's frame."""
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
    rotation = rotation.reshape(3, 3)
    center, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
    return model.geom_pos[geom] + rotation @ center, np.abs(rotation) @ half


def _frame_of(up_b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation whose z axis is `up_b` and whose x axis is as near to the body's x as can be."""
    z = up_b / np.linalg.norm(up_b)
    x = np.eye(3)[0] - z[0] * z
    x = x / np.linalg.norm(x) if np.linalg.norm(x) > 0.1 else np.cross(np.eye(3)[1], z)
    return np.stack([x, np.cross(z, x), z], axis=1)


def _body_name(model: mujoco.MjModel, body: int) -> str:
    return model.body(body).name or f"body_{body}"
