"""Hands a policy to the world: ONNX and TorchScript, the contract of its inputs and outputs, the robot, and a runner.

`python -m video2reward.sim.export POLICY.pt TARGET.json FOLDER` fills the folder; no reward code runs here.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import io
import shutil
import sys
import warnings
from pathlib import Path

import torch
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import MotionTarget, ObservationPart, PolicyContract
from video2reward.sim import run_policy
from video2reward.sim.clock import stance_table
from video2reward.sim.config import RobotConfig, robot_config
from video2reward.sim.env import MAX_ACTION, LocomotionEnv
from video2reward.sim.learner import load_actor
from video2reward.sim.robots.model import model_xml
from video2reward.sim.rollout import PHYSICS_STEP_S

CONTRACT, ONNX, TORCHSCRIPT, MODEL, RUNNER = (
    "contract.json", "policy.onnx", "policy.torchscript.pt", "model.xml", "run_policy.py",
)  # fmt: skip
_OPSET = 18


def export_policy(policy: Path, target: MotionTarget, folder: Path) -> PolicyContract:
    """Write policy, contract, robot and runner into `folder`; return the contract.

    Raises BadInput where the policy is damaged or not this robot's.
    """
    torch.set_num_threads(1)
    robot = robot_config(target.robot)
    env = LocomotionEnv(robot, target, num_envs=1, num_threads=1, seed=0)
    observations = env.get_observations()
    actor = load_actor(policy, observations, env.num_actions, robot)
    contract = PolicyContract(
        robot=robot.title,
        control_hz=robot.control_hz,
        physics_step_s=PHYSICS_STEP_S,
        observation=observation_parts(robot),
        joint_names=robot.joint_names,
        default_joint_pos=robot.default_joint_pos,
        action_scale=robot.action_scale,
        action_limit=MAX_ACTION,
        command_speed_m_s=target.speed_m_s,
        stride_frequency_hz=target.stride_frequency_hz,
        feet=robot.feet,
        phase_offsets=target.phase_offsets,
        stance_table=tuple(tuple(round(v, 5) for v in row) for row in stance_table(target.duty_factor).tolist()),
        policy_sha256=runs.sha256_of(policy),
        notes=(
            "base_lin_vel_b is the simulator's: on hardware it takes a state estimator",
            f"the command may be varied by a tenth around {target.speed_m_s:.2f} m/s, which is all it was trained on",
        ),
    )
    size = sum(part.size for part in contract.observation)
    if size != observations["policy"].shape[1]:
        raise AssertionError(
            f"the contract describes {size} numbers, the policy takes {observations['policy'].shape[1]}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    runs.write_atomic(folder / ONNX, _onnx(actor))
    runs.write_atomic(folder / TORCHSCRIPT, _torchscript(actor, size))
    runs.write_atomic(folder / MODEL, model_xml(robot, timestep_s=PHYSICS_STEP_S))
    shutil.copyfile(run_policy.__file__, folder / RUNNER)
    runs.save(contract, folder / CONTRACT)
    return contract


def observation_parts(robot: RobotConfig) -> tuple[ObservationPart, ...]:
    """Return what the policy's observation is made of, in order, as `LocomotionEnv` builds it."""
    joints, feet = robot.num_joints, robot.num_feet
    rows = (
        ("base_lin_vel_b", 3, 1.0, "trunk velocity in the trunk's frame (forward, left, up), m/s"),
        ("base_ang_vel_b", 3, 0.25, "trunk angular velocity in the trunk's frame, rad/s"),
        ("projected_gravity_b", 3, 1.0, "unit gravity in the trunk's frame; (0, 0, -1) when upright"),
        ("command_speed", 1, 1.0, "forward speed asked for, m/s"),
        ("joint_pos_error", joints, 1.0, "joint angles minus the default ones, rad"),
        ("joint_vel", joints, 0.05, "joint velocities, rad/s"),
        ("last_action", joints, 1.0, "the action of the step before, within its limit"),
        ("expected_stance", feet, 1.0, "stance_table of each foot at its own phase (clock - offset) mod 1"),
        ("clock_sin", 1, 1.0, "sine of 2 pi x clock"),
        ("clock_cos", 1, 1.0, "cosine of 2 pi x clock"),
    )
    return tuple(ObservationPart(name=name, size=size, scale=scale, what=what) for name, size, scale, what in rows)


def _onnx(actor) -> bytes:
    model = actor.as_onnx(verbose=False).eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own making
        torch.onnx.export(
            model, model.get_dummy_inputs(), buffer, input_names=model.input_names, output_names=model.output_names,
            dynamic_axes={"obs": {0: "batch"}, "actions": {0: "batch"}}, opset_version=_OPSET, dynamo=False,
        )  # fmt: skip
    return buffer.getvalue()


def _torchscript(actor, size: int) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(actor.as_jit().eval(), torch.zeros(1, size)), buffer)
    return buffer.getvalue()


def main(argv: list[str] | None = None) -> int:
    """Export the policy named first for the target named second into the folder named third."""
    policy, target, folder = sys.argv[1:] if argv is None else argv
    try:
        export_policy(Path(policy), runs.load(MotionTarget, Path(target)), Path(folder))
    except BadInput as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
