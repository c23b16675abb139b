"""The trial: `python -m video2reward.sim.trial reward.py target.json` calls a reward once on scripted states.

It runs in a process of its own, because it runs the reward's code. It prints one line of JSON, a `TrialReport`, and
asks: does every term return a finite (num_envs,) tensor, and does the scripted gait earn more than standing still?
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
from pathlib import Path

import torch
from torch import Tensor
from video2reward.memory import runs
from video2reward.memory.errors import BadReward
from video2reward.memory.records import MotionTarget, Record
from video2reward.sim.clock import stance_schedule
from video2reward.sim.config import GRAVITY_M_S2, RobotConfig, robot_config
from video2reward.sim.contract import RewardState, Term
from video2reward.sim.guard import load_guarded
from video2reward.sim.lockdown import Limits, lock_down

_PHASES = 64
_MOST_CPU_S = 60


class TrialReport(Record):
    """What a reward earns per step on scripted states; `problem` is empty where it may be trained with."""

    problem: str = ""
    gait: float = 0.0
    standing: float = 0.0
    lying: float = 0.0
    by_term: dict[str, float] = {}


def try_reward(path: Path, target: MotionTarget) -> TrialReport:
    """Call every term on the scripted gait, on standing and on lying still; report the means."""
    torch.set_num_threads(1)
    robot = robot_config(target.robot)
    try:
        terms = load_guarded(path)
        gait = _mean_by_term(terms, scripted_gait(robot, target))
        standing = _mean_by_term(terms, standing_still(robot, target))
        lying = _mean_by_term(terms, lying_still(robot, target))
    except BadReward as error:
        return TrialReport(problem=str(error))
    earned = {name: sum(values.values()) for name, values in (("gait", gait), ("standing", standing), ("lying", lying))}
    problem = ""
    moves = abs(target.speed_m_s) > 1e-3 or target.gait not in ("stand", "unknown")
    if moves and earned["gait"] <= max(earned["standing"], earned["lying"], 0.0):
        best = "standing still" if earned["standing"] >= earned["lying"] else "lying down"
        problem = (
            f"{best} would earn {max(earned['standing'], earned['lying']):.2f} a step, "
            f"the gait itself {earned['gait']:.2f}: a robot would learn not to move."
        )
    return TrialReport(problem=problem, **earned, by_term=gait)


def scripted_gait(robot: RobotConfig, target: MotionTarget) -> RewardState:
    """Return one stride of the target as it should be, sampled evenly over the clock."""
    phase = (torch.arange(_PHASES) + 0.5) / _PHASES
    stance = stance_schedule(phase, target.phase_offsets, target.duty_factor)
    contact = (stance > 0.5).float()
    height = 0.2 * robot.leg_length_m * (1.0 - 2.0 * stance).clamp(0.0, 1.0)
    feet_vel = torch.zeros(_PHASES, robot.num_feet, 3)
    swing = (1.0 - torch.tensor(target.duty_factor)).clamp(min=0.1)
    feet_vel[..., 0] = (1.0 - contact) * target.speed_m_s / swing
    lin_vel = torch.tensor([target.speed_m_s, 0.0, 0.0]).repeat(_PHASES, 1)
    touchdown = contact * (1.0 - contact.roll(1, 0))
    return _state(robot, target, phase, contact, height, feet_vel, lin_vel, touchdown)


def standing_still(robot: RobotConfig, target: MotionTarget) -> RewardState:
    """Return the default stance at rest, all feet down, whatever the clock says."""
    phase = (torch.arange(_PHASES) + 0.5) / _PHASES
    feet = torch.zeros(_PHASES, robot.num_feet)
    return _state(robot, target, phase, feet + 1.0, feet, torch.zeros(*feet.shape, 3), torch.zeros(_PHASES, 3), feet)


def lying_still(robot: RobotConfig, target: MotionTarget) -> RewardState:
    """Return a robot that lies on its belly, upright and at rest."""
    state = standing_still(robot, target)
    lying = {**state.__dict__, "base_height_m": torch.full((_PHASES,), 0.3 * robot.standing_height_m)}
    return RewardState(**lying)


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
    joints = torch.tensor(robot.default_joint_pos).repeat(_PHASES, 1)
    zeros = torch.zeros_like(joints)
    weight_n = 13.0 * GRAVITY_M_S2
    return RewardState(
        base_lin_vel_b=lin_vel,
        base_ang_vel_b=torch.zeros(_PHASES, 3),
        projected_gravity_b=torch.tensor([0.0, 0.0, -1.0]).repeat(_PHASES, 1),
        base_height_m=torch.full((_PHASES,), robot.standing_height_m),
        joint_pos=joints,
        joint_vel=zeros,
        joint_torque=zeros,
        default_joint_pos=torch.tensor(robot.default_joint_pos),
        action=zeros,
        last_action=zeros,
        feet_contact=contact,
        feet_touchdown=touchdown,
        feet_air_time_s=(1.0 - contact) * 0.1,
        feet_force_n=contact * weight_n / contact.sum(-1, keepdim=True).clamp(min=1.0),
        feet_height_m=height,
        feet_vel_w=feet_vel,
        feet_tilt=torch.zeros_like(contact),
        gait_phase=phase,
        command_speed_m_s=torch.full((_PHASES,), target.speed_m_s),
        leg_length_m=robot.leg_length_m,
        standing_height_m=robot.standing_height_m,
        step_s=1.0 / robot.control_hz,
    )


def _mean_by_term(terms: tuple[Term, ...], state: RewardState) -> dict[str, float]:
    means = {}
    for term in terms:
        try:
            value = term.function(state)
        except Exception as error:  # whatever a term raises is the reward's fault
            raise BadReward(f"the term {term.name} raises {type(error).__name__}: {error}.") from error
        if not isinstance(value, Tensor) or tuple(value.shape) != (_PHASES,):
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise BadReward(f"the term {term.name} returns {shape}, not a tensor of shape (num_envs,).")
        if not bool(torch.isfinite(value).all()):
            raise BadReward(f"the term {term.name} is infinite or undefined on a plain state.")
        means[term.name] = term.weight * float(value.float().mean())
    return means


def main(argv: list[str] | None = None) -> int:
    """Try a reward for a target and print the report; exit 2 where it may not be trained with."""
    reward, target = sys.argv[1:] if argv is None else argv
    wanted = runs.load(MotionTarget, Path(target))
    lock_down(Limits(cpu_s=_MOST_CPU_S, file_bytes=1 << 20))
    report = try_reward(Path(reward), wanted)
    print(report.model_dump_json())
    return 2 if report.problem else 0


if __name__ == "__main__":
    sys.exit(main())
