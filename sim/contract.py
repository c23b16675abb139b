"""The reward contract: what a reward sees, how a term is written, and how a reward file is read.

A reward is a Python file. It imports this module and `video2reward.sim.terms`, states the motion it is for in a literal
`MOTION`, and holds one small function per term:

    @term(weight=2.0, serves="phase_offsets")
    def footfalls(s: RewardState) -> Tensor:
        '''Feet touch down in the order and at the times the dog's do.'''
        return footfall_match(s, offsets=(0.0, 0.5, 0.5, 0.0), duty=(0.42, 0.42, 0.38, 0.38))

The reward of a step is max(0, sum of weight x term), and 0 in the step in which the robot falls. Each term is logged
on its own. The text that a language model reads about all this is made from the code below by `contract_text`.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Annotated, get_args, get_type_hints

from torch import Tensor
from video2reward.memory.errors import BadReward
from video2reward.memory.records import MotionTarget
from video2reward.sim.config import RobotConfig
from video2reward.sim.reward_text import parse, read_text

TermFunction = Callable[["RewardState"], Tensor]


@dataclass(frozen=True)
class RewardState:
    """What a reward sees in one control step of all environments. Tensors are float32; SI units; never change them."""

    base_lin_vel_b: Annotated[Tensor, "(num_envs, 3) trunk velocity in the trunk's frame (forward, left, up), m/s"]
    base_ang_vel_b: Annotated[
        Tensor, "(num_envs, 3) trunk angular velocity in the trunk's frame (roll, pitch, yaw), rad/s"
    ]
    projected_gravity_b: Annotated[Tensor, "(num_envs, 3) unit gravity in the trunk's frame; (0, 0, -1) when upright"]
    base_height_m: Annotated[Tensor, "(num_envs,) height of the trunk's origin over the ground, m"]
    joint_pos: Annotated[Tensor, "(num_envs, num_joints) joint angles, rad"]
    joint_vel: Annotated[Tensor, "(num_envs, num_joints) joint velocities, rad/s"]
    joint_torque: Annotated[Tensor, "(num_envs, num_joints) actuator torques, N m"]
    default_joint_pos: Annotated[Tensor, "(num_joints,) joint angles of the default stance, rad"]
    action: Annotated[Tensor, "(num_envs, num_joints) the policy's action of this step, without unit"]
    last_action: Annotated[Tensor, "(num_envs, num_joints) the action of the step before"]
    feet_contact: Annotated[Tensor, "(num_envs, num_feet) 1 where the foot touches the ground, else 0"]
    feet_touchdown: Annotated[
        Tensor, "(num_envs, num_feet) how often the foot touched down in this step: 0 or 1, more where it bounced"
    ]
    feet_air_time_s: Annotated[Tensor, "(num_envs, num_feet) time since the foot left the ground, s; 0 in contact"]
    feet_force_n: Annotated[Tensor, "(num_envs, num_feet) force of the ground on the foot, N"]
    feet_height_m: Annotated[Tensor, "(num_envs, num_feet) clearance of the sole over the ground, m"]
    feet_vel_w: Annotated[Tensor, "(num_envs, num_feet, 3) velocity of the feet in the world's frame, m/s"]
    feet_tilt: Annotated[Tensor, "(num_envs, num_feet) 1 - cosine between the sole's normal and up; 0 for point feet"]
    knees_height_m: Annotated[Tensor, "(num_envs, num_feet) height of each leg's knee over the ground, m"]
    gait_phase: Annotated[Tensor, "(num_envs,) the gait clock in strides, [0, 1); the reference foot lands at 0"]
    ref_joint_pos: Annotated[
        Tensor, "(num_envs, num_joints) where the joints would be now if the robot moved as the clip does, rad"
    ]
    ref_feet_contact: Annotated[Tensor, "(num_envs, num_feet) 1 where the clip has the foot on the ground now, else 0"]
    ref_base_vel_z: Annotated[
        Tensor, "(num_envs,) vertical speed the trunk would have now if each foot pushed half a sine in its stance, m/s"
    ]
    command_speed_m_s: Annotated[
        Tensor, "(num_envs,) forward speed asked for in this episode (0.9 to 1.1 x the target), m/s"
    ]
    leg_length_m: Annotated[float, "standing height of the hip's pitch axis, m"]
    standing_height_m: Annotated[float, "height of the trunk's origin in the default stance, m"]
    step_s: Annotated[float, "duration of a control step, s"]

    def copied(self) -> RewardState:
        """Return the state in tensors of its own: what a reward does to them reaches nothing else."""
        return RewardState(**{k: v.clone() if isinstance(v, Tensor) else v for k, v in vars(self).items()})


@dataclass(frozen=True)
class Term:
    """One term of a loaded reward."""

    name: str
    weight: float
    serves: str
    function: TermFunction


def term(*, weight: float, serves: str) -> Callable[[TermFunction], TermFunction]:
    """Mark a function as a term: `weight` scales it, `serves` names the clip feature or the need it is there for."""

    def mark(function: TermFunction) -> TermFunction:
        function.__reward_term__ = Term(function.__name__, float(weight), serves, function)  # type: ignore[attr-defined]
        return function

    return mark


def run_reward(code: CodeType, names: dict[str, object], name: str) -> tuple[Term, ...]:
    """Run a reward's compiled code and return its terms in their order.

    Only the worker and the trial call it, and only after the guard, which chooses the names. Raises BadReward where
    the code cannot be run or marks no term.
    """
    try:
        exec(code, names)
    except Exception as error:  # whatever a foreign file raises is that file's fault
        raise BadReward(f"{name} cannot be run: {type(error).__name__}: {error}.") from error
    marked = [getattr(value, "__reward_term__", None) for value in names.values()]
    # Two names for one function are one term.
    terms = tuple({id(item): item for item in marked if isinstance(item, Term)}.values())
    if not terms:
        raise BadReward(f"{name} holds no term.", "Mark each term's function with @term(weight=…, serves=…).")
    return terms


def motion_of(path: Path, robot: RobotConfig) -> MotionTarget | None:
    """Return the motion a reward file states in its literal `MOTION`, or None where it states none.

    The file is parsed, never run. Raises BadReward where MOTION is not a literal or does not fit the robot.
    """
    tree = parse(read_text(path), path.name)
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "MOTION" for t in node.targets):
            return _motion_target(node.value, path.name, robot)
    return None


def motion_literal(target: MotionTarget) -> str:
    """Write a target's numbers as the `MOTION = {…}` of a reward file."""
    items = {
        "gait": target.gait,
        "speed_m_s": round(target.speed_m_s, 4),
        "stride_frequency_hz": round(target.stride_frequency_hz, 4),
        "phase_offsets": tuple(round(value, 4) for value in target.phase_offsets),
        "duty_factor": tuple(round(value, 4) for value in target.duty_factor),
    }
    return (
        "MOTION = {\n" + "".join(f"    {key!r}: {value!r},\n" for key, value in items.items()).replace("'", '"') + "}\n"
    )


def _motion_target(node: ast.expr, file: str, robot: RobotConfig) -> MotionTarget:
    try:
        motion = ast.literal_eval(node)
        speed, feet = float(motion["speed_m_s"]), len(robot.feet)
        if len(motion["phase_offsets"]) != feet or len(motion["duty_factor"]) != feet:
            raise BadReward(
                f"MOTION in {file} gives {len(motion['phase_offsets'])} phases and {len(motion['duty_factor'])} duty "
                f"factors, but {robot.name} has {feet} feet ({', '.join(robot.feet)})."
            )
        return MotionTarget(
            robot=robot.name,
            feet=robot.feet,
            gait=motion.get("gait", "unknown"),
            speed_m_s=speed,
            stride_frequency_hz=motion["stride_frequency_hz"],
            duty_factor=tuple(motion["duty_factor"]),
            phase_offsets=tuple(value % 1.0 for value in motion["phase_offsets"]),
            leg_length_m=robot.leg_length_m,
            froude=speed * speed / (9.81 * robot.leg_length_m),
            travel="on_the_spot" if abs(speed) < 1e-6 else "forward" if speed > 0 else "backward",
        )
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise BadReward(
            f"MOTION in {file} cannot be read: {error}.",
            "It is a literal with gait, speed_m_s, stride_frequency_hz, phase_offsets and duty_factor.",
        ) from None


def contract_text() -> str:
    """Return the contract as markdown for a language model, made from the code: state, ready-made terms, rules."""
    from video2reward.sim import terms

    hints = get_type_hints(RewardState, include_extras=True)
    state = "\n".join(f"- `s.{name}`: {get_args(hint)[1]}" for name, hint in hints.items())
    library = "\n".join(
        f"- `{name}{_signature(function)}`: {' '.join((inspect.getdoc(function) or '').split())}"
        for name, function in vars(terms).items()
        if inspect.isfunction(function) and function.__module__ == terms.__name__ and not name.startswith("_")
    )
    rules = (inspect.getdoc(inspect.getmodule(contract_text)) or "").partition("The reward of a step")
    return (
        f"## The state `s: RewardState`\n{state}\n\n"
        f"## Ready-made quantities, each (num_envs,) unless said otherwise\n{library}\n\n"
        f"## The rules\n{rules[1]} {rules[2].partition('The text that')[0].strip()}\n"
        "A term returns a finite tensor of shape (num_envs,), uses only torch, math and the functions above, "
        "changes nothing, and keeps no state between steps.\n"
    )


def _signature(function: Callable[..., object]) -> str:
    parameters = [
        str(parameter).replace("'", "").replace("RewardState", "RewardState")
        for parameter in inspect.signature(function).parameters.values()
    ]
    keyword_from = [p.kind is inspect.Parameter.KEYWORD_ONLY for p in inspect.signature(function).parameters.values()]
    if any(keyword_from):
        parameters.insert(keyword_from.index(True), "*")
    return f"({', '.join(parameters)})"
