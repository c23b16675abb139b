"""The tool: another process rolls out, the verdict is written whole, and nothing else can change it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from video2reward.memory import runs
from video2reward.memory.errors import BadInput, V2RError
from video2reward.memory.records import Critique, MotionTarget, TrainingSpec
from video2reward.tools.render_and_critique import judge_run, policy_folder, render_and_critique

FAKE = "fake_rollout"
SMALL = {"num_envs": 16, "seconds": 10.0, "rollout_module": FAKE}


@pytest.fixture(autouse=True)
def _fake_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)


@pytest.fixture
def attempt(tmp_path: Path, scripted) -> Path:
    """Return an attempt whose policy names the rollout that it will make."""
    folder = tmp_path / "run" / "attempts" / "L1-C1"
    folder.mkdir(parents=True)
    (folder / "policy.pt").write_text(str(scripted.write(scripted.good("go1"), "scripted.npz")))
    return folder


def calls(folder: Path) -> int:
    return len((folder / "calls.txt").read_text().splitlines())


def test_a_policy_is_rolled_out_and_its_verdict_written(attempt, scripted):
    critique = render_and_critique(attempt, scripted.target("go1"), seed=1005, **SMALL)
    assert critique.passed and critique.attempt == "L1-C1" and critique.seed == 1005
    assert runs.load(Critique, attempt / "critique.json") == critique
    assert critique.artifacts == {"rollout": "rollout.npz"}
    assert runs.load(MotionTarget, attempt / "target.json") == scripted.target("go1")


def test_judging_again_uses_the_rollout_that_is_there(attempt, scripted):
    first = render_and_critique(attempt, scripted.target("go1"), **SMALL)
    assert render_and_critique(attempt, scripted.target("go1"), **SMALL) == first
    assert calls(attempt) == 1


def test_how_it_takes_pushes_stands_beside_the_verdict_and_changes_nothing_of_it(attempt, scripted):
    calm = render_and_critique(attempt, scripted.target("go1"), **SMALL)
    pushed = render_and_critique(attempt, scripted.target("go1"), push_m_s=0.5, **SMALL)
    assert calm.pushed is None and pushed.pushed is not None
    assert (pushed.pushed.survival, pushed.pushed.push_m_s) == (0.75, 0.5)
    assert pushed.model_copy(update={"pushed": None}) == calm
    assert not (attempt / "pushed.npz").exists()


def test_another_policy_or_seed_is_rolled_out_anew(attempt, scripted):
    render_and_critique(attempt, scripted.target("go1"), **SMALL)
    render_and_critique(attempt, scripted.target("go1"), seed=7, **SMALL)
    (attempt / "policy.pt").write_text(str(scripted.write(scripted.bad("go1")["backward"], "worse.npz")))
    assert not render_and_critique(attempt, scripted.target("go1"), seed=7, **SMALL).passed
    assert calls(attempt) == 3


def test_a_rollout_that_crashes_says_why(attempt, scripted):
    (attempt / "policy.pt").write_text("crash")
    with pytest.raises(V2RError, match="the policy has 13 joints"):
        render_and_critique(attempt, scripted.target("go1"), **SMALL)
    assert not (attempt / "critique.json").exists()


@pytest.mark.parametrize("policy", ["nothing", "garbage"])
def test_a_rollout_that_writes_nonsense_is_a_failed_verdict(attempt, scripted, policy):
    (attempt / "policy.pt").write_text(policy)
    critique = render_and_critique(attempt, scripted.target("go1"), **SMALL)
    assert not critique.passed and critique.verdict.startswith("Not judged: ")


def test_an_old_rollout_is_not_taken_for_one_that_failed_to_come(attempt, scripted):
    render_and_critique(attempt, scripted.target("go1"), **SMALL)
    (attempt / "policy.pt").write_text("nothing")
    assert not render_and_critique(attempt, scripted.target("go1"), **SMALL).passed


def test_without_a_policy_there_is_nothing_to_judge(tmp_path, scripted):
    with pytest.raises(BadInput, match="policy.pt is not there"):
        render_and_critique(tmp_path, scripted.target("go1"), **SMALL)


def test_pictures_that_fail_are_notes_and_change_no_verdict(attempt, scripted, monkeypatch):
    monkeypatch.setattr("video2reward.tools.critic.filming.VIDEO_MODULE", "no_such_module")
    critique = render_and_critique(attempt, scripted.target("go1"), video=True, **SMALL)
    assert critique.passed
    assert critique.artifacts == {"rollout": "rollout.npz", "footfalls": "footfalls.svg"}
    assert (attempt / "footfalls.svg").read_text().startswith("<svg")
    assert [finding.quantity for finding in critique.findings] == ["pictures"]


def test_the_command_s_verdict_lies_beside_the_first_one(attempt, scripted):
    first = render_and_critique(attempt, scripted.target("go1"), **SMALL)
    again = judge_run(attempt.parent.parent / "attempts" / "L1-C1", seed=9001, **SMALL)
    assert again.attempt == "L1-C1" and again.seed == 9001 and again.passed
    assert runs.load(Critique, attempt / "critique.json") == first
    assert (attempt / "judged-9001" / "critique.json").exists()


def test_the_target_of_a_bare_training_folder_is_its_spec_s(attempt, scripted):
    spec = TrainingSpec(attempt="x", reward="reward.py", target=scripted.target("go1"))
    runs.save(spec, attempt / "spec.json")
    assert judge_run(attempt, **SMALL).passed


def test_a_run_s_policy_is_its_best_and_else_the_best_attempt_s(attempt, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(BadInput, match="no trained policy"):
        policy_folder(run)
    (run / "best").mkdir()
    (run / "best" / "policy.pt").write_text("weights")
    assert policy_folder(run) == run / "best"
    assert policy_folder(attempt) == attempt
    with pytest.raises(BadInput, match="not a run folder"):
        policy_folder(tmp_path / "nowhere")


def test_the_judge_loads_neither_torch_nor_mujoco_nor_the_reward_contract():
    code = (
        "import sys, video2reward.tools.render_and_critique, video2reward.tools.critic.report\n"
        "print([m for m in ('torch', 'mujoco', 'matplotlib', 'video2reward.sim.contract') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_real_policy_that_learned_nothing_is_judged_and_fails(tmp_path, scripted):
    """The whole seam: the worker trains for one batch, the rollout process runs the policy, the judge is not fooled."""
    target = scripted.target("go1")
    (tmp_path / "reward.py").write_text(
        "from video2reward.sim.contract import RewardState, Tensor, term\n"
        "from video2reward.sim.terms import upright\n\n\n"
        '@term(weight=1.0, serves="need: balance")\n'
        "def stay_up(s: RewardState) -> Tensor:\n"
        '    """Stay up."""\n'
        "    return upright(s)\n"
    )
    spec = TrainingSpec(attempt="x", reward="reward.py", target=target, num_envs=16, max_env_steps=1)
    runs.save(spec, tmp_path / "spec.json")
    subprocess.run([sys.executable, "-m", "video2reward.sim.train", str(tmp_path / "spec.json")], check=True)
    critique = render_and_critique(tmp_path, target, num_envs=8, seconds=3.0, video=True)
    assert not critique.passed and critique.num_envs == 8
    assert np.isfinite(critique.robot.speed_m_s)
    assert (tmp_path / "video.mp4").stat().st_size > 1000
