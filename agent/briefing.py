"""What a language model is told: the brief in words and numbers, long or short by what the model can hold."""

from __future__ import annotations

import json
from functools import cache

from video2reward import prompts
from video2reward.agent.authors import AuthorBrief
from video2reward.agent.history import history, tail
from video2reward.agent.menu import menu, menu_text
from video2reward.agent.recipe import compose, first_recipe
from video2reward.agent.settings import PromptMode
from video2reward.agent.variety import Direction
from video2reward.memory.records import GaitDescriptor, MotionTarget
from video2reward.sim.config import GRAVITY_M_S2, RobotConfig, robot_config

_CYCLE_POINTS = 8
_EXAMPLES = {
    "quadruped": ("pace", 0.35, 1.9, (0.55, 0.55, 0.58, 0.58), (0.0, 0.5, 0.02, 0.52)),
    "biped": ("walk", 0.12, 0.85, (0.62, 0.62), (0.0, 0.5)),
}
"""The worked answer's motion: gait, Froude number, strides a second, duty factors, phases. Nobody's clip."""


def system_prompt(target: MotionTarget, mode: PromptMode, direction: Direction) -> str:
    """Return the standing part: the job, the answer's form, the contract as the code states it, a whole answer."""
    robot = robot_config(target.robot)
    if mode == "menu":
        usual, ready = len(compose(target, first_recipe(target))), menu(target, direction.parent)
        chosen = [{"number": number, "weight": term.weight} for number, term in enumerate(ready[:usual], 1)]
        example = json.dumps({"rationale": "why", "terms": chosen})
        return prompts.fill(prompts.load("author_menu"), menu=menu_text(ready), usual=str(usual), example=example)
    if mode == "short":
        terms = {term.name: term for term in compose(target, first_recipe(target))}
        return prompts.fill(
            prompts.load("author_short"),
            swing_height=f"{first_recipe(target).swing_height:g}",
            joint_weights=tail(terms["pose"].body, "joint_weights="),
            height=tail(terms["height"].body, "height="),
            example=_example(robot.name),
        )
    from video2reward.tools.write_reward import allowed_text, contract_text, motion_text

    return prompts.fill(
        prompts.load("author"),
        contract=contract_text().rstrip(),
        allowed=allowed_text(),
        example_robot=robot.name,
        example_motion=motion_text(_example_target(robot)).strip(),
        example=_example(robot.name),
    )


def task_prompt(
    brief: AuthorBrief, direction: Direction, before: list[str], *, mode: PromptMode = "full", pictures: bool = False
) -> str:
    """Return one candidate's task; `before` are the rationales of the candidates that this one shall differ from."""
    from video2reward.tools.sizes import sizes_text

    return prompts.fill(
        prompts.load("author_task"),
        robot=_robot(robot_config(brief.target.robot), short=mode != "full"),
        motion=_motion(brief.target, brief.gait if mode == "full" else None, short=mode != "full"),
        sizes=prompts.fill(prompts.load("author_sizes"), sizes=sizes_text(brief.target)) if mode == "full" else "",
        history=history(brief, direction, mode),
        task=_task(brief, direction, before, pictures=pictures),
    )


def repair_prompt(problem: str) -> str:
    return prompts.fill(prompts.load("author_repair"), problem=problem)


def _robot(robot: RobotConfig, *, short: bool) -> str:
    lines = [
        f"{robot.title}, a {robot.kind}, {robot.num_feet} feet, {robot.num_joints} driven joints.",
        f"Feet, in this order in every tuple and tensor: {', '.join(robot.feet)}.",
    ]
    if not short:
        joints = ", ".join(
            f"{name.removesuffix('_joint')} {angle:+.2f}"
            for name, angle in zip(robot.joint_names, robot.default_joint_pos, strict=True)
        )
        lines += [
            f"Joints, in this order in every tuple and tensor, with their angle in the default stance, rad: {joints}.",
            f"Leg length {robot.leg_length_m} m; the trunk stands at {robot.standing_height_m} m. "
            f"A control step lasts {1.0 / robot.control_hz:g} s.",
        ]
    return "\n".join(lines)


def _motion(target: MotionTarget, gait: GaitDescriptor | None, *, short: bool) -> str:
    from video2reward.tools.write_reward import motion_text

    going = {"forward": "forward", "backward": "backward (negative speed)", "on_the_spot": "on the spot (speed 0)"}
    name = "gait without a name" if target.gait == "unknown" else target.gait
    lines = [
        f"A {name}, {going[target.travel]}, carried over from the clip to this robot's size. In your terms it is",
        "",
        "```python",
        motion_text(target).strip(),
        "```",
        "",
        "phase_offsets: how long after the first foot's touchdown each foot touches down, in strides. "
        "duty_factor: share of its stride for which a foot stands.",
    ]
    if short:
        return "\n".join(lines)
    stride_s = 1.0 / target.stride_frequency_hz
    lines += [
        f"A stride lasts {stride_s:.2f} s. {_timetable(target)}",
        f"{target.speed_m_s:.2f} m/s are {target.speed_m_s / target.leg_length_m:.1f} leg lengths/s and "
        f"{target.speed_m_s * stride_s / target.leg_length_m:.1f} leg lengths a stride; Froude number "
        f"v²/(gL) {target.froude:.2f}; cadence f·sqrt(L/g) "
        f"{target.stride_frequency_hz * (target.leg_length_m / GRAVITY_M_S2) ** 0.5:.2f}. "
        f"Trunk pitch {target.trunk_pitch_rad:+.2f} rad (nose down is positive).",
    ]
    lines += [f"Note: {note}." for note in target.notes]
    if gait:
        sure = ", ".join(f"{name} {value:.2f}" for name, value in sorted(gait.confidence.items()))
        lines.append(f"The clip shows a {gait.subject}. Trust in its numbers, 0 to 1: {sure or 'not said'}.")
        if gait.trunk_bob_leg_lengths:
            lines.append(f"The trunk bobs by {gait.trunk_bob_leg_lengths:.3f} leg lengths.")
    return "\n".join(lines + _paths(target))


def _timetable(target: MotionTarget) -> str:
    """Say in words which foot lands and lifts when, by the clock."""
    moments = []
    for foot, offset, duty in zip(target.feet, target.phase_offsets, target.duty_factor, strict=True):
        moments += [(offset % 1.0, f"{foot} lands"), ((offset + duty) % 1.0, f"{foot} lifts")]
    return "On the clock: " + ", ".join(f"{phase:.2f} {what}" for phase, what in sorted(moments)) + "."


def _paths(target: MotionTarget) -> list[str]:
    """Return the limbs' mean paths at a few phases of the clock, and how high each foot is lifted."""
    paths = {name: path for name, path in target.limb_cycle.items() if path}
    if not paths:
        return []
    clock = " ".join(f"{k / _CYCLE_POINTS:.3f}" for k in range(_CYCLE_POINTS))
    lines = [
        "The subject's limbs over one stride, seen from the side, (forward, up) from the limb's root (hip or shoulder) "
        f"in leg lengths, at clock {clock}:"
    ]
    for name, path in sorted(paths.items()):
        some = [path[k * len(path) // _CYCLE_POINTS] for k in range(_CYCLE_POINTS)]
        limb, _, part = name.partition("_")
        points = " ".join(f"({x:+.2f},{z:+.2f})" for x, z in some)
        lift = ""
        if part == "foot":
            heights = [z for _, z in path]
            lift = f", lifted {max(heights) - min(heights):.2f}"
        lines.append(f"- {limb} {'knee or elbow' if part == 'mid' else part}{lift}: {points}")
    return lines


def _task(brief: AuthorBrief, direction: Direction, before: list[str], *, pictures: bool) -> str:
    parent = direction.parent.attempt.id if direction.parent else ""
    other = direction.other.attempt.id if direction.other else ""
    way = prompts.fill(prompts.section("author_ways", direction.way), parent=parent, other=other)
    lines = [f"This is lap {brief.lap}. {way}"]
    if brief.decision and brief.lap > 1:
        lines.append(f"Decided after the lap before: {brief.decision.action}, because: {brief.decision.reason}")
    if brief.wishes:
        lines.append("The person who runs this asked for the following; it comes before likeness to the clip:")
        lines += [f"- {wish}" for wish in brief.wishes]
    if pictures:
        lines += [f"Picture {number}: {picture.shows}" for number, picture in enumerate(brief.pictures, 1)]
    if before:
        lines.append("Other candidates of this lap; differ from them on purpose:")
        lines += [f"- {rationale}" for rationale in before]
    return "\n".join(lines)


def _example_target(robot: RobotConfig) -> MotionTarget:
    gait, froude, frequency_hz, duty, phases = _EXAMPLES[robot.kind]
    return MotionTarget(
        robot=robot.name, feet=robot.feet, gait=gait, leg_length_m=robot.leg_length_m, froude=froude,
        speed_m_s=round((froude * GRAVITY_M_S2 * robot.leg_length_m) ** 0.5, 2), stride_frequency_hz=frequency_hz,
        duty_factor=duty, phase_offsets=phases,
    )  # fmt: skip


@cache
def _example(robot: str) -> str:
    """Return a whole answer for the example's motion."""
    target = _example_target(robot_config(robot))
    terms = compose(target, first_recipe(target))
    answer = {
        "rationale": "Feet keep the clip's footfalls, speed counts only while they do, the rest keeps the trunk calm.",
        "edits": [],
        "start_from_parent_policy": False,
    }
    listed = [json.dumps(term.model_dump()) for term in terms]
    head = json.dumps(answer)[:-1]
    return head + ', "terms": [\n  ' + ",\n  ".join(listed) + "\n]}"
