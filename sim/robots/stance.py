"""Finds how a robot stands: feet under the hips, knees a little bent, soles flat.

A model's own rest key is believed. Without one, each leg's hinges are fitted from several starts.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from video2reward.sim.robots.anatomy import Anatomy, Leg, lowest_m

_REACH = {"quadruped": 0.72, "biped": 0.95}
"""Standing height of the hip, as a share of the longest reach; servos sag below it: Go1 from 0.72 to 0.63."""
_SPRAWLED_REACH = 0.85
"""The same of a sprawled leg, which lifts its foot by what is left between there and its highest."""
_BALANCE_ROUNDS = {"quadruped": 1, "biped": 3}
"""A biped's soles are brought under its centre of mass, wherever its arms and chest put that; legs move it, too."""
_NUM_STARTS = 12
_NUM_SAMPLES = 400
_WRONG_KNEE = 0.02
"""Added to the misfit of a knee that bends the unusual way (quadrupeds: back, bipeds: forward)."""


@dataclass(frozen=True)
class FootPoint:
    """Where a foot meets the ground: a point of the foot's body (its frame, m), the radius round it, its up axis."""

    pos_b: NDArray[np.float64]
    radius_m: float
    up_b: NDArray[np.float64]


def foot_point(model: mujoco.MjModel, data: mujoco.MjData, leg: Leg, *, flat: bool) -> FootPoint:
    """Find the sole of a leg, in the pose of `data`.

    A flat foot's is the middle of its lower side; a point foot's is the end of a shape that lies farthest from the
    last hinge.
    """
    body = leg.foot
    rotation, origin = data.xmat[body].reshape(3, 3), data.xpos[body]
    up_b = rotation.T @ np.array([0.0, 0.0, 1.0])
    geoms = np.flatnonzero(model.geom_bodyid == body)
    solid = [g for g in geoms if model.geom_contype[g] or model.geom_conaffinity[g]]
    geoms = np.array(solid or list(geoms), dtype=int)
    if flat:
        corners = np.concatenate([_corners_b(model, g) for g in geoms]) if len(geoms) else np.zeros((1, 3))
        world = corners @ rotation.T + origin
        low, high = world.min(0), world.max(0)
        sole = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, lowest_m(model, data, body)])
        return FootPoint(rotation.T @ (sole - origin), 0.0, up_b)
    last = data.xanchor[leg.joints[-1]]
    best, farthest, radius = np.zeros(3), -1.0, 0.0
    for geom in geoms:
        for point, size in _tips_b(model, geom):
            away = float(np.linalg.norm(rotation @ point + origin - last)) + size
            if away > farthest:
                best, farthest, radius = point, away, size
    return FootPoint(best, max(radius, 0.005), up_b)


def find_stance(model: mujoco.MjModel, anatomy: Anatomy, feet: dict[str, FootPoint]) -> dict[int, float]:
    """Return the angle of each leg hinge when standing, rad, by joint id."""
    qpos = anatomy.rest.copy()
    address = {j: int(model.jnt_qposadr[j]) for leg in anatomy.legs for j in leg.joints}
    if anatomy.rest_key:
        return {j: float(qpos[a]) for j, a in address.items()}
    data = mujoco.MjData(model)
    generator = np.random.default_rng(0)
    low, high = _ranges(model, list(address))
    reach = np.zeros(len(anatomy.legs))
    for _ in range(_NUM_SAMPLES):
        qpos[list(address.values())] = generator.uniform(low, high)
        drop = [_drop_m(model, data, qpos, leg, feet[leg.name]) for leg in anatomy.legs]
        reach = np.maximum(reach, drop)
    # Sampling stays a little below the longest reach; all legs stand at one height.
    height = (_SPRAWLED_REACH if anatomy.sprawled else _REACH[anatomy.kind]) * float(reach.max())
    stance: dict[int, float] = {}
    ahead = 0.0
    for _ in range(_BALANCE_ROUNDS[anatomy.kind]):
        for leg in anatomy.legs:
            angles = _fit(model, data, anatomy, leg, feet[leg.name], height, ahead, generator)
            stance |= dict(zip(leg.joints, angles, strict=True))
        qpos[list(address.values())] = [stance[j] for j in address]
        ahead += _lead_m(model, data, anatomy, feet, qpos)
    return stance


def _lead_m(
    model: mujoco.MjModel, data: mujoco.MjData, anatomy: Anatomy, feet: dict[str, FootPoint], qpos: NDArray[np.float64]
) -> float:
    """Return how far the centre of mass lies before the middle of the soles, m."""
    _place(model, data, qpos)
    mujoco.mj_comPos(model, data)
    soles = [_sole_w(data, leg, feet[leg.name])[0] for leg in anatomy.legs]
    return float(data.subtree_com[anatomy.trunk, 0] - np.mean(soles))


def _fit(
    model: mujoco.MjModel,
    data: mujoco.MjData,
    anatomy: Anatomy,
    leg: Leg,
    foot: FootPoint,
    height_m: float,
    ahead_m: float,
    generator: np.random.Generator,
) -> list[float]:
    columns = [int(model.jnt_qposadr[j]) for j in leg.joints]
    low, high = _ranges(model, list(leg.joints))
    middle = np.clip(0.0, low, high)
    qpos = anatomy.rest.copy()
    # Out of the sagittal plane a leg is turned only where it has to be.
    calm = np.array([{"pitch": 0.05, "roll": 0.5, "yaw": 2.0}[axis] for axis in leg.axes])
    wanted_knee = -1.0 if anatomy.kind == "quadruped" else 1.0
    if leg.sprawled:
        # No stance brings its foot under its hip: it stands out the way it was built, with room to every side.
        calm, middle = np.where(calm < 1.0, 0.5, calm), np.where(calm < 1.0, 0.5 * (low + high), middle)

    def misfit(angles: NDArray[np.float64]) -> NDArray[np.float64]:
        qpos[columns] = angles
        _place(model, data, qpos)
        hip, sole = data.xanchor[leg.hip_joint], _sole_w(data, leg, foot)
        up = data.xmat[leg.foot].reshape(3, 3) @ foot.up_b
        level = 0.5 * up[:2] if anatomy.kind == "biped" else np.zeros(2)
        away = np.array([sole[0] - hip[0] - ahead_m, sole[1] - data.xanchor[leg.knee_joint][1]])
        return np.concatenate([
            np.zeros(2) if leg.sprawled else 3.0 * away / height_m,
            [3.0 * (hip[2] - sole[2] - height_m) / height_m],
            level,
            calm * (angles - middle) / (high - low),
        ])  # fmt: skip

    best, least = middle, np.inf
    for start in [middle, *(generator.uniform(low, high) for _ in range(_NUM_STARTS - 1))]:
        found = least_squares(misfit, np.clip(start, low + 1e-6, high - 1e-6), bounds=(low, high), xtol=1e-6)
        misfit(found.x)
        ahead = data.xanchor[leg.knee_joint][0] - 0.5 * (data.xanchor[leg.hip_joint] + _sole_w(data, leg, foot))[0]
        cost = float(found.cost) + (_WRONG_KNEE if ahead * wanted_knee < 0 and not leg.sprawled else 0.0)
        if cost < least - 1e-9:
            best, least = found.x, cost
    return [round(float(angle), 4) for angle in best]


def _ranges(model: mujoco.MjModel, joints: list[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the limits of hinges, rad; a hinge without limits gets a quarter turn either way."""
    limited = model.jnt_limited[joints].astype(bool)
    low = np.where(limited, model.jnt_range[joints, 0], -np.pi / 2)
    high = np.where(limited, model.jnt_range[joints, 1], np.pi / 2)
    return low, np.maximum(high, low + 1e-3)


def _place(model: mujoco.MjModel, data: mujoco.MjData, qpos: NDArray[np.float64]) -> None:
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)


def _drop_m(model: mujoco.MjModel, data: mujoco.MjData, qpos: NDArray[np.float64], leg: Leg, foot: FootPoint) -> float:
    _place(model, data, qpos)
    return float(data.xanchor[leg.hip_joint][2] - _sole_w(data, leg, foot)[2])


def _sole_w(data: mujoco.MjData, leg: Leg, foot: FootPoint) -> NDArray[np.float64]:
    """Return where the foot touches the ground: below a round foot's middle."""
    point = data.xmat[leg.foot].reshape(3, 3) @ foot.pos_b + data.xpos[leg.foot]
    return point - np.array([0.0, 0.0, foot.radius_m])


def _corners_b(model: mujoco.MjModel, geom: int) -> NDArray[np.float64]:
    center, half = model.geom_aabb[geom, :3], model.geom_aabb[geom, 3:]
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    return _to_body(model, geom, center + signs * half)


def _tips_b(model: mujoco.MjModel, geom: int) -> list[tuple[NDArray[np.float64], float]]:
    """Return the ends of a shape in its body's frame with the radius round each."""
    kind, size = model.geom_type[geom], model.geom_size[geom]
    if kind == mujoco.mjtGeom.mjGEOM_SPHERE:
        points, radius = np.zeros((1, 3)), float(size[0])
    elif kind in (mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER):
        points, radius = np.array([[0, 0, size[1]], [0, 0, -size[1]]]), float(size[0])
    else:
        half = model.geom_aabb[geom, 3:]
        axis, radius = int(np.argmax(half)), float(np.sort(half)[1])
        offset = np.zeros(3)
        offset[axis] = max(half[axis] - radius, 0.0)
        points = model.geom_aabb[geom, :3] + np.array([offset, -offset])
    return [(point, radius) for point in _to_body(model, geom, points)]


def _to_body(model: mujoco.MjModel, geom: int, points: NDArray[np.float64]) -> NDArray[np.float64]:
    rotation = np.zeros(9)
    mujoco.mju_quat2Mat(rotation, model.geom_quat[geom])
    return points @ rotation.reshape(3, 3).T + model.geom_pos[geom]
