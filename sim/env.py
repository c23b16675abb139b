"""The environment a policy is trained in: a gait clock, a commanded speed, a reward made of terms."""

from __future__ import annotations

from dataclasses import dataclass, replace

import mujoco
import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict
from torch import Tensor
from video2reward.memory.errors import BadReward
from video2reward.memory.records import MotionTarget
from video2reward.sim.backends.base import Backend, PhysicsState
from video2reward.sim.clock import stance_schedule
from video2reward.sim.config import RobotConfig
from video2reward.sim.contract import RewardState, Term
from video2reward.sim.disturb import NONE, Disturbance, Disturber
from video2reward.sim.reference import reference_motion
from video2reward.sim.robots.model import load_model
from video2reward.sim.state import FeetState, SensorLayout, feet_state, rotate_inverse

MAX_ACTION = 6.0
_UPRIGHT = -0.6  # gravity's third component in the trunk's frame: a tilt of 53 degrees is a fall


@dataclass(frozen=True)
class EnvConfig:
    """Rates and ranges of the environment. The judge uses a finer `physics_step_s` than training does."""

    physics_step_s: float = 0.01
    episode_length_s: float = 10.0
    command_range: tuple[float, float] = (0.9, 1.1)
    reference_init: float = 0.0
    """Share of episodes that begin somewhere in the reference motion (reference-state initialisation, Peng 2018)."""
    joint_noise_rad: float = 0.08
    velocity_noise: float = 0.1
    full_collision: bool = False
    disturbance: Disturbance = NONE


class LocomotionEnv(VecEnv):
    """Many copies of one robot, walking to one gait clock each (rsl-rl's `VecEnv`).

    Observations are a TensorDict of `policy` (what the robot can know) and `privileged` (for the critic alone). The
    clock and the commanded speed are the motion target's; what is rewarded is the reward's business alone.
    """

    def __init__(
        self,
        robot: RobotConfig,
        target: MotionTarget,
        *,
        num_envs: int,
        num_threads: int,
        seed: int,
        terms: tuple[Term, ...] = (),
        cfg: EnvConfig | None = None,
        backend: Backend | None = None,
    ) -> None:
        self.robot, self.target, self.terms, self.config = robot, target, terms, cfg or EnvConfig()
        self.cfg = {}  # rsl-rl logs it
        self.num_envs, self.num_actions, self.device = num_envs, robot.num_joints, "cpu"
        self.step_s = 1.0 / robot.control_hz
        self.num_substeps = round(self.step_s / self.config.physics_step_s)
        self.max_episode_length = round(self.config.episode_length_s / self.step_s)
        self._num_threads = num_threads
        # What the worker may ease for a while: how much costs count, and the share of the speed that is asked for.
        self.cost_scale = self.command_scale = 1.0
        model = load_model(robot, timestep_s=self.config.physics_step_s, full_collision=self.config.full_collision)
        backend = backend or self._make_backend(model)
        self.backend, self.layout = backend, SensorLayout.of(model, robot)
        self.disturber = Disturber(self.config.disturbance, num_envs, robot.num_joints, self.step_s, seed)
        self.disturber.prepare(backend)
        # A foot that bounces does so between two control steps.
        backend.watch(self.layout.feet_touch)
        self.reference = reference_motion(robot, target.model_dump_json())
        self.generator = torch.Generator().manual_seed(seed)
        self.default_joint_pos = torch.tensor(robot.default_joint_pos)
        self.action_scale = torch.tensor(robot.action_scale)
        home = model.key("home")
        self._home_qpos = torch.tensor(home.qpos, dtype=torch.float32)
        self._down = torch.tensor([0.0, 0.0, -1.0]).expand(num_envs, 3)
        self.episode_length_buf = torch.zeros(num_envs, dtype=torch.long)
        self.gait_phase, self.command = torch.zeros(num_envs), torch.zeros(num_envs)
        self.action = torch.zeros(num_envs, robot.num_joints)
        self.last_action = torch.zeros_like(self.action)
        self.feet_air_time_s = torch.zeros(num_envs, robot.num_feet)
        self._feet_contact = torch.ones(num_envs, robot.num_feet)
        self.ended_age = self.episode_length_buf.clone()  # control steps an episode had lasted when the last step ended
        self.term_sums = torch.zeros(len(terms))
        self.reset(torch.arange(num_envs))
        self.state = self._observe()
        self._observations = self._observations_of(self.state)

    def get_observations(self) -> TensorDict:
        return self._observations

    def step(self, actions: Tensor) -> tuple[TensorDict, Tensor, Tensor, dict]:
        """Advance one control step; return observations, rewards, dones and `time_outs` / `fell` (num_envs,)."""
        self.last_action = self.action
        self.action = actions.detach().clamp(-MAX_ACTION, MAX_ACTION)
        self.disturber.push(self.backend)
        sent = self.disturber.late(self.action)
        self.backend.step(self.default_joint_pos + self.action_scale * sent, self.num_substeps)
        self.gait_phase = (self.gait_phase + self.target.stride_frequency_hz * self.step_s) % 1.0
        self.episode_length_buf += 1
        state = self._observe()
        fell = self.fallen(state)
        rewards = self._reward(state, fell)
        time_out = (self.episode_length_buf >= self.max_episode_length) & ~fell
        done = fell | time_out
        self.state, self.ended_age = state, self.episode_length_buf.clone()
        if done.any():
            self.reset(done.nonzero()[:, 0])
            state = self._observe(landed=False)
        self._observations = self._observations_of(state)
        return self._observations, rewards, done, {"time_outs": time_out, "fell": fell}

    def refine(self, physics_step_s: float) -> None:
        """Go on from the present states in the judge's model: another physics step, and every limb meets the floor."""
        self.config = replace(self.config, physics_step_s=physics_step_s, full_collision=True)
        self.num_substeps = round(self.step_s / physics_step_s)
        states = self.backend.state()
        qpos, qvel = states.qpos.clone(), states.qvel.clone()
        model = load_model(self.robot, timestep_s=physics_step_s, full_collision=True)
        self.backend, self.layout = self._make_backend(model), SensorLayout.of(model, self.robot)
        self.disturber.prepare(self.backend)
        self.backend.watch(self.layout.feet_touch)
        self.backend.reset(torch.arange(self.num_envs), qpos, qvel)

    def begin_standing(self, episode_length_s: float, joint_noise_rad: float, velocity_noise: float) -> None:
        """From the next episodes on all begin in the stance, so far from it and so much in motion, and last so long."""
        self.config = replace(
            self.config,
            reference_init=0.0,
            episode_length_s=episode_length_s,
            joint_noise_rad=joint_noise_rad,
            velocity_noise=velocity_noise,
        )
        self.max_episode_length = round(episode_length_s / self.step_s)
        # Environments that all are too old now would all begin anew together.
        ages = torch.randint(0, self.max_episode_length, (self.num_envs,), generator=self.generator)
        self.episode_length_buf = torch.minimum(self.episode_length_buf, ages)

    def _make_backend(self, model: mujoco.MjModel) -> Backend:
        from video2reward.sim.backends.mujoco_cpu import MujocoBackend

        return MujocoBackend(model, self.num_envs, self._num_threads)

    def reset(self, env_ids: Tensor) -> None:
        """Put environments back near the default stance, at a random clock and command."""
        num, generator, cfg = len(env_ids), self.generator, self.config
        qpos = self._home_qpos.repeat(num, 1)
        qvel = torch.zeros(num, self.backend.state().qvel.shape[1])
        low, high = cfg.command_range
        share = self.command_scale * (low + (high - low) * torch.rand(num, generator=generator))
        self.command[env_ids] = self.target.speed_m_s * share
        self.gait_phase[env_ids] = torch.rand(num, generator=generator)
        if cfg.reference_init:
            chosen = torch.rand(num, generator=generator) < cfg.reference_init
            now = self.reference.at(self.gait_phase[env_ids[chosen]])
            qpos[chosen, 7:] = self.reference.joint_pos[now]
            qvel[chosen, 6:] = self.reference.joint_vel[now]
            qpos[chosen, 2] += self.reference.base_rise[now]
            qvel[chosen, 2] = self.reference.base_vel_z[now]
            # Not all at full speed: what comes before full speed must be known, too.
            going = torch.rand(num, generator=generator)[chosen]
            qvel[chosen, 0] = going * self.command[env_ids[chosen]]
        qpos[:, 7:] += cfg.joint_noise_rad * (2.0 * torch.rand(qpos[:, 7:].shape, generator=generator) - 1.0)
        qpos[:, 2] += 0.02 * torch.rand(num, generator=generator)
        qvel[:, :6] += cfg.velocity_noise * torch.randn(num, 6, generator=generator)
        self.backend.reset(env_ids, qpos, qvel)
        self.episode_length_buf[env_ids] = 0
        self.action = self.action.index_fill(0, env_ids, 0.0)
        self.last_action = self.last_action.index_fill(0, env_ids, 0.0)
        self.feet_air_time_s[env_ids] = 0.0
        self._feet_contact[env_ids] = 1.0

    def fallen(self, state: RewardState) -> Tensor:
        """Say which environments have fallen (num_envs,): tilted over, too low, or no longer finite."""
        upright = state.projected_gravity_b[:, 2] < _UPRIGHT
        finite = torch.isfinite(state.joint_vel).all(-1) & torch.isfinite(state.base_lin_vel_b).all(-1)
        return ~(upright & (state.base_height_m > self.robot.fall_height_m) & finite)

    def _observe(self, landed: bool = True) -> RewardState:
        physics = self.backend.state()
        feet = feet_state(physics, self.layout, self.robot)
        touchdown = torch.zeros_like(feet.contact)
        if landed:
            touched = torch.cat([self._feet_contact[None], (self.backend.seen() > self.robot.contact_force_n).float()])
            touchdown = (touched.diff(dim=0) > 0).sum(0).float()
            self.feet_air_time_s = (self.feet_air_time_s + self.step_s) * (1.0 - feet.contact)
            self._feet_contact = feet.contact
        return self._state(physics, feet, touchdown)

    def _state(self, physics: PhysicsState, feet: FeetState, touchdown: Tensor) -> RewardState:
        quat, now = physics.qpos[:, 3:7], self.reference.at(self.gait_phase)
        return RewardState(
            base_lin_vel_b=rotate_inverse(quat, physics.qvel[:, :3]),
            base_ang_vel_b=physics.qvel[:, 3:6].clone(),
            projected_gravity_b=rotate_inverse(quat, self._down),
            base_height_m=physics.qpos[:, 2].clone(),
            joint_pos=physics.qpos[:, 7:].clone(),
            joint_vel=physics.qvel[:, 6:].clone(),
            joint_torque=physics.actuator_force.clone(),
            default_joint_pos=self.default_joint_pos,
            action=self.action,
            last_action=self.last_action,
            feet_contact=feet.contact,
            feet_touchdown=touchdown,
            feet_air_time_s=self.feet_air_time_s,
            feet_force_n=feet.force_n,
            feet_height_m=feet.height_m,
            feet_vel_w=feet.vel_w,
            feet_tilt=feet.tilt,
            knees_height_m=feet.knee_height_m,
            gait_phase=self.gait_phase,
            ref_joint_pos=self.reference.joint_pos[now],
            ref_feet_contact=self.reference.feet_contact[now],
            ref_base_vel_z=self.reference.base_vel_z[now],
            command_speed_m_s=self.command,
            leg_length_m=self.robot.leg_length_m,
            standing_height_m=self.robot.standing_height_m,
            step_s=self.step_s,
        )

    def _observations_of(self, state: RewardState) -> TensorDict:
        seen, clock = self.disturber.sensed(state), 2.0 * torch.pi * self.gait_phase[:, None]
        policy = torch.cat(
            [
                seen.base_lin_vel_b,
                0.25 * seen.base_ang_vel_b,
                seen.projected_gravity_b,
                seen.command_speed_m_s[:, None],
                seen.joint_pos - self.default_joint_pos,
                0.05 * seen.joint_vel,
                seen.action,
                stance_schedule(self.gait_phase, self.target.phase_offsets, self.target.duty_factor),
                clock.sin(),
                clock.cos(),
            ],
            dim=-1,
        )
        privileged = torch.cat(
            [state.feet_contact, 4.0 * state.base_height_m[:, None], 10.0 * state.feet_height_m], dim=-1
        )
        groups = {"policy": policy, "privileged": privileged}
        return TensorDict({k: v.nan_to_num_(0.0, 0.0, 0.0) for k, v in groups.items()}, batch_size=[self.num_envs])

    def _reward(self, state: RewardState, fell: Tensor) -> Tensor:
        """Return max(0, sum of weight x term), 0 where it fell; remember each term's mean."""
        if not self.terms:
            return torch.zeros(self.num_envs)
        # The simulation and the curves keep their own tensors, whatever a term does to these.
        seen = state.copied()
        weighted = torch.stack([self._weight(term) * self._value(term, seen) for term in self.terms])
        weighted = torch.where(fell, 0.0, weighted)
        self.term_sums += weighted.mean(dim=1)
        # Twice the step keeps returns near one for rewards of a few units, whatever the control rate.
        return 2.0 * self.step_s * weighted.sum(dim=0).clamp(min=0.0)

    def _weight(self, term: Term) -> float:
        return term.weight * (self.cost_scale if term.weight < 0 else 1.0)

    def _value(self, term: Term, state: RewardState) -> Tensor:
        """Return a term's value (num_envs,). Raises BadReward where it raises, or returns anything else."""
        try:
            value = term.function(state)
        except (MemoryError, torch.OutOfMemoryError):
            raise
        except Exception as error:  # whatever a term raises is the reward's fault
            raise BadReward(f"the term {term.name} raises {type(error).__name__}: {error}.") from error
        if not isinstance(value, Tensor) or value.shape != (self.num_envs,):
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise BadReward(f"the term {term.name} returns {shape}, not a tensor of shape (num_envs,).")
        return value
