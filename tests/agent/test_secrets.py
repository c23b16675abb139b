"""The key stays where the user put it: not in what a run leaves, not in what it says, not in its workers."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from fake_tools import FakeTools, request
from video2reward.agent.llm import LlmAuthor
from video2reward.agent.session import start
from video2reward.agent.settings import Settings
from video2reward.evals.scripted_openai import Reply, serve
from video2reward.memory.recall import Memory

KEY = "sk-v2r-5ecret-0f-the-user"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MATCH = 'return footfall_match(s, offsets=MOTION["phase_offsets"], duty=MOTION["duty_factor"]) * forward_progress(s)'
ANSWER = json.dumps(
    {
        "rationale": "Feet first.",
        "terms": [{"name": "feet", "weight": 2.0, "serves": "phase_offsets", "doc": "Feet.", "body": MATCH}],
        "edits": [],
    }
)


def holding(folder: Path) -> list[str]:
    """Return the files below a folder that hold the key, looking into archives too."""
    found = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        parts = [path.name.encode(), path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                parts += [archive.read(name) for name in archive.namelist()]
        if any(KEY.encode() in part for part in parts):
            found.append(str(path))
    return found


def others_holding(known: set[int]) -> list[str]:
    """Return the processes, but for the known ones, whose environment or command line holds the key."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) in known:
            continue
        for name in ("environ", "cmdline"):
            try:
                if KEY.encode() in (process / name).read_bytes():
                    found.append(f"{process.name} {name}: {_command(process)}")
            except OSError:
                continue
    return found


def _command(process: Path) -> str:
    """Return a process's command line; a child that has not started its program yet still bears its parent's."""
    return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_server_that_gives_the_key_back_does_not_bring_it_into_the_run(tmp_path, status):
    with serve() as server:
        server.script(Reply(status=status, error=f"Incorrect API key provided: {KEY}."), Reply(content=ANSWER))
        settings = Settings(base_url=server.url, api_key=KEY, timeout_s=5.0, max_retries=1)
        author = LlmAuthor("test-model", settings, examine=lambda draft, target: "")
        memory = Memory(tmp_path / "home")
        asked = request(tmp_path / "run", author="openai:test-model", laps=1, candidates=1)
        result = start(asked, tools=FakeTools(), author=author, memory=memory)
        assert server.requests and all(KEY not in json.dumps(sent) for sent in server.requests)
    assert result.candidates == 1 and KEY not in result.model_dump_json()
    assert len(list(tmp_path.rglob("*"))) > 10 and holding(tmp_path) == []


def test_the_search_itself_finds_a_key(tmp_path):
    (tmp_path / "log").write_text(f"key={KEY}")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", KEY * 100)
    assert len(holding(tmp_path)) == 2
    with subprocess.Popen(["sleep", "60"], env={"X": KEY}) as process:
        try:
            deadline = time.monotonic() + 5
            while not others_holding({os.getpid()}) and time.monotonic() < deadline:
                time.sleep(0.02)
            assert f"{process.pid} environ: sleep 60 " in others_holding({os.getpid()})
        finally:
            process.kill()


@pytest.mark.slow
def test_a_whole_run_with_a_models_rewards_leaks_the_key_nowhere(tmp_path):
    with serve() as server:
        server.script(Reply(status=500, error=f"the key {KEY} is fine, we are not"), Reply(content=ANSWER))
        env = {
            **os.environ, "V2R_HOME": str(tmp_path / "home"), "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY,
            "V2R_API_KEY": KEY,
        }  # fmt: skip
        command = [
            sys.executable, "-m", "video2reward.agent.cli", "run", str(EXAMPLES / "dog_trot.mp4"), "--keypoints",
            str(EXAMPLES / "dog_trot_keypoints.csv"), "--author", "openai:test-model", "--out", str(tmp_path / "run"),
            "--minutes", "1.5", "--laps", "1", "--candidates", "1", "--unsafe",
        ]  # fmt: skip
        said = tmp_path / "said.txt"
        with said.open("wb") as file:
            process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=file, stderr=subprocess.STDOUT)
            seen, looked = set(), 0
            while process.poll() is None:
                seen |= set(others_holding({os.getpid(), process.pid}))
                looked += len(list((tmp_path / "run").glob("attempts/*/starts.jsonl")))
                time.sleep(0.2)
    assert process.returncode in (0, 3), said.read_text()
    # Between fork and exec a child is its parent still; and a library of the process that asks the model looks for
    # another library in a child of its own. Neither runs code of ours or a reward's.
    ours = [found for found in seen if "video2reward." in found or "bwrap" in found]
    leaks = [found for found in ours if "video2reward.agent.cli run" not in found]
    assert looked > 0 and leaks == []
    assert (tmp_path / "run" / "report.html").exists() and holding(tmp_path) == []
