"""The judge against a labelled set: it passes a walk and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from video2reward.tools.render_and_critique import judge_rollout

# The names are those of tests/tools/critic/conftest.py; written out so that each is a test of its own.
BAD = (
    "shuffle with 1 cm lifts",
    "shuffle in 5 cm steps",
    "stand still",
    "slow collapse",
    "slow collapse standing",
    "hop on the spot",
    "trot on the spot",
    "backward",
    "sideways",
    "sliding on locked joints",
    "crawling on the knees",
    "sits down after 9 s",
    "limp, one leg in the air",
    "limp, one leg dragged",
    "walks, then falls at 8 s",
    "walks, then falls at 8 s and hides it",
    "one in eight falls",
    "half of them stand",
    "at twice the speed",
    "quick mincing steps",
)
SHUT = {
    "stand still": {"strict_steps", "speed"},
    "slow collapse": {"posture"},
    "backward": {"strict_steps", "speed"},
    "sliding on locked joints": {"strict_steps"},
    "crawling on the knees": {"posture"},
    "limp, one leg in the air": {"strict_steps"},
    "walks, then falls at 8 s": {"survives"},
    "at twice the speed": {"speed"},
}


@pytest.fixture(params=["go1", "g1"])
def robot(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_walk_passes_and_is_like_itself(scripted, robot):
    critique = judge_rollout(scripted.write(scripted.good(robot)), scripted.target(robot))
    assert critique.passed, critique.verdict
    assert critique.similarity.gsi > 0.95
    assert critique.robot.gait == scripted.target(robot).gait
    assert not critique.findings and not critique.advice


def test_the_list_of_bad_motions_is_whole(scripted, robot):
    assert set(scripted.bad(robot)) == set(BAD)


@pytest.mark.parametrize("name", BAD)
def test_nothing_but_a_walk_passes(scripted, robot, name):
    critique = judge_rollout(scripted.write(scripted.bad(robot)[name]), scripted.target(robot))
    assert not critique.passed and critique.similarity.gsi == 0.0
    assert critique.verdict.startswith("Not passed: ")
    assert critique.findings and critique.advice
    shut = {gate.name for gate in critique.gates if not gate.passed}
    assert shut == SHUT.get(name, shut)


def test_one_fall_in_twenty_is_allowed(scripted, robot):
    motion = replace(scripted.good(robot), num_envs=20, fell_at_s={3: 4.0})
    critique = judge_rollout(scripted.write(motion), scripted.target(robot))
    assert critique.passed and critique.robot.survival == 0.95
    fall = critique.findings[0]
    assert fall.quantity == "survival" and fall.time_s == pytest.approx(4.0)


def test_a_fall_within_the_first_second_counts(scripted, robot):
    motion = replace(scripted.good(robot), fell_at_s={env: 0.5 for env in range(8)})
    gates = judge_rollout(scripted.write(motion), scripted.target(robot)).gates
    assert not gates[0].passed and gates[0].value == 0.5


def test_all_robots_falling_at_once_leaves_a_verdict_without_numbers(scripted, robot):
    motion = replace(scripted.good(robot), fell_at_s={env: 0.3 for env in range(16)})
    critique = judge_rollout(scripted.write(motion), scripted.target(robot))
    assert not critique.passed and critique.robot.survival == 0.0
    assert critique.similarity.gsi == critique.similarity.gsi_ungated == 0.0


def test_a_target_on_the_spot_is_met_on_the_spot_and_not_by_walking(scripted, robot):
    target = scripted.target(robot, speed_m_s=0.0, froude=0.0, travel="on_the_spot")
    paddling = replace(scripted.good(robot), speed_m_s=0.0)
    assert judge_rollout(scripted.write(paddling), target).passed
    walking = judge_rollout(scripted.write(scripted.good(robot)), target)
    assert {gate.name for gate in walking.gates if not gate.passed} == {"speed"}


def test_a_backward_target_is_met_backward(scripted, robot):
    good = scripted.good(robot)
    target = scripted.target(robot, speed_m_s=-good.speed_m_s, travel="backward")
    assert judge_rollout(scripted.write(replace(good, speed_m_s=-good.speed_m_s)), target).passed
    assert not judge_rollout(scripted.write(good), target).passed


def test_walking_in_a_circle_counts_along_the_heading(scripted):
    """Feet of the script do not turn with the body, so only a slow turn is a fair circle."""
    critique = judge_rollout(scripted.write(replace(scripted.good("go1"), yaw_rad_s=0.02)), scripted.target("go1"))
    assert critique.passed
    assert critique.robot.speed_m_s == pytest.approx(1.5 * np.cos(0.11), abs=0.02)


def test_skating_on_moving_legs_is_seen(scripted, robot):
    """The gates look at what is in the air; a foot that slides while it stands is for the findings to tell."""
    skating = replace(scripted.good(robot), planted=False)
    critique = judge_rollout(scripted.write(skating), scripted.target(robot))
    assert any(finding.quantity.startswith("slip.") for finding in critique.findings)
    assert any("skates" in advice for advice in critique.advice)


def test_every_gate_says_what_it_needed(scripted, robot):
    for gate in judge_rollout(scripted.write(scripted.good(robot)), scripted.target(robot)).gates:
        assert gate.needed and gate.sentence.endswith(".") and np.isfinite(gate.value)
