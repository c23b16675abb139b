"""The rollout: a frozen policy, true state, no reward code, in the documented form."""

import json
from dataclasses import replace

import numpy as np
import pytest
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import MotionTarget
from video2reward.sim.config import ROBOTS, robot_config
from video2reward.sim.env import LocomotionEnv
from video2reward.sim.learner import PpoConfig, load_checkpoint, make_ppo, save_checkpoint
from video2reward.sim.rollout import main, roll_out


def standing_target(robot):
    config = robot_config(robot)
    return MotionTarget(
        robot=robot, feet=config.feet, gait="unknown", speed_m_s=0.5, stride_frequency_hz=1.5,
        duty_factor=(0.5,) * config.num_feet, phase_offsets=(0.0, 0.5, 0.5, 0.0)[: config.num_feet],
        leg_length_m=config.leg_length_m, froude=0.1,
    )  # fmt: skip


@pytest.fixture(params=sorted(ROBOTS))
def untrained(request, tmp_path):
    """A checkpoint whose actor asks for the default stance: its last layer begins near zero."""
    robot, target = robot_config(request.param), standing_target(request.param)
    env = LocomotionEnv(robot, target, num_envs=2, num_threads=1, seed=0)
    ppo = make_ppo(env.get_observations(), env.num_actions, PpoConfig())
    for parameter in list(ppo.actor.mlp.parameters())[-2:]:
        parameter.data.zero_()
    save_checkpoint(tmp_path / "policy.pt", ppo, robot=robot, env_steps=7)
    return tmp_path / "policy.pt", target


def test_a_rollout_has_the_documented_arrays_and_repeats_itself(untrained):
    policy, target = untrained
    options = {"num_envs": 3, "seconds": 0.4, "seed": 5, "num_threads": 1}
    arrays, again = roll_out(policy, target, **options), roll_out(policy, target, **options)
    robot = robot_config(target.robot)
    steps, substeps, feet = 20, 80, robot.num_feet  # 0.4 s at 50 Hz, four substeps of 5 ms each
    shapes = {
        "foot_contact": (substeps, 3, feet), "foot_pos_w": (substeps, 3, feet, 3), "base_pos_w": (steps, 3, 3),
        "base_quat_w": (steps, 3, 4), "joint_pos": (steps, 3, robot.num_joints), "root_pos_w": (steps, 3, feet, 3),
        "mid_pos_w": (steps, 3, feet, 3), "body_contact": (steps, 3), "fell": (3,), "fell_at_s": (3,),
    }  # fmt: skip
    assert {name: arrays[name].shape for name in shapes} == shapes
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)
    meta = json.loads(str(arrays["meta_json"]))
    assert meta["physics_dt_s"] <= 0.005 and meta["policy_sha256"] == runs.sha256_of(policy)


def test_a_robot_that_holds_its_stance_stands_on_its_feet(untrained):
    policy, target = untrained
    arrays = roll_out(policy, target, num_envs=2, seconds=0.5, seed=1, num_threads=1)
    robot = robot_config(target.robot)
    assert not arrays["fell"].any() and not arrays["body_contact"].any()
    assert arrays["foot_contact"][-20:].mean() > 0.9
    # Legs have the length they are said to have: from the hip's axis to the sole, standing.
    length = arrays["root_pos_w"][-1, ..., 2] - arrays["foot_pos_w"][-1, ..., 2]
    # Each robot begins with its joints a little off, so the mean is what is held.
    assert length.mean() == pytest.approx(robot.leg_length_m, abs=0.03)


def test_the_process_writes_the_file_whole(untrained, tmp_path):
    policy, target = untrained
    runs.save(target, tmp_path / "target.json")
    arguments = ["--policy", str(policy), "--target", str(tmp_path / "target.json"), "--out", str(tmp_path / "r.npz")]
    assert main([*arguments, "--num-envs", "2", "--seconds", "0.2", "--num-threads", "1"]) == 0
    with np.load(tmp_path / "r.npz", allow_pickle=False) as arrays:
        assert arrays["fell"].shape == (2,)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 not an archive", b"\x80\x04cos\nsystem\n."])
def test_a_damaged_policy_is_refused_and_nothing_in_it_runs(tmp_path, damage):
    (tmp_path / "policy.pt").write_bytes(damage)
    with pytest.raises(BadInput, match="not a readable policy"):
        load_checkpoint(tmp_path / "policy.pt", robot_config("go1"))


def test_a_policy_of_another_robot_is_refused(untrained):
    policy, target = untrained
    other = "g1" if target.robot == "go1" else "go1"
    with pytest.raises(BadInput, match=f"a policy for {target.robot}"):
        load_checkpoint(policy, robot_config(other))


def test_a_policy_whose_actions_meant_something_else_is_refused(untrained):
    policy, target = untrained
    robot = robot_config(target.robot)
    with pytest.raises(BadInput, match="other action scales"):
        load_checkpoint(policy, replace(robot, action_scale=tuple(2.0 * scale for scale in robot.action_scale)))
