"""Scripted states: a gait as it should be, and what must not be rewarded more, made by rule and without physics."""

from __future__ import annotations

from dataclasses import fields, replace

import torch
from torch import Tensor
from video2reward.memory.records import MotionTarget
from video2reward.sim.clock import stance_schedule
from video2reward.sim.config import GRAVITY_M_S2, RobotConfig
from video2reward.sim.contract import RewardState
from video2reward.sim.reference import reference_motion

NUM_PHASES = 64
_MASS_KG = 13.0


def scripted_gait(robot: RobotConfig, target: MotionTarget) -> RewardState:
    """Return one stride of the target as it should be, sampled evenly over the clock."""
    phase = _phases()
    stance = stance_schedule(phase, target.phase_offsets, target.duty_factor)
    contact = (stance > 0.5).float()
    height = 0.2 * robot.leg_length_m * (1.0 - 2.0 * stance).clamp(0.0, 1.0)
    feet_vel = torch.zeros(NUM_PHASES, robot.num_feet, 3)
    swing = (1.0 - torch.tensor(target.duty_factor)).clamp(min=0.1)
    feet_vel[..., 0] = (1.0 - contact) * target.speed_m_s / swing
    lin_vel = torch.tensor([target.speed_m_s, 0.0, 0.0]).repeat(NUM_PHASES, 1)
    touchdown = contact * (1.0 - contact.roll(1, 0))
    state = _state(robot, target, phase, contact, height, feet_vel, lin_vel, touchdown)
    lin_vel[:, 2] = state.ref_base_vel_z
    return replace(state, joint_pos=state.ref_joint_pos, base_lin_vel_b=lin_vel)


def standing_still(robot: RobotConfig, target: MotionTarget) -> RewardState:
    """Return the default stance at rest, all feet down, whatever the clock says."""
    feet = torch.zeros(NUM_PHASES, robot.num_feet)
    still = torch.zeros(*feet.shape, 3)
    return _state(robot, target, _phases(), feet + 1.0, feet, still, torch.zeros(NUM_PHASES, 3), feet)


def lying_still(robot: RobotConfig, target: MotionTarget) -> RewardState:
    """Return a robot that lies on its belly, upright and at rest."""
    state = standing_still(robot, target)
    return replace(state, base_height_m=torch.full((NUM_PHASES,), 0.3 * robot.standing_height_m))


def vibrating(robot: RobotConfig, target: MotionTarget) -> RewardState:
    """Return a robot that chatters in place: every foot leaves the ground by millimetres at every second step."""
    state = standing_still(robot, target)
    odd = (torch.arange(NUM_PHASES) % 2).float()[:, None]
    contact = (torch.arange(robot.num_feet) % 2 == 0).float() * odd + (torch.arange(robot.num_feet) % 2).float() * (
        1.0 - odd
    )
    shake = (2.0 * odd - 1.0).expand(-1, robot.num_joints)
    return replace(
        state,
        feet_contact=contact,
        feet_touchdown=contact.clone(),
        feet_air_time_s=(1.0 - contact) * state.step_s,
        feet_height_m=(1.0 - contact) * 0.004,
        feet_vel_w=torch.stack([contact * 0.0, contact * 0.0, 0.2 - 0.4 * contact], dim=-1),
        joint_vel=2.0 * shake,
        action=0.3 * shake,
        last_action=-0.3 * shake,
    )


def falling(robot: RobotConfig, target: MotionTarget) -> RewardState:
    """Return a robot that topples over forwards, from upright to lying on its side."""
    state = standing_still(robot, target)
    tilt = torch.linspace(0.0, 0.5 * torch.pi, NUM_PHASES)
    gravity = torch.stack([0.6 * tilt.sin(), 0.8 * tilt.sin(), -tilt.cos()], dim=-1)
    return replace(
        state,
        projected_gravity_b=gravity,
        base_height_m=robot.standing_height_m * (0.2 + 0.8 * tilt.cos()),
        base_ang_vel_b=torch.tensor([2.0, 3.0, 0.5]).repeat(NUM_PHASES, 1) * tilt[:, None],
        base_lin_vel_b=torch.tensor([0.3, 0.2, -1.0]).repeat(NUM_PHASES, 1) * tilt[:, None],
        feet_contact=state.feet_contact * (tilt < 0.8).float()[:, None],
        knees_height_m=state.knees_height_m * tilt.cos()[:, None],
    )


def in_flight(robot: RobotConfig, target: MotionTarget) -> RewardState:
    """Return the gait's stride with every foot off the ground: no contact, no force, no touchdown."""
    state = scripted_gait(robot, target)
    none = torch.zeros_like(state.feet_contact)
    return replace(
        state,
        feet_contact=none,
        feet_touchdown=none.clone(),
        feet_force_n=none.clone(),
        feet_air_time_s=none + 0.3,
        feet_height_m=none + 0.1,
        base_height_m=state.base_height_m * 1.4,
    )


def nothing_at_all(robot: RobotConfig, target: MotionTarget) -> RewardState:
    """Return a state of zeros, but for gravity, the command and what the robot is: where division by speed ends."""
    state = standing_still(robot, target)
    kept = ("projected_gravity_b", "command_speed_m_s", "default_joint_pos", "gait_phase")
    zeros = {
        item.name: torch.zeros_like(value)
        for item in fields(state)
        if isinstance(value := getattr(state, item.name), Tensor) and item.name not in kept
    }
    return replace(state, **zeros)


def exploding(robot: RobotConfig, target: MotionTarget) -> RewardState:
    """Return numbers as large as a simulation has in the step before it breaks."""
    state = rough(robot, target)
    larger = {
        "base_lin_vel_b": 40.0, "base_ang_vel_b": 40.0, "joint_vel": 40.0, "joint_torque": 10.0, "joint_pos": 10.0,
        "feet_vel_w": 40.0, "feet_force_n": 1_000.0, "base_height_m": 20.0, "feet_height_m": 50.0,
    }  # fmt: skip
    return replace(state, **{name: getattr(state, name) * factor for name, factor in larger.items()})


def rough(robot: RobotConfig, target: MotionTarget, seed: int = 0) -> RewardState:
    """Return the gait as a learner has it on a bad day: everything a little off, and every quantity alive."""
    generator = torch.Generator().manual_seed(seed)
    state = scripted_gait(robot, target)

    def noise(like: Tensor, size: float) -> Tensor:
        return size * torch.randn(like.shape, generator=generator)

    flips = (torch.rand(state.feet_contact.shape, generator=generator) < 0.2).float()
    contact = (state.feet_contact - flips).abs()
    gravity = state.projected_gravity_b + noise(state.projected_gravity_b, 0.1)
    return replace(
        state,
        base_lin_vel_b=state.base_lin_vel_b + noise(state.base_lin_vel_b, 0.2),
        base_ang_vel_b=noise(state.base_ang_vel_b, 0.5),
        projected_gravity_b=gravity / gravity.norm(dim=-1, keepdim=True),
        base_height_m=state.base_height_m + noise(state.base_height_m, 0.02),
        joint_pos=state.joint_pos + noise(state.joint_pos, 0.2),
        joint_vel=noise(state.joint_vel, 2.0),
        joint_torque=noise(state.joint_torque, 5.0),
        action=noise(state.action, 0.5),
        last_action=noise(state.action, 0.5),
        feet_contact=contact,
        feet_touchdown=contact * flips,
        feet_air_time_s=(1.0 - contact) * 0.1 + noise(contact, 0.02).abs() * (1.0 - contact),
        feet_force_n=contact * _MASS_KG * GRAVITY_M_S2 * (0.5 + noise(contact, 0.5).abs()),
        feet_height_m=(1.0 - contact) * (0.03 + noise(contact, 0.01).abs()),
        feet_vel_w=state.feet_vel_w + noise(state.feet_vel_w, 0.8),
        command_speed_m_s=state.command_speed_m_s * (1.0 + noise(state.command_speed_m_s, 0.05)),
        feet_tilt=noise(contact, 0.05).abs(),
    )


def each_tensor(state: RewardState, change) -> RewardState:
    """Return a state whose tensors of all environments went through a function."""
    changed = {
        item.name: change(value)
        for item in fields(state)
        if isinstance(value := getattr(state, item.name), Tensor) and item.name != "default_joint_pos"
    }
    return replace(state, **changed)


def _phases() -> Tensor:
    return (torch.arange(NUM_PHASES) + 0.5) / NUM_PHASES


def _state(
    robot: RobotConfig,
    target: MotionTarget,
    phase: Tensor,
    contact: Tensor,
    height: Tensor,
    feet_vel: Tensor,
    lin_vel: Tensor,
    touchdown: Tensor,
) -> RewardState:
    joints = torch.tensor(robot.default_joint_pos).repeat(NUM_PHASES, 1)
    zeros = torch.zeros_like(joints)
    reference = reference_motion(robot, target.model_dump_json())
    weight_n = _MASS_KG * GRAVITY_M_S2
    return RewardState(
        base_lin_vel_b=lin_vel,
        base_ang_vel_b=torch.zeros(NUM_PHASES, 3),
        projected_gravity_b=torch.tensor([0.0, 0.0, -1.0]).repeat(NUM_PHASES, 1),
        base_height_m=torch.full((NUM_PHASES,), robot.standing_height_m),
        joint_pos=joints,
        joint_vel=zeros,
        joint_torque=zeros.clone(),
        default_joint_pos=torch.tensor(robot.default_joint_pos),
        action=zeros.clone(),
        last_action=zeros.clone(),
        feet_contact=contact,
        feet_touchdown=touchdown,
        feet_air_time_s=(1.0 - contact) * 0.1,
        feet_force_n=contact * weight_n / contact.sum(-1, keepdim=True).clamp(min=1.0),
        feet_height_m=height,
        feet_vel_w=feet_vel,
        feet_tilt=torch.zeros_like(contact),
        knees_height_m=torch.full_like(contact, 0.5 * robot.leg_length_m),
        gait_phase=phase,
        ref_joint_pos=reference.joint_pos[reference.at(phase)],
        ref_feet_contact=reference.feet_contact[reference.at(phase)],
        ref_base_vel_z=reference.base_vel_z[reference.at(phase)],
        command_speed_m_s=torch.full((NUM_PHASES,), target.speed_m_s),
        leg_length_m=robot.leg_length_m,
        standing_height_m=robot.standing_height_m,
        step_s=1.0 / robot.control_hz,
    )
