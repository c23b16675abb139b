"""Our worker against rsl-rl's own `OnPolicyRunner` on the same environment, reward and settings: speed, time to pass.

The runner is used as it comes: its networks, its PPO, its logging; only the numbers (network sizes, epochs, KL, …) are
ours, which favours it. Checkpoints of both are judged alike; the clock stands still while one is written.
"""

from __future__ import annotations

import contextlib
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

RACE_CASE, RACE_ENV_STEPS = "go1-trot", 450_000


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
    """Train the Go1's trot with both learners, turn by turn, and print how long each took to pass the gates."""
    case = next(case for case in synthetic_cases() if case.name == RACE_CASE)
    laps: list[Lap] = []
    print(f"\n{'learner':12}{'seed':>6}{'env-steps/s':>14}{'first pass':>12}{'after steps':>13}")
    with tempfile.TemporaryDirectory(prefix="video2reward-race-") as scratch:
        for seed in range(1, seeds + 1):
            for name, learn in (("ours", _ours), ("rsl-rl", _runner)):
                lap = learn(case, seed, Path(scratch) / f"{name}-{seed}")
                laps.append(lap)
                passed = "never" if lap.first_pass_s is None else f"{lap.first_pass_s:.1f} s"
                print(
                    f"{name:12}{seed:6}{lap.env_steps_per_s:14,.0f}{passed:>12}{lap.first_pass_steps or 0:13,}",
                    flush=True,
                )
    for name in ("ours", "rsl-rl"):
        seconds = [lap.first_pass_s or float("inf") for lap in laps if lap.learner == name]
        print(f"{name:12}median {statistics.median(seconds):.1f} s to the first policy that passes")
    return laps


def runner_steps_per_s(robot: RobotConfig, num_envs: int, num_threads: int, num_iterations: int = 10) -> float:
    """Return how fast rsl-rl's runner goes round its whole loop."""
    name = "go1-trot" if robot.kind == "quadruped" else "g1-walk"
    case = next(case for case in synthetic_cases() if case.name == name)
    with tempfile.TemporaryDirectory() as scratch:
        runner = _make_runner(case, 0, Path(scratch), num_envs, num_threads)
        _quietly(lambda: runner.learn(2, init_at_random_ep_len=True))
        begun = time.perf_counter()
        _quietly(lambda: runner.learn(num_iterations))
        seconds = time.perf_counter() - begun
    return num_envs * runner.cfg["num_steps_per_env"] * num_iterations / seconds


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

    runner = _make_runner(case, seed, folder, 128, 2)
    steps_each = 128 * runner.cfg["num_steps_per_env"]
    kept: list[_Kept] = []
    done, wall_s = 0, 0.0
    while done < RACE_ENV_STEPS:
        begun = time.perf_counter()
        first = done == 0
        _quietly(lambda first=first: runner.learn(1, init_at_random_ep_len=first))
        wall_s += time.perf_counter() - begun
        done += steps_each
        if done // KEEP_EVERY_STEPS > (done - steps_each) // KEEP_EVERY_STEPS:
            path = folder / f"policy-{done:010d}.pt"
            save_checkpoint(path, runner.alg, robot=runner.env.robot, env_steps=done)
            kept.append(_Kept(done, wall_s, path))
    passed = next((item for item in kept if quick_verdict(item.policy, case, seed).passed), None)
    return Lap(
        learner="rsl-rl",
        seed=seed,
        env_steps_per_s=done / wall_s,
        first_pass_s=passed.wall_s if passed else None,
        first_pass_steps=passed.env_steps if passed else None,
    )


def _make_runner(case: Case, seed: int, folder: Path, num_envs: int, num_threads: int):
    import torch
    from rsl_rl.runners import OnPolicyRunner
    from video2reward.sim.env import LocomotionEnv
    from video2reward.sim.guard import load_guarded
    from video2reward.sim.learner import PpoConfig

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    robot = robot_config(case.target.robot)
    draft = OfflineAuthor().propose(AuthorBrief(target=case.target, lap=1), 1, 0)[0]
    (folder / "reward.py").write_text(compose(draft, case.target))
    terms = load_guarded(folder / "reward.py", robot)
    env = LocomotionEnv(robot, case.target, num_envs=num_envs, num_threads=num_threads, seed=seed, terms=terms)
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
