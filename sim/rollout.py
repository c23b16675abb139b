"""Roll out a frozen policy and record the truth: `python -m video2reward.sim.rollout --policy … --target … --out …`.

No reward code runs here. The physics step is 5 ms whatever training used, the policy is deterministic, the command is
the target's speed, and an environment that fell is not reset: it lies there and is recorded.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import io
import json
import sys
from pathlib import Path

import mujoco
import numpy as np
import torch
from video2reward.memory import runs
from video2reward.memory.records import MotionTarget
from video2reward.sim.backends.mujoco_cpu import MujocoBackend
from video2reward.sim.config import RobotConfig, robot_config
from video2reward.sim.disturb import Disturbance
from video2reward.sim.env import EnvConfig, LocomotionEnv
from video2reward.sim.learner import load_actor
from video2reward.sim.robots.model import load_model

PHYSICS_STEP_S = 0.005
PUSH_EVERY_S = 2.0
"""So often each robot is pushed, where it is."""


class RecordingBackend(MujocoBackend):
    """A CPU backend that takes one substep at a time and keeps what the feet do in each."""

    def __init__(self, model: mujoco.MjModel, robot: RobotConfig, num_envs: int, num_threads: int) -> None:
        super().__init__(model, num_envs, num_threads)

        def sensors(names: list[str]) -> np.ndarray:
            return np.array(
                [range(model.sensor(n).adr[0], model.sensor(n).adr[0] + model.sensor(n).dim[0]) for n in names]
            )

        self._feet_pos = sensors([f"{foot}_pos" for foot in robot.feet])
        self._feet_touch = sensors([f"{foot}_touch" for foot in robot.feet])[:, 0]
        self._root = sensors([f"{foot}_root" for foot in robot.feet])
        self._mid = sensors([f"{foot}_mid" for foot in robot.feet])
        bodies = [model.sensor(i).name for i in range(model.nsensor)]
        self._bodies = np.concatenate([sensors([n])[0][:1] for n in bodies if n.startswith("body_touch_")])
        self._robot = robot
        self.foot_contact: list[np.ndarray] = []
        self.foot_pos_w: list[np.ndarray] = []
        self.per_step: dict[str, list[np.ndarray]] = {}

    def step(self, ctrl: torch.Tensor, num_substeps: int) -> None:
        touched = np.zeros(self.num_envs, dtype=bool)
        for _ in range(num_substeps):
            super().step(ctrl, 1)
            sensors = self.state().sensordata.numpy()
            position = sensors[:, self._feet_pos].copy()
            position[..., 2] -= self._robot.foot_radius_m
            self.foot_pos_w.append(position)
            self.foot_contact.append(sensors[:, self._feet_touch] > self._robot.contact_force_n)
            touched |= (sensors[:, self._bodies] > 0).any(axis=1)
        state = self.state()
        row = {
            "base_pos_w": state.qpos[:, :3],
            "base_quat_w": state.qpos[:, 3:7],
            "base_lin_vel_w": state.qvel[:, :3],
            "base_ang_vel_b": state.qvel[:, 3:6],
            "joint_pos": state.qpos[:, 7:],
            "joint_torque": state.actuator_force,
            "root_pos_w": state.sensordata[:, torch.from_numpy(self._root)],
            "mid_pos_w": state.sensordata[:, torch.from_numpy(self._mid)],
        }
        for name, value in row.items():
            self.per_step.setdefault(name, []).append(value.numpy().copy())
        self.per_step.setdefault("body_contact", []).append(touched)


def roll_out(
    policy: Path,
    target: MotionTarget,
    *,
    num_envs: int,
    seconds: float,
    seed: int,
    num_threads: int,
    push_m_s: float = 0.0,
) -> dict[str, np.ndarray]:
    """Return the arrays of a rollout: T control steps, S physics steps, N environments, F feet, J joints.

    foot_contact (S, N, F), foot_pos_w (S, N, F, 3) of the sole, base_pos_w (T, N, 3), base_quat_w (T, N, 4) wxyz,
    base_lin_vel_w, base_ang_vel_b (T, N, 3), joint_pos, joint_torque (T, N, J), root_pos_w, mid_pos_w (T, N, F, 3),
    body_contact (T, N), fell (N,), fell_at_s (N,) with inf where it never fell, and meta_json.
    """
    torch.set_num_threads(1)
    robot = robot_config(target.robot)
    cfg = EnvConfig(
        physics_step_s=PHYSICS_STEP_S,
        episode_length_s=10.0 * seconds,
        command_range=(1.0, 1.0),
        full_collision=True,
        disturbance=Disturbance(push_m_s=push_m_s, push_every_s=PUSH_EVERY_S),
    )
    model = load_model(robot, timestep_s=PHYSICS_STEP_S, full_collision=True)
    backend = RecordingBackend(model, robot, num_envs, num_threads)
    env = _NoReset(robot, target, num_envs=num_envs, num_threads=num_threads, seed=seed, cfg=cfg, backend=backend)
    actor = load_actor(policy, env.get_observations(), env.num_actions, robot)
    fell_at_s = np.full(num_envs, np.inf)
    with torch.inference_mode():
        for index in range(round(seconds / env.step_s)):
            _, _, _, extras = env.step(actor(env.get_observations()))
            fallen = extras["fell"].numpy() & np.isinf(fell_at_s)
            fell_at_s[fallen] = (index + 1) * env.step_s
    arrays = {name: np.stack(values) for name, values in backend.per_step.items()}
    meta = {
        "robot": robot.name,
        "control_dt_s": env.step_s,
        "physics_dt_s": PHYSICS_STEP_S,
        "leg_length_m": robot.leg_length_m,
        "standing_height_m": robot.standing_height_m,
        "foot_radius_m": robot.foot_radius_m,
        "feet": robot.feet,
        "joint_names": robot.joint_names,
        "seed": seed,
        "command_speed_m_s": target.speed_m_s,
        "push_m_s": push_m_s,
        "policy_sha256": runs.sha256_of(policy),
    }
    return {
        **{name: np.nan_to_num(v.astype(np.float32)) if v.dtype != bool else v for name, v in arrays.items()},
        "foot_contact": np.stack(backend.foot_contact),
        "foot_pos_w": np.nan_to_num(np.stack(backend.foot_pos_w).astype(np.float32)),
        "fell": np.isfinite(fell_at_s),
        "fell_at_s": fell_at_s,
        "meta_json": np.array(json.dumps(meta)),
    }


class _NoReset(LocomotionEnv):
    """An environment whose robots are put on their feet once and never again."""

    _placed = False

    def reset(self, env_ids: torch.Tensor) -> None:
        if not self._placed:
            super().reset(env_ids)
            self._placed = True


def main(argv: list[str] | None = None) -> int:
    """Roll out one policy and write the arrays, whole or not at all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", type=Path, required=True)
    parser.add_argument("--target", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--num-envs", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--num-threads", type=int, default=2)
    parser.add_argument("--push-m-s", type=float, default=0.0)
    arguments = parser.parse_args(argv)
    arrays = roll_out(
        arguments.policy,
        runs.load(MotionTarget, arguments.target),
        num_envs=arguments.num_envs,
        seconds=arguments.seconds,
        seed=arguments.seed,
        num_threads=arguments.num_threads,
        push_m_s=arguments.push_m_s,
    )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    runs.write_atomic(arguments.out, buffer.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
