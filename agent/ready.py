"""Terms that fit any motion and any reward: what a menu offers beside the recipe, and what a wish brings in."""

from __future__ import annotations

from video2reward.memory.records import RewardTerm


def _ready(name: str, weight: float, serves: str, doc: str, call: str) -> RewardTerm:
    return RewardTerm(name=name, weight=weight, serves=serves, doc=doc, body=f"return {call}")


READY = {
    term.name: term
    for term in (
        _ready("slip", -0.1, "need: grip", "Do not slide on the ground.", "foot_slip(s)"),
        _ready("effort", -0.0001, "need: hardware", "Spend little torque.", "torque(s)"),
        _ready("bounce", -0.5, "trunk_bob_leg_lengths", "Rise and fall as the gait's pushes have it.", "trunk_bob(s)"),
        _ready("wobble", -0.05, "need: balance", "Do not roll and pitch.", "trunk_wobble(s)"),
        _ready("smooth", -0.005, "need: hardware", "Ask the motors for smooth targets.", "action_rate(s)"),
        _ready("level", -5.0, "need: balance", "Keep the trunk level.", "trunk_tilt(s)"),
        _ready("heading", 0.5, "travel", "Go straight.", "heading_hold(s)"),
        _ready("landing", -0.5, "duty_factor", "Set the feet down gently.", "hard_landing(s)"),
        _ready("knees", -4.0, "need: posture", "Keep the knees off the ground.", "low_knees(s)"),
        _ready("limbs", 0.3, "limb_cycle", "Move the joints as the clip's limbs do.", "joint_cycle(s)"),
    )
}
"""By kind, in the words of wishes and critiques, with the usual weight."""
