"""Our worker against rsl-rl's `OnPolicyRunner` and stable-baselines3's PPO: speed, and seconds until a policy passes.

Environment, reward and settings are the same. The others are used as they come: their networks, PPO and logging; only
the numbers (network sizes, epochs, KL, …) are ours, which favours them. All checkpoints are judged alike; the clock
stands still while one is written.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from video2reward.agent.authors import AuthorBrief
from video2reward.agent.offline import OfflineAuthor
from video2reward.evals.gait_targets import Case, synthetic_cases
from video2reward.evals.gaits import KEEP_EVERY_STEPS, first_pass, prepare, quick_verdict
from video2reward.memory.records import Record
from video2reward.sim.config import RobotConfig, robot_config
from video2reward.tools.train_policy import train_policies
from video2reward.tools.write_reward import compose

RACE_CASE, RACE_ENV_STEPS, RACE_ENVS = "go1-trot", 450_000, 128
SB3_MISSING = "not installed (pip install 'video2reward[bench]')"


class Lap(Record):
    """One training by one learner; None where no checkpoint passed."""

    learner: str
    seed: int
    env_steps_per_s: float
    first_pass_s: float | None
    first_pass_steps: int | None


@dataclass(frozen=True)
class _Kept:
    env_steps: int
    wall_s: float
    policy: Path


def race(seeds: int = 3) -> list[Lap]:
    """Train the Go1's trot with every learner, turn by turn, and print how long each took to pass the gates."""
    case = next(case for case in synthetic_cases() if case.name == RACE_CASE)
    learners = {"ours": _ours, "rsl-rl": _runner} | ({"sb3": _sb3} if has_sb3() else {})
    laps: list[Lap] = []
    print(f"\n{'learner':12}{'seed':>6}{'env-steps/s':>14}{'first pass':>12}{'after steps':>13}")
    with tempfile.TemporaryDirectory(prefix="video2reward-race-") as scratch:
        for seed in range(1, seeds + 1):
            for name, learn in learners.items():
                lap = learn(case, seed, Path(scratch) / f"{name}-{seed}")
                laps.append(lap)
                passed = "never" if lap.first_pass_s is None else f"{lap.first_pass_s:.1f} s"
                print(
                    f"{name:12}{seed:6}{lap.env_steps_per_s:14,.0f}{passed:>12}{lap.first_pass_steps or 0:13,}",
                    flush=True,
                )
    for name in learners:
        seconds = statistics.median(lap.first_pass_s or float("inf") for lap in laps if lap.learner == name)
        took = "does not pass" if seconds == float("inf") else f"{seconds:.1f} s to the first policy that passes"
        print(f"{name:12}median {took}")
    if "sb3" not in learners:
        print(f"{'sb3':12}{SB3_MISSING}")
    return laps


def has_sb3() -> bool:
    """Say whether stable-baselines3 is installed; it is an extra."""
    return importlib.util.find_spec("stable_baselines3") is not None


def runner_steps_per_s(robot: RobotConfig, num_envs: int, num_threads: int, num_iterations: int = 10) -> float:
    """Return how fast rsl-rl's runner goes round its whole loop."""
    with tempfile.TemporaryDirectory() as scratch:
        runner = _make_runner(_make_env(_easy(robot), 0, Path(scratch), num_envs, num_threads))
        _quietly(lambda: runner.learn(2, init_at_random_ep_len=True))
        begun = time.perf_counter()
        _quietly(lambda: runner.learn(num_iterations))
        seconds = time.perf_counter() - begun
    return num_envs * runner.cfg["num_steps_per_env"] * num_iterations / seconds


def sb3_steps_per_s(robot: RobotConfig, num_envs: int, num_threads: int, num_iterations: int = 10) -> float:
    """Return how fast stable-baselines3's PPO goes round its whole loop."""
    from video2reward.evals.sb3 import learn_on, make_sb3

    with tempfile.TemporaryDirectory() as scratch:
        model = make_sb3(_make_env(_easy(robot), 0, Path(scratch), num_envs, num_threads), 0)
        learn_on(model, 2)
        begun = time.perf_counter()
        learn_on(model, num_iterations)
        seconds = time.perf_counter() - begun
    return num_envs * model.n_steps * num_iterations / seconds


def _easy(robot: RobotConfig) -> Case:
    name = "go1-trot" if robot.kind == "quadruped" else "g1-walk"
    return next(case for case in synthetic_cases() if case.name == name)


def _ours(case: Case, seed: int, folder: Path) -> Lap:
    spec = prepare(case, seed, folder, 2, RACE_ENV_STEPS)
    run = train_policies([spec])[0]
    passed = first_pass(folder, lambda policy: quick_verdict(policy, case, seed).passed)
    return Lap(
        learner="ours",
        seed=seed,
        env_steps_per_s=run.env_steps_per_s,
        first_pass_s=passed[1] if passed else None,
        first_pass_steps=passed[0] if passed else None,
    )


def _runner(case: Case, seed: int, folder: Path) -> Lap:
    from video2reward.sim.learner import save_checkpoint

    env = _make_env(case, seed, folder, RACE_ENVS, 2)
    runner = _make_runner(env)

    def learn(first: bool) -> None:
        _quietly(lambda: runner.learn(1, init_at_random_ep_len=first))

    def keep(path: Path, env_steps: int) -> None:
        save_checkpoint(path, runner.alg, robot=env.robot, env_steps=env_steps)

    return _timed("rsl-rl", case, seed, folder, learn, keep)


def _sb3(case: Case, seed: int, folder: Path) -> Lap:
    from video2reward.evals.sb3 import learn_on, make_sb3, save_as_ours

    env = _make_env(case, seed, folder, RACE_ENVS, 2)
    model = make_sb3(env, seed)
    return _timed(
        "sb3", case, seed, folder, lambda first: learn_on(model, 1),
        lambda path, env_steps: save_as_ours(path, model, env, env_steps),
    )  # fmt: skip


def _timed(
    learner: str, case: Case, seed: int, folder: Path, learn: Callable[[bool], None], keep: Callable[[Path, int], None]
) -> Lap:
    """Learn batch by batch in this process; `learn` is told which is the first, `keep` writes a checkpoint."""
    from video2reward.sim.learner import PpoConfig

    steps_each = RACE_ENVS * PpoConfig().num_steps
    kept: list[_Kept] = []
    done, wall_s = 0, 0.0
    while done < RACE_ENV_STEPS:
        begun = time.perf_counter()
        learn(done == 0)
        wall_s += time.perf_counter() - begun
        done += steps_each
        if done // KEEP_EVERY_STEPS > (done - steps_each) // KEEP_EVERY_STEPS:
            path = folder / f"policy-{done:010d}.pt"
            keep(path, done)
            kept.append(_Kept(done, wall_s, path))
    passed = next((item for item in kept if quick_verdict(item.policy, case, seed).passed), None)
    return Lap(
        learner=learner,
        seed=seed,
        env_steps_per_s=done / wall_s,
        first_pass_s=passed.wall_s if passed else None,
        first_pass_steps=passed.env_steps if passed else None,
    )


def _make_env(case: Case, seed: int, folder: Path, num_envs: int, num_threads: int):
    """Return the environment that a learner of somebody else's is given, with the offline author's reward."""
    import torch
    from video2reward.sim.env import LocomotionEnv
    from video2reward.sim.guard import load_guarded

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    robot = robot_config(case.target.robot)
    draft = OfflineAuthor().propose(AuthorBrief(target=case.target, lap=1), 1, 0)[0]
    (folder / "reward.py").write_text(compose(draft, case.target))
    terms = load_guarded(folder / "reward.py", robot)
    return LocomotionEnv(robot, case.target, num_envs=num_envs, num_threads=num_threads, seed=seed, terms=terms)


def _make_runner(env):
    from rsl_rl.runners import OnPolicyRunner
    from video2reward.sim.learner import PpoConfig

    cfg = PpoConfig()
    network = {"class_name": "MLPModel", "hidden_dims": list(cfg.hidden_dims), "activation": "elu",
               "obs_normalization": True}  # fmt: skip
    gaussian = {"class_name": "GaussianDistribution", "init_std": cfg.init_std, "std_type": "log"}
    settings = {
        "num_steps_per_env": cfg.num_steps,
        "save_interval": 10**9,
        "obs_groups": {"actor": ["policy"], "critic": ["policy", "privileged"]},
        "run_name": "",
        "algorithm": {
            "class_name": "PPO",
            "num_learning_epochs": cfg.num_epochs,
            "num_mini_batches": cfg.num_mini_batches,
            "clip_param": cfg.clip,
            "gamma": cfg.gamma,
            "lam": cfg.lam,
            "entropy_coef": cfg.entropy_coef,
            "learning_rate": cfg.learning_rate,
            "schedule": "adaptive",
            "desired_kl": cfg.desired_kl,
        },
        "actor": {**network, "distribution_cfg": gaussian},
        "critic": dict(network),
    }
    return _quietly(lambda: OnPolicyRunner(env, settings, log_dir=None, device="cpu"))


def _quietly(work: Callable):
    """Do something that prints a page each time it is done."""
    with contextlib.redirect_stdout(io.StringIO()):
        return work()
