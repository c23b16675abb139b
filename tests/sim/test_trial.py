"""The trial: what a term must be on every scripted state, and what it remarks on."""

import pytest
import torch
from video2reward.memory.errors import BadReward
from video2reward.sim import scripted, trial
from video2reward.sim.config import G1, GO1
from video2reward.sim.contract import Term
from video2reward.sim.trial import try_text

from .test_terms import TROT

HEAD = """import math
import torch
from video2reward.sim.contract import RewardState, Tensor, term
from video2reward.sim.terms import footfall_match, forward_progress

"""
SPEED = """
@term(weight=1.0, serves="speed")
def speed(s: RewardState) -> Tensor:
    return forward_progress(s)
"""


def tried(body: str, *, weight: float = 0.1, beside: str = SPEED, target=TROT):
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return try_text(
        f'{HEAD}{beside}\n@term(weight={weight}, serves="x")\ndef probe(s: RewardState) -> Tensor:\n{lines}', target
    )


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return s.feet_contact", "not a tensor of shape (num_envs,)"),
        ("return s.gait_phase > 0.5", "end it with .float()"),
        ("return 1.0", "returns float"),
        ("return torch.exp(s.base_lin_vel_b.norm(dim=-1) * 4.0)", "large numbers before a simulation breaks"),
        ("return 1.0 / s.feet_force_n.sum(-1)", "infinite or undefined"),
        ("return s.base_height_m / s.base_lin_vel_b.norm(dim=-1)", "infinite or undefined"),
        ("return 1.0 / (s.base_lin_vel_b[:, 0] - s.base_lin_vel_b[:, 0] + 1e-9)", "bound it"),
    ],
)
def test_what_a_term_does_wrong_is_said(body, said):
    problem = tried(body).problem
    assert "probe" in problem and said in problem


@pytest.mark.parametrize(
    "function",
    [
        lambda s: s.gait_phase - s.gait_phase.mean(),
        lambda s: s.gait_phase.cumsum(0),
        lambda s: s.base_height_m - s.base_height_m[0],
        lambda s: torch.sort(s.base_height_m).values,
    ],
    ids=["the mean", "a running sum", "the first", "sorted"],
)
def test_what_mixes_environments_is_seen_by_the_trial_too(function):
    """The guard refuses it first; here it is not asked."""
    with pytest.raises(BadReward, match="never over environments"):
        trial.try_terms((Term("probe", 1.0, "x", function),), TROT, GO1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return s.feet_contact.mean(-1)", "standing still"),
        ("return (s.base_height_m < 0.5 * s.standing_height_m).float()", "lying down"),
        ("return s.feet_touchdown.sum(-1)", "chattering"),
        ("return s.joint_vel.abs().mean(-1)", "chattering"),
    ],
)
def test_not_moving_does_not_pay(body, said):
    assert said in tried(body, weight=5.0, beside="").problem


def test_standing_may_pay_where_the_clip_stands():
    clip = TROT.model_copy(update={"speed_m_s": 0.0, "gait": "stand", "travel": "on_the_spot"})
    assert tried("return s.feet_contact.mean(-1)", weight=5.0, beside="", target=clip).problem == ""


def test_a_term_that_says_nothing_and_one_that_shouts_are_remarked_on():
    remarks = " ".join(tried("return torch.ones_like(s.gait_phase) * 2.0").remarks)
    assert "probe is always 2" in remarks
    loud = " ".join(tried("return forward_progress(s)", weight=5000.0).remarks)
    assert "probe is over a thousand times larger" in loud


def test_a_weight_that_drowns_everything_is_refused():
    assert "weight 1e+08" in tried("return forward_progress(s)", weight=1e8).problem


def test_division_by_a_command_of_zero_is_remarked_on():
    report = tried("return (s.base_lin_vel_b[:, 0] / s.command_speed_m_s).clamp(max=1.0)")
    assert report.problem == "" and "command of zero" in " ".join(report.remarks)


def test_a_good_reward_has_no_remarks_and_its_numbers():
    report = tried("return footfall_match(s, offsets=(0.0, 0.5, 0.5, 0.0), duty=(0.5, 0.5, 0.5, 0.5))")
    assert (report.problem, report.remarks) == ("", ())
    # Progress is 1 at the commanded speed and 0 at rest; the match is weighed by a tenth.
    assert report.by_term["speed"] == pytest.approx(1.0) and report.gait > report.standing + 0.9
    assert 0.0 < report.seconds_per_call < 0.25


@pytest.mark.parametrize("robot", [GO1, G1], ids=lambda robot: robot.name)
def test_scripted_states_are_whole_and_finite(robot):
    feet = robot.num_feet
    target = TROT.model_copy(
        update={"robot": robot.name, "feet": robot.feet, "phase_offsets": TROT.phase_offsets[:feet],
                "duty_factor": TROT.duty_factor[:feet]}
    )  # fmt: skip
    for make in (scripted.scripted_gait, scripted.standing_still, scripted.lying_still, scripted.vibrating,
                 scripted.falling, scripted.in_flight, scripted.nothing_at_all, scripted.exploding,
                 scripted.rough):  # fmt: skip
        state = make(robot, target)
        for name, value in vars(state).items():
            if isinstance(value, torch.Tensor):
                assert torch.isfinite(value).all(), (make.__name__, name)
                assert name == "default_joint_pos" or len(value) == scripted.NUM_PHASES
        assert state.joint_pos.shape == (scripted.NUM_PHASES, robot.num_joints)
