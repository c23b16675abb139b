"""Steering: what is asked of a running loop reaches its next lap, whoever writes the rewards, and is written down."""

import json

import pytest
from fake_tools import TARGET, FakeAuthor, FakeTools, request
from pydantic import ValidationError
from video2reward.agent import steering as steer
from video2reward.agent.recipe import compose, first_recipe
from video2reward.agent.session import start
from video2reward.memory.records import RewardDraft, RewardTerm, Steering


@pytest.fixture
def draft():
    return RewardDraft(terms=compose(TARGET, first_recipe(TARGET)), rationale="r", author="a")


def weights(draft):
    return {term.name: term.weight for term in draft.terms}


def test_a_term_is_removed_by_its_name_or_by_its_kind(draft):
    slippery = RewardTerm(name="grip", weight=-0.1, serves="x", doc="d", body="return foot_slip(s)")
    draft = draft.model_copy(update={"terms": (*draft.terms, slippery)})
    steered = steer.steered_draft(draft, [Steering(said="no slip", remove_terms=("slip", "smooth"))])
    assert set(weights(draft)) - set(weights(steered)) == {"grip", "smooth"}
    assert "asked for: smooth, grip removed" in steered.edits


def test_the_last_terms_are_not_removed(draft):
    every = tuple(term.name for term in draft.terms)
    assert steer.steered_draft(draft, [Steering(said="nothing", remove_terms=every)]) == draft


def test_weights_are_set_and_scaled_and_keep_their_sign(draft):
    steered = steer.steered_draft(
        draft, [Steering(said="a", weight_factors={"bounce": 2.0}), Steering(said="b", weights={"speed": 3.0})]
    )
    # bounce is -0.5 in the first recipe: -0.5 x 2
    assert weights(steered)["bounce"] == -1.0 and weights(steered)["speed"] == 3.0


def test_feet_are_lifted_as_high_as_is_asked(draft):
    steered = steer.steered_draft(draft, [Steering(said="higher", swing_height_factor=1.5)])
    assert "swing_height=0.27" in steered.terms[0].body  # 0.18 x 1.5


def test_a_slower_target_is_what_the_robot_is_held_to():
    slower = steer.steered_target(TARGET, [Steering(said="slower", speed_factor=0.5)] * 2)
    assert slower.speed_m_s == 0.25 and slower.feasibility == "ok" and "slower; slower" in slower.notes[-1]
    assert slower.froude == pytest.approx(0.25**2 / (9.81 * 0.256))
    assert steer.steered_target(TARGET, [Steering(said="no numbers")]) is TARGET


@pytest.mark.parametrize("factor", [0.0, -1.0, 100.0, float("nan")], ids=["0", "-1", "100", "nan"])
def test_a_factor_without_sense_is_refused(factor):
    with pytest.raises(ValidationError):
        Steering(said="x", speed_factor=factor)


def test_a_line_that_was_cut_does_not_hide_the_others(tmp_path):
    steer.ask(tmp_path, Steering(said="one"))
    with (tmp_path / "steer.jsonl").open("a") as file:
        file.write('{"said": "tw\n')
    steer.ask(tmp_path, Steering(said="three"))
    assert [wish.said for wish in steer.asked(tmp_path)] == ["one", "three"]


class AskedDuring(FakeTools):
    """Tools during whose first training something is asked of the run."""

    def __init__(self, steering: Steering, **more):
        super().__init__(**more)
        self.steering = steering

    def train(self, specs, folders, parallel, on_row, on_done, should_stop):
        if specs[0].attempt.startswith("L1"):
            steer.ask(folders[0].parent.parent, self.steering)
        super().train(specs, folders, parallel, on_row, on_done, should_stop)


def test_what_is_asked_during_a_lap_is_followed_in_the_next_even_where_the_run_would_have_stopped(tmp_path):
    asked = Steering(said="slower please", speed_factor=0.8, wish="less bouncing")
    author = FakeAuthor()
    result = start(request(tmp_path / "run", candidates=1), tools=AskedDuring(asked), author=author)
    decisions = [json.loads(line) for line in (tmp_path / "run/decisions.jsonl").read_text().splitlines()]
    assert decisions[1]["action"] == "refine" and "slower please" in decisions[1]["reason"]
    assert decisions[2]["action"] == "stop" and decisions[2]["steering"] == ["slower please"]
    assert author.briefs[1].wishes == ("less bouncing",)
    assert author.briefs[1].target.speed_m_s == pytest.approx(0.8 * TARGET.speed_m_s)
    assert result.status == "passed" and result.best.attempt == "L2-C1"
    assert '"steered"' in (tmp_path / "run/events.jsonl").read_text()


def test_an_attempt_at_the_old_target_is_not_the_best_at_the_new_one(tmp_path):
    asked = Steering(said="slower", speed_factor=0.8)
    tools = AskedDuring(asked, gsi=lambda attempt, seed: 0.95 if attempt.startswith("L1") else 0.82)
    result = start(request(tmp_path / "run", candidates=1), tools=tools, author=FakeAuthor())
    assert result.best.attempt == "L2-C1" and result.best.gsi == 0.82


def test_what_comes_too_late_for_the_budget_is_said_to_be_undone(tmp_path):
    asked = Steering(said="slower", speed_factor=0.8)
    result = start(request(tmp_path / "run", candidates=1, laps=1), tools=AskedDuring(asked), author=FakeAuthor())
    assert result.status == "passed" and "(slower) was not begun" in result.stop_reason


def test_a_wish_for_less_of_what_no_term_is_about_brings_a_term_in():
    draft = RewardDraft(terms=compose(TARGET, first_recipe(TARGET)), rationale="", author="offline")
    less = Steering(said="less slipping", weight_factors={"slip": 2.0})
    steered = steer.steered_draft(draft, [less])
    assert steered.terms[-1].body == "return foot_slip(s)" and steered.terms[-1].weight == -0.1
    assert "asked for: slip -0.1 is new" in steered.edits
    again = steer.steered_draft(draft, [less, less])
    assert [term.weight for term in again.terms if term.name == "slip"] == [-0.2]
