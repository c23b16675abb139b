"""A policy that leaves the house runs without it, and does the same."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from tensordict import TensorDict
from video2reward.memory.errors import BadInput
from video2reward.memory.records import MotionTarget
from video2reward.sim.config import ROBOTS, robot_config
from video2reward.sim.env import LocomotionEnv
from video2reward.sim.export import CONTRACT, ONNX, RUNNER, TORCHSCRIPT, export_policy
from video2reward.sim.learner import PpoConfig, load_actor, make_ppo, save_checkpoint


@pytest.fixture(params=sorted(ROBOTS))
def policy(request, tmp_path):
    """A policy with small random actions, whose normaliser has seen a little."""
    robot = robot_config(request.param)
    target = MotionTarget(
        robot=robot.name, feet=robot.feet, gait="unknown", speed_m_s=0.5, stride_frequency_hz=1.7,
        duty_factor=(0.55,) * robot.num_feet, phase_offsets=(0.0, 0.5, 0.4, 0.9)[: robot.num_feet],
        leg_length_m=robot.leg_length_m, froude=0.1,
    )  # fmt: skip
    torch.manual_seed(3)
    env = LocomotionEnv(robot, target, num_envs=16, num_threads=1, seed=0)
    ppo = make_ppo(env.get_observations(), env.num_actions, PpoConfig())
    for _ in range(5):
        observations, *_ = env.step(torch.randn(16, robot.num_joints) * 0.3)
        ppo.actor.update_normalization(observations)
    save_checkpoint(tmp_path / "policy.pt", ppo, robot=robot, env_steps=7)
    return tmp_path / "policy.pt", target


def test_onnx_and_torchscript_give_the_actions_of_the_policy(policy, tmp_path):
    path, target = policy
    robot = robot_config(target.robot)
    contract = export_policy(path, target, tmp_path / "out")
    size = sum(part.size for part in contract.observation)
    seen = torch.randn(32, size, generator=torch.Generator().manual_seed(1))
    env = LocomotionEnv(robot, target, num_envs=1, num_threads=1, seed=0)
    actor = load_actor(path, env.get_observations(), env.num_actions, robot)
    with torch.inference_mode():
        wanted = actor(TensorDict({"policy": seen}, batch_size=[32])).numpy()
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / ONNX), providers=["CPUExecutionProvider"])
    assert np.abs(session.run(None, {"obs": seen.numpy()})[0] - wanted).max() < 1e-5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch would have its users move on from TorchScript
        script = torch.jit.load(str(tmp_path / "out" / TORCHSCRIPT))
    assert np.abs(script(seen).detach().numpy() - wanted).max() < 1e-5


def test_the_runner_sees_and_does_what_the_environment_does(policy, tmp_path):
    """Ten control steps in our environment and in the runner, from the same stance, give the same path."""
    path, target = policy
    robot = robot_config(target.robot)
    export_policy(path, target, tmp_path / "out")
    sys.path.insert(0, str(tmp_path / "out"))
    try:
        import run_policy

        travelled, _ = run_policy.main(tmp_path / "out", 0.2)
    finally:
        sys.path.remove(str(tmp_path / "out"))
        sys.modules.pop("run_policy", None)
    from video2reward.sim.env import EnvConfig

    cfg = EnvConfig(physics_step_s=0.005, command_range=(1.0, 1.0), joint_noise_rad=0.0, velocity_noise=0.0,
                    full_collision=True)  # fmt: skip
    env = LocomotionEnv(robot, target, num_envs=1, num_threads=1, seed=0, cfg=cfg)
    qpos = env._home_qpos[None].clone()
    env.backend.reset(torch.arange(1), qpos, torch.zeros(1, 6 + robot.num_joints))
    env.gait_phase = torch.zeros(1)
    env.state = env._observe()
    env._observations = env._observations_of(env.state)
    actor = load_actor(path, env.get_observations(), env.num_actions, robot)
    ours = []
    with torch.inference_mode():
        for _ in range(10):
            env.step(actor(env.get_observations()))
            ours.append(env.backend.state().qpos[0, :3].numpy().copy())
    # The MJCF is written with six digits and seen in float32 here: tenths of a millimetre apart, no more.
    assert np.abs(np.array(ours) - travelled).max() < 5e-4


def test_the_runner_needs_nothing_of_ours(policy, tmp_path):
    path, target = policy
    export_policy(path, target, tmp_path / "out")
    text = (tmp_path / "out" / RUNNER).read_text()
    assert "video2reward" not in text and len(text.splitlines()) <= 60
    done = subprocess.run([sys.executable, "-I", str(tmp_path / "out" / RUNNER), "0.5"], capture_output=True, text=True)
    assert done.returncode == 0 and "m forward in 25 steps" in done.stdout


def test_a_policy_of_another_robot_is_refused(policy, tmp_path):
    path, target = policy
    other = next(robot for robot in ROBOTS.values() if robot.name != target.robot)
    wrong = target.model_copy(update={"robot": other.name, "feet": other.feet,
                                      "duty_factor": (0.5,) * other.num_feet,
                                      "phase_offsets": (0.0,) * other.num_feet})  # fmt: skip
    with pytest.raises(BadInput, match=f"not for {other.name}"):
        export_policy(path, wrong, tmp_path / "out")
    assert not (tmp_path / "out" / CONTRACT).exists()
