"""rsl-rl's PPO for our environments, and the checkpoint that carries a policy from one process to another."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.models import MLPModel
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch import nn
from video2reward.memory.errors import BadInput
from video2reward.memory.runs import write_atomic
from video2reward.sim.config import RobotConfig
from video2reward.sim.lean import LeanPPO

MOST_BYTES = 64 << 20
_OBS_GROUPS = {"actor": ["policy"], "critic": ["policy", "privileged"]}
_GAUSSIAN = "GaussianDistribution"


@dataclass(frozen=True)
class PpoConfig:
    """PPO as it makes these robots walk in half a minute; see the notes on `desired_kl` and `init_std` below."""

    num_steps: int = 24
    num_epochs: int = 5
    num_mini_batches: int = 4
    hidden_dims: tuple[int, ...] = (128, 64)
    # Bold steps and no entropy bonus: at 128 environments the Go1 trots at full speed after 0.29 M steps, against
    # 0.55 M with desired_kl 0.02, entropy 0.005 and 256 environments. A first standard deviation below 0.7 is slower.
    desired_kl: float = 0.04
    init_std: float = 1.0
    learning_rate: float = 1e-3
    gamma: float = 0.97
    lam: float = 0.95
    clip: float = 0.2
    entropy_coef: float = 0.0


def make_actor(observations: TensorDict, num_actions: int, cfg: PpoConfig) -> MLPModel:
    """Build the policy network: normalised observations, ELU, a Gaussian over actions."""
    distribution = {"class_name": _GAUSSIAN, "init_std": cfg.init_std, "std_type": "log"}
    return MLPModel(
        observations, _OBS_GROUPS, "actor", num_actions, cfg.hidden_dims, "elu", True, distribution_cfg=distribution
    )


def make_ppo(
    observations: TensorDict, num_actions: int, cfg: PpoConfig, *, num_threads: int = 1, lean: bool = True
) -> PPO:
    """Build PPO with its actor, critic and storage for observations (num_envs, …); `lean` leaves rsl-rl's own aside."""
    critic = MLPModel(observations, _OBS_GROUPS, "critic", 1, cfg.hidden_dims, "elu", True)
    storage = RolloutStorage("rl", observations.batch_size[0], cfg.num_steps, observations, [num_actions], "cpu")
    kind, options = (LeanPPO, {"num_threads": num_threads}) if lean else (PPO, {})
    return kind(
        make_actor(observations, num_actions, cfg),
        critic,
        storage,
        num_learning_epochs=cfg.num_epochs,
        num_mini_batches=cfg.num_mini_batches,
        clip_param=cfg.clip,
        gamma=cfg.gamma,
        lam=cfg.lam,
        entropy_coef=cfg.entropy_coef,
        learning_rate=cfg.learning_rate,
        schedule="adaptive",
        desired_kl=cfg.desired_kl,
        device="cpu",
        **options,
    )


def save_checkpoint(path: Path, ppo: PPO, *, robot: RobotConfig, env_steps: int) -> None:
    """Write everything that going on or judging needs, atomically."""
    buffer = io.BytesIO()
    torch.save({"schema_version": 1, "interface": interface_of(robot), "env_steps": env_steps, **ppo.save()}, buffer)
    write_atomic(path, buffer.getvalue())


def load_checkpoint(path: Path, robot: RobotConfig) -> dict:
    """Read a checkpoint of the same robot; only tensors and plain values are ever unpickled.

    Raises BadInput where the file is damaged or too large, belongs to another robot, means something else by its
    actions, or holds what is not a number.
    """
    _refuse_large(path)
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        found = loaded["interface"]
        other = found["robot"]
    except Exception as error:  # torch raises half a dozen kinds for a damaged archive
        raise BadInput(f"{path} is not a readable policy: {type(error).__name__}.", "Train it again.") from None
    if other != robot.name:
        raise BadInput(f"{path} is a policy for {other}, not for {robot.name}.")
    if found != interface_of(robot):
        raise BadInput(f"{path} was trained with other action scales or another stance.", "Train it again.")
    weights = loaded.get("actor_state_dict")
    if not isinstance(weights, dict) or not all(_is_finite(value) for value in weights.values()):
        raise BadInput(f"{path} holds weights that are infinite or undefined.", "Train it again.")
    return loaded


def _is_finite(value: object) -> bool:
    return isinstance(value, torch.Tensor) and bool(torch.isfinite(value).all())


def _refuse_large(path: Path) -> None:
    """Refuse a checkpoint whose archive is, or would unpack to, more than any of ours. Raises BadInput."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
    except FileNotFoundError:
        raise BadInput(f"{path} is not there.", "Train first.") from None
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BadInput(f"{path} is not a readable policy: {type(error).__name__}.", "Train it again.") from None
    if max(unpacked, path.stat().st_size) > MOST_BYTES:
        raise BadInput(f"{path} holds {unpacked / 1e6:.0f} MB; a policy has at most {MOST_BYTES / 1e6:.0f}.")


def interface_of(robot: RobotConfig) -> dict[str, object]:
    """Return what a policy's actions mean; a change of any of it makes older policies another robot's."""
    return {
        "robot": robot.name,
        "joint_names": list(robot.joint_names),
        "default_joint_pos": list(robot.default_joint_pos),
        "action_scale": list(robot.action_scale),
        "control_hz": robot.control_hz,
    }


def load_actor(path: Path, observations: TensorDict, num_actions: int, robot: RobotConfig) -> nn.Module:
    """Return the frozen, deterministic policy of a checkpoint."""
    loaded = load_checkpoint(path, robot)
    actor = make_actor(observations, num_actions, PpoConfig())
    try:
        actor.load_state_dict(loaded["actor_state_dict"])
    except (KeyError, RuntimeError):
        raise BadInput(
            f"{path} holds a network of another shape.", "It comes from another version: train it again."
        ) from None
    return actor.eval().requires_grad_(False)
