"""`video2reward guard`: what is refused, in words and in JSON, and the exit code."""

import json

import pytest
from video2reward.agent.cli import main

GOOD = """import torch
from video2reward.sim.contract import RewardState, Tensor, term

@term(weight=1.0, serves="speed")
def speed(s: RewardState) -> Tensor:
    reward = torch.zeros_like(s.gait_phase)
    reward += torch.exp(-(s.base_lin_vel_b[:, 0] - s.command_speed_m_s).square())
    return reward
"""


@pytest.fixture
def reward(tmp_path):
    def write(text: str):
        path = tmp_path / "reward.py"
        path.write_text(text)
        return str(path)

    return write


def test_a_harmless_reward_is_let_through(reward, capsys):
    assert main(["guard", reward(GOOD)]) == 0
    assert "refuses nothing" in capsys.readouterr().out


def test_what_is_refused_is_named_with_its_line(reward, capsys):
    path = reward(GOOD + "    os.system('ls')\n")
    assert main(["guard", path]) == 2
    assert f"{path}:9: os" in capsys.readouterr().out


def test_the_same_as_json(reward, capsys):
    assert main(["guard", reward(GOOD.replace("s.gait_phase", "s.gait_fase")), "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert not said["harmless"]
    assert said["problems"][0]["line"] == 6 and "did you mean .gait_phase" in said["problems"][0]["instead"]


def test_a_reward_for_four_feet_is_not_for_two(reward):
    path = reward(GOOD.replace("return reward", "return reward * s.feet_contact[:, 3]"))
    assert main(["guard", path, "--robot", "go1"]) == 0
    assert main(["guard", path]) == 0
    assert main(["guard", path, "--robot", "g1"]) == 2


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\0" * 9, b"x = (" * 999, b"1" * 99_999])
def test_what_is_no_reward_is_one_sentence(tmp_path, text, capsys):
    (tmp_path / "reward.py").write_bytes(text)
    assert main(["guard", str(tmp_path / "reward.py")]) == 2
    said = capsys.readouterr()
    assert len((said.out + said.err).strip().splitlines()) == 1 and "Traceback" not in said.err
