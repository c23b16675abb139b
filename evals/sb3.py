"""stable-baselines3's PPO on our environment, for the bench: an adapter, its settings, and its policy as one of ours.

It is used as it comes: its `PPO`, `MlpPolicy` and `VecNormalize`. Networks, batch, epochs, gamma, lambda, clip, first
standard deviation and first learning rate are ours, as they are for rsl-rl's runner; the rest is its default. It knows
no learning rate that adapts to the KL divergence, and its actor and critic see the same observations.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from gymnasium.spaces import Box
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv, VecNormalize
from torch import nn
from video2reward.sim.env import MAX_ACTION, LocomotionEnv
from video2reward.sim.learner import PpoConfig, make_ppo, save_checkpoint


class Sb3Env(VecEnv):
    """A LocomotionEnv as stable-baselines3 wants one: numpy arrays, and a dict of remarks for every environment."""

    def __init__(self, env: LocomotionEnv) -> None:
        self.env = env
        size = env.get_observations()["policy"].shape[1]
        seen = Box(-np.inf, np.inf, (size,), np.float32)
        super().__init__(env.num_envs, seen, Box(-MAX_ACTION, MAX_ACTION, (env.num_actions,), np.float32))
        self._actions = torch.zeros(env.num_envs, env.num_actions)

    def reset(self) -> np.ndarray:
        """Return the observations; our environments reset themselves, and were reset when they were made."""
        return self._observations()

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = torch.from_numpy(actions)

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict]]:
        before = self._observations()
        with torch.inference_mode():
            _, rewards, dones, extras = self.env.step(self._actions)
        infos: list[dict] = [{} for _ in range(self.num_envs)]
        for index in extras["time_outs"].nonzero()[:, 0].tolist():
            # Where an episode only ran out of time its value goes on. The observation it ended with is not kept: that
            # of the step before stands in, as it does in rsl-rl.
            infos[index] = {"TimeLimit.truncated": True, "terminal_observation": before[index]}
        return self._observations(), rewards.numpy(), dones.numpy(), infos

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices=None) -> list:
        if attr_name == "render_mode":
            return [None] * self.num_envs
        return [getattr(self.env, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value, indices=None) -> None:
        setattr(self.env, attr_name, value)

    def env_method(self, method_name: str, *args, indices=None, **kwargs) -> list:
        return [getattr(self.env, method_name)(*args, **kwargs)]

    def env_is_wrapped(self, wrapper_class: type, indices=None) -> list[bool]:
        return [False] * len(list(self._get_indices(indices)))

    def _observations(self) -> np.ndarray:
        return self.env.get_observations()["policy"].numpy()


def make_sb3(env: LocomotionEnv, seed: int) -> PPO:
    """Build its PPO round an environment. Episodes begin at random ages, as the other learners' do."""
    cfg = PpoConfig()
    # Rewards are scaled already: returns lie near one.
    seen = VecNormalize(Sb3Env(env), norm_reward=False, gamma=cfg.gamma)
    env.episode_length_buf = torch.randint(0, env.max_episode_length, (env.num_envs,), generator=env.generator)
    return PPO(
        "MlpPolicy",
        seen,
        learning_rate=cfg.learning_rate,
        n_steps=cfg.num_steps,
        batch_size=env.num_envs * cfg.num_steps // cfg.num_mini_batches,
        n_epochs=cfg.num_epochs,
        gamma=cfg.gamma,
        gae_lambda=cfg.lam,
        clip_range=cfg.clip,
        ent_coef=cfg.entropy_coef,
        policy_kwargs={
            "net_arch": list(cfg.hidden_dims),
            "activation_fn": nn.ELU,
            "log_std_init": math.log(cfg.init_std),
        },
        seed=seed,
        device="cpu",
    )


def learn_on(model: PPO, num_iterations: int) -> None:
    """Collect and learn so many batches more."""
    batch = model.n_steps * model.n_envs
    model.learn(num_iterations * batch, log_interval=None, reset_num_timesteps=model.num_timesteps == 0)


def save_as_ours(path: Path, model: PPO, env: LocomotionEnv, env_steps: int) -> None:
    """Write its policy as a checkpoint of ours, for the judge; the critic in it is untrained, nobody asks for it.

    VecNormalize also clips what it has normalised at 10 standard deviations; that is not carried over.
    """
    ours = make_ppo(env.get_observations(), env.num_actions, PpoConfig(), lean=False)
    actor, policy, seen = ours.actor, model.policy, model.get_vec_normalize_env()
    layers = [layer for layer in actor.mlp if isinstance(layer, nn.Linear)]
    theirs = [*(layer for layer in policy.mlp_extractor.policy_net if isinstance(layer, nn.Linear)), policy.action_net]
    with torch.no_grad():
        for layer, source in zip(layers, theirs, strict=True):
            layer.load_state_dict(source.state_dict())
        actor.distribution.log_std_param.copy_(policy.log_std)
        normalizer, variance = actor.obs_normalizer, torch.from_numpy(seen.obs_rms.var)
        normalizer._mean.copy_(torch.from_numpy(seen.obs_rms.mean))
        normalizer._var.copy_(variance)
        # Both divide by a deviation and a little more: theirs lies under the root, ours beside it.
        normalizer._std.copy_((variance + seen.epsilon).sqrt() - normalizer.eps)
    save_checkpoint(path, ours, robot=env.robot, env_steps=env_steps)
