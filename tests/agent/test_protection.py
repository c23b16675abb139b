"""What a model or a person wrote is not run without the operating system's layer unless that was said."""

import os
import subprocess
import sys

import pytest
from fake_tools import FakeAuthor, FakeTools, request
from video2reward.agent import cli, doctor, session
from video2reward.agent.session import resume, start
from video2reward.memory import runs
from video2reward.memory.errors import MissingPart
from video2reward.memory.records import RunRequest
from video2reward.tools import confine
from video2reward.tools.confine import Layers


@pytest.fixture
def no_box(monkeypatch):
    """Stand on a machine where bubblewrap is not to be had."""
    monkeypatch.setattr(confine, "available_layers", lambda: Layers(sandbox="bubblewrap is not installed", seccomp=""))


def test_a_models_run_is_refused_before_anything_is_made(tmp_path, no_box):
    with pytest.raises(MissingPart, match="bubblewrap is not installed.*--unsafe"):
        start(request(tmp_path / "run", author="openai:some-model"), author=FakeAuthor())
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_either_where_the_layer_went_away(tmp_path, no_box):
    runs.save(request(tmp_path / "run", author="openai:some-model"), tmp_path / "run" / "request.json")
    with pytest.raises(MissingPart, match="--unsafe"):
        resume(tmp_path / "run", author=FakeAuthor())


def test_a_file_is_refused_too_and_the_line_says_what_to_do(tmp_path, no_box, capsys):
    (tmp_path / "reward.py").write_text("x = 1\n")
    assert cli.main(["train", "--reward", str(tmp_path / "reward.py"), "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "--unsafe" in said and said.count("\n") == 1 and not (tmp_path / "out").exists()


def test_a_path_without_bubblewrap_is_found_out_by_the_command_itself(tmp_path):
    (tmp_path / "reward.py").write_text("x = 1\n")
    train = ["train", "--reward", str(tmp_path / "reward.py"), "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-m", "video2reward.agent.cli", *train], env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2 and "--unsafe" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert "bubblewrap" in done.stderr and not (tmp_path / "out").exists()


def test_unsafe_is_asked_for_on_the_command_line_and_kept_in_the_request(tmp_path, no_box, capsys):
    asked = ["run", str(tmp_path / "no.mp4"), "--author", "openai:x", "--unsafe", "--no-memory"]
    assert cli.main(asked) == 2
    assert "there is no clip" in capsys.readouterr().err
    assert RunRequest.model_validate_json(request(tmp_path, unsafe=True).model_dump_json()).unsafe


def test_the_offline_authors_run_goes_on_and_says_what_was_missing(tmp_path, no_box, monkeypatch):
    monkeypatch.setattr(session, "Tools", FakeTools)
    result = start(request(tmp_path / "run"), author=FakeAuthor())
    assert result.status == "passed" and "no sandbox (bubblewrap is not installed)" in " ".join(result.notes)
    assert '"kind": "unprotected"' in (tmp_path / "run" / "events.jsonl").read_text()


def test_doctor_names_the_missing_layer_and_its_cure(no_box):
    found = {finding.what: finding for finding in doctor._protection()}
    assert found["sandbox"].state == "note" and "--unsafe" in found["sandbox"].said
    assert "bubblewrap" in found["sandbox"].cure and found["seccomp"].state == "ok"
