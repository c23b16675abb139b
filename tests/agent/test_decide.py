"""The rules of stopping and going on, as tables."""

import pytest
from fake_tools import TARGET, critique
from hypothesis import given
from hypothesis import strategies as st
from video2reward.agent.budget import Limits, Purse, Spending, limits_for, reached, wall_left_s
from video2reward.agent.decide import best_of, decide, first_decision, gain_of_last_quarter
from video2reward.memory.records import Attempt, Recollection, RewardProgram, RunRequest, TrainingRun

LIMITS = Limits(wall_s=600.0, laps=5, candidates=2, reserve_s=60.0)
SPENT = Spending(wall_s=100.0, laps=1, longest_lap_s=60.0)


def attempt(
    lap: int,
    gsi: float | None,
    *,
    passed: bool = True,
    candidate: int = 1,
    parent: str | None = None,
    rejected: bool = False,
    asked: dict[str, float] | None = None,
) -> Attempt:
    """Return an attempt; gsi None is one that was not judged, `asked` what its target costs."""
    name = f"L{lap}-C{candidate}"
    program = RewardProgram(
        id=name, path="reward.py", sha256="", terms={}, serves={}, author="test", rationale="", parent=parent,
        status="rejected" if rejected else "ok", reason="the guard refuses it." if rejected else "",
    )  # fmt: skip
    training = None if rejected else TrainingRun(attempt=name, status="diverged", reason="it became infinite")
    verdict = None if gsi is None else critique(name, gsi, passed=passed)
    if verdict and asked:
        verdict = verdict.model_copy(update={"similarity": verdict.similarity.model_copy(update={"asked": asked})})
    return Attempt(
        id=name, lap=lap, candidate=candidate, target=TARGET, program=program, training=training, critique=verdict
    )  # fmt: skip


@pytest.mark.parametrize(
    ("attempts", "spent", "rising", "action", "ending", "said"),
    [
        # Good enough: stop at once, whatever is left.
        ([attempt(1, 0.85)], SPENT, {}, "stop", "passed", "0.8 is good enough"),
        ([attempt(1, 0.80)], SPENT, {}, "stop", "passed", "good enough"),
        # Passed, not yet good: mend the best.
        ([attempt(1, 0.60)], SPENT, {}, "refine", None, "the duty factor"),
        ([attempt(1, 0.60), attempt(2, 0.61)], SPENT, {}, "refine", None, "GSI 0.61"),
        # A target that was cut down to what the robot can do: nobody can have more than it allows.
        ([attempt(1, 0.60, asked={"gsi": 0.7, "E_beta": 0.06})], SPENT, {}, "stop", "passed", "0.60 of the 0.70"),
        ([attempt(1, 0.50, asked={"gsi": 0.7, "E_beta": 0.06})], SPENT, {}, "refine", None, "the footfall order"),
        # Two laps without +0.02: enough.
        ([attempt(1, 0.6), attempt(2, 0.61), attempt(3, 0.5)], SPENT, {}, "stop", "passed", "2 laps have not improved"),
        ([attempt(1, 0.6), attempt(2, 0.61), attempt(3, 0.65)], SPENT, {}, "refine", None, "L3-C1"),
        # A failed lap after a passed one does not lose the passed one.
        ([attempt(1, 0.6), attempt(2, 0.9, passed=False)], SPENT, {}, "refine", None, "L1-C1"),
        # Nothing passed: still learning, near, far.
        ([attempt(1, 0.4, passed=False)], SPENT, {"L1-C1": 0.2}, "train_longer", None, "still learning"),
        ([attempt(1, 0.4, passed=False)], SPENT, {"L1-C1": 0.01}, "explore", None, "too far"),
        (
            [attempt(1, 0.4, passed=False), attempt(2, 0.4, passed=False, parent="L1-C1")],
            SPENT, {}, "explore", None, "something new",
        ),
        # Budgets.
        ([attempt(1, 0.6)], Spending(laps=5), {}, "stop", "passed", "all 5 laps"),
        ([attempt(1, 0.6, passed=False)], Spending(laps=5), {}, "stop", "budget", "came nearest"),
        ([attempt(1, 0.6)], Spending(wall_s=541.0), {}, "stop", "passed", "minutes are used up"),
        ([attempt(1, None)], Spending(wall_s=541.0), {}, "stop", "budget", "No attempt could be judged"),
        # Nothing can be trained.
        ([attempt(1, None, rejected=True)], SPENT, {}, "explore", None, "the guard refuses it"),
        (
            [attempt(1, None, rejected=True), attempt(2, None)],
            SPENT, {}, "stop", "failed", "it became infinite",
        ),
    ],
)  # fmt: skip
def test_what_comes_next(attempts, spent, rising, action, ending, said):
    decision = decide(attempts, LIMITS, spent, rising)
    assert (decision.action, decision.ending) == (action, ending)
    assert said in decision.reason
    assert decision.numbers["attempts"] == len(attempts)


@given(
    scores=st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans()), min_size=1, max_size=8),
    wall_s=st.floats(0.0, 700.0),
)
def test_whatever_is_decided_the_best_is_kept_and_the_limits_hold(scores, wall_s):
    attempts = [attempt(lap, gsi, passed=passed) for lap, (gsi, passed) in enumerate(scores, start=1)]
    spent = Spending(laps=len(attempts), wall_s=wall_s)
    decision = decide(attempts, LIMITS, spent)
    best = best_of(attempts)
    assert best is not None and best.gsi == max(one.gsi for one in attempts)
    assert (decision.action == "stop") == (decision.ending is not None)
    if reached(LIMITS, spent):
        assert decision.action == "stop"
    if decision.ending == "passed":
        assert any(one.passed for one in attempts) and decision.parent == best.id


def hit(**fields: object) -> Recollection:
    base = {"attempt": "old/L1-C1", "robot": "go1", "gait": "trot", "distance": 0.1, "near": True, "passed": True,
            "gsi": 0.8, "folder": "/nowhere", "sentence": "same gait."}  # fmt: skip
    return Recollection(**{**base, **fields})


def test_a_run_starts_from_the_nearest_reward_that_passed():
    decision = first_decision([hit(passed=False), hit(attempt="older/L2-C1", distance=0.3)])
    assert decision.action == "warm_start" and decision.parent == "older/L2-C1"


@pytest.mark.parametrize("remembered", [[], [hit(near=False, distance=3.0)], [hit(passed=False)]])
def test_a_run_starts_fresh_where_nothing_near_passed(remembered):
    assert first_decision(remembered).action == "explore"


def test_a_curve_that_still_rises_is_told_from_one_that_is_flat():
    rising = [float(value) for value in range(64)]
    flat = [min(float(value), 20.0) for value in range(64)]
    # A straight line gains a quarter in its last quarter, measured here between the means of eighths: 2/7 of the span.
    assert gain_of_last_quarter(rising) == pytest.approx(2 / 7, abs=0.02)
    assert gain_of_last_quarter(flat) == 0.0
    assert gain_of_last_quarter([1.0, 2.0]) == 0.0


@pytest.mark.parametrize(
    ("limits", "spent", "said"),
    [
        (LIMITS, Spending(), ""),
        (LIMITS, Spending(laps=5, wall_s=1000.0), "all 5 laps"),  # the first limit wins
        (LIMITS, Spending(wall_s=540.0), "minutes are used up"),  # 600 s less the reserve of 60 s
        (LIMITS, Spending(wall_s=500.0, longest_lap_s=100.0), "too few for another lap"),
        (LIMITS, Spending(wall_s=500.0, longest_lap_s=70.0), ""),
        (LIMITS.model_copy(update={"env_steps": 100}), Spending(env_steps=100), "100 environment steps"),
    ],
)
def test_the_first_limit_wins(limits, spent, said):
    found = reached(limits, spent)
    assert said in found and bool(found) == bool(said)


def request_of(tmp_path, **fields) -> RunRequest:
    return RunRequest(clip=tmp_path / "clip.mp4", out=tmp_path / "run", **fields)


def test_the_report_has_its_reserve(tmp_path):
    limits = limits_for(request_of(tmp_path, minutes=5.0), Spending(), 0.0)
    assert limits.reserve_s == 30.0 and wall_left_s(limits, Spending(wall_s=280.0)) == 0.0
    assert limits_for(request_of(tmp_path, minutes=0.1), Spending(), 0.0).reserve_s == 3.0  # never more than half


def test_an_hour_of_the_day_bounds_the_minutes_whatever_was_spent_before(tmp_path):
    request = request_of(tmp_path, minutes=60.0, until=10_000.0)
    # 10 minutes are spent, and 5 are left until the hour: 15 in all.
    assert limits_for(request, Spending(wall_s=600.0), 9_700.0).wall_s == 900.0
    assert limits_for(request, Spending(wall_s=600.0), 1_000.0).wall_s == 3600.0


def test_spending_survives_a_crash(tmp_path):
    purse = Purse(tmp_path)
    purse.note(laps=2, env_steps=1000, tokens=7)
    spent = Purse(tmp_path).now()
    assert (spent.laps, spent.env_steps, spent.tokens) == (2, 1000, 7)
    assert spent.wall_s >= purse._kept.wall_s
