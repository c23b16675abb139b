"""The lean update is rsl-rl's: from the same networks and the same batch both reach the same parameters."""

import copy

import pytest
import torch
from rsl_rl.algorithms import PPO
from tensordict import TensorDict
from video2reward.sim.learner import PpoConfig, make_ppo

NUM_ENVS, NUM_ACTIONS = 32, 12


def observations(generator):
    return TensorDict(
        {
            "policy": 3.0 * torch.randn(NUM_ENVS, 48, generator=generator) + 1.0,
            "privileged": torch.randn(NUM_ENVS, 9, generator=generator),
        },
        batch_size=[NUM_ENVS],
    )


def learn(ppo, seed, num_batches):
    """Feed a made-up world: rewards hang on the actions, some environments end, some of them by time."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    obs = observations(generator)
    for _ in range(num_batches):
        with torch.inference_mode():
            for _ in range(PpoConfig().num_steps):
                actions = ppo.act(obs)
                obs = observations(generator)
                ends = torch.rand(NUM_ENVS, generator=generator)
                extras = {"time_outs": ends < 0.05}
                ppo.process_env_step(obs, actions[:, 0] - actions[:, 1].square(), ends < 0.1, extras)
            ppo.compute_returns(obs)
        ppo.update()


def parameters(ppo):
    named = [*ppo.actor.named_parameters("actor"), *ppo.critic.named_parameters("critic")]
    return {name: value.detach() for name, value in named}


@pytest.mark.parametrize("num_threads", [1, 2])
def test_one_update_reaches_the_parameters_that_rsl_rl_reaches(num_threads):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    lean = make_ppo(observations(torch.Generator().manual_seed(1)), NUM_ACTIONS, PpoConfig(), num_threads=num_threads)
    plain = make_ppo(observations(torch.Generator().manual_seed(1)), NUM_ACTIONS, PpoConfig(), lean=False)
    assert type(plain) is PPO
    plain.load(copy.deepcopy(lean.save()), {"actor": True, "critic": True}, True)
    lean.train_mode(), plain.train_mode()
    before = {name: value.clone() for name, value in parameters(lean).items()}
    learn(lean, 3, 1)
    learn(plain, 3, 1)
    assert lean.learning_rate == pytest.approx(plain.learning_rate)
    for name, value in parameters(plain).items():
        found = parameters(lean)[name]
        moved = float((value - before[name]).abs().max())
        assert float((value - found).abs().max()) < 1e-4 * moved + 1e-7, name
        assert moved > 1e-4, name
    assert torch.allclose(lean.actor.obs_normalizer.mean, plain.actor.obs_normalizer.mean, atol=1e-6)


def test_a_second_batch_still_agrees_and_a_checkpoint_carries_the_optimiser():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    first = make_ppo(observations(torch.Generator().manual_seed(1)), NUM_ACTIONS, PpoConfig())
    first.train_mode()
    learn(first, 3, 1)
    saved = copy.deepcopy(first.save())
    others = [
        make_ppo(observations(torch.Generator().manual_seed(1)), NUM_ACTIONS, PpoConfig(), lean=lean)
        for lean in (True, False)
    ]
    for other in others:
        other.train_mode()
        other.load(copy.deepcopy(saved), None, True)
        learn(other, 4, 1)
    learn(first, 4, 1)
    for name, value in parameters(first).items():
        # Going on and going on from the checkpoint are the same computation.
        assert torch.equal(value, parameters(others[0])[name]), name
        assert torch.allclose(value, parameters(others[1])[name], atol=2e-6), name
