"""Ready-made quantities for rewards, in the field's vocabulary. Each returns (num_envs,); none changes the state.

Measures of goodness lie in [0, 1] with 1 the best; costs are >= 0 and are given a negative weight.
"""

from __future__ import annotations

import torch
from torch import Tensor
from video2reward.sim.clock import stance_schedule
from video2reward.sim.contract import RewardState


def expected_stance(s: RewardState, *, offsets: tuple[float, ...], duty: tuple[float, ...]) -> Tensor:
    """Say how much each foot should be on the ground now, (num_envs, num_feet) in [0, 1], by the gait clock.

    A foot's phase runs from its own touchdown; it is in stance while that is below its duty factor. The edges are
    smoothed with a von Mises kernel (Siekmann et al. 2021, arXiv 2011.01387).
    """
    return stance_schedule(s.gait_phase, offsets, duty)


def footfall_match(
    s: RewardState, *, offsets: tuple[float, ...], duty: tuple[float, ...], swing_height: float = 0.18
) -> Tensor:
    """Score, in [0, 1], feet that stand still when they should stand and are lifted when they should swing.

    `offsets` and `duty` follow the robot's feet; `swing_height` is in leg lengths, reached in mid-swing.
    """
    stance = expected_stance(s, offsets=offsets, duty=duty)
    speed_scale = 0.09 * s.command_speed_m_s[:, None].square() + 0.02
    planted = 0.7 + 0.3 * torch.exp(-s.feet_vel_w[..., :2].square().sum(-1) / speed_scale)
    wanted_height_m = swing_height * s.leg_length_m * (1.0 - 2.0 * stance).clamp(0.0, 1.0)
    lifted = torch.exp(-((s.feet_height_m - wanted_height_m).clamp(max=0.0) / (0.137 * s.leg_length_m)).square())
    match = stance * s.feet_contact * planted + (1.0 - stance) * (1.0 - s.feet_contact) * lifted
    return match.mean(-1)


def forward_progress(s: RewardState) -> Tensor:
    """Score forward speed linearly: 1 at the commanded speed, 0 at rest or at twice the speed, down to -1 beyond."""
    command = s.command_speed_m_s
    return (1.0 - (s.base_lin_vel_b[:, 0] - command).abs() / command.abs().clamp(min=0.1)).clamp(-1.0, 1.0)


def speed_tracking(s: RewardState, *, sharpness: float = 0.1) -> Tensor:
    """Score, in [0, 1], the planar velocity against the command: exp(-error² / (sharpness x command²))."""
    command = s.command_speed_m_s
    error = (s.base_lin_vel_b[:, 0] - command).square() + s.base_lin_vel_b[:, 1].square()
    return torch.exp(-error / (sharpness * command.square().clamp(min=0.04)))


def heading_hold(s: RewardState) -> Tensor:
    """Score, in [0, 1], not turning: exp(-yaw rate² / 0.25)."""
    return torch.exp(-s.base_ang_vel_b[:, 2].square() / 0.25)


def default_pose(s: RewardState, *, joint_weights: tuple[float, ...]) -> Tensor:
    """Score, in [0, 1], joints near the default stance: exp(-sum of weight x deviation²), weights per joint."""
    deviation = (s.joint_pos - s.default_joint_pos).square()
    return torch.exp(-(deviation * torch.tensor(joint_weights, dtype=deviation.dtype)).sum(-1))


def trunk_tilt(s: RewardState, *, pitch_rad: float = 0.0) -> Tensor:
    """Cost of a trunk that leans: squared distance of gravity from where the wanted pitch (nose down > 0) puts it."""
    wanted_x = torch.sin(torch.tensor(pitch_rad)).to(s.projected_gravity_b)
    return (s.projected_gravity_b[:, 0] - wanted_x).square() + s.projected_gravity_b[:, 1].square()


def trunk_bounce(s: RewardState) -> Tensor:
    """Cost of vertical speed: (m/s)²."""
    return s.base_lin_vel_b[:, 2].square()


def trunk_wobble(s: RewardState) -> Tensor:
    """Cost of roll and pitch rates: sum of (rad/s)²."""
    return s.base_ang_vel_b[:, :2].square().sum(-1)


def trunk_height_error(s: RewardState, *, height: float = 1.0) -> Tensor:
    """Cost of a trunk off its height, in leg lengths squared; `height` in standing heights."""
    return ((s.base_height_m - height * s.standing_height_m) / s.leg_length_m).square()


def action_rate(s: RewardState) -> Tensor:
    """Cost of jerky commands: sum of (action - last action)²."""
    return (s.action - s.last_action).square().sum(-1)


def torque(s: RewardState) -> Tensor:
    """Cost of effort: sum of (N m)²."""
    return s.joint_torque.square().sum(-1)


def early_touchdown(s: RewardState, *, offsets: tuple[float, ...], duty: tuple[float, ...]) -> Tensor:
    """Count feet that touch down in the middle of their swing: bounces and doubled steps."""
    stance = expected_stance(s, offsets=offsets, duty=duty)
    return (s.feet_touchdown * (stance < 0.25)).sum(-1)


def foot_slip(s: RewardState) -> Tensor:
    """Cost of feet that slide while they touch the ground: sum of (m/s)²."""
    return (s.feet_vel_w[..., :2].square().sum(-1) * s.feet_contact).sum(-1)


def foot_tilt(s: RewardState) -> Tensor:
    """Cost of soles that are not level: sum of 1 - cosine; 0 for point feet."""
    return s.feet_tilt.sum(-1)


def upright(s: RewardState) -> Tensor:
    """Score, in [0, 1], a trunk that is upright: the cosine of its tilt, not below 0."""
    return (-s.projected_gravity_b[:, 2]).clamp(0.0, 1.0)
