"""The main job on the real thing: the example clip, killed while it trains, resumed, judged again, played, recalled."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from video2reward.memory import runs
from video2reward.memory.records import RunResult
from video2reward.tools.train_policy import WORKER_MODULE
from video2reward.tools.workers import Worker

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CLIP = [str(EXAMPLES / "dog_trot.mp4"), "--keypoints", str(EXAMPLES / "dog_trot_keypoints.csv")]


@pytest.fixture
def command(tmp_path):
    """Return the command line's beginning, and its environment with a memory of its own."""
    return [sys.executable, "-m", "video2reward.agent.cli"], {**os.environ, "V2R_HOME": str(tmp_path / "home")}


@pytest.mark.slow
def test_the_example_is_killed_resumed_and_passes(tmp_path, command):
    program, env = command
    run = tmp_path / "run"
    asked = [*program, "run", *CLIP, "--robot", "go1", "--out", str(run), "--minutes", "20"]
    process = subprocess.Popen(asked, env=env, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not list(run.glob("attempts/*/worker/policy.pt")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    # The workers live on; one of them is killed too.
    workers = [Worker(folder, WORKER_MODULE) for folder in sorted(run.glob("attempts/*"))]
    assert any(worker.state() == "running" for worker in workers)
    os.killpg(json.loads((workers[0].folder / "starts.jsonl").read_text().splitlines()[0])["pid"], signal.SIGKILL)

    done = subprocess.run([*asked, "--resume"], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = runs.load(RunResult, run / "result.json")
    assert result.status == "passed" and result.best is not None and result.best.gait == "trot"
    assert all(result.best.gates.values()) and result.best.gsi >= 0.6
    # The one that was not killed was found again and not started anew; the killed one went on from its checkpoint.
    assert workers[1].num_starts() == 1 and workers[0].num_starts() == 2
    for artifact in (result.artifacts.reward, result.artifacts.policy, result.artifacts.report):
        assert artifact and (run / artifact).stat().st_size > 0

    def ask(*argv: str) -> str:
        return subprocess.run([*program, *argv], env=env, check=True, capture_output=True, text=True).stdout

    assert json.loads(ask("judge", str(run), "--json"))["passed"]
    assert Path(ask("play", str(run)).strip()).stat().st_size > 10_000
    assert json.loads(ask("runs", "--root", str(tmp_path), "--json"))[0]["status"] == "passed"
    (hit,) = json.loads(ask("recall", *CLIP, "--robot", "go1", "--json"))
    assert hit["attempt"].startswith("run/") and hit["near"]


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_says_how_far_it_came(tmp_path, command, interrupts):
    program, env = command
    run = tmp_path / "run"
    asked = [*program, "run", *CLIP, "--robot", "go1", "--out", str(run)]
    process = subprocess.Popen(asked, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 300
    while not list(run.glob("attempts/*/worker/progress.jsonl")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in said
    assert runs.load(RunResult, run / "result.json").status == "stopped"
    workers = [Worker(folder, WORKER_MODULE) for folder in run.glob("attempts/*")]
    assert workers and all(worker.state() in ("dead", "finished") for worker in workers)
