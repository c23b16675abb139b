"""The worker: it learns, it repeats itself to the bit, it goes on where it stopped, and it records failure."""

import json
import subprocess
import sys

import pytest
import torch
from video2reward.agent.authors import AuthorBrief
from video2reward.agent.offline import OfflineAuthor
from video2reward.memory import runs
from video2reward.memory.errors import BadInput
from video2reward.memory.records import MotionTarget, TrainingRun, TrainingSpec
from video2reward.sim.config import GO1
from video2reward.sim.contract import run_reward
from video2reward.sim.learner import load_checkpoint
from video2reward.sim.loop import Polish, polish_episode_s
from video2reward.sim.train import train
from video2reward.tools.write_reward import compose

TARGET = MotionTarget(
    robot="go1",
    feet=GO1.feet,
    gait="trot",
    speed_m_s=0.8,
    stride_frequency_hz=2.2,
    duty_factor=(0.5,) * 4,
    phase_offsets=(0.0, 0.5, 0.5, 0.0),
    leg_length_m=GO1.leg_length_m,
    froude=0.25,
)


@pytest.fixture
def spec(tmp_path):
    def make(steps=6_000, num_envs=32, source=None, **fields):
        draft = OfflineAuthor().propose(AuthorBrief(target=TARGET, lap=1), 1, 0)[0]
        (tmp_path / "reward.py").write_text(source or compose(draft, TARGET))
        spec = TrainingSpec(attempt="L1-C1", reward="reward.py", target=TARGET, max_env_steps=steps,
                            num_envs=num_envs, **fields)  # fmt: skip
        runs.save(spec, tmp_path / "spec.json")
        return spec

    return make


def test_a_short_training_improves_and_leaves_its_curves(spec, tmp_path):
    rows = []
    result = train(spec(steps=120_000, num_envs=128), tmp_path, rows.append)
    assert result.status == "ok" and result.env_steps >= 120_000
    first, last = rows[0], rows[-1]
    # It keeps the footfalls better, and falls less, than the untrained policy.
    assert last["terms"]["footfalls"] > 1.25 * first["terms"]["footfalls"]
    assert last["mean_reward"] > 1.5 * first["mean_reward"]
    written = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert len(written) == len(rows) and set(written[0]["terms"]) == set(first["terms"])
    assert list((tmp_path / "tensorboard").glob("events.*"))
    assert (tmp_path / "policy.pt").stat().st_size > 1000


@pytest.mark.parametrize("num_threads", [1, 2])
def test_the_same_spec_gives_the_same_bits(spec, tmp_path, num_threads):
    def policy():
        (tmp_path / "policy.pt").unlink(missing_ok=True)
        train(spec(num_threads=num_threads), tmp_path)
        return torch.load(tmp_path / "policy.pt", weights_only=True)["actor_state_dict"]

    first, second = policy(), policy()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_short_training_that_was_killed_begins_anew_and_ends_as_if_nothing_had_happened(spec, tmp_path):
    def policy():
        return torch.load(tmp_path / "policy.pt", weights_only=True)["actor_state_dict"]

    train(spec(), tmp_path)
    undisturbed, curve = policy(), (tmp_path / "progress.jsonl").read_text().count("\n")
    # A worker that got less far and left no result; the next one finds its files.
    train(spec(steps=2_000), tmp_path)
    train(spec(), tmp_path)
    again = policy()
    assert all(torch.equal(undisturbed[name], again[name]) for name in again)
    assert (tmp_path / "progress.jsonl").read_text().count("\n") == curve


def test_a_long_training_that_was_killed_goes_on_from_its_checkpoint(spec, tmp_path, monkeypatch):
    monkeypatch.setattr("video2reward.sim.train.BEGIN_ANEW_S", 0.0)
    assert train(spec(steps=2_000), tmp_path).env_steps < 6_000
    again = train(spec(steps=6_000), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    steps = [row["env_steps"] for row in rows]
    assert steps == sorted(set(steps)) and again.env_steps == steps[-1] >= 6_000


@pytest.mark.parametrize(
    ("source", "status", "said"),
    [
        ("def broken(:\n", "rejected", "syntax"),
        ("import os\n", "rejected", "guard refuses"),
        ("import torch\n", "rejected", "no term"),
    ],
)
def test_a_bad_reward_is_a_status_with_a_reason(spec, tmp_path, source, status, said):
    result = train(spec(source=source), tmp_path)
    assert result.status == status and said in result.reason


def test_a_reward_that_becomes_infinite_is_recorded_as_diverged(spec, tmp_path):
    source = """
import torch
from video2reward.sim.contract import RewardState, Tensor, term

@term(weight=1.0, serves="nothing")
def explodes(s: RewardState) -> Tensor:
    return 1.0 / (s.feet_contact.sum(-1) * 0.0)
"""
    result = train(spec(source=source), tmp_path)
    assert result.status == "diverged" and "explodes" in result.reason


HEAD = """
import torch
from video2reward.sim.contract import RewardState, Tensor, term

"""


def unguarded_terms(path, robot=None):
    return run_reward(compile(path.read_text(), path.name, "exec"), {"__name__": "reward"}, path.name)


def unguarded(monkeypatch):
    """Let any code through to the training, as if the guard had been talked round."""
    monkeypatch.setattr("video2reward.sim.train.load_guarded", unguarded_terms)


def test_a_reward_that_changes_its_state_changes_neither_simulation_nor_curves(spec, tmp_path, monkeypatch):
    unguarded(monkeypatch)
    honest = "@term(weight=1.0, serves='x')\ndef steady(s: RewardState) -> Tensor:\n    return s.feet_contact.sum(-1)\n"
    tampering = HEAD + (
        "@term(weight=1.0, serves='x')\ndef steady(s: RewardState) -> Tensor:\n"
        "    earned = s.feet_contact.sum(-1)\n"
        "    for value in vars(s).values():\n"
        "        if isinstance(value, torch.Tensor):\n            value.fill_(0.5)\n"
        "    return earned\n"
    )
    curves = []
    for source in (HEAD + honest, tampering):
        rows = []
        train(spec(steps=2_000, source=source), tmp_path, rows.append)
        (tmp_path / "policy.pt").unlink()
        curves.append([{k: v for k, v in row.items() if k not in ("wall_s", "env_steps_per_s")} for row in rows])
    assert len(curves[0]) >= 2 and curves[0] == curves[1]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("raise ValueError('no')", "rejected", "the term late raises ValueError: no"),
        ("return s.feet_contact", "rejected", "not a tensor of shape"),
        ("return torch.tensor(1.0)", "rejected", "not a tensor of shape"),
        ("return bytearray(1 << 60)", "killed", "memory ran out"),
        ("raise torch.OutOfMemoryError('CUDA out of memory.')", "killed", "memory ran out: CUDA out of memory"),
    ],
)
def test_what_a_reward_does_late_in_a_training_is_a_status_and_the_curves_stay(
    spec, tmp_path, monkeypatch, body, status, said
):
    unguarded(monkeypatch)
    # The first batch of 24 steps is learned from, then it happens.
    source = HEAD + (
        "CALLS = []\n@term(weight=1.0, serves='x')\ndef late(s: RewardState) -> Tensor:\n"
        f"    CALLS.append(1)\n    if len(CALLS) > 30:\n        {body}\n    return s.feet_contact.sum(-1)\n"
    )
    result = train(spec(source=source), tmp_path)
    assert result.status == status and said in result.reason
    assert result.env_steps == 24 * 32 and "mean_reward" in result.metrics
    assert len((tmp_path / "progress.jsonl").read_text().splitlines()) == 1


def test_a_policy_of_weights_that_are_not_numbers_or_too_large_is_refused(spec, tmp_path):
    train(spec(steps=1_000), tmp_path)
    whole = torch.load(tmp_path / "policy.pt", weights_only=True)
    name = next(iter(whole["actor_state_dict"]))
    whole["actor_state_dict"][name].fill_(float("nan"))
    torch.save(whole, tmp_path / "nan.pt")
    with pytest.raises(BadInput, match="infinite or undefined"):
        load_checkpoint(tmp_path / "nan.pt", GO1)
    torch.save({**whole, "more": torch.zeros(20_000_000)}, tmp_path / "large.pt")
    with pytest.raises(BadInput, match="at most"):
        load_checkpoint(tmp_path / "large.pt", GO1)
    (tmp_path / "torn.pt").write_bytes((tmp_path / "policy.pt").read_bytes()[:-100])
    with pytest.raises(BadInput, match="not a readable policy"):
        load_checkpoint(tmp_path / "torn.pt", GO1)


def test_wall_clock_ends_a_training_with_what_it_has(spec, tmp_path):
    result = train(spec(steps=10_000_000, max_wall_s=0.5), tmp_path)
    assert result.status == "timeout" and (tmp_path / "policy.pt").exists()


def test_the_worker_process_writes_its_result_last(spec, tmp_path):
    spec(steps=1_000)
    subprocess.run([sys.executable, "-m", "video2reward.sim.train", str(tmp_path / "spec.json")], check=True)
    assert runs.load(TrainingRun, tmp_path / "result.json").status == "ok"


def test_a_warm_start_that_no_longer_fits_is_remarked_on_and_done_without(spec, tmp_path):
    (tmp_path / "old.pt").write_bytes(b"from another time")
    result = train(spec(steps=1_000, warm_start="old.pt"), tmp_path)
    assert result.status == "ok" and "started fresh" in result.reason


def test_a_fast_gait_is_polished_for_longer_than_it_takes_to_get_fast():
    assert polish_episode_s(0.6) == polish_episode_s(-0.6) == 4.0
    # 2.4 m/s at a tenth of 9.81 m/s2 take 2.45 s, and that is a third of the episode.
    assert polish_episode_s(2.4) == pytest.approx(2.45 / 0.33, rel=0.01)


def test_the_polish_tries_out_less_and_less_and_then_learns_in_smaller_steps():
    polish = Polish(begun=100_000, steps=200_000, first_std=0.6)
    assert polish.std_cap(100_000) == 0.6
    # Half way down in even ratios is the geometric mean of .6 and .15.
    assert polish.std_cap(167_000) == pytest.approx(0.3)
    assert polish.std_cap(234_000) == polish.std_cap(900_000) == pytest.approx(0.15)
    assert polish.calm(100_000) == polish.calm(232_000) == 1.0
    assert polish.calm(265_000) == pytest.approx(0.1**0.5) and polish.calm(900_000) == pytest.approx(0.1)
