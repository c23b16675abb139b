"""The main job, for real: clips in, robots out. Minutes, not seconds: run by CI."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
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


def exported_gait(folder, out) -> tuple[str, float, float]:
    """Export a run's policy, replay the ONNX file in MuJoCo, and measure it: label, m/s, strides/s."""
    from video2reward.tools.export import export_run
    from video2reward.tools.gait_labels import gait_label

    export_run(folder, out)
    code = "import sys, numpy as np, run_policy, pathlib; p, c = run_policy.main(pathlib.Path(sys.argv[1]), 10.0); "
    code += "np.savez(sys.argv[2], path=p, contact=c)"
    subprocess.run([sys.executable, "-c", code, str(out), str(out / "replay.npz")], cwd=out, check=True)
    replay = np.load(out / "replay.npz")
    path, contact = replay["path"][100:], replay["contact"][100:]
    landed = [np.flatnonzero(np.diff(foot.astype(int)) > 0) for foot in contact.T]
    steps_per_stride = (landed[0][-1] - landed[0][0]) / (len(landed[0]) - 1)
    turns = [np.angle(np.exp(2j * np.pi * foot / steps_per_stride).mean()) / (2 * np.pi) for foot in landed]
    limbs = ("FL", "FR", "RL", "RR")
    phases = {limb: (turn - turns[0]) % 1.0 for limb, turn in zip(limbs, turns, strict=True)}
    duty = dict(zip(limbs, contact.mean(0).tolist(), strict=True))
    label, _ = gait_label("quadruped", phases, duty)
    return label, (path[-1, 0] - path[0, 0]) / ((len(path) - 1) * 0.02), 50.0 / steps_per_stride


def test_the_example_becomes_a_trotting_go1(tmp_path):
    examples = ROOT / "examples"
    result = run(tmp_path, examples / "dog_trot.mp4", "--keypoints", examples / "dog_trot_keypoints.csv")
    assert result.status == "passed" and result.best
    assert result.best.gait == "trot" and result.best.gsi > 0.6
    assert exported_gait(tmp_path / "run", tmp_path / "export") == (
        "trot", pytest.approx(result.best.speed_m_s, rel=0.1), pytest.approx(result.best.stride_frequency_hz, rel=0.05)
    )  # fmt: skip


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
