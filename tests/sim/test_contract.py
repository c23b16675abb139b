"""Reward files: how they are read, what is refused, and what the contract says of itself."""

import pytest
from video2reward.memory.errors import BadReward
from video2reward.sim.config import GO1
from video2reward.sim.contract import contract_text, motion_literal, motion_of
from video2reward.sim.guard import check_source, load_guarded
from video2reward.sim.trial import try_reward

HEAD = """import torch
from video2reward.sim.contract import RewardState, Tensor, term
from video2reward.sim.terms import footfall_match, forward_progress

MOTION = {
    "gait": "trot",
    "speed_m_s": 1.0,
    "stride_frequency_hz": 2.0,
    "phase_offsets": (0.0, 0.5, 0.5, 0.0),
    "duty_factor": (0.5, 0.5, 0.5, 0.5),
}

"""
FOOTFALLS = (
    HEAD
    + '''
@term(weight=2.0, serves="phase_offsets")
def footfalls(s: RewardState) -> Tensor:
    """Feet touch down in order."""
    return footfall_match(s, offsets=MOTION["phase_offsets"], duty=MOTION["duty_factor"]) * forward_progress(s)
'''
)


def body(code: str) -> str:
    return (
        HEAD
        + '\n@term(weight=1.0, serves="speed")\ndef probe(s: RewardState) -> Tensor:\n'
        + "".join(f"    {line}\n" for line in code.splitlines())
    )


@pytest.fixture
def write(tmp_path):
    def write(source: str):
        path = tmp_path / "reward.py"
        path.write_text(source)
        return path

    return write


def test_a_reward_file_gives_its_terms_in_order_with_weights(write):
    (footfalls,) = load_guarded(write(FOOTFALLS))
    assert (footfalls.name, footfalls.weight, footfalls.serves) == ("footfalls", 2.0, "phase_offsets")


def test_two_names_for_one_function_are_one_term(write):
    assert [term.name for term in load_guarded(write(FOOTFALLS + "\nagain = footfalls\n"))] == ["footfalls"]


def test_motion_is_read_without_running_the_file(write):
    target = motion_of(write("raise SystemExit\n" + FOOTFALLS), GO1)
    assert target is not None and target.gait == "trot" and target.stride_frequency_hz == 2.0
    assert motion_of(write("import torch\n"), GO1) is None


def test_motion_written_is_motion_read(write):
    target = motion_of(write(FOOTFALLS), GO1)
    assert target is not None
    assert motion_of(write(motion_literal(target)), GO1) == target


BIPED_MOTION = "{'speed_m_s': 1, 'stride_frequency_hz': 2, 'phase_offsets': (0, 0.5), 'duty_factor': (0.5, 0.5)}"


@pytest.mark.parametrize("motion", ["{}", "{'speed_m_s': 1}", "open('x')", "3", BIPED_MOTION])
def test_a_motion_that_does_not_fit_is_refused_in_a_sentence(write, motion):
    with pytest.raises(BadReward, match="MOTION"):
        motion_of(write(f"MOTION = {motion}\n"), GO1)


def test_the_contract_text_names_every_field_and_every_term():
    text = contract_text()
    for name in ("s.base_lin_vel_b", "(num_envs, num_feet)", "footfall_match(", "speed_tracking(", "max(0, sum"):
        assert name in text


def test_the_guard_lets_an_ordinary_reward_pass():
    assert check_source(FOOTFALLS) == []
    assert (
        check_source(body("x = torch.exp(-s.base_lin_vel_b[:, 1].square())\nreturn torch.where(x > 0.5, x, 0.0 * x)"))
        == []
    )
    assert (
        check_source(body("total = 0.0\nfor i in range(4):\n    total = total + s.feet_contact[:, i]\nreturn total"))
        == []
    )


@pytest.mark.parametrize(
    "code",
    [
        "import os",
        "return s.__class__",
        "return getattr(s, 'x')",
        "return open('/etc/passwd')",
        "return torch.load('x')",
        "return torch.ones(4).numpy()",
        "s.base_lin_vel_b[:, 0] = 1.0\nreturn s.gait_phase",
        "s.gait_phase.zero_()\nreturn s.gait_phase",
        "while True:\n    pass",
        "return (lambda f: f(f))(lambda f: f(f))",
        "return f'{s.gait_phase}'",
        "return eval('1')",
        "torch.abs(s.gait_phase, out=s.gait_phase)\nreturn s.gait_phase",
        "return probe(s)",
        "for i in range(10**9):\n    x = i\nreturn s.gait_phase",
        "return s.gait_phase.data",
        "global MOTION\nreturn s.gait_phase",
        "return 'x' * 99999999",
        "raise ValueError",
        "with s as t:\n    return t",
        "try:\n    return s.gait_phase\nexcept Exception:\n    return 0",
        "return (x := s.gait_phase)",
        "term = 3\nreturn s.gait_phase",
    ],
)
def test_the_guard_refuses_what_it_does_not_know(code):
    problems = check_source(body(code))
    assert problems and all(problem.message for problem in problems)


def test_a_syntax_error_names_its_line(write):
    with pytest.raises(BadReward, match="line 3"):
        motion_of(write("a = 1\nb = 2\ndef broken(:\n"), GO1)


def test_the_trial_passes_a_gait_and_refuses_a_reward_that_pays_for_standing(write):
    target = motion_of(write(FOOTFALLS), GO1)
    assert target is not None
    assert try_reward(write(FOOTFALLS), target).problem == ""
    lazy = body("return 1.0 - s.base_lin_vel_b[:, 0].abs()")
    assert "standing still would earn" in try_reward(write(lazy), target).problem


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("return s.feet_contact", r"shape \(num_envs,\)"),
        ("return torch.log(s.feet_contact.sum(-1) * 0.0)", "infinite or undefined"),
        ("x = s.default_joint_pos[(s.gait_phase * 0).long() + 7777]\nreturn s.gait_phase", "raises IndexError"),
        ("return 1.0", "returns float"),
    ],
)
def test_the_trial_says_what_a_broken_term_does(write, code, said):
    import re

    target = motion_of(write(FOOTFALLS), GO1)
    assert target is not None
    assert re.search(said, try_reward(write(body(code)), target).problem)
