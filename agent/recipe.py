"""The recipe of a reward: one for all gaits, written as terms, read back out of terms, and mended by the critique.

Feet follow the clip's footfalls, speed counts only while they do, and the rest keeps the robot upright and calm. A
reward that was written from it, or one whose terms carry the same names, can be taken apart again and mended.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from video2reward.memory.records import Critique, MotionTarget, RewardDraft, RewardTerm
from video2reward.sim.config import RobotConfig, robot_config

# Stance comes out shorter than it is rewarded, by about this share of a stride: aim higher.
_DUTY_LEAD = 0.03
_SWING_HEIGHT = {"quadruped": 0.18, "biped": 0.11}
_TRUNK_HEIGHT = {"quadruped": 1.1, "biped": 0.98}
_POSE_WEIGHTS = {
    "quadruped": {"roll": 1.0, "yaw": 1.0, "hip": 0.3, "pitch": 0.1},
    "biped": {"roll": 4.0, "yaw": 4.0, "hip": 0.1, "pitch": 0.1},
}
"""By the way a joint turns; `hip` is the joint that swings a leg: its first pitch joint, or a sprawled leg's yaw."""
_WEIGHTS = {
    "footfalls": 2.0,
    "speed": 1.0,
    "heading": 0.5,
    "pose": 0.5,
    "level": -5.0,
    "bounce": -0.5,
    "wobble": -0.05,
    "smooth": -0.005,
    "height": -5.0,
    "chatter": -8.0,
    "timing": -1.5,
    "landing": -0.5,
    "knees": -4.0,
    "soles": -1.0,
    "limbs": 1.0,
}
ADDED_WEIGHTS = {"slip": -0.1}
"""What a recipe begins without, and is given once the critique blames it."""


@dataclass(frozen=True)
class Recipe:
    """The numbers of one reward: the duty each foot is aimed at, the swing height in leg lengths, a weight per term."""

    aimed_duty: tuple[float, ...]
    swing_height: float
    weights: dict[str, float] = field(default_factory=dict)


def first_recipe(target: MotionTarget) -> Recipe:
    """Return the recipe a target is begun with."""
    kind = robot_config(target.robot).kind
    weights = dict(_WEIGHTS)
    if kind == "quadruped":
        del weights["soles"]  # point feet have none
    else:
        weights["speed"] = 1.5  # with less, a biped learns to stay up by staying where it is
    aimed = tuple(clipped_duty(duty + _DUTY_LEAD) for duty in target.duty_factor)
    return Recipe(aimed, _SWING_HEIGHT[kind], weights)


def recipe_of(draft: RewardDraft | None, target: MotionTarget) -> Recipe:
    """Take a draft apart again; what it does not state is as in the first recipe."""
    recipe = first_recipe(target)
    if draft is None:
        return recipe
    text = "\n".join(term.body for term in draft.terms)
    if match := re.search(r"\bduty=\(([\d., ]+)\)", text):
        aimed = tuple(float(value) for value in match[1].split(",") if value.strip())
        if len(aimed) == len(target.duty_factor):
            recipe = replace(recipe, aimed_duty=aimed)
    if match := re.search(r"\bswing_height=([\d.]+)", text):
        recipe = replace(recipe, swing_height=float(match[1]))
    names = {*recipe.weights, *ADDED_WEIGHTS}
    known = {term.name: term.weight for term in draft.terms if term.name in names}
    return replace(recipe, weights={**recipe.weights, **known})


def compose(target: MotionTarget, recipe: Recipe) -> tuple[RewardTerm, ...]:
    """Write the terms of a recipe, each with the clip feature it serves."""
    kind = robot_config(target.robot).kind
    schedule = f'offsets=MOTION["phase_offsets"], duty={tuple(round(duty, 3) for duty in recipe.aimed_duty)}'
    match = f"footfall_match(s, {schedule}, swing_height={recipe.swing_height:g})"
    speed = (
        f"match = {match}\n"
        "tracking = 0.75 * speed_tracking(s, sharpness=0.1) + 0.75 * speed_tracking(s, sharpness=0.01)\n"
        "progress = forward_progress(s)\n"
        "return (tracking + progress.clamp(min=0.0)) * match.square() + progress.clamp(max=0.0)"
    )
    gait = target.gait if target.gait != "unknown" else "gait"
    written = {
        "footfalls": ("phase_offsets, duty_factor", f"Feet stand and swing when the subject's {gait} has them.",
                      f"return {match}"),
        "speed": ("speed_leg_lengths_s", "Go as fast as the subject does for its size, but only in its gait.", speed),
        "heading": ("travel", "Go straight.", "return heading_hold(s)"),
        "pose": ("need: posture", "Stay near the default stance.",
                 f"return default_pose(s, joint_weights={_pose_weights(robot_config(target.robot))})"),
        "limbs": ("limb_cycle", "Move the joints as the clip's limbs carried over to this robot would.",
                  "return joint_cycle(s, sharpness=1.0)"),
        "level": ("need: balance", "Keep the trunk level.", "return trunk_tilt(s)"),
        "bounce": ("trunk_bob_leg_lengths", "Rise and fall as the gait's pushes have it.", "return trunk_bob(s)"),
        "wobble": ("need: balance", "Do not roll and pitch.", "return trunk_wobble(s)"),
        "smooth": ("need: hardware", "Ask the motors for smooth targets.", "return action_rate(s)"),
        "height": ("need: posture", "Carry the trunk at its height.",
                   f"return trunk_height_error(s, height={_TRUNK_HEIGHT[kind]:g})"),
        "chatter": ("duty_factor", "Land once a stride, not twice.", f"return early_touchdown(s, {schedule})"),
        "timing": ("phase_offsets", "Land when the subject does, and once a stride.",
                   'return touchdown_timing(s, offsets=MOTION["phase_offsets"])'),
        "landing": ("duty_factor", "Set the feet down gently.", "return hard_landing(s)"),
        "knees": ("need: posture", "Keep the knees off the ground.", "return low_knees(s)"),
        "soles": ("need: posture", "Keep the soles level.", "return foot_tilt(s)"),
        "slip": ("need: grip", "Stand still where the foot stands.", "return foot_slip(s)"),
    }  # fmt: skip
    return tuple(
        RewardTerm(name=name, weight=weight, serves=written[name][0], doc=written[name][1], body=written[name][2])
        for name, weight in recipe.weights.items()
    )


def mend(recipe: Recipe, target: MotionTarget, critique: Critique) -> tuple[Recipe, tuple[str, ...]]:
    """Change the numbers that the critique blames; return the new recipe and a sentence for each change."""
    robot, edits, weights = critique.robot, [], dict(recipe.weights)
    failed = {gate.name for gate in critique.gates if not gate.passed}
    blamed = {finding.quantity.partition(".")[0] for finding in critique.findings if finding.source == "physics"}

    def scale(term: str, factor: float, limit: float, why: str) -> None:
        if term not in weights:
            weights[term] = ADDED_WEIGHTS[term]
            edits.append(f"{why}: {term} {weights[term]:g} is new")
            return
        old = weights[term]
        weights[term] = round(max(-limit, min(limit, old * factor)), 4)
        if weights[term] != old:
            edits.append(f"{why}: {term} {old:g} -> {weights[term]:g}")

    aimed = recipe.aimed_duty
    if len(robot.duty_factor) == len(aimed):
        off = [wanted - found for wanted, found in zip(target.duty_factor, robot.duty_factor, strict=True)]
        if max(abs(error) for error in off) > 0.02 and "survives" not in failed:
            moved = [clipped_duty(aim + 0.8 * error) for aim, error in zip(aimed, off, strict=True)]
            lead = [min(max(m - d, -0.1), 0.18) for m, d in zip(moved, target.duty_factor, strict=True)]
            aimed = tuple(clipped_duty(duty + extra) for duty, extra in zip(target.duty_factor, lead, strict=True))
            worst = max(range(len(off)), key=lambda index: abs(off[index]))
            edits.append(
                f"{target.feet[worst]} stood for {robot.duty_factor[worst]:.2f} of a stride and should for "
                f"{target.duty_factor[worst]:.2f}: aimed duty {recipe.aimed_duty[worst]:.2f} -> {aimed[worst]:.2f}"
            )
    if "survives" in failed:
        scale("level", 1.5, 12.0, f"only {robot.survival:.0%} stayed on their feet")
        scale("wobble", 1.5, 0.3, "the trunk wobbled before falls")
    if "posture" in failed:
        scale("height", 1.6, 25.0, "the trunk sank or touched the ground")
    if "body_contact" in blamed:
        scale("knees", 1.6, 16.0, "a part other than a foot touched the ground")
    swing = recipe.swing_height
    if "strict_steps" in failed:
        swing = round(min(swing * 1.25, 0.35), 3)
        edits.append(f"steps were not lifted: swing height {recipe.swing_height:g} -> {swing:g} leg lengths")
        scale("footfalls", 1.25, 5.0, "feet did not follow the clock")
    if robot.chatter and max(robot.chatter) > 0.15:
        scale("chatter", 1.5, 20.0, f"feet bounced: {max(robot.chatter):.0%} more touchdowns than steps")
    if "chatter" in blamed:
        scale("landing", 1.5, 2.0, "feet that land hard bounce")
        scale("timing", 1.5, 6.0, "feet touched the ground again as they left it")
    if "slip" in blamed:
        scale("slip", 2.0, 0.8, "feet slid while they stood")
    if "drift" in blamed:
        scale("heading", 1.5, 2.0, "it did not go straight")
    if critique.similarity.E_phi > 0.04:
        scale("timing", 1.5, 6.0, f"phases are {critique.similarity.E_phi:.2f} of a stride off")
    if target.speed_m_s and abs(robot.speed_m_s / target.speed_m_s - 1.0) > 0.06:
        scale("speed", 1.3, 4.0, f"speed is {robot.speed_m_s:.2f} m/s and should be {target.speed_m_s:.2f}")
    return Recipe(aimed, swing, weights), tuple(edits)


def _pose_weights(robot: RobotConfig) -> str:
    """Return how firmly each joint is held near the stance: the same for every leg, written once."""
    by_axis = _POSE_WEIGHTS[robot.kind]
    axes = robot.joint_axes[: robot.num_joints // robot.num_feet]
    swings = "yaw" if robot.sprawled else "pitch"
    first = axes.index(swings) if swings in axes else -1
    weights = tuple(by_axis["hip" if index == first else axis] for index, axis in enumerate(axes))
    return f"{weights!r} * {robot.num_feet}"


def clipped_duty(duty: float) -> float:
    """Return a duty factor that a foot can be aimed at."""
    return round(min(max(duty, 0.1), 0.9), 4)
