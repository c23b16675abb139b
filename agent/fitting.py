"""Weights fitted without a model: a reward's own terms, with their numbers moved as the critique asks.

The rules are the offline author's. A term is known by the ready-made function that it calls, whatever it is named.
"""

from __future__ import annotations

import re

from video2reward.agent.authors import PriorReward
from video2reward.agent.recipe import ADDED_WEIGHTS, compose, first_recipe, mend, recipe_of
from video2reward.memory.records import MotionTarget, RewardDraft, RewardTerm

# In the order of what tells a term apart: most terms call `footfall_match`, few are only that.
KIND_BY_CALL = {
    "early_touchdown": "chatter", "touchdown_timing": "timing", "hard_landing": "landing", "foot_slip": "slip",
    "foot_tilt": "soles", "foot_clearance": "clearance", "low_knees": "knees", "torque": "effort", "power": "effort",
    "action_rate": "smooth", "trunk_height_error": "height", "trunk_wobble": "wobble", "trunk_bounce": "bounce",
    "trunk_bob": "bounce", "trunk_tilt": "level", "upright": "level", "joint_cycle": "limbs",
    "pair_symmetry": "symmetry", "default_pose": "pose", "heading_hold": "heading", "forward_progress": "speed",
    "speed_tracking": "speed", "footfall_match": "footfalls", "stance_match": "footfalls",
    "flight_match": "footfalls", "expected_stance": "footfalls",
}  # fmt: skip
KIND_BY_FIELD = {
    "feet_touchdown": "chatter", "feet_tilt": "soles", "joint_torque": "effort", "base_height_m": "height",
    "base_lin_vel_b": "speed", "projected_gravity_b": "level", "base_ang_vel_b": "wobble", "last_action": "smooth",
    "feet_vel_w": "slip", "feet_contact": "footfalls",
}  # fmt: skip
_DUTY = re.compile(r"\bduty=(\((?:[\d., ]+)\)|MOTION\[[\"']duty_factor[\"']\])")
_SWING = re.compile(r"\bswing_height=([\d.]+)")


def kind_of(term: RewardTerm) -> str:
    """Return what a term is about, in the offline author's words; its own name where nothing tells."""
    for known in (KIND_BY_CALL, KIND_BY_FIELD):
        for word, kind in known.items():
            if re.search(rf"\b{word}\b", term.body):
                return kind
    return term.name


def fit_weights(parent: PriorReward, target: MotionTarget, author: str) -> RewardDraft | None:
    """Return the parent's reward with weights, aimed duty and swing height moved; None where no rule has a say."""
    draft, critique = parent.draft, parent.attempt.critique
    if draft is None or critique is None:
        return None
    kinds = {term.name: kind_of(term) for term in draft.terms}
    before = recipe_of(draft, target)
    mendable = {*before.weights, *ADDED_WEIGHTS}
    known = {kind: term.weight for term in reversed(draft.terms) if (kind := kinds[term.name]) in mendable}
    before = type(before)(before.aimed_duty, before.swing_height, {**first_recipe(target).weights, **known})
    after, edits = mend(before, target, critique)
    terms = []
    for term in draft.terms:
        old = before.weights.get(kinds[term.name])
        factor = after.weights[kinds[term.name]] / old if old else 1.0
        body = term.body
        if after.aimed_duty != before.aimed_duty:
            aimed = f"duty={tuple(round(duty, 3) for duty in after.aimed_duty)}"
            body = _DUTY.sub(lambda match, aimed=aimed: aimed, body)
        body = scaled_swing(body, after.swing_height / before.swing_height)
        terms.append(term.model_copy(update={"weight": round(term.weight * factor, 4), "body": body}))
    added = tuple(term for term in compose(target, after) if term.name not in before.weights)
    terms += [term for term in added if term.name not in {known.name for known in draft.terms}]
    if tuple(terms) == draft.terms:
        return None
    return RewardDraft(
        terms=tuple(terms),
        rationale=f"The terms of {parent.attempt.id}, their numbers fitted by rule: {'; '.join(edits)}.",
        author=author,
        parent=parent.attempt.id,
        edits=edits,
        warm_start=parent.attempt.id,
    )


def scaled_swing(body: str, factor: float) -> str:
    """Return a body in which every literal swing height is scaled, kept between 0.05 and 0.5 leg lengths."""
    if factor == 1.0:
        return body
    return _SWING.sub(lambda match: f"swing_height={min(max(float(match[1]) * factor, 0.05), 0.5):.3g}", body)
