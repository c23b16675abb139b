"""The offline author: it writes a reward from the measured gait by rule, and mends it by rule from the critique.

It is not a language model and needs neither key nor network. The recipe is one for all gaits: feet follow the clip's
footfalls, speed counts only while they do, and the rest keeps the robot upright and calm. All its numbers stand in
`Recipe`; a reward it wrote, or one whose terms carry the same names, can be taken apart again and mended.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from video2reward.agent.authors import AuthorBrief, PriorReward
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
"""By the way a joint turns; `hip` is a leg's first pitch joint."""
# Ceilings: training ends earlier once the gait is there.
_FIRST_STEPS = {"quadruped": 600_000, "biped": 1_200_000}
_REFINE_STEPS = {"quadruped": 160_000, "biped": 300_000}
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


_NUM_VARIATIONS = 4


@dataclass(frozen=True)
class Recipe:
    """The numbers of one reward: the duty each foot is aimed at, the swing height in leg lengths, a weight per term."""

    aimed_duty: tuple[float, ...]
    swing_height: float
    weights: dict[str, float] = field(default_factory=dict)


class OfflineAuthor:
    """Compose, vary and mend rewards by rule."""

    name = "offline"

    def propose(self, brief: AuthorBrief, num_candidates: int, seed: int) -> list[RewardDraft]:
        """Return drafts that differ on purpose: the rule's own answer first, then its variations in a fixed order."""
        action = brief.decision.action if brief.decision else "explore"
        parent = brief.parents[0] if brief.parents else None
        drafts: list[RewardDraft] = []
        near = next((hit for hit in brief.remembered if _worth_starting_from(hit)), None)
        if near and (action == "warm_start" or not parent):
            drafts.append(self._recalled(brief, near))
        elif parent and action in ("refine", "train_longer", "warm_start"):
            drafts.append(self._mended(brief, parent, same=action == "train_longer"))
        base = self._recipe_to_vary(brief, parent if action == "refine" else None)
        # A lap that explores must not repeat the lap before, nor a variation the draft that it stands beside.
        first = 0 if brief.lap == 1 and not drafts else 1 + (brief.lap - 1 + seed) % 3
        for turn in range(first, first + num_candidates + _NUM_VARIATIONS):
            drafts.append(self._varied(brief, base, turn, parent if action == "refine" else None))
        # What was trained from the same start already comes last: it would end as it did.
        drafts.sort(key=lambda draft: action != "train_longer" and _was_tried(draft, brief.parents))
        return drafts[:num_candidates]

    def _mended(self, brief: AuthorBrief, parent: PriorReward, *, same: bool) -> RewardDraft:
        recipe, target = recipe_of(parent.draft, brief.target), brief.target
        critique = parent.attempt.critique
        edits: tuple[str, ...] = ()
        if critique and not same:
            recipe, edits = mend(recipe, target, critique)
        why = "; ".join(edits) or "the reward is right as far as the rules can see: it is trained on"
        return _draft(
            target, recipe, f"Mended from {parent.attempt.id}: {why}.", _REFINE_STEPS, parent.attempt.id, edits, True
        )

    def _recalled(self, brief: AuthorBrief, near: PriorReward) -> RewardDraft:
        """Start from a remembered reward: its weights and its lead of the duty, on the new clip's numbers."""
        old = recipe_of(near.draft, near.attempt.target)
        lead = tuple(aim - duty for aim, duty in zip(old.aimed_duty, near.attempt.target.duty_factor, strict=True))
        aimed = tuple(_clip(duty + extra) for duty, extra in zip(brief.target.duty_factor, lead, strict=True))
        said = near.recollection.sentence if near.recollection else ""
        return _draft(
            brief.target,
            replace(old, aimed_duty=aimed),
            f"Started from the remembered {near.attempt.id}: {said}",
            _REFINE_STEPS,
            near.attempt.id,
            ("weights, duty lead and policy taken from memory, footfalls from the new clip",),
            True,
        )

    def _recipe_to_vary(self, brief: AuthorBrief, parent: PriorReward | None) -> Recipe:
        return recipe_of(parent.draft, brief.target) if parent else first_recipe(brief.target)

    def _varied(self, brief: AuthorBrief, base: Recipe, turn: int, parent: PriorReward | None) -> RewardDraft:
        weights = base.weights
        variations = (
            (base, "as the rule has it"),
            (
                replace(base, swing_height=round(base.swing_height * 1.25, 3)),
                f"feet lifted higher ({base.swing_height * 1.25:.2f} leg lengths)",
            ),
            (
                replace(base, weights={**weights, "speed": weights["speed"] * 1.4, "pose": weights["pose"] * 0.5}),
                "speed counts more, the default pose less",
            ),
            (
                replace(base, weights={**weights, "footfalls": weights["footfalls"] * 1.5}),
                "footfalls count more",
            ),
        )
        recipe, what = variations[turn % len(variations)]
        if parent:
            origin = f"A variation of {parent.attempt.id}"
        else:
            origin = "Written from the clip's footfalls, speed and cadence"
        return _draft(
            brief.target,
            recipe,
            f"{origin}: {what}.",
            _REFINE_STEPS if parent else _FIRST_STEPS,
            parent.attempt.id if parent else None,
            (what,) if parent else (),
            parent is not None,
        )


def first_recipe(target: MotionTarget) -> Recipe:
    """Return the recipe a target is begun with."""
    kind = robot_config(target.robot).kind
    weights = dict(_WEIGHTS)
    if kind == "quadruped":
        del weights["soles"]  # point feet have none
    else:
        weights["speed"] = 1.5  # with less, a biped learns to stay up by staying where it is
    aimed = tuple(_clip(duty + _DUTY_LEAD) for duty in target.duty_factor)
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
            moved = [_clip(aim + 0.8 * error) for aim, error in zip(aimed, off, strict=True)]
            lead = [min(max(m - d, -0.1), 0.18) for m, d in zip(moved, target.duty_factor, strict=True)]
            aimed = tuple(_clip(duty + extra) for duty, extra in zip(target.duty_factor, lead, strict=True))
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


def _draft(
    target: MotionTarget,
    recipe: Recipe,
    rationale: str,
    steps: dict[str, int],
    parent: str | None,
    edits: tuple[str, ...],
    warm: bool,
) -> RewardDraft:
    return RewardDraft(
        terms=compose(target, recipe),
        rationale=rationale,
        author="offline",
        parent=parent,
        edits=edits,
        max_env_steps=steps[robot_config(target.robot).kind],
        warm_start=parent if warm else None,
    )


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


def _pose_weights(robot: RobotConfig) -> str:
    """Return how firmly each joint is held near the stance: the same for every leg, written once."""
    by_axis = _POSE_WEIGHTS[robot.kind]
    axes = robot.joint_axes[: robot.num_joints // robot.num_feet]
    first = axes.index("pitch") if "pitch" in axes else -1
    weights = tuple(by_axis["hip" if index == first else axis] for index, axis in enumerate(axes))
    return f"{weights!r} * {robot.num_feet}"


def _was_tried(draft: RewardDraft, priors: Sequence[PriorReward]) -> bool:
    return any(
        prior.draft and (prior.draft.terms, prior.draft.warm_start) == (draft.terms, draft.warm_start)
        for prior in priors
    )


def _worth_starting_from(hit: PriorReward) -> bool:
    return bool(hit.recollection and hit.recollection.near and hit.recollection.passed and hit.draft)


def _clip(duty: float) -> float:
    return round(min(max(duty, 0.1), 0.9), 4)
