"""The training itself: collect a batch, learn from it, write it down, until a budget ends or there is no hope.

A training has two stages. The coarse one learns the gait on fast physics, helped by the ladder where the curves ask for
it; the polish goes on with the judge's physics and tries out less and less.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from video2reward.memory.errors import BadReward
from video2reward.memory.records import TrainingRun, TrainingSpec
from video2reward.sim.config import GRAVITY_M_S2
from video2reward.sim.env import LocomotionEnv
from video2reward.sim.hope import given_up
from video2reward.sim.ladder import Ladder
from video2reward.sim.lean import LeanPPO
from video2reward.sim.learner import PpoConfig, save_checkpoint
from video2reward.sim.terms import footfall_match

CHECKPOINT = "policy.pt"
# Ready to be polished: so much of the footfalls kept, the speed within so much of the command, falls a minute at most;
# all measured on the noisy policy, over so many batches, from the state and the target and not from the reward.
FINE_PHYSICS_STEP_S, POLISH_ENV_STEPS, FINAL_STD = 0.005, 200_000, 0.15
MIN_LEARNING_RATE = 2e-4
# With little noise the same step of the weights is a large step of the policy: it would wander, and end wherever it
# happens to be: one of three trots a tenth too fast (`evals.gaits --only dog-trot`: E_Fr .23, and .01 with this).
FINAL_CALM = 0.1
# A fast gait falls, if it does, within its first half second: the last stage sees every robot start up this often.
POLISH_EPISODE_S = 4.0
# A biped begins rougher than the judge lets it (.08, .1): what still falls becomes so rare as less is tried out that it
# is forgotten again. Of 512 to 2 048 starts of one G1, seed 3 of `evals.gaits --only g1-walk`, .4 % fell before the
# polish and 3.4 % after it, and with these .6 %. A quadruped's starts do not fall.
POLISH_STARTS = {"biped": (0.12, 0.3), "quadruped": (0.08, 0.1)}
"""Noise on the joints in rad, and on the trunk's velocities in m/s and rad/s."""
# The steady gait is what is judged: two thirds of an episode come after the start, which takes as long as speeding
# up with so much of gravity does. With less, a canter goes on getting faster than it was asked to.
START_UP_SHARE, START_UP_G = 0.33, 0.1
READY_MATCH, READY_SPEED_ERROR, READY_FALLS_PER_MIN, READY_BATCHES = 0.82, 0.1, 2.0, 4


@dataclass(frozen=True)
class Polish:
    """The last stage of a training: from `begun` (environment steps) on, over `steps`."""

    begun: int
    steps: int
    first_std: float

    def std_cap(self, env_steps: int) -> float:
        """Return how much may still be tried out: from what it was, in even ratios, to FINAL_STD after two thirds."""
        share = min((env_steps - self.begun) / (0.67 * self.steps), 1.0)
        return self.first_std * (min(FINAL_STD / self.first_std, 1.0)) ** share

    def calm(self, env_steps: int) -> float:
        """Return what share of its usual steps learning still takes: from 1, in even ratios over the last third."""
        share = min(max((env_steps - self.begun) / (0.33 * self.steps) - 2.0, 0.0), 1.0)
        return FINAL_CALM**share


def polish_episode_s(speed_m_s: float) -> float:
    """Return how long an episode of the last stage lasts for a gait of that speed."""
    return max(POLISH_EPISODE_S, abs(speed_m_s) / (START_UP_G * GRAVITY_M_S2) / START_UP_SHARE)


class _Diverged(Exception):
    """The reward, or the policy it made, is no longer a number."""


class TrainingLoop:
    """Collect, learn, write down; until a budget ends."""

    def __init__(
        self,
        spec: TrainingSpec,
        folder: Path,
        env: LocomotionEnv,
        ppo: LeanPPO,
        done_steps: int,
        remark: str,
        on_progress: Callable[[dict], None] | None,
    ) -> None:
        self.spec, self.folder, self.env, self.ppo = spec, folder, env, ppo
        self.env_steps, self.first_steps, self.iteration = done_steps, done_steps, 0
        self.on_progress, self.started, self.saved_at = on_progress, time.perf_counter(), time.perf_counter()
        self.cfg, self.remark = PpoConfig(), remark
        self._end, self._polish_steps = spec.max_env_steps, min(POLISH_ENV_STEPS, spec.max_env_steps // 2)
        self.polish: Polish | None = None
        self.ladder, self.rungs = Ladder(env, ppo, MIN_LEARNING_RATE), []
        if spec.warm_start and not remark:  # it is there to become better
            self._begin_polish()
        self.rows: list[dict] = []

    def run(self) -> TrainingRun:
        from torch.utils.tensorboard import SummaryWriter

        writer = SummaryWriter(str(self.folder / "tensorboard"))
        self.ppo.train_mode()
        with writer, (self.folder / "progress.jsonl").open("a", encoding="utf-8") as progress:
            status, reason = "ok", self.remark
            while self.env_steps < self._end:
                try:
                    self._write(self._iterate(), progress, writer)
                except _Diverged as error:
                    status, reason = "diverged", str(error)
                    break
                except BadReward as error:
                    status, reason = "rejected", str(error)
                    break
                except (MemoryError, RuntimeError) as error:
                    if not _out_of_memory(error):
                        raise
                    words = " ".join(str(error).split())[:200]
                    status, reason = "killed", f"memory ran out: {words or type(error).__name__}"
                    break
                if self.polish is None and (rung := self.ladder.climb(self.rows, self.env_steps)):
                    self.rungs.append(rung)
                if self.polish is None and (self._ready() or self.env_steps >= self._end - self._polish_steps):
                    self._begin_polish()
                if self.polish is None and (why := self._given_up()):
                    reason = f"{reason} {why}".strip()
                    break
                if self.wall_s > self.spec.max_wall_s:
                    status, reason = "timeout", f"{self.spec.max_wall_s:.0f} s of training were allowed"
                    break
        if status in ("ok", "timeout") and self.env_steps > self.first_steps:
            self._save()
        return self._result(status, reason)

    def _begin_polish(self) -> None:
        """From here on less is tried out, and the physics is the judge's: as fine, and who kneels is on the ground."""
        self.polish = Polish(self.env_steps, self._polish_steps, self.ppo.action_std)
        self.env.refine(FINE_PHYSICS_STEP_S)
        episode_s = polish_episode_s(self.spec.target.speed_m_s)
        self.env.begin_standing(episode_s, *POLISH_STARTS[self.env.robot.kind])
        self.ladder.finish()
        if self.spec.stop_when_ready:
            self._end = min(self._end, self.env_steps + self._polish_steps)

    def _ready(self) -> bool:
        """Say whether the last batches show the gait. Only when to polish hangs on it: the verdict is the judge's."""
        if len(self.rows) < READY_BATCHES:
            return False
        wanted = self.spec.target.speed_m_s
        return all(
            row["gait_match"] > READY_MATCH
            and abs(row["speed_m_s"] - wanted) <= READY_SPEED_ERROR * max(abs(wanted), 0.5)
            and row["fall_rate_per_min"] <= READY_FALLS_PER_MIN
            for row in self.rows[-READY_BATCHES:]
        )

    def _given_up(self) -> str:
        polish_at = self._end - self._polish_steps
        ladder = self.ladder
        return given_up(self.rows, self.spec.target.speed_m_s, polish_at, ladder.taken, ladder.taken_at)

    @property
    def wall_s(self) -> float:
        return time.perf_counter() - self.started

    def _iterate(self) -> dict:
        """Collect one batch and learn from it; return the row of the curve."""
        env, ppo, begun = self.env, self.ppo, time.perf_counter()
        env.term_sums.zero_()
        observations = env.get_observations()
        reward = speed = match = lengths = 0.0
        schedule = {"offsets": self.spec.target.phase_offsets, "duty": self.spec.target.duty_factor}
        falls = ended = 0
        with torch.inference_mode():
            for _ in range(self.cfg.num_steps):
                observations, rewards, dones, extras = env.step(ppo.act(observations))
                ppo.process_env_step(observations, rewards, dones, extras)
                reward += rewards.mean().item()
                speed += env.state.base_lin_vel_b[:, 0].nan_to_num().mean().item()
                match += footfall_match(env.state, **schedule).nan_to_num().mean().item()
                if dones.any():
                    falls += int(extras["fell"].sum())
                    ended += int(dones.sum())
                    lengths += float(env.ended_age[dones].sum()) * env.step_s
            ppo.compute_returns(observations)
        terms = {t.name: float(v) / self.cfg.num_steps for t, v in zip(env.terms, env.term_sums, strict=True)}
        if bad := [name for name, value in terms.items() if not math.isfinite(value)]:
            raise _Diverged(f"the terms {', '.join(bad)} became infinite or undefined")
        calm = self.polish.calm(self.env_steps) if self.polish else 1.0
        ppo.desired_kl = calm * self.cfg.desired_kl
        ppo.learning_rate = max(ppo.learning_rate, calm * MIN_LEARNING_RATE)
        ppo.update()
        if self.polish:
            ppo.cap_action_std(self.polish.std_cap(self.env_steps))
        if not all(bool(torch.isfinite(value).all()) for value in ppo.actor.parameters()):
            raise _Diverged("the policy became infinite or undefined")
        steps = self.cfg.num_steps * env.num_envs
        self.env_steps += steps
        self.iteration += 1
        return {
            "iteration": self.iteration,
            "env_steps": self.env_steps,
            "wall_s": round(self.wall_s, 3),
            "mean_reward": reward / self.cfg.num_steps,
            "episode_length_s": lengths / ended if ended else env.config.episode_length_s,
            "fall_rate_per_min": falls / (steps * env.step_s / 60.0),
            "speed_m_s": speed / self.cfg.num_steps,
            "gait_match": match / self.cfg.num_steps,
            "learning_rate": ppo.learning_rate,
            "action_std": ppo.action_std,
            "terms": terms,
            "stage": "polish" if self.polish else "coarse",
            "rungs": len(self.rungs),
            "env_steps_per_s": steps / (time.perf_counter() - begun),
        }

    def _write(self, row: dict, progress, writer) -> None:
        self.rows.append(row)
        progress.write(json.dumps({k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}) + "\n")
        progress.flush()
        for name, value in row.items():
            if isinstance(value, int | float) and name not in ("iteration", "env_steps"):
                writer.add_scalar(f"train/{name}", value, row["env_steps"])
        for name, value in row["terms"].items():
            writer.add_scalar(f"terms/{name}", value, row["env_steps"])
        if self.on_progress:
            self.on_progress(row)
        if time.perf_counter() - self.saved_at > self.spec.checkpoint_every_s:
            self._save()
        every = self.spec.keep_every_steps
        if every and self.env_steps // every > (self.env_steps - self.cfg.num_steps * self.env.num_envs) // every:
            kept = self.folder / f"policy-{self.env_steps:010d}.pt"
            save_checkpoint(kept, self.ppo, robot=self.env.robot, env_steps=self.env_steps)

    def _save(self) -> None:
        save_checkpoint(self.folder / CHECKPOINT, self.ppo, robot=self.env.robot, env_steps=self.env_steps)
        self.saved_at = time.perf_counter()

    def _result(self, status: str, reason: str) -> TrainingRun:
        last = self.rows[-1] if self.rows else {}
        numbers = ("mean_reward", "episode_length_s", "fall_rate_per_min", "speed_m_s", "gait_match", "learning_rate",
                   "action_std")  # fmt: skip
        return TrainingRun(
            attempt=self.spec.attempt,
            status=status,
            reason=reason,
            env_steps=self.env_steps,
            wall_s=round(self.wall_s, 2),
            env_steps_per_s=round((self.env_steps - self.first_steps) / max(self.wall_s, 1e-9), 1),
            checkpoint=CHECKPOINT if (self.folder / CHECKPOINT).exists() else None,
            metrics={name: last[name] for name in numbers if name in last},
            term_means=last.get("terms", {}),
            rungs=tuple(self.rungs),
        )


def _out_of_memory(error: Exception) -> bool:
    """Say whether memory ran out, a GPU's or this process's share; torch has no type of its own for the latter."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)
