"""The offline author: it writes a reward from the measured gait by rule, and mends it by rule from the critique.

It is not a language model and needs neither key nor network. The rules are those of `agent.recipe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from video2reward.agent.authors import AuthorBrief, PriorReward
from video2reward.agent.recipe import Recipe, clipped_duty, compose, first_recipe, mend, recipe_of
from video2reward.memory.records import MotionTarget, RewardDraft
from video2reward.sim.config import robot_config

# Ceilings: training ends earlier once the gait is there.
_FIRST_STEPS = {"quadruped": 600_000, "biped": 1_200_000}
_HOP_TAKES = 2
"""A biped that hops learns to stay on its feet only after as many times the steps of one that walks."""
_REFINE_STEPS = {"quadruped": 160_000, "biped": 300_000}
_NUM_VARIATIONS = 4


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
        aimed = tuple(clipped_duty(duty + extra) for duty, extra in zip(brief.target.duty_factor, lead, strict=True))
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
        max_env_steps=steps[robot_config(target.robot).kind] * (_HOP_TAKES if target.gait == "hop" else 1),
        warm_start=parent if warm else None,
    )


def _was_tried(draft: RewardDraft, priors: Sequence[PriorReward]) -> bool:
    return any(
        prior.draft and (prior.draft.terms, prior.draft.warm_start) == (draft.terms, draft.warm_start)
        for prior in priors
    )


def _worth_starting_from(hit: PriorReward) -> bool:
    return bool(hit.recollection and hit.recollection.near and hit.recollection.passed and hit.draft)
