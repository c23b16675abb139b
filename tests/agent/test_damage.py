"""What a disk, a clock and other programs do to a run: it survives, or says in one sentence what is wrong."""

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from fake_tools import FakeAuthor, FakeTools, request
from video2reward.agent import cli, graph, session
from video2reward.agent.graph import checkpoints
from video2reward.agent.session import resume, start
from video2reward.memory import records, runs
from video2reward.memory.errors import RunExists
from video2reward.memory.records import Attempt, Decision, RunResult


class Cut(Exception):
    """The power that goes."""


@pytest.fixture
def half_done(tmp_path):
    """Return a run that was cut off in its second lap, with four trained candidates and three verdicts."""
    run = tmp_path / "run"
    with pytest.raises(Cut):
        start(request(run, laps=2), tools=CutBeforeJudge(), author=FakeAuthor())
    return run


class CutBeforeJudge(FakeTools):
    """Tools that lose their power before the second lap is judged; what passes is never good enough to stop."""

    def __init__(self) -> None:
        super().__init__(gsi=lambda attempt, seed: 0.6)

    def train(self, specs, folders, *rest):
        super().train(specs, folders, *rest)
        if folders[0].name.startswith("L2"):
            raise Cut


def go_on(run):
    return resume(run, tools=FakeTools(gsi=lambda attempt, seed: 0.6), author=FakeAuthor())


def trained(run):
    return [line for line in (run / "calls.log").read_text().splitlines() if line.startswith("train ")]


@pytest.mark.parametrize(
    "damage",
    [
        "checkpoints deleted", "checkpoints overwritten", "checkpoints cut", "checkpoints emptied of tables",
        "decisions cut", "events cut", "spending garbled", "result garbled", "critique cut", "training cut",
        "drafts cut", "foreign files",
    ],
)  # fmt: skip
def test_a_run_that_was_damaged_goes_on_and_trains_nothing_twice(half_done, damage):
    run = half_done
    what, how = damage.split(maxsplit=1)
    files = {
        "checkpoints": run / "checkpoints.sqlite", "decisions": run / "decisions.jsonl",
        "events": run / "events.jsonl", "spending": run / "spending.json", "result": run / "result.json",
        "drafts": run / "drafts" / "L2.json", "critique": run / "attempts" / "L1-C1" / "critique.json",
        "training": run / "attempts" / "L1-C1" / "training.json",
    }  # fmt: skip
    if what == "foreign":
        (run / "attempts" / "notes.txt").write_text("mine")
        (run / "attempts" / "L9-C9").mkdir()
        (run / "attempts" / "L9-C9" / "attempt.json").write_text("{}")
        (run / "attempts" / "L1-C1" / "thesis.docx").write_bytes(b"\xff" * 1000)
    elif how == "deleted":
        files[what].unlink()
    elif how == "overwritten":
        files[what].write_bytes(b"these are not checkpoints " * 1000)
    elif how == "emptied of tables":
        with sqlite3.connect(files[what]) as connection:
            connection.execute("DROP TABLE writes")
        connection.close()
    elif how == "garbled":
        files[what].write_bytes(b"\xff{")
    else:
        whole = files[what].read_bytes()
        files[what].write_bytes(whole[: len(whole) * 2 // 3])
    before = trained(run)
    result = go_on(run)
    assert result.status == "passed" and result.candidates == 4 and result.laps == 2
    assert runs.load(RunResult, run / "result.json") == result
    # The tools' own promise is to find what they did; the drafts are the author's and are asked for once.
    assert set(trained(run)) == set(before)
    assert len(list(runs.attempts(run))) == 4


def test_checkpoints_that_another_program_holds_are_one_sentence(half_done, monkeypatch, capsys):
    monkeypatch.setattr(graph, "LOCKED_S", 0.1)
    other = sqlite3.connect(half_done / "checkpoints.sqlite", isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(RunExists, match="another program holds .*--resume"):
            go_on(half_done)
    finally:
        other.close()
    assert go_on(half_done).status == "passed"


def test_two_processes_on_one_run_are_one_too_many(half_done):
    from video2reward.agent.lease import lease

    with lease(half_done), pytest.raises(RunExists, match="another process is working"):
        go_on(half_done)


def test_a_clock_that_is_set_back_costs_and_gains_no_time(tmp_path, monkeypatch):
    real, calls = time.time, []

    def falling() -> float:
        calls.append(1)
        return real() - 3600.0 * len(calls)

    monkeypatch.setattr(time, "time", falling)
    result = start(request(tmp_path / "run"), tools=FakeTools(), author=FakeAuthor())
    assert result.status == "passed" and 0.0 <= result.wall_s < 60.0 and len(calls) > 5
    assert result.first_pass_s is not None and 0.0 <= result.first_pass_s < 60.0


@pytest.fixture
def small_disk(tmp_path):
    """Return a function that mounts a file system of so many kilobytes, or resizes it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = []

    def sized(kilobytes: int):
        options = f"size={kilobytes}k" + (",remount" if mounted else "")
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"FULL DISKS ARE NOT TESTED HERE: {done.stderr.strip() or 'mount is not allowed'}")
        mounted.append(True)
        return disk

    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("FULL DISKS ARE NOT TESTED HERE: only root can mount a small one")
    yield sized
    if mounted:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("kilobytes", [16, 32, 48, 64, 96, 128, 160, 200, 240, 280])
def test_a_disk_that_fills_up_is_one_sentence_and_nothing_finished_is_lost(small_disk, kilobytes, monkeypatch, capsys):
    monkeypatch.setattr(session, "_LEAST_FREE_BYTES", 0)
    run = small_disk(kilobytes) / "run"
    asked = request(run, laps=2)
    try:
        start(asked, tools=FakeTools(gsi=lambda attempt, seed: 0.6), author=FakeAuthor())
        pytest.fail("the disk was large enough: give it less")
    except Exception as error:
        cli._explain(error)
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and ("space" in said or "full" in said or "written" in said), said
    whole = {path: path.read_bytes() for path in run.glob("attempts/*/attempt.json")}
    for path in whole:
        runs.load(Attempt, path)
    small_disk(50_000)
    if (run / "request.json").exists():
        result = go_on(run)
    else:
        shutil.rmtree(run, ignore_errors=True)
        result = start(asked, tools=FakeTools(gsi=lambda attempt, seed: 0.6), author=FakeAuthor())
    assert (result.status, result.candidates) == ("passed", 4), result.stop_reason
    assert {path: path.read_bytes() for path in whole} == whole
    assert not [path for path in run.rglob(".*") if path.is_file()], "half-written files were left"
    assert all(json.loads(line) for line in (run / "decisions.jsonl").read_text().splitlines())


class FullFrom:
    """A disk that takes no byte more from the n-th file on: the limit is the kernel's, and so are its errors."""

    def __init__(self, nth: int) -> None:
        self.nth, self.count, self._usual = nth, 0, resource.getrlimit(resource.RLIMIT_FSIZE)

    def mkstemp(self, **where):
        self.count += 1
        if self.count == self.nth:
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, self._usual[1]))
        return tempfile.mkstemp(**where)

    def empty_again(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._usual)


MOST_WRITES = 56
"""A run of two laps of two candidates writes about 47 files whole or not at all."""


@pytest.mark.parametrize(
    "nth", [n if n % 6 == 1 else pytest.param(n, marks=pytest.mark.slow) for n in range(1, MOST_WRITES + 1)]
)
def test_a_disk_that_is_full_from_any_write_on_loses_nothing_finished(tmp_path, nth, monkeypatch, capsys):
    run, disk = tmp_path / "run", FullFrom(nth)
    asked = request(run, laps=2)
    monkeypatch.setattr(runs, "tempfile", disk)
    try:
        start(asked, tools=FakeTools(gsi=lambda attempt, seed: 0.6), author=FakeAuthor())
        assert disk.count < nth, "a write that failed was not noticed"
        return
    except OSError as error:
        disk.empty_again()
        cli._explain(error)
        said = capsys.readouterr().err
    finally:
        disk.empty_again()
    monkeypatch.undo()
    assert said.count("\n") == 1 and ("Free some space" in said)
    whole = {path: path.read_bytes() for path in run.glob("attempts/*/attempt.json")}
    if not (run / "request.json").exists():
        shutil.rmtree(run)
        result = start(asked, tools=FakeTools(gsi=lambda attempt, seed: 0.6), author=FakeAuthor())
    else:
        result = go_on(run)
    assert (result.status, result.candidates) == ("passed", 4), result.stop_reason
    assert {path: path.read_bytes() for path in whole} == whole
    assert not [path for path in run.rglob(".*") if path.is_file()], "half-written files were left"


def test_that_is_every_file_that_a_run_writes_whole(tmp_path, monkeypatch):
    disk = FullFrom(0)
    monkeypatch.setattr(runs, "tempfile", disk)
    start(request(tmp_path / "run", laps=2), tools=FakeTools(gsi=lambda attempt, seed: 0.6), author=FakeAuthor())
    assert 20 < disk.count <= MOST_WRITES


def test_a_home_that_cannot_be_written_is_told_and_the_run_goes_on(tmp_path):
    from video2reward.memory.recall import Memory

    # Nobody, not even root, makes a folder in there.
    memory = Memory(Path("/proc/video2reward") if os.path.isdir("/proc") else tmp_path / "none")
    result = start(request(tmp_path / "run"), tools=FakeTools(), author=FakeAuthor(), memory=memory)
    assert result.status == "passed"
    assert '"kind": "memory"' in (tmp_path / "run" / "events.jsonl").read_text()


def test_a_checkpoint_from_before_the_records_had_files_of_their_own_is_read(tmp_path, monkeypatch):
    decision = Decision(lap=1, action="refine", reason="It hops.")
    with checkpoints(tmp_path) as saver:
        monkeypatch.setattr(Decision, "__module__", records.__name__)
        older = saver.serde.dumps_typed(decision)
        monkeypatch.undo()
        assert older[1] != saver.serde.dumps_typed(decision)[1]
        assert saver.serde.loads_typed(older) == decision
