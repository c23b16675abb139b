"""The reference motion: what the joints and feet of one robot do over a stride if it moves as the target says.

Each foot's path is the subject's own, seen from the hip in leg lengths, where the target carries one, else a plain one:
it stands back under the hip at the speed of travel and swings forward in an arc. The sagittal joints of the leg follow
by damped inverse kinematics within their limits (Buss 2004, eq. 11); joints out of that plane keep the default stance.
The trunk is taken to be level and at its standing height.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from video2reward.memory.records import MotionTarget
from video2reward.sim.config import GRAVITY_M_S2, RobotConfig
from video2reward.sim.robots.model import load_model

NUM_BINS = 64
_LIFT = {4: 0.18, 2: 0.11}
"""How high a plain swing goes, in leg lengths, by the number of feet."""
_LONGEST_HALF_STEP = 0.55
_DAMPING = 1e-4
_ROUNDS, _ITERATIONS = 2, 12
_LIMIT_MARGIN_RAD = 0.02
_STUCK_M = 0.03
_LEVEL_M_RAD = 0.05
"""A sole that is not level by a radian is as bad as a foot off its path by this."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Strain:
    """What the reference would ask of the robot."""

    joint_speed_rad_s: float
    fastest_joint: str
    torque_share: float
    """Peak static torque against the motor's limit: the weight borne by the standing feet, half a sine of force."""
    weakest_joint: str
    out_of_reach: float
    """Largest distance of a foot from its path, in leg lengths."""
    flight_s: float
    """The longest time without any foot on the ground."""


@dataclass(frozen=True)
class Reference:
    """One stride over NUM_BINS equal bins of the gait clock, whose zero is the first foot's touchdown."""

    joint_pos: Tensor
    """(NUM_BINS, num_joints), rad"""
    joint_vel: Tensor
    """(NUM_BINS, num_joints), rad/s at the target's stride frequency"""
    feet_contact: Tensor
    """(NUM_BINS, num_feet): 1 in stance"""
    base_vel_z: Tensor
    """(NUM_BINS,), m/s: the trunk's bounce"""
    base_rise: Tensor
    """(NUM_BINS,), m: how far the trunk's flight takes it above where it is when a foot lands; 0 without flight"""
    strain: Strain

    def at(self, gait_phase: Tensor) -> Tensor:
        """Return the bins of a clock (num_envs,)."""
        return (gait_phase * NUM_BINS).long().clamp_(0, NUM_BINS - 1)


@lru_cache(maxsize=16)
def reference_motion(robot: RobotConfig, target_json: str) -> Reference:
    """Build the reference of a target (`MotionTarget.model_dump_json()`, which can be a key of the cache)."""
    target = MotionTarget.model_validate_json(target_json)
    model = load_model(robot, full_collision=True)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
    contact = stance_bins(target)
    joint_pos = np.tile(np.array(robot.default_joint_pos), (NUM_BINS, 1))
    torque_share = np.zeros(robot.num_joints)
    furthest = 0.0
    total_duty = max(float(np.sum(target.duty_factor)), 0.1)
    weight_n = float(model.body_mass.sum()) * GRAVITY_M_S2
    for index, foot in enumerate(robot.feet):
        leg = _Leg(model, data, robot, foot)
        path = foot_path(target, index, contact[:, index]) * robot.leg_length_m
        angles, off, share = leg.follow(path, stance_force(target, index) * weight_n / total_duty)
        joint_pos[:, leg.joints] = angles
        torque_share[leg.joints] = share
        furthest = max(furthest, off / robot.leg_length_m)
    joint_vel = (np.roll(joint_pos, -1, 0) - np.roll(joint_pos, 1, 0)) * 0.5 * NUM_BINS * target.stride_frequency_hz
    speeds = np.abs(joint_vel).max(0)
    strain = Strain(
        joint_speed_rad_s=float(speeds.max()),
        fastest_joint=robot.joint_names[int(speeds.argmax())],
        torque_share=float(torque_share.max()),
        weakest_joint=robot.joint_names[int(torque_share.argmax())],
        out_of_reach=furthest,
        flight_s=longest_flight(contact) / target.stride_frequency_hz,
    )
    arrays = (joint_pos, joint_vel, contact, bounce(target), rise(target, contact))
    tensors = (torch.from_numpy(array.astype(np.float32)) for array in arrays)
    return Reference(*tensors, strain)


def stance_bins(target: MotionTarget) -> Floats:
    """Return 1 where a foot should be on the ground (NUM_BINS, num_feet)."""
    clock = (np.arange(NUM_BINS) + 0.5) / NUM_BINS
    return (((clock[:, None] - np.array(target.phase_offsets)) % 1.0) < np.array(target.duty_factor)).astype(float)


def longest_flight(contact: Floats) -> float:
    """Return the longest stretch of the stride without a foot on the ground, as a share of it."""
    flying = contact.sum(1) == 0
    if flying.all():
        return 1.0
    longest = run = 0
    for up in np.roll(flying, -int(np.argmin(flying))):
        run = run + 1 if up else 0
        longest = max(longest, run)
    return longest / len(flying)


def foot_path(target: MotionTarget, foot: int, stance: Floats) -> Floats:
    """Return a foot's path from the hip (NUM_BINS, 2): forward, up, in leg lengths; the ground lies at -1."""
    clock = (np.arange(NUM_BINS) + 0.5) / NUM_BINS
    measured = target.limb_cycle.get(f"{target.feet[foot]}_foot")
    if measured and stance.any():
        points = np.array(measured)
        bins = np.arange(len(points)) / len(points)
        path = np.stack([np.interp(clock, bins, points[:, axis], period=1.0) for axis in range(2)], axis=1)
        lift = path[:, 1] - np.median(path[stance > 0, 1])
        # A standing foot is on the ground, and a swinging one above it, whatever the picture's noise says.
        path[:, 1] = -1.0 + np.where(stance > 0, 0.0, np.maximum(lift, 0.02))
        return path
    duty = target.duty_factor[foot]
    phase = (clock - target.phase_offsets[foot]) % 1.0
    half = 0.5 * target.speed_m_s * duty / target.stride_frequency_hz / target.leg_length_m
    half = float(np.clip(half, -_LONGEST_HALF_STEP, _LONGEST_HALF_STEP))
    along = np.where(phase < duty, phase / duty, (phase - duty) / (1.0 - duty))
    forward = np.where(phase < duty, half * (1.0 - 2.0 * along), -half * np.cos(np.pi * along))
    up = -1.0 + np.where(phase < duty, 0.0, _LIFT.get(len(target.feet), 0.18) * np.sin(np.pi * along))
    return np.stack([forward, up], axis=1)


def stance_force(target: MotionTarget, foot: int) -> Floats:
    """Return the force on a foot over the stride (NUM_BINS,): half a sine in stance whose mean over it is 1."""
    clock = (np.arange(NUM_BINS) + 0.5) / NUM_BINS
    along = ((clock - target.phase_offsets[foot]) % 1.0) / target.duty_factor[foot]
    return np.where(along < 1.0, 0.5 * np.pi * np.sin(np.pi * along), 0.0)


def bounce(target: MotionTarget) -> Floats:
    """Return the trunk's vertical speed over the stride (NUM_BINS,), m/s, of mean zero.

    The feet bear the weight on average: acceleration is g (sum of pushes / sum of duty factors - 1).
    """
    push = sum(stance_force(target, foot) for foot in range(len(target.feet))) / sum(target.duty_factor)
    # The pushes are sampled: what the samples miss of the weight would add up to a drift.
    speed = np.cumsum(push / push.mean() - 1.0) * GRAVITY_M_S2 / (NUM_BINS * target.stride_frequency_hz)
    return speed - speed.mean()


def rise(target: MotionTarget, contact: Floats) -> Floats:
    """Return the trunk's height above that of the landing before and after it, in flight (NUM_BINS,), m; else 0."""
    height = np.cumsum(bounce(target)) / (NUM_BINS * target.stride_frequency_hz)
    flying = contact.sum(1) == 0
    if not flying.any() or flying.all():
        return np.zeros(NUM_BINS)
    return np.where(flying, np.maximum(height - height[flying].min(), 0.0), 0.0)


class _Leg:
    """The pitch joints between a foot and the trunk."""

    def __init__(self, model: mujoco.MjModel, data: mujoco.MjData, robot: RobotConfig, foot: str) -> None:
        self.model, self.data, self.robot = model, data, robot
        self.sole, self.root = model.site(f"{foot}_sole").id, model.site(f"{foot}_root").id
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        chain = []
        body = int(model.site_bodyid[self.sole])
        while body > 0:
            chain += [j for j in range(model.njnt) if model.jnt_bodyid[j] == body]
            body = int(model.body_parentid[body])
        hinges = [
            j
            for j in reversed(chain)
            if model.jnt_type[j] == mujoco.mjtJoint.mjJNT_HINGE and model.joint(j).name in robot.joint_names
        ]
        # A leg built askew has no pitch joints: then all that it has move its foot, to and fro about where it stands.
        pitch = [j for j in hinges if abs(data.xaxis[j][1]) > 0.9] or hinges
        self._ahead_m = float(data.site_xpos[self.sole][0] - data.site_xpos[self.root][0]) if robot.sprawled else 0.0
        self.joints = [robot.joint_names.index(model.joint(j).name) for j in pitch]
        self._qpos = [int(model.jnt_qposadr[j]) for j in pitch]
        self._dofs = [int(model.jnt_dofadr[j]) for j in pitch]
        low, high = model.jnt_range[pitch].reshape(-1, 2).T
        limited = model.jnt_limited[pitch].astype(bool)
        self._low = np.where(limited, low + _LIMIT_MARGIN_RAD, -np.pi)
        self._high = np.where(limited, high - _LIMIT_MARGIN_RAD, np.pi)
        driven = [model.actuator(robot.joint_names[j]).id for j in self.joints]
        strength = np.abs(model.actuator_forcerange[driven]).reshape(-1, 2).max(1, initial=0.0)
        self._strength = np.where(strength > 0.0, strength, np.inf)
        # With three pitch joints the sole is kept level as well, where that costs no reach; sprawled legs have points.
        self._level = len(pitch) > 2 and not robot.sprawled
        self._home = data.qpos[self._qpos].copy()

    def follow(self, path: Floats, force_n: Floats) -> tuple[Floats, float, Floats]:
        """Return joint angles (NUM_BINS, n), the largest distance from the path (m) and peak torque shares (n,).

        `path` is metres from the hip, at the sole's lower side; `force_n` (NUM_BINS,) presses up on the foot.
        """
        path = path + np.array([self._ahead_m, self.robot.foot_radius_m])
        if not self.joints:
            return np.zeros((NUM_BINS, 0)), 0.0, np.zeros(0)
        angles, distance = np.zeros((NUM_BINS, len(self.joints))), np.zeros(NUM_BINS)
        share = np.zeros(len(self.joints))
        for turn in range(_ROUNDS):
            for index in range(NUM_BINS):
                distance[index] = self._reach(path[index])
                if distance[index] > _STUCK_M:
                    # A leg that ran into its limits may be stuck there: it is tried once more from the stance.
                    stuck = self.data.qpos[self._qpos].copy(), distance[index]
                    self._place(self._home)
                    distance[index] = self._reach(path[index])
                    if distance[index] > stuck[1]:
                        self._place(stuck[0])
                        distance[index] = stuck[1]
                angles[index] = self.data.qpos[self._qpos]
                if turn:
                    share = np.maximum(share, np.abs(self._jacobian()[1] * force_n[index]) / self._strength)
        return angles, float(distance.max()), share

    def _reach(self, point: Floats) -> float:
        """Move the joints so that the foot comes to a point (forward, up) from the hip; return how far off it stays."""
        wanted = np.array([*point, 0.0]) if self._level else point
        for _ in range(_ITERATIONS):
            error = wanted - self._pose()
            if np.abs(error).max() < 1e-4:
                break
            jacobian = self._jacobian()
            square = jacobian @ jacobian.T + _DAMPING * np.eye(len(wanted))
            step = jacobian.T @ np.linalg.solve(square, error)
            moved = self.data.qpos[self._qpos] + np.clip(step, -0.3, 0.3)
            self._place(np.clip(moved, self._low, self._high))
        return float(np.linalg.norm((wanted - self._pose())[:2]))

    def _place(self, angles: Floats) -> None:
        self.data.qpos[self._qpos] = angles
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_comPos(self.model, self.data)

    def _pose(self) -> Floats:
        away = self.data.site_xpos[self.sole] - self.data.site_xpos[self.root]
        if not self._level:
            return away[[0, 2]]
        forward = self.data.site_xmat[self.sole].reshape(3, 3)[:, 0]
        return np.array([away[0], away[2], -_LEVEL_M_RAD * np.arcsin(np.clip(forward[2], -1.0, 1.0))])

    def _jacobian(self) -> Floats:
        position, rotation = np.zeros((3, self.model.nv)), np.zeros((3, self.model.nv))
        mujoco.mj_jacSite(self.model, self.data, position, rotation, self.sole)
        rows = [position[0, self._dofs], position[2, self._dofs]]
        return np.array([*rows, _LEVEL_M_RAD * rotation[1, self._dofs]] if self._level else rows)
