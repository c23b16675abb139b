"""Ready-made quantities for rewards, in the field's vocabulary. Each returns (num_envs,); none changes the state.

Measures of goodness lie in [0, 1] with 1 the best; costs are >= 0 and are given a negative weight. Costs that a
single bad step could drive without bound are bounded: one kick must not outweigh a stride.
"""

from __future__ import annotations

import torch
from torch import Tensor
from video2reward.sim.clock import stance_schedule, swing_arc
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

    `offsets` and `duty` follow the robot's feet; `swing_height` is in leg lengths, the top of the arc that a swinging
    foot should not stay below.
    """
    stance = expected_stance(s, offsets=offsets, duty=duty)
    speed_scale = 0.09 * s.command_speed_m_s[:, None].square() + 0.02
    planted = 0.7 + 0.3 * torch.exp(-s.feet_vel_w[..., :2].square().sum(-1) / speed_scale)
    wanted_height_m = swing_height * s.leg_length_m * swing_arc(s.gait_phase, offsets, duty)
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


def touchdown_timing(s: RewardState, *, offsets: tuple[float, ...], window: float = 0.12) -> Tensor:
    """Cost of touchdowns away from the one a stride has: sum over feet of (strides off / window)², at most 1 a foot.

    What lands early or late is drawn to its time; a foot that bounces in mid-swing, or touches again as it leaves the
    ground, costs all of it.
    """
    phase = (s.gait_phase[:, None] - torch.tensor(offsets, dtype=s.gait_phase.dtype)) % 1.0
    off = torch.minimum(phase, 1.0 - phase) / window
    return (s.feet_touchdown.clamp(max=1.0) * off.square().clamp(max=1.0)).sum(-1)


def hard_landing(s: RewardState, *, gentle_m_s: float = 1.0) -> Tensor:
    """Cost of feet about to hit the ground: sum of (falling speed beyond the gentle one)², at most 9 a foot.

    Counted are feet in the air that reach the ground within a step and a half. A foot that lands hard sinks in, bounces
    and drags its shank down.
    """
    falling = (-s.feet_vel_w[..., 2]).clamp(min=0.0)
    landing = (1.0 - s.feet_contact) * (s.feet_height_m < 1.5 * s.step_s * falling)
    return ((falling - gentle_m_s).clamp(0.0, 3.0).square() * landing).sum(-1)


def low_knees(s: RewardState, *, height: float = 0.25) -> Tensor:
    """Cost of knees close to the ground: sum over legs of (what lacks / wanted height)²; `height` is in leg lengths.

    While a policy learns only feet meet the ground; the judge's robot falls on its knees.
    """
    wanted_m = height * s.leg_length_m
    return ((wanted_m - s.knees_height_m).clamp(min=0.0) / wanted_m).square().clamp(max=4.0).sum(-1)


def foot_slip(s: RewardState) -> Tensor:
    """Cost of feet that slide while they touch the ground: sum of (m/s)²."""
    return (s.feet_vel_w[..., :2].square().sum(-1) * s.feet_contact).sum(-1)


def foot_tilt(s: RewardState) -> Tensor:
    """Cost of soles that are not level: sum of 1 - cosine; 0 for point feet."""
    return s.feet_tilt.sum(-1)


def stance_match(s: RewardState, *, offsets: tuple[float, ...], duty: tuple[float, ...]) -> Tensor:
    """Score, in [0, 1], how many feet are on the ground just when they should be: 1 - mean |contact - expected|.

    Over a stride this is what brings the duty factor; unlike footfall_match it asks nothing of how a foot swings.
    """
    return 1.0 - (s.feet_contact - expected_stance(s, offsets=offsets, duty=duty)).abs().mean(-1)


def flight_match(s: RewardState, *, offsets: tuple[float, ...], duty: tuple[float, ...]) -> Tensor:
    """Score, in [0, 1], being off the ground with every foot while no foot should stand; 0 outside that time.

    Gaits in which some foot always stands earn nothing here. The share of a stride that is flight bounds the mean.
    """
    airborne = (1.0 - s.feet_contact).prod(-1)
    return airborne * (1.0 - expected_stance(s, offsets=offsets, duty=duty)).prod(-1)


def foot_clearance(
    s: RewardState, *, offsets: tuple[float, ...], duty: tuple[float, ...], height: float = 0.18
) -> Tensor:
    """Cost of swinging feet that stay too low: mean over feet of (what lacks / wanted height)², at most 1 each.

    `height` is the top of the arc, in leg lengths; feet that should stand cost nothing.
    """
    wanted_m = height * s.leg_length_m * swing_arc(s.gait_phase, offsets, duty)
    lacking = (wanted_m - s.feet_height_m).clamp(min=0.0) / (height * s.leg_length_m)
    return lacking.clamp(max=1.0).square().mean(-1)


def joint_cycle(s: RewardState, *, sharpness: float = 2.0) -> Tensor:
    """Score, in [0, 1], joints where the clip's motion has them now: exp(-sharpness x sum of squared deviations).

    The reference is the clip's limb paths carried over to this robot's joints (Peng et al. 2018, eq. 6, has 2.0).
    """
    return torch.exp(-sharpness * (s.joint_pos - s.ref_joint_pos).square().sum(-1))


def power(s: RewardState) -> Tensor:
    """Cost of mechanical work done by the motors: sum of max(torque x joint velocity, 0), W."""
    return (s.joint_torque * s.joint_vel).clamp(min=0.0).sum(-1)


def pair_symmetry(s: RewardState) -> Tensor:
    """Score, in [0, 1], left and right feet that do the same at the same time, as in bound, pronk and hop.

    Feet come in pairs, left before right; each pair earns by agreeing in contact, and in height to a tenth of a leg.
    """
    left, right = s.feet_contact[:, 0::2], s.feet_contact[:, 1::2]
    apart = (s.feet_height_m[:, 0::2] - s.feet_height_m[:, 1::2]) / (0.1 * s.leg_length_m)
    return ((1.0 - (left - right).abs()) * torch.exp(-apart.square())).mean(-1)


def trunk_bob(s: RewardState) -> Tensor:
    """Cost of a trunk that does not rise and fall as the gait's pushes have it: (m/s)², at most 4.

    Pushes are half a sine in each foot's stance; where all feet fly at once the trunk is a thrown stone. Without any
    flight this is almost trunk_bounce.
    """
    return (s.base_lin_vel_b[:, 2] - s.ref_base_vel_z).square().clamp(max=4.0)


def upright(s: RewardState) -> Tensor:
    """Score, in [0, 1], a trunk that is upright: the cosine of its tilt, not below 0."""
    return (-s.projected_gravity_b[:, 2]).clamp(0.0, 1.0)
