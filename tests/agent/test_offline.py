"""The offline author: what it writes is sound, what it mends is what was blamed, and it repeats itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from video2reward.agent.authors import AuthorBrief, PriorReward
from video2reward.agent.fitting import fit_weights
from video2reward.agent.offline import OfflineAuthor
from video2reward.agent.recipe import compose, first_recipe, mend, recipe_of
from video2reward.memory.records import (
    Attempt,
    Critique,
    Decision,
    Finding,
    Gate,
    MotionTarget,
    Recollection,
    RewardDraft,
    RewardProgram,
    RobotGait,
    Similarity,
)
from video2reward.sim.config import ROBOTS, robot_config
from video2reward.sim.trial import try_reward
from video2reward.tools import write_reward


def target_for(robot="go1", **changes):
    config = robot_config(robot)
    fields = {
        "gait": "trot" if config.num_feet == 4 else "walk",
        "speed_m_s": 1.0,
        "stride_frequency_hz": 2.0,
        "duty_factor": (0.4,) * config.num_feet,
        "phase_offsets": (0.0, 0.5, 0.5, 0.0)[: config.num_feet],
        "froude": 0.4,
    }
    return MotionTarget(
        robot=robot, feet=config.feet, leg_length_m=config.leg_length_m, **{**fields, **changes}
    )  # fmt: skip


def critique_of(target, failed=(), **gait):
    measured = {
        "gait": target.gait, "speed_m_s": target.speed_m_s, "stride_frequency_hz": target.stride_frequency_hz,
        "duty_factor": target.duty_factor, "phase_offsets": target.phase_offsets, "froude": target.froude,
        "survival": 1.0, "lifted_steps_hz": (2.0,) * 4, "raw_touchdowns_hz": (2.0,) * 4, "chatter": (0.0,) * 4,
    }  # fmt: skip
    gates = tuple(
        Gate(name=name, passed=name not in failed, value=0.0, needed="", sentence="")
        for name in ("survives", "strict_steps", "speed", "posture")
    )
    e_phi = gait.pop("E_phi", 0.0)
    return Critique(
        attempt="L1-C1", passed=not failed, gates=gates, robot=RobotGait(**{**measured, **gait}), verdict="",
        similarity=Similarity(gsi=0.5, gsi_ungated=0.5, E_f=0, E_beta=0, E_phi=e_phi, E_Fr=0),
        num_envs=64, seconds=10, seed=1,
    )  # fmt: skip


def prior(draft, target, critique=None, recollection=None):
    program = RewardProgram(
        id="L1-C1", path="reward.py", sha256="0", terms={}, serves={}, author="offline", rationale=""
    )
    attempt = Attempt(id="L1-C1", lap=1, candidate=1, target=target, program=program, critique=critique)
    return PriorReward(attempt=attempt, reward="", draft=draft, recollection=recollection)


def first_draft(target, index=0):
    return OfflineAuthor().propose(AuthorBrief(target=target, lap=1), 4, 0)[index]


@pytest.mark.parametrize("robot", sorted(ROBOTS))
def test_every_first_draft_passes_the_guard_and_the_trial(robot, tmp_path):
    target = target_for(robot)
    for index in range(4):
        path = tmp_path / f"{index}.py"
        path.write_text(write_reward.compose(first_draft(target, index), target))
        report = try_reward(path, target)
        assert report.problem == ""
        assert not any("teaches nothing" in remark for remark in report.remarks)
        # Standing still earns less than half of what the gait earns.
        assert max(report.standing, report.lying) < 0.5 * report.gait


def test_candidates_differ_and_the_same_seed_repeats_them():
    brief = AuthorBrief(target=target_for(), lap=1)
    first, second = (OfflineAuthor().propose(brief, 4, 7) for _ in range(2))
    assert first == second
    assert len({draft.terms for draft in first}) == 4


def test_a_biped_that_hops_is_given_twice_the_steps_of_one_that_walks():
    walks, hops = first_draft(target_for("g1")), first_draft(target_for("g1", gait="hop", phase_offsets=(0.0, 0.0)))
    assert (walks.max_env_steps, hops.max_env_steps) == (1_200_000, 2_400_000)


def test_a_mend_that_was_trained_is_not_trained_again():
    target = target_for()
    late = critique_of(target, duty_factor=(0.5, 0.4, 0.4, 0.4))
    parent = prior(first_draft(target), target, late)
    refine = Decision(lap=1, action="refine", reason="", parent="L1-C1")
    mended = OfflineAuthor().propose(AuthorBrief(target=target, lap=2, decision=refine, parents=(parent,)), 1, 0)[0]
    again = AuthorBrief(target=target, lap=3, decision=refine, parents=(parent, prior(mended, target)))
    drafts = OfflineAuthor().propose(again, 2, 0)
    assert mended.rationale.startswith("Mended") and mended.terms not in [draft.terms for draft in drafts]
    assert len({draft.terms for draft in drafts}) == 2


@given(
    duty=st.tuples(*[st.floats(0.2, 0.8)] * 4),
    swing=st.floats(0.1, 0.35),
)
def test_a_recipe_can_be_read_back_from_what_it_wrote(duty, swing):
    target = target_for(duty_factor=duty)
    recipe = first_recipe(target)
    recipe = type(recipe)(tuple(round(d, 3) for d in recipe.aimed_duty), round(swing, 3), recipe.weights)
    draft = RewardDraft(terms=compose(target, recipe), rationale="", author="offline")
    assert recipe_of(draft, target) == recipe


def test_a_short_stance_is_aimed_longer_and_only_that_is_changed():
    target = target_for()
    recipe = first_recipe(target)
    mended, edits = mend(recipe, target, critique_of(target, duty_factor=(0.4, 0.4, 0.3, 0.4)))
    # RL stood 0.1 too short: 0.8 of that is added to its aim of 0.43.
    assert mended.aimed_duty == pytest.approx((0.43, 0.43, 0.51, 0.43))
    assert mended.weights == recipe.weights and len(edits) == 1 and "RL" in edits[0]


@pytest.mark.parametrize(
    ("failed", "gait", "term", "grows"),
    [
        (("survives",), {"survival": 0.5}, "level", True),
        (("posture",), {}, "height", True),
        (("strict_steps",), {}, "footfalls", True),
        ((), {"chatter": (0.0, 0.5, 0.0, 0.0)}, "chatter", True),
        ((), {"E_phi": 0.1}, "timing", True),
        ((), {"speed_m_s": 0.7}, "speed", True),
        ((), {}, "speed", False),
    ],
)
def test_what_was_blamed_weighs_more(failed, gait, term, grows):
    target = target_for()
    recipe = first_recipe(target)
    mended, edits = mend(recipe, target, critique_of(target, failed, **gait))
    assert (abs(mended.weights[term]) > abs(recipe.weights[term])) is grows
    assert bool(edits) is grows


@pytest.mark.parametrize(
    ("quantity", "term", "before", "after"),
    [
        ("body_contact", "knees", -4.0, -6.4),
        ("chatter.FL", "landing", -0.5, -0.75),
        ("chatter.FL", "timing", -1.5, -2.25),
        ("drift", "heading", 0.5, 0.75),
        ("slip.RR", "slip", None, -0.1),
        ("seen.slip", "slip", None, None),
    ],
)
def test_what_the_critic_found_is_mended_by_the_term_that_is_about_it(quantity, term, before, after):
    target = target_for()
    recipe = first_recipe(target)
    source = "a model" if quantity.startswith("seen") else "physics"
    found = Finding(time_s=1.0, quantity=quantity, value=1.0, sentence="It is so.", source=source)
    mended, edits = mend(recipe, target, critique_of(target).model_copy(update={"findings": (found,)}))
    assert (recipe.weights.get(term), mended.weights.get(term)) == (before, after)
    assert any(term in edit for edit in edits) is (before != after)


def test_a_term_that_was_added_can_be_read_back_and_mended_further():
    target = target_for()
    recipe = first_recipe(target)
    found = Finding(time_s=1.0, quantity="slip.RR", value=1.0, sentence="It slides.")
    blamed = critique_of(target).model_copy(update={"findings": (found,)})
    slipping, _ = mend(recipe, target, blamed)
    draft = RewardDraft(terms=compose(target, slipping), rationale="", author="offline")
    assert recipe_of(draft, target) == slipping
    assert mend(slipping, target, blamed)[0].weights["slip"] == -0.2
    fitted = fit_weights(prior(first_draft(target), target, blamed), target, "rules")
    assert fitted.terms[-1].body == "return foot_slip(s)"


def test_refining_starts_from_the_parents_policy_and_says_what_it_changed():
    target = target_for()
    parent = prior(first_draft(target), target, critique_of(target, speed_m_s=0.6))
    brief = AuthorBrief(target=target, lap=2, parents=(parent,),
                        decision=Decision(lap=1, action="refine", reason="", parent="L1-C1"))  # fmt: skip
    draft = OfflineAuthor().propose(brief, 2, 0)[0]
    assert draft.warm_start == draft.parent == "L1-C1"
    assert any("speed is 0.60 m/s" in edit for edit in draft.edits)


def test_a_near_remembered_reward_is_started_from_with_the_new_clips_numbers():
    old, new = target_for(), target_for(duty_factor=(0.5,) * 4)
    hit = Recollection(attempt="old", robot="go1", gait="trot", distance=0.1, near=True, passed=True, gsi=0.8,
                       folder="x", sentence="same gait")  # fmt: skip
    draft = OfflineAuthor().propose(
        AuthorBrief(target=new, lap=1, remembered=(prior(first_draft(old), old, recollection=hit),)), 2, 0
    )[0]
    assert "same gait" in draft.rationale
    assert recipe_of(draft, new).aimed_duty == pytest.approx((0.53,) * 4)


def test_a_far_remembered_reward_is_not_started_from():
    hit = Recollection(attempt="old", robot="go1", gait="walk", distance=3.0, near=False, passed=True, gsi=0.8,
                       folder="x", sentence="another gait")  # fmt: skip
    target = target_for()
    brief = AuthorBrief(target=target, lap=1, remembered=(prior(first_draft(target), target, recollection=hit),))
    assert all(draft.warm_start is None for draft in OfflineAuthor().propose(brief, 2, 0))
