"""stable-baselines3 drives our environment, and what it learned is judged as one of ours."""

import numpy as np
import pytest
import torch
from video2reward.evals.gait_targets import synthetic_cases
from video2reward.evals.race import SB3_MISSING, has_sb3
from video2reward.sim.config import robot_config
from video2reward.sim.contract import Term
from video2reward.sim.env import LocomotionEnv
from video2reward.sim.learner import load_actor

if not has_sb3():
    pytest.skip(f"stable-baselines3 is {SB3_MISSING}", allow_module_level=True)

from video2reward.evals.sb3 import Sb3Env, learn_on, make_sb3, save_as_ours


@pytest.fixture
def env():
    case = next(case for case in synthetic_cases() if case.name == "go1-trot")
    robot = robot_config(case.target.robot)
    height = Term("height", 1.0, "need: posture", lambda s: s.base_height_m)
    return LocomotionEnv(robot, case.target, num_envs=4, num_threads=1, seed=1, terms=(height,))


def test_an_episode_that_ran_out_of_time_is_told_from_a_fall(env):
    seen = Sb3Env(env)
    before = seen.reset().copy()
    env.episode_length_buf[2] = env.max_episode_length - 1
    observations, rewards, dones, infos = seen.step(np.zeros((4, 12), np.float32))
    assert dones.tolist() == [False, False, True, False]
    assert infos[2]["TimeLimit.truncated"] and infos[0] == infos[1] == infos[3] == {}
    assert np.array_equal(infos[2]["terminal_observation"], before[2])
    assert observations.shape == tuple(env.get_observations()["policy"].shape) and observations.dtype == np.float32
    # Twice a step of 0.02 s times a height of about 0.26 m.
    assert np.allclose(rewards, 0.04 * 0.26, atol=0.002)


def test_what_it_learned_acts_the_same_as_a_policy_of_ours(env, tmp_path):
    model = make_sb3(env, seed=1)
    learn_on(model, 2)
    assert model.num_timesteps == 2 * 24 * 4
    save_as_ours(tmp_path / "policy.pt", model, env, env_steps=192)
    actor = load_actor(tmp_path / "policy.pt", env.get_observations(), env.num_actions, env.robot)
    theirs, _ = model.predict(
        model.get_vec_normalize_env().normalize_obs(env.get_observations()["policy"].numpy()), deterministic=True
    )
    with torch.no_grad():
        ours = actor(env.get_observations()).numpy()
    assert np.abs(theirs).max() > 1e-3
    assert np.allclose(ours, theirs, atol=1e-4)
