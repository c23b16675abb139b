"""Pushes, floors, loads, noise and delay do what they say, and nothing where they are off."""

from __future__ import annotations

import pytest
import torch
from video2reward.memory.records import MotionTarget
from video2reward.sim.config import GO1
from video2reward.sim.disturb import NONE, ROBUST, Disturbance, Disturber
from video2reward.sim.env import EnvConfig, LocomotionEnv

TARGET = MotionTarget(robot="go1", feet=GO1.feet, gait="trot", speed_m_s=1.0, stride_frequency_hz=2.0,
                      duty_factor=(0.5,) * 4, phase_offsets=(0.0, 0.5, 0.5, 0.0), leg_length_m=GO1.leg_length_m,
                      froude=0.4)  # fmt: skip


def standing(disturbance: Disturbance, num_envs: int = 16, seed: int = 0) -> LocomotionEnv:
    cfg = EnvConfig(disturbance=disturbance, joint_noise_rad=0.0, velocity_noise=0.0)
    return LocomotionEnv(GO1, TARGET, num_envs=num_envs, num_threads=1, seed=seed, cfg=cfg)


def run(env: LocomotionEnv, steps: int, scale: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        env.step(scale * torch.randn(env.num_envs, 12, generator=generator))
    return env.backend.state().qpos.clone()


def test_a_push_changes_the_trunks_speed_by_what_it_says():
    env = standing(Disturbance(push_m_s=0.4, push_every_s=0.5))
    before = env.backend.state().qvel[:, :2].clone()
    env.disturber._countdown[:] = 1
    env.disturber.push(env.backend)
    change = (env.backend.state().qvel[:, :2] - before).norm(dim=-1)
    # Half to all of 0.4 m/s, in any direction.
    assert (change >= 0.199).all() and (change <= 0.401).all()
    env.disturber.push(env.backend)  # and not again until half a second has gone by
    assert torch.allclose((env.backend.state().qvel[:, :2] - before).norm(dim=-1), change)


def test_hard_pushes_topple_a_robot_that_only_stands():
    def falls(push_m_s: float) -> int:
        env, count = standing(Disturbance(push_m_s=push_m_s, push_every_s=0.5)), 0
        for _ in range(100):
            count += int(env.step(torch.zeros(16, 12))[3]["fell"].sum())
        return count

    assert falls(0.0) == 0 and falls(6.0) > 4


def test_a_slippery_floor_lets_feet_slide():
    def slip(friction: float) -> float:
        env, sum_m_s = standing(Disturbance(friction=(friction, friction))), 0.0
        for step in range(60):
            env.step(torch.full((16, 12), 1.5 if step % 20 < 10 else -1.5))
            speed = env.state.feet_vel_w[..., :2].norm(dim=-1)
            sum_m_s += float((speed * env.state.feet_contact).mean())
        return sum_m_s

    assert slip(0.2) > 1.3 * slip(1.5)


def test_a_heavier_trunk_presses_harder_on_the_feet():
    force = {}
    for factor in (1.0, 1.5):
        env = standing(Disturbance(trunk_mass=(factor, factor)))
        run(env, 100)
        force[factor] = float(env.state.feet_force_n.sum(-1).mean())
    # The trunk weighs 5.204 of 12.743 kg: half of it more is 20 % of the whole.
    assert force[1.5] / force[1.0] == pytest.approx(1.2, abs=0.06)


def test_noise_reaches_the_policy_and_not_the_reward():
    noisy, clean = standing(Disturbance(noise=1.0)), standing(NONE)
    assert torch.equal(noisy.state.joint_vel, clean.state.joint_vel)
    difference = (noisy.get_observations()["policy"] - clean.get_observations()["policy"]).abs()
    # Joint velocities come scaled by 0.05 with noise of up to 1.5 rad/s; the command is exact.
    assert 0.03 < difference[:, 22:34].max() <= 0.0751 and difference[:, 9].max() == 0


def test_late_commands_arrive_a_step_later():
    disturber = Disturber(Disturbance(delay_steps=1), num_envs=64, num_joints=1, step_s=0.02, seed=0)
    sent = [disturber.late(torch.full((64, 1), float(value)))[:, 0] for value in (1, 2, 3)]
    assert set(sent[0].tolist()) == {0.0, 1.0} and set(sent[2].tolist()) == {2.0, 3.0}


def test_without_disturbance_nothing_changes_and_with_it_the_seed_decides():
    assert torch.equal(run(standing(NONE), 20, 1.0), run(standing(Disturbance()), 20, 1.0))
    once, again = run(standing(ROBUST, seed=3), 40, 1.0), run(standing(ROBUST, seed=3), 40, 1.0)
    assert torch.equal(once, again)
    assert not torch.equal(once, run(standing(NONE, seed=3), 40, 1.0))


def test_a_finer_physics_step_keeps_every_environments_floor_and_load():
    env = standing(Disturbance(trunk_mass=(1.5, 1.5)))
    env.refine(0.005)
    run(env, 100)
    heavy = float(env.state.feet_force_n.sum(-1).mean())
    assert heavy > 1.1 * 12.743 * 9.81


def test_in_the_judges_model_a_robot_without_legs_to_stand_on_lies_on_its_trunk():
    env = standing(NONE)
    env.refine(0.005)
    qpos = env.backend.state().qpos.clone()
    qpos[:, 2], qpos[:, 7:] = 0.06, torch.tensor((0.0, 2.6, -0.9) * 4)
    env.backend.reset(torch.arange(env.num_envs), qpos, torch.zeros(env.num_envs, 18))
    run(env, 50)
    # While it learns to walk, only feet meet the floor: it would have sunk in.
    assert float(env.state.base_height_m.min()) > 0.03
