"""A labelled set of motions, made by kinematics alone: what a judge must pass and what it must not be fooled by.

The bad ones are those that published judges were fooled by, and what is near to them. `evals.critic` counts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from video2reward.memory.records import MotionTarget
from video2reward.sim.config import GRAVITY_M_S2, robot_config

GAITS = {
    "go1": ("trot", 1.5, 2.5, (0.4, 0.4, 0.35, 0.35), (0.0, 0.5, 0.5, 0.0)),
    "g1": ("walk", 0.8, 1.0, (0.62, 0.62), (0.0, 0.5)),
}
PHYSICS_STEPS, CONTROL_DT_S, PHYSICS_DT_S = 4, 0.02, 0.005


@dataclass(frozen=True)
class Motion:
    """A scripted motion. Lengths in leg lengths, per foot or for all; times in seconds."""

    robot: str
    speed_m_s: float
    stride_hz: float
    duty: tuple[float, ...]
    offsets: tuple[float, ...]
    lift: float | tuple[float, ...] = 0.15
    stepping: tuple[bool, ...] | None = None
    """Feet that step; the others stay where `idle` says."""
    idle: str = "sliding"
    planted: bool = True
    """Whether the feet stand still on the ground; else they paddle under a body that slides along."""
    heading_rad: float = 0.0
    yaw_rad_s: float = 0.0
    sinking_to: float = 1.0
    body_touches_from_s: float = np.inf
    fell_at_s: dict[int, float] = field(default_factory=dict)
    tells_of_falls: bool = True
    standing_envs: int = 0
    bounce: bool = False
    """A second touchdown right after each: chatter."""
    num_envs: int = 16
    seconds: float = 10.0
    seed: int = 7


def target_of(robot: str, **changes: object) -> MotionTarget:
    """Return what a robot's labelled motions are judged against."""
    gait, speed, hz, duty, offsets = GAITS[robot]
    config = robot_config(robot)
    made = MotionTarget(
        robot=robot,
        feet=config.feet,
        gait=gait,
        speed_m_s=speed,
        stride_frequency_hz=hz,
        duty_factor=duty,
        phase_offsets=offsets,
        leg_length_m=config.leg_length_m,
        froude=speed**2 / (GRAVITY_M_S2 * config.leg_length_m),
    )
    return made.model_copy(update=changes)


def good_motion(robot: str) -> Motion:
    """Return the gait of a robot's target as it should be."""
    _, speed, hz, duty, offsets = GAITS[robot]
    return Motion(robot, speed, hz, duty, offsets)


def bad_motions(robot: str) -> dict[str, Motion]:
    """Return everything that must not pass, by name."""
    good, feet = good_motion(robot), robot_config(robot).num_feet
    limp = tuple(foot != feet - 1 for foot in range(feet))
    half = {env: 8.0 for env in range(good.num_envs)}
    return {
        "shuffle with 1 cm lifts": replace(good, lift=0.01 / robot_config(robot).leg_length_m),
        "shuffle in 5 cm steps": replace(good, speed_m_s=0.05 * good.stride_hz),
        "stand still": replace(good, speed_m_s=0.0, stepping=(False,) * feet),
        "slow collapse": replace(good, sinking_to=0.45),
        "slow collapse standing": replace(good, speed_m_s=0.0, stepping=(False,) * feet, sinking_to=0.3),
        "hop on the spot": replace(good, speed_m_s=0.0, offsets=(0.0,) * feet),
        "trot on the spot": replace(good, speed_m_s=0.0),
        "backward": replace(good, speed_m_s=-good.speed_m_s),
        "sideways": replace(good, heading_rad=np.pi / 2),
        "sliding on locked joints": replace(good, stepping=(False,) * feet),
        "crawling on the knees": replace(good, body_touches_from_s=0.0),
        "sits down after 9 s": replace(good, body_touches_from_s=9.0),
        "limp, one leg in the air": replace(good, stepping=limp, idle="in the air"),
        "limp, one leg dragged": replace(good, stepping=limp),
        "walks, then falls at 8 s": replace(good, fell_at_s=half),
        "walks, then falls at 8 s and hides it": replace(good, fell_at_s=half, tells_of_falls=False),
        "one in eight falls": replace(good, fell_at_s={0: 3.0, 1: 5.0}),
        "half of them stand": replace(good, standing_envs=good.num_envs // 2),
        "at twice the speed": replace(good, speed_m_s=2 * good.speed_m_s),
        "quick mincing steps": replace(good, stride_hz=4.0 if robot == "go1" else 3.0, lift=0.04),
    }


def write_rollout(motion: Motion, path: Path) -> Path:
    """Write a rollout.npz of a motion."""
    config = robot_config(motion.robot)
    leg_m, feet, envs = config.leg_length_m, config.num_feet, motion.num_envs
    control = round(motion.seconds / CONTROL_DT_S)
    time_s = (np.arange(control * PHYSICS_STEPS) + 1) * PHYSICS_DT_S
    speed = np.full(envs, motion.speed_m_s)
    moving = np.ones(envs, dtype=bool)
    moving[: motion.standing_envs] = False
    speed[~moving] = 0.0
    lift = np.broadcast_to(np.asarray(motion.lift, dtype=float), (feet,)) * leg_m
    begins = np.random.default_rng(motion.seed).random(envs)

    # Cycles since the start, (S, N, F); the foot stands for the first `duty` of each.
    cycle = time_s[:, None, None] * motion.stride_hz + begins[:, None] - np.array(motion.offsets)
    phase, stride = cycle % 1.0, np.floor(cycle)
    duty = np.array(motion.duty)
    contact = phase < duty
    swing = np.clip((phase - duty) / (1 - duty), 0.0, 1.0)
    if motion.bounce:
        contact &= ~((phase > 0.1 * duty) & (phase < 0.3 * duty))
    along = (stride + swing + 0.5 * duty - begins[:, None] + np.array(motion.offsets)) / motion.stride_hz
    along = along * speed[:, None]
    if not motion.planted:
        paddle = 0.2 * leg_m * np.where(phase < duty, 0.5 - phase / duty, swing - 0.5)
        along = time_s[:, None, None] * speed[:, None] + paddle
    height = lift * np.sin(np.pi * swing)
    base_along = time_s[:, None] * speed
    idle = ~np.array(motion.stepping if motion.stepping else (True,) * feet) | ~moving[:, None]
    idle = np.broadcast_to(idle, contact.shape)
    contact = np.where(idle, motion.idle == "sliding", contact)
    height = np.where(idle, 0.0 if motion.idle == "sliding" else 0.3 * leg_m, height)
    along = np.where(idle, base_along[..., None], along)

    # From the robot's own frame into the world.
    yaw = motion.yaw_rad_s * time_s
    heading = motion.heading_rad  # where it goes, against where it faces
    lateral = np.array([0.1 if name.endswith("L") else -0.1 for name in config.feet])
    fore = np.array([0.2 if name.startswith("F") else -0.2 for name in config.feet]) if feet == 4 else np.zeros(feet)

    def placed(way: np.ndarray, ahead: np.ndarray, side: np.ndarray, up: np.ndarray) -> np.ndarray:
        x = way * np.cos(heading) + ahead
        y = way * np.sin(heading) + side
        return np.stack(np.broadcast_arrays(x, y, up), axis=-1).astype(np.float32)

    trunk = config.standing_height_m * np.linspace(1.02, motion.sinking_to, control)
    rows = slice(PHYSICS_STEPS - 1, None, PHYSICS_STEPS)
    base = placed(base_along[rows], np.zeros(1), np.zeros(1), trunk[:, None])
    sole = placed(along, fore, lateral, height)
    root = placed(base_along[rows, :, None], fore, lateral, np.full((control, envs, feet), leg_m))
    mid = 0.5 * (root + sole[rows])
    quat = np.zeros((control, envs, 4), np.float32)
    quat[..., 0], quat[..., 3] = np.cos(yaw[rows] / 2)[:, None], np.sin(yaw[rows] / 2)[:, None]
    fell_at_s = np.full(envs, np.inf)
    for env, moment in motion.fell_at_s.items():
        fell_at_s[env] = moment
        lying = time_s[rows] >= moment
        quat[lying, env] = (np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0)  # on its side
    reported = fell_at_s if motion.tells_of_falls else np.full(envs, np.inf)
    touches = np.broadcast_to(time_s[rows, None] >= motion.body_touches_from_s, (control, envs))
    velocity = np.gradient(base, CONTROL_DT_S, axis=0)
    meta = {
        "robot": motion.robot,
        "control_dt_s": CONTROL_DT_S,
        "physics_dt_s": PHYSICS_DT_S,
        "leg_length_m": leg_m,
        "standing_height_m": config.standing_height_m,
        "foot_radius_m": config.foot_radius_m,
        "feet": config.feet,
        "joint_names": config.joint_names,
        "seed": motion.seed,
        "command_speed_m_s": motion.speed_m_s,
        "policy_sha256": "0" * 64,
    }
    np.savez(
        path,
        meta_json=np.array(json.dumps(meta)),
        foot_contact=contact,
        foot_pos_w=sole,
        base_pos_w=base,
        base_quat_w=quat,
        base_lin_vel_w=velocity.astype(np.float32),
        base_ang_vel_b=np.zeros_like(base),
        joint_pos=np.zeros((control, envs, config.num_joints), np.float32),
        joint_torque=np.zeros((control, envs, config.num_joints), np.float32),
        root_pos_w=root,
        mid_pos_w=mid,
        body_contact=touches,
        fell=np.isfinite(reported),
        fell_at_s=reported,
    )
    return path
