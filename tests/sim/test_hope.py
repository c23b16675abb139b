"""A training is given up where nothing that the judge asks for is near or comes nearer, and only there."""

import pytest
from video2reward.sim.hope import given_up
from video2reward.sim.ladder import PATIENCE_ENV_STEPS, WINDOW

TARGET_M_S, POLISH_AT, DONE = 0.8, 400_000, 300_000
WELL = {"episode_length_s": 9.0, "speed_m_s": 0.7, "fall_rate_per_min": 1.0, "learning_rate": 1e-3, "mean_reward": 0.1,
        "env_steps": DONE}  # fmt: skip
FALLS = {**WELL, "episode_length_s": 0.8, "fall_rate_per_min": 60.0, "speed_m_s": 0.4}
STANDS = {**WELL, "speed_m_s": 0.02}
AWAY = {**WELL, "speed_m_s": -0.5}


def said(rows, *, target=TARGET_M_S, rungs=("reference", "costs", "command"), last_rung_at=0):
    return given_up(rows, target, POLISH_AT, rungs, last_rung_at)


def curve(*windows):
    """A window of batches for each row, 3,000 environment steps a batch; the last ends where the row says."""
    rows = [row for row in windows for _ in range(WINDOW)]
    return [{**row, "env_steps": row["env_steps"] - 3000 * (len(rows) - 1 - k)} for k, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("row", "words"), [(FALLS, "fell after 0.8 s"), (STANDS, "went 2% of the speed"), (AWAY, "went -62% of the speed")]
)
def test_what_shows_no_hope_twice_is_given_up(row, words):
    sentence = said(curve(row, row, row))
    assert sentence.startswith("given up at 300,000 steps: ") and words in sentence


@pytest.mark.parametrize(
    "rows",
    [
        curve(WELL, WELL, WELL),
        curve(STANDS, STANDS),
        curve(STANDS, STANDS, WELL),
        # 100,000 steps up to the polish are 2.8 windows: 16 % and 14 % more in each are 54 %.
        curve(STANDS, STANDS, {**STANDS, "speed_m_s": 0.13}),
        curve(FALLS, FALLS, {**FALLS, "episode_length_s": 1.5}),
        curve({**FALLS, "episode_length_s": 0.2}, FALLS, FALLS),
        curve(*[{**STANDS, "env_steps": POLISH_AT // 2 - 1}] * 3),
    ],
    ids=["well", "too few", "walks now", "gets faster", "gets longer", "got longer", "before half"],
)
def test_what_is_near_or_comes_nearer_goes_on(rows):
    assert said(rows) == ""


def test_the_ladder_comes_first_and_a_rung_gets_its_time_to_help():
    rows = curve(STANDS, STANDS, STANDS)
    assert said(rows, rungs=("reference",)) == said(curve(FALLS, FALLS, FALLS), rungs=("reference", "command")) == ""
    assert said(rows, last_rung_at=DONE - PATIENCE_ENV_STEPS + 1) == ""
    assert said(rows, last_rung_at=DONE - PATIENCE_ENV_STEPS)


def test_a_robot_that_shall_stay_on_the_spot_may_stand():
    assert said(curve(STANDS, STANDS, STANDS), target=0.0) == ""
