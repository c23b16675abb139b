"""Candidates differ on purpose: by what they start from, by their task, and by weights that rules fit."""

import pytest
from fake_tools import TARGET, critique
from video2reward.agent.authors import AuthorBrief, PriorReward
from video2reward.agent.briefing import system_prompt, task_prompt
from video2reward.agent.fitting import fit_weights, kind_of
from video2reward.agent.recipe import compose, first_recipe
from video2reward.agent.variety import directions
from video2reward.memory.records import (
    Attempt,
    Decision,
    Finding,
    Recollection,
    RewardDraft,
    RewardProgram,
    RewardTerm,
)
from video2reward.tools.write_reward import compose as write


def prior(name: str, *, passed: bool = True, duty: float = 0.5, near: bool | None = None, **gates: bool) -> PriorReward:
    terms = compose(TARGET, first_recipe(TARGET))
    # Named as a model might name them, not as the offline author does.
    terms = tuple(term.model_copy(update={"name": f"my_{term.name}"}) for term in terms)
    draft = RewardDraft(terms=terms, rationale=f"{name} it is", author="m")
    verdict = critique(name, 0.6, passed=passed)
    robot = verdict.robot.model_copy(update={"duty_factor": (duty,) * 4})
    judged = verdict.model_copy(
        update={
            "robot": robot,
            "gates": tuple(g.model_copy(update={"passed": gates.get(g.name, True)}) for g in verdict.gates),
            "findings": (
                Finding(time_s=3.5, quantity="slip", value=1.0, sentence="FL slides."),
                Finding(time_s=2.0, quantity="seen.back", value=9.0, sentence="A bent back.", source="openai:eyes"),
            ),
        }
    )
    program = RewardProgram(
        id=name, path="reward.py", sha256="", terms={t.name: t.weight for t in terms}, serves={}, author="m",
        rationale="r",
    )  # fmt: skip
    recollection = None
    if near is not None:
        recollection = Recollection(
            attempt=name, robot="go1", gait="trot", distance=0.1, near=near, passed=True, gsi=0.8, folder="/nowhere",
            sentence="Same gait.",
        )  # fmt: skip
    attempt = Attempt(id=name, lap=1, candidate=1, target=TARGET, program=program, critique=judged)
    return PriorReward(attempt=attempt, reward=write(draft, TARGET), draft=draft, recollection=recollection)


def brief(*parents: PriorReward, action: str = "refine", **fields: object) -> AuthorBrief:
    decision = Decision(lap=1, action=action, reason="because")
    return AuthorBrief(target=TARGET, lap=2, decision=decision, parents=parents, **fields)


def ways(given: AuthorBrief, num: int, **more: bool) -> list[str]:
    return [direction.way for direction in directions(given, num, **more)]


def test_a_first_lap_asks_for_the_best_and_for_others():
    assert ways(AuthorBrief(target=TARGET, lap=1), 5) == ["best", "other", "bolder", "simpler", "best"]


def test_a_lap_that_refines_mends_fits_crosses_and_mutates():
    assert ways(brief(prior("A"), prior("B")), 5) == ["improve", "weights", "cross", "mutate", "anew"]
    assert ways(brief(prior("A")), 3, fit_weights=False) == ["improve", "mutate", "mutate"]


def test_a_lap_that_trains_longer_or_explores_begins_with_that():
    assert ways(brief(prior("A"), action="train_longer"), 2) == ["again", "weights"]
    assert ways(brief(prior("A"), action="explore"), 2) == ["anew", "mutate"]


def test_a_near_memory_is_adapted_and_a_far_one_is_not_started_from():
    assert ways(AuthorBrief(target=TARGET, lap=1, remembered=(prior("M", near=True),)), 2) == ["adapt", "best"]
    assert ways(AuthorBrief(target=TARGET, lap=1, remembered=(prior("M", near=False),)), 2) == ["best", "other"]


def test_temperatures_rise_with_what_is_dared():
    first, *_, last = (direction.temperature for direction in directions(AuthorBrief(target=TARGET, lap=1), 3))
    assert first < last


def test_two_parents_are_shown_whole_and_the_others_by_their_weights():
    given = brief(prior("A"), prior("B"), prior("C"))
    cross = directions(given, 3)[2]
    text = task_prompt(given, cross, [])
    assert text.count("def my_footfalls") == 2 and "take over from B" in text and "## C" in text
    assert "import" not in text.split("```python")[2], "imports would only be copied"


def test_a_model_is_told_moments_sources_failures_and_wishes():
    given = brief(prior("A"), failures=("L1-C2 was refused: it may not open files.",), wishes=("less bouncing",))
    text = task_prompt(given, directions(given, 1)[0], ["Another idea."])
    for said in ("seen at 3.5 s: FL slides.", "by openai:eyes at 2.0 s", "may not open files", "- less bouncing",
                 "differ from them on purpose", "Another idea.", "refine, because: because"):  # fmt: skip
        assert said in text


def test_the_prompt_names_feet_joints_signs_clock_and_the_trap():
    given = AuthorBrief(target=TARGET, lap=1)
    direction = directions(given, 1)[0]
    text = system_prompt(TARGET, "full", direction) + task_prompt(given, direction, [])
    for said in ("FL, FR, RL, RR", "FL_hip -0.10", "0.02 s", "nose down is positive", "`s.gait_phase` runs from 0 to 1",
                 "standing still, lying still", "0.50 FL lifts", "negative for a cost"):  # fmt: skip
        assert said in text, said


def test_terms_are_known_by_what_they_call():
    def term(body):
        return RewardTerm(name="x", weight=1.0, serves="y", doc="d", body=body)

    assert kind_of(term("return early_touchdown(s, offsets=a, duty=b)")) == "chatter"
    assert kind_of(term("m = footfall_match(s)\nreturn forward_progress(s) * m")) == "speed"
    assert kind_of(term("return footfall_match(s)")) == "footfalls"
    assert kind_of(term("return s.joint_torque.abs().sum(-1)")) == "effort"
    assert kind_of(term("return s.feet_force_n.sum(-1)")) == "x"


def test_weights_are_fitted_to_what_the_verdict_blames():
    fallen = prior("A", passed=False, survives=False)
    fallen = fallen.model_copy(
        update={
            "attempt": fallen.attempt.model_copy(
                update={
                    "critique": fallen.attempt.critique.model_copy(
                        update={"robot": fallen.attempt.critique.robot.model_copy(update={"survival": 0.5})}
                    )
                }
            )
        }
    )
    draft = fit_weights(fallen, TARGET, "by rule")
    weights = {term.name: term.weight for term in draft.terms}
    # The rule for falls: level x 1.5, from -5.
    assert weights["my_level"] == -7.5 and weights["my_footfalls"] == 2.0
    assert draft.parent == draft.warm_start == "A" and any("level -5 -> -7.5" in edit for edit in draft.edits)


def test_feet_that_stand_too_shortly_are_aimed_longer_in_every_term():
    draft = fit_weights(prior("A", duty=0.4), TARGET, "by rule")
    before = first_recipe(TARGET).aimed_duty[0]
    after = round(before + 0.08, 3)  # 0.8 x (0.5 - 0.4) more
    old, new = ("\n".join(term.body for term in terms) for terms in (prior("A").draft.terms, draft.terms))
    assert new.count(f"duty=({after}, {after}, {after}, {after})") == old.count("duty=(") >= 3
    assert f"duty=({before}" in old and f"duty=({before}" not in new


def test_where_no_rule_has_a_say_there_is_nothing_to_fit():
    good = prior("A")
    critique = good.attempt.critique.model_copy(update={"findings": ()})
    good = good.model_copy(update={"attempt": good.attempt.model_copy(update={"critique": critique})})
    assert fit_weights(good, TARGET, "by rule") is None


@pytest.mark.parametrize("missing", ["draft", "critique"])
def test_what_was_never_judged_is_not_fitted(missing):
    given = prior("A", duty=0.4)
    if missing == "draft":
        given = given.model_copy(update={"draft": None})
    else:
        given = given.model_copy(update={"attempt": given.attempt.model_copy(update={"critique": None})})
    assert fit_weights(given, TARGET, "by rule") is None


def test_what_a_term_is_known_by_exists():
    import inspect

    from video2reward.agent.fitting import KIND_BY_CALL
    from video2reward.sim import terms

    ready = {n for n, f in vars(terms).items() if inspect.isfunction(f) and f.__module__ == terms.__name__}
    assert set(KIND_BY_CALL) <= ready
