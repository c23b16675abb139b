"""The memory by words, as a file, and behind a server."""

import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from video2reward.memory import runs
from video2reward.memory.archive import export_memory, import_memory
from video2reward.memory.errors import BadInput, MissingPart
from video2reward.memory.recall import Memory
from video2reward.memory.records import (
    Attempt,
    Critique,
    MotionTarget,
    RewardProgram,
    RobotGait,
    RunRequest,
    Similarity,
)
from video2reward.memory.words import HashingSpace

PASSED = Critique(
    attempt="L1-C1",
    passed=True,
    gates=(),
    similarity=Similarity(gsi=0.8, gsi_ungated=0.8, E_f=0.0, E_beta=0.0, E_phi=0.0, E_Fr=0.0),
    robot=RobotGait(
        gait="trot", speed_m_s=1.0, stride_frequency_hz=2.0, duty_factor=(0.5,) * 4, phase_offsets=(0.0,) * 4,
        froude=0.4, survival=1.0, lifted_steps_hz=(2.0,) * 4, raw_touchdowns_hz=(2.0,) * 4, chatter=(0.0,) * 4,
    ),
    verdict="It passed.", num_envs=1, seconds=1.0, seed=0,
)  # fmt: skip


def remembered(memory: Memory, root: Path, name: str, gait: str, said: str, robot: str = "go1") -> Path:
    """Make a run of one attempt and remember it."""
    target = MotionTarget(
        robot=robot, feet=("FL", "FR", "RL", "RR"), gait=gait, speed_m_s=1.0, stride_frequency_hz=2.0,
        duty_factor=(0.5,) * 4, phase_offsets=(0.0, 0.5, 0.5, 0.0), leg_length_m=0.26, froude=0.4,
    )  # fmt: skip
    program = RewardProgram(
        id="L1-C1", path="reward.py", sha256="0", terms={"footfalls": 1.0}, serves={}, author="test", rationale=said
    )
    attempt = Attempt(id="L1-C1", lap=1, candidate=1, target=target, program=program)
    folder = root / name / "attempts" / "L1-C1"
    folder.mkdir(parents=True)
    (folder / "reward.py").write_text("# a reward\n")
    runs.save(RunRequest(clip=Path(f"{name}_clip.mp4"), out=root / name), root / name / "request.json")
    runs.save(attempt, folder / "attempt.json")
    memory.remember(attempt, folder)
    return folder


@pytest.fixture
def filled(tmp_path):
    """Return a memory of three runs."""
    memory = Memory(tmp_path / "home")
    remembered(memory, tmp_path, "dachshund", "trot", "feet lifted higher over the grass")
    remembered(memory, tmp_path, "greyhound", "gallop", "speed counts more than the default pose")
    remembered(memory, tmp_path, "camel", "pace", "as the rule has it")
    return memory


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("a pacing camel", "camel/L1-C1"),
        ("lift the feet higher", "dachshund/L1-C1"),
        ("gallop, speed first", "greyhound/L1-C1"),
        ("GREYHOUNDS", "greyhound/L1-C1"),
    ],
)
def test_words_find_the_attempt_that_is_meant(filled, text, first):
    hits = filled.recall_words(text, k=3)
    assert filled.trouble == []
    assert [hit.attempt for hit in hits][0] == first and len(hits) == 3
    assert hits[0].distance < hits[1].distance and filled.trouble == []


def test_words_can_be_asked_for_one_robot_alone(filled, tmp_path):
    remembered(filled, tmp_path, "camel_on_b1", "pace", "as the rule has it", robot="b1")
    assert [hit.robot for hit in filled.recall_words("a pacing camel", "b1")] == ["b1"]


def test_a_text_gives_the_same_unit_vector_in_every_process():
    (vector,) = HashingSpace().embed(["slow trot"])
    code = (
        "from video2reward.memory.words import HashingSpace; print(HashingSpace().embed(['slow trot']).tobytes().hex())"
    )
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
    assert other.strip() == vector.tobytes().hex() and np.linalg.norm(vector) == pytest.approx(1.0)


class Backwards(HashingSpace):
    """Another space: the same numbers in another order, under another name."""

    def __init__(self, size: int = 64) -> None:
        self.name, self.size = "backwards/model:1", size

    def embed(self, texts):
        return super().embed(texts)[:, ::-1].copy()


def test_another_space_is_filled_from_the_runs_and_never_mixed_with_the_first(filled):
    other = Memory(filled.home, space=Backwards())
    assert other.recall_words("a pacing camel", k=1)[0].attempt == "camel/L1-C1"
    counts = other.counts()
    assert counts["words-hashing-512"] == counts["words-backwards-model-1-64"] == 3


def test_a_space_that_cannot_be_reached_costs_the_words_and_not_the_motion(tmp_path):
    class Gone(Backwards):
        def embed(self, texts):
            raise MissingPart("the embeddings are gone.")

    memory = Memory(tmp_path / "home", space=Gone())
    folder = remembered(memory, tmp_path, "camel", "pace", "x")
    assert "not indexed: the embeddings are gone" in memory.trouble[0]
    target = runs.load(Attempt, folder / "attempt.json").target
    assert [hit.attempt for hit in memory.recall(target)] == ["camel/L1-C1"]


def test_a_memory_goes_to_another_machine_as_a_file(filled, tmp_path):
    for run in filled.known_runs():  # an export holds what was judged
        folder = run / "attempts" / "L1-C1"
        attempt = runs.load(Attempt, folder / "attempt.json")

        runs.save(attempt.model_copy(update={"critique": PASSED}), folder / "attempt.json")
    assert export_memory(filled, tmp_path / "memory.zip") == 3
    there = Memory(tmp_path / "there")
    assert import_memory(there, tmp_path / "memory.zip") == 3
    assert import_memory(there, tmp_path / "memory.zip") == 3  # again: nothing changes
    target = runs.load(Attempt, folder / "attempt.json").target
    hits = there.recall(target, k=5)
    assert len(hits) == 3 and all(hit.folder.is_relative_to(tmp_path / "there") and hit.passed for hit in hits)
    assert there.recall_words("a pacing camel", k=1)[0].attempt.startswith("camel-")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("../../evil.py", b"x"),
        ("run/attempts/L1-C1/../../../../evil.py", b"x"),
        ("/etc/evil", b"x"),
        ("run/attempts/L1-C1/evil.sh", b"x"),
        ("run/attempts/L1-C1/policy.pt", b"0" * (33 << 20)),
    ],
    ids=["up", "up from within", "absolute", "another name", "too large"],
)
def test_an_import_takes_nothing_that_no_export_holds(tmp_path, name, content):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    memory = Memory(tmp_path / "home")
    with pytest.raises(BadInput, match="It was not imported"):
        import_memory(memory, tmp_path / "bad.zip")
    assert not list(tmp_path.rglob("evil*")) and not (tmp_path / "home" / "imported").exists()


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 cut"])
def test_a_file_that_is_no_export_is_refused(tmp_path, content):
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(BadInput, match="not an exported memory"):
        import_memory(Memory(tmp_path / "home"), tmp_path / "bad.zip")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Run a real chroma server on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("chroma")
    chroma = Path(sys.executable).with_name("chroma")
    command = [str(chroma), "run", "--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        assert process.poll() is None
        time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_team_shares_one_memory_through_a_server(server, tmp_path):
    mine, yours = (Memory(tmp_path / name, url=server) for name in ("mine", "yours"))
    folder = remembered(mine, tmp_path, "camel", "pace", "as the rule has it")
    target = runs.load(Attempt, folder / "attempt.json").target
    assert [hit.attempt for hit in yours.recall(target, "go1")] == ["camel/L1-C1"]
    assert [hit.attempt for hit in yours.recall_words("camel")] == ["camel/L1-C1"]
    assert mine.rebuild() == 1 and mine.trouble == yours.trouble == []
    assert not (tmp_path / "mine" / "index").exists()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "not a url"])
def test_a_server_that_does_not_answer_is_told_and_ends_no_run(tmp_path, url):
    memory = Memory(tmp_path / "home", url=url)
    folder = remembered(memory, tmp_path, "camel", "pace", "x")
    assert memory.recall(runs.load(Attempt, folder / "attempt.json").target) == []
    assert len(memory.trouble) == 2 and "memory server" in memory.trouble[0]
