"""rsl-rl's PPO without its overhead: the same arithmetic over flat tensors, gradients written out by hand.

The networks are small, so that autograd, TensorDict copies and an optimiser that walks parameter by parameter cost more
than the sums they do. Here each network's parameters, gradients and Adam moments are one flat tensor each, of which
rsl-rl's modules and optimiser hold views: checkpoints and everything else of `rsl_rl.algorithms.PPO` stay as they are.
`tests/sim/test_lean.py` holds one update of this class to one of rsl-rl's own.

The surrogate concerns the actor alone and the value loss the critic alone: with two threads each learns on its own.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.models import MLPModel
from tensordict import TensorDict
from torch import Tensor, nn

_LOG_SQRT_2PI = 0.5 * math.log(2.0 * math.pi)
_MIN_RATE, _MAX_RATE, _RATE_FACTOR = 1e-5, 1e-2, 1.5  # rsl-rl's adaptive schedule


class LeanPPO(PPO):
    """PPO for plain networks with ELU and a Gaussian whose log standard deviation is a parameter.

    Of rsl-rl's options it knows those that `learner.PpoConfig` sets: clipped value loss, adaptive learning rate,
    advantages normalised over the whole batch.
    """

    def __init__(self, *args, num_threads: int = 1, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._pool = None
        if num_threads > 1:
            self._pool = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))
        storage = self.storage
        self._observations = [(name, storage.observations[name]) for name in storage.observations.keys()]
        self._means = torch.zeros_like(storage.actions)
        self._time_outs = torch.zeros_like(storage.rewards)
        self._bind()

    @property
    def action_std(self) -> float:
        """Return the mean standard deviation of the actions: how much is still tried out."""
        return float(self._actor.std.mean())

    def cap_action_std(self, most: float) -> None:
        """Try out no more than this from now on."""
        self._actor.log_std.clamp_(max=math.log(most))

    def act(self, obs: TensorDict) -> Tensor:
        """Sample actions (num_envs, num_actions) and note what they were chosen for."""
        step = self.storage.step
        for name, stored in self._observations:
            stored[step] = obs[name]
        mean = self._actor.infer(self.actor.get_latent(obs))
        actions = torch.normal(mean, self._actor.std.expand_as(mean))
        self.storage.actions[step], self._means[step] = actions, mean
        return actions

    def process_env_step(self, obs: TensorDict, rewards: Tensor, dones: Tensor, extras: dict[str, Tensor]) -> None:
        """Note what came of the actions; values are computed for the whole batch at its end."""
        storage, step = self.storage, self.storage.step
        storage.rewards[step, :, 0], storage.dones[step, :, 0] = rewards, dones
        self._time_outs[step, :, 0] = extras["time_outs"]
        storage.step += 1

    def compute_returns(self, obs: TensorDict) -> None:
        """Compute values, log probabilities, returns and normalised advantages (steps, num_envs, 1)."""
        storage = self.storage
        num_steps, num_envs = storage.actions.shape[:2]
        flat = storage.observations.flatten(0, 1)
        self._inputs = self.actor.get_latent(flat), self.critic.get_latent(flat)
        values = storage.values
        values.copy_(self._critic.infer(self._inputs[1]).view(num_steps, num_envs, 1))
        deviation = (storage.actions - self._means) / self._actor.std
        log_prob = (-0.5 * deviation.square() - self._actor.log_std - _LOG_SQRT_2PI).sum(-1, keepdim=True)
        storage.actions_log_prob.copy_(log_prob)
        rewards = storage.rewards + self.gamma * values * self._time_outs
        going_on = 1.0 - storage.dones.float()
        next_values = torch.cat([values[1:], self._critic.infer(self.critic.get_latent(obs))[None]])
        deltas = rewards + going_on * self.gamma * next_values - values
        decay, advantage = going_on * (self.gamma * self.lam), torch.zeros_like(deltas[0])
        for step in reversed(range(num_steps)):
            advantage = deltas[step] + decay[step] * advantage
            storage.advantages[step] = advantage
        storage.returns.copy_(storage.advantages + values)
        advantages = storage.advantages
        storage.advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)

    def update(self) -> dict[str, float]:
        """Learn from the batch; return rsl-rl's mean losses."""
        storage, size = self.storage, self.storage.num_envs * self.storage.num_transitions_per_env
        size = size // self.num_mini_batches * self.num_mini_batches
        # The same mini-batches serve every epoch, as in rsl-rl: they are gathered once.
        order = torch.randperm(size)
        actor_rows = [self._inputs[0], storage.actions, self._means, storage.actions_log_prob, storage.advantages]
        critic_rows = [self._inputs[1], storage.values, storage.returns]

        def batches(rows: list[Tensor]) -> list[tuple[Tensor, ...]]:
            shuffled = (row.reshape(-1, row.shape[-1])[order] for row in rows)
            return list(zip(*(row.chunk(self.num_mini_batches) for row in shuffled), strict=True))

        actor_batches, critic_batches = batches(actor_rows), batches(critic_rows)
        rates: SimpleQueue[float] = SimpleQueue()
        if self._pool:
            critic = self._pool.submit(self._learn_values, critic_batches, rates)
            surrogate, entropy = self._learn_actions(actor_batches, rates)
            value = critic.result()
        else:
            surrogate, entropy = self._learn_actions(actor_batches, rates)
            value = self._learn_values(critic_batches, rates)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
        observations = storage.observations.flatten(0, 1)
        self.actor.update_normalization(observations)
        self.critic.update_normalization(observations)
        storage.clear()
        return {"value": value, "surrogate": surrogate, "entropy": entropy}

    def load(self, loaded_dict: dict, load_cfg: dict | None, strict: bool) -> bool:
        """Load what rsl-rl's PPO loads, and bind the flat tensors to it."""
        going_on = super().load(loaded_dict, load_cfg, strict)
        self._bind()
        return going_on

    def _bind(self) -> None:
        self._actor = _Network(self._raw_actor, self.optimizer)
        self._critic = _Network(self._raw_critic, self.optimizer)

    @torch.no_grad()
    def _learn_actions(self, batches: list[tuple[Tensor, ...]], rates: SimpleQueue[float]) -> tuple[float, float]:
        """Descend the clipped surrogate; hand each step's learning rate on. Return mean surrogate and entropy."""
        net, old_std = self._actor, self._actor.std
        losses, entropies = [], []
        for _ in range(self.num_learning_epochs):
            for inputs, actions, old_mean, old_log_prob, advantage in batches:
                mean, std = net.forward(inputs), net.std
                self.learning_rate = self._adapted_rate(old_mean, old_std, mean, std)
                rates.put(self.learning_rate)
                deviation = (actions - mean) / std
                log_prob = (-0.5 * deviation.square() - net.log_std - _LOG_SQRT_2PI).sum(-1, keepdim=True)
                ratio = torch.exp(log_prob - old_log_prob)
                surrogate = -advantage * ratio
                clipped = -advantage * ratio.clamp(1.0 - self.clip_param, 1.0 + self.clip_param)
                losses.append(torch.maximum(surrogate, clipped).mean())
                entropies.append((0.5 + _LOG_SQRT_2PI + net.log_std).sum())
                # d loss / d log_prob: the clipped branch is flat wherever it is the larger one.
                slope = surrogate * (surrogate >= clipped) / len(inputs)
                net.log_std_grad.copy_((slope * (deviation.square() - 1.0)).sum(0) - self.entropy_coef)
                net.backward(slope * deviation / std)
                net.descend(self.learning_rate, self.max_grad_norm)
        return float(torch.stack(losses).mean()), float(torch.stack(entropies).mean())

    @torch.no_grad()
    def _learn_values(self, batches: list[tuple[Tensor, ...]], rates: SimpleQueue[float]) -> float:
        """Descend the clipped value loss at the actor's learning rates; return the mean loss."""
        net, losses = self._critic, []
        for _ in range(self.num_learning_epochs):
            for inputs, old_values, returns in batches:
                values = net.forward(inputs)
                error, moved = values - returns, values - old_values
                bounded = (old_values + moved.clamp(-self.clip_param, self.clip_param) - returns).square()
                plain = error.square()
                losses.append(torch.maximum(plain, bounded).mean())
                # Within the bound both branches are one, but for rounding; beyond it the bounded one is flat.
                steep = (moved.abs() <= self.clip_param) | (plain >= bounded)
                net.backward(error * steep * (2.0 * self.value_loss_coef / len(inputs)))
                net.descend(rates.get(), self.max_grad_norm)
        return float(torch.stack(losses).mean())

    def _adapted_rate(self, old_mean: Tensor, old_std: Tensor, mean: Tensor, std: Tensor) -> float:
        """Return rsl-rl's adaptive learning rate after a look at KL(old || new)."""
        rate = self.learning_rate
        if self.desired_kl is None or self.schedule != "adaptive":
            return rate
        ratio = (old_std / std).square()
        kl = 0.5 * (((old_mean - mean) / std).square().sum(-1).mean() + (ratio - 1.0 - ratio.log()).sum()).item()
        if kl > self.desired_kl * 2.0:
            return max(_MIN_RATE, rate / _RATE_FACTOR)
        if 0.0 < kl < self.desired_kl / 2.0:
            return min(_MAX_RATE, rate * _RATE_FACTOR)
        return rate


class _Network:
    """One `MLPModel` over flat parameters, with its gradient and Adam by hand."""

    def __init__(self, model: MLPModel, optimizer: torch.optim.Optimizer) -> None:
        parameters = list(model.parameters())
        self._parameters, self._gradient = _flattened(parameters), torch.zeros(sum(p.numel() for p in parameters))
        state = [optimizer.state[p] for p in parameters]
        zeros = [torch.zeros_like(p) for p in parameters]
        self._first, self._second = (
            _flattened([s.get(name, zero) for s, zero in zip(state, zeros, strict=True)])
            for name in ("exp_avg", "exp_avg_sq")
        )
        # One count a parameter, as torch's Adam wants it; they are always equal.
        self._num_updates = torch.full((len(parameters),), float(state[0].get("step", 0.0)))
        group = optimizer.param_groups[0]
        (self._beta1, self._beta2), self._eps = group["betas"], group["eps"]
        gradient_of = {}
        flats = (self._parameters, self._gradient, self._first, self._second)
        views = zip(parameters, self._num_updates, *(_views(flat, parameters) for flat in flats), strict=True)
        for parameter, num_updates, value, gradient, first, second in views:
            parameter.data, gradient_of[parameter] = value, gradient
            optimizer.state[parameter] = {"step": num_updates, "exp_avg": first, "exp_avg_sq": second}
        linear = [layer for layer in model.mlp if isinstance(layer, nn.Linear)]
        self._layers = [
            (layer.weight.data, layer.bias.data, gradient_of[layer.weight], gradient_of[layer.bias]) for layer in linear
        ]
        if model.distribution is not None:
            self.log_std = model.distribution.log_std_param.data
            self.log_std_grad = gradient_of[model.distribution.log_std_param]
        self._kept: list[Tensor] = []
        self._buffers: dict[tuple[int, int, str], Tensor] = {}

    @property
    def std(self) -> Tensor:
        return self.log_std.exp()

    def infer(self, inputs: Tensor) -> Tensor:
        """Return the outputs (batch, num_outputs); nothing is kept."""
        for weight, bias, _, _ in self._layers[:-1]:
            inputs = nn.functional.elu_(torch.addmm(bias, inputs, weight.t()))
        weight, bias, _, _ = self._layers[-1]
        return torch.addmm(bias, inputs, weight.t())

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs and keep what `backward` needs."""
        self._kept = [inputs]
        for index, (weight, bias, _, _) in enumerate(self._layers):
            out = self._buffer(len(inputs), index, "forward")
            torch.addmm(bias, self._kept[-1], weight.t(), out=out)
            if index < len(self._layers) - 1:
                nn.functional.elu_(out)
            self._kept.append(out)
        return self._kept[-1]

    def backward(self, slope: Tensor) -> None:
        """Fill the gradient from the loss's slope on the outputs (batch, num_outputs)."""
        for index in reversed(range(len(self._layers))):
            weight, _, weight_grad, bias_grad = self._layers[index]
            entered = self._kept[index]
            torch.mm(slope.t(), entered, out=weight_grad)
            torch.sum(slope, 0, out=bias_grad)
            if index:
                below = self._buffer(len(entered), index - 1, "backward")
                torch.mm(slope, weight, out=below)
                # ELU's slope from its own output y: 1 above zero, y + 1 below.
                slope = torch.ops.aten.elu_backward(below, 1.0, 1.0, 1.0, True, entered)

    def descend(self, learning_rate: float, max_norm: float) -> None:
        """Clip the gradient by its norm and take one step of Adam (Kingma & Ba 2015, as torch computes it)."""
        gradient = self._gradient
        gradient.mul_((max_norm / (gradient.norm() + 1e-6)).clamp(max=1.0))
        self._num_updates += 1
        done = int(self._num_updates[0])
        self._first.lerp_(gradient, 1.0 - self._beta1)
        self._second.mul_(self._beta2).addcmul_(gradient, gradient, value=1.0 - self._beta2)
        spread = self._second.sqrt().div_(math.sqrt(1.0 - self._beta2**done)).add_(self._eps)
        self._parameters.addcdiv_(self._first, spread, value=-learning_rate / (1.0 - self._beta1**done))

    def _buffer(self, rows: int, layer: int, kind: str) -> Tensor:
        key = rows, layer, kind
        if key not in self._buffers:
            self._buffers[key] = torch.empty(rows, self._layers[layer][0].shape[0])
        return self._buffers[key]


def _flattened(tensors: list[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _views(flat: Tensor, like: list[nn.Parameter]) -> list[Tensor]:
    return [part.view_as(p) for part, p in zip(flat.split([p.numel() for p in like]), like, strict=True)]
