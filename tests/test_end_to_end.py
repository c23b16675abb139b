"""The main job, for real: clips in, robots out. Minutes, not seconds: run by CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from video2reward.memory.records import RunResult

ROOT = Path(__file__).resolve().parent.parent
CLIPS = os.environ.get("V2R_CLIPS")
needs_clips = pytest.mark.skipif(not CLIPS, reason="V2R_CLIPS is not set: clips that may not be shipped")
pytestmark = pytest.mark.slow


def run(tmp_path, *options) -> RunResult:
    """Run the command in a process of its own with a memory of its own; return what it left."""
    out = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-m", "video2reward.agent.cli", "run", *map(str, options), "--out", str(out)],
        env={**os.environ, "V2R_HOME": str(tmp_path / "home")}, capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stdout[-2000:] + done.stderr[-2000:]
    result = RunResult.model_validate_json((out / "result.json").read_text())
    assert (done.returncode == 0) == (result.status == "passed"), result.stop_reason
    for artifact in (result.artifacts.reward, result.artifacts.policy, result.artifacts.video, result.artifacts.report):
        assert artifact and (out / artifact).stat().st_size > 500
    return result


def test_the_example_becomes_a_trotting_go1(tmp_path):
    examples = ROOT / "examples"
    result = run(tmp_path, examples / "dog_trot.mp4", "--keypoints", examples / "dog_trot_keypoints.csv")
    assert result.status == "passed" and result.best
    assert result.best.gait == "trot" and result.best.gsi > 0.6


@needs_clips
@pytest.mark.parametrize(("dog", "gait"), [("dog_trot_walk04_pan", "trot"), ("dog_pace_walk00_pan", "pace")])
def test_a_real_dogs_motion_becomes_the_same_gait_on_a_go1(tmp_path, dog, gait):
    from video2reward.evals.mocap import mocap_keypoints

    clip = Path(CLIPS or "") / "dogs_mocap" / f"{dog}.mp4"
    keypoints = mocap_keypoints(clip.with_name(f"{dog}_gt.npz"), tmp_path / "true.csv")
    result = run(tmp_path, clip, "--keypoints", keypoints)
    assert result.status == "passed" and result.best and result.best.gait == gait


@needs_clips
def test_a_walking_woman_becomes_a_walking_g1(tmp_path):
    result = run(tmp_path, Path(CLIPS or "") / "people" / "sports2d_walk_woman_crop.mp4", "--robot", "g1")
    assert result.status == "passed" and result.best and result.best.gait == "walk"
