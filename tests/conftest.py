"""Fixtures that more than one room's tests stand on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

RolloutMaker = Callable[..., Path]


@pytest.fixture
def make_rollout(tmp_path: Path) -> RolloutMaker:
    """Return a maker of rollout.npz files: a robot paddling a scripted gait at constant speed.

    No policy, no physics: its legs swing by kinematics and its contacts are scripted, which is enough for
    what reads and pictures rollouts.
    """
    import mujoco
    from video2reward.sim.config import robot_config
    from video2reward.sim.robots.model import load_model

    def make(
        robot: str = "go1",
        *,
        num_envs: int = 1,
        seconds: float = 3.0,
        speed_m_s: float = 1.0,
        stride_hz: float = 2.0,
        duty: float = 0.5,
        fell_at_s: tuple[float, ...] = (),
    ) -> Path:
        config = robot_config(robot)
        model = load_model(config, full_collision=True)
        data = mujoco.MjData(model)
        home = model.key("home").qpos
        steps, decimation, feet = round(seconds * 50), 4, config.num_feet
        offsets = np.array((0.0, 0.5, 0.5, 0.0) if feet == 4 else (0.0, 0.5))
        per_leg = config.num_joints // feet
        pitch, knee = (1, 2) if feet == 4 else (0, 3)
        base, quat, joints = (np.zeros((steps, num_envs, n), np.float32) for n in (3, 4, config.num_joints))
        root, mid, sole = (np.zeros((steps, num_envs, feet, 3), np.float32) for _ in range(3))
        stance = np.zeros((steps, num_envs, feet), bool)
        for step in range(steps):
            time_s = step / 50
            phase = (time_s * stride_hz - offsets) % 1.0
            for env in range(num_envs):
                pose = home.copy()
                pose[0] = (speed_m_s + 0.05 * env) * time_s
                for leg in range(feet):
                    pose[7 + leg * per_leg + pitch] += 0.3 * np.cos(2 * np.pi * phase[leg])
                    pose[7 + leg * per_leg + knee] += 0.2 * np.sin(2 * np.pi * phase[leg])
                data.qpos[:] = pose
                mujoco.mj_forward(model, data)
                base[step, env], quat[step, env], joints[step, env] = pose[:3], pose[3:7], pose[7:]
                for name, array in (("root", root), ("mid", mid), ("pos", sole)):
                    array[step, env] = [data.sensor(f"{foot}_{name}").data for foot in config.feet]
                stance[step, env] = phase < duty
        sole[..., 2] = np.maximum(sole[..., 2] - config.foot_radius_m, 0)
        fell = np.array([*fell_at_s, *[np.inf] * (num_envs - len(fell_at_s))])
        velocity = np.zeros_like(base)
        velocity[..., 0] = speed_m_s
        meta = {
            "robot": robot,
            "control_dt_s": 0.02,
            "physics_dt_s": 0.005,
            "leg_length_m": config.leg_length_m,
            "standing_height_m": config.standing_height_m,
            "foot_radius_m": config.foot_radius_m,
            "feet": config.feet,
            "joint_names": config.joint_names,
            "seed": 0,
            "command_speed_m_s": speed_m_s,
            "policy_sha256": "0" * 64,
        }
        path = tmp_path / f"rollout_{robot}.npz"
        np.savez(
            path,
            meta_json=np.array(json.dumps(meta)),
            foot_contact=np.repeat(stance, decimation, axis=0),
            foot_pos_w=np.repeat(sole, decimation, axis=0),
            base_pos_w=base,
            base_quat_w=quat,
            base_lin_vel_w=velocity,
            base_ang_vel_b=np.zeros_like(base),
            joint_pos=joints,
            joint_torque=np.zeros_like(joints),
            root_pos_w=root,
            mid_pos_w=mid,
            body_contact=np.zeros((steps, num_envs), bool),
            fell=np.isfinite(fell),
            fell_at_s=fell,
        )
        return path

    return make
