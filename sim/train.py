"""The worker: `python -m video2reward.sim.train spec.json` trains one policy and fills the folder the spec lies in.

It writes `progress.jsonl`, TensorBoard files and `policy.pt` on the way, and `result.json` (a TrainingRun), whole and
last. It holds a lock on the file `lock` while it lives. A worker that was killed and is started again begins anew where
it had not come far, so that its policy is the same to the bit as if nothing had happened; a longer training goes on
from its checkpoint, which other random numbers then follow. What a reward does wrong is a status in the result; what we
do wrong is an exception.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import fcntl
import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from video2reward.memory import runs
from video2reward.memory.errors import BadInput, BadReward
from video2reward.memory.records import TrainingRun, TrainingSpec
from video2reward.sim.config import RobotConfig, robot_config
from video2reward.sim.contract import Term
from video2reward.sim.disturb import NONE, ROBUST
from video2reward.sim.env import EnvConfig, LocomotionEnv
from video2reward.sim.guard import load_guarded
from video2reward.sim.learner import PpoConfig, load_checkpoint, make_ppo
from video2reward.sim.lockdown import Limits, lock_down
from video2reward.sim.loop import CHECKPOINT, TrainingLoop

BEGIN_ANEW_S = 300.0
"""A training that was killed before it had lasted this long begins anew."""
_GRACE_S = 120.0
REFERENCE_SHARE = 0.3
"""Of the episodes that begin somewhere in the reference motion: without, fast gaits learn to step twice a stride."""


def train(spec: TrainingSpec, folder: Path, on_progress: Callable[[dict], None] | None = None) -> TrainingRun:
    """Train to the budget of the spec; return what came of it. Same spec, same machine, same bits."""
    torch.set_num_threads(1)
    torch.manual_seed(spec.seed)
    robot = robot_config(spec.target.robot)
    try:
        terms = _reweighted(load_guarded(folder / spec.reward, robot), spec.weights)
        env = LocomotionEnv(
            robot,
            spec.target,
            num_envs=spec.num_envs,
            num_threads=spec.num_threads,
            seed=spec.seed,
            terms=terms,
            cfg=EnvConfig(disturbance=ROBUST if spec.robust else NONE, reference_init=REFERENCE_SHARE),
        )
        ppo = make_ppo(env.get_observations(), env.num_actions, PpoConfig(), num_threads=spec.num_threads)
        _forget_short(folder)
        done_steps, remark = _restore(ppo, spec, folder, robot)
        # Environments that all start together would all time out together.
        env.episode_length_buf = torch.randint(0, env.max_episode_length, (env.num_envs,), generator=env.generator)
        return TrainingLoop(spec, folder, env, ppo, done_steps, remark, on_progress).run()
    except BadReward as error:
        return TrainingRun(attempt=spec.attempt, status="rejected", reason=str(error))


def _reweighted(terms: tuple[Term, ...], weights: dict[str, float]) -> tuple[Term, ...]:
    names = {item.name for item in terms}
    if unknown := sorted(set(weights) - names):
        raise BadReward(f"weights name terms that the reward does not have: {', '.join(unknown)}.")
    return tuple(Term(t.name, weights.get(t.name, t.weight), t.serves, t.function) for t in terms)


def _forget_short(folder: Path) -> None:
    """Remove what a short training left that was killed: it is cheap to repeat, and only so is it repeatable."""
    try:
        lasted_s = float(json.loads((folder / "progress.jsonl").read_text().splitlines()[-1])["wall_s"])
    except (OSError, ValueError, IndexError, KeyError, TypeError):
        lasted_s = 0.0
    if lasted_s < BEGIN_ANEW_S:
        for name in (CHECKPOINT, "progress.jsonl"):
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "tensorboard", ignore_errors=True)


def _restore(ppo, spec: TrainingSpec, folder: Path, robot: RobotConfig) -> tuple[int, str]:
    """Go on from this folder's own checkpoint, else start from the warm start's networks.

    Return the steps done and a remark; a warm start that does not fit any more is remarked on and done without.
    """
    own = folder / CHECKPOINT
    if own.exists():
        loaded = load_checkpoint(own, robot)
        ppo.load(loaded, None, True)
        return int(loaded["env_steps"]), ""
    if spec.warm_start:
        try:
            ppo.load(load_checkpoint(folder / spec.warm_start, robot), {"actor": True, "critic": True}, True)
        except (BadInput, KeyError, RuntimeError) as error:
            return 0, f"started fresh: {error}"
    return 0, ""


def main(argv: list[str] | None = None) -> int:
    """Run the worker on a spec; exit 0 when a result was written, whatever its status."""
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) != 1:
        raise BadInput("the worker takes one argument, the spec file.")
    path = Path(arguments[0]).resolve()
    folder = path.parent
    lock = (folder / "lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadInput(f"another worker is training in {folder}.") from None
    # MuJoCo writes its log into the working directory.
    os.chdir(folder)
    spec = runs.load(TrainingSpec, path)
    # Everything is imported, nothing of the reward has run.
    lock_down(Limits(cpu_s=math.ceil((spec.max_wall_s + _GRACE_S) * (spec.num_threads + 1))))
    result = train(spec, folder)
    runs.save(result, folder / "result.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
