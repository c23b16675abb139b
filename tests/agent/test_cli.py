"""The command line: exit codes, one line for every error, and nothing lost."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_tools import FakeAuthor, FakeTools, request
from video2reward.agent import commands
from video2reward.agent.cli import main
from video2reward.agent.session import start
from video2reward.memory.errors import BadReward


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Keep the tests out of the user's memory and away from the user's keys."""
    monkeypatch.setenv("V2R_HOME", str(tmp_path / "home"))
    for name in ("V2R_BASE_URL", "OPENAI_BASE_URL", "V2R_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def failing(capfd):
    """Return a function that runs a command which must fail with one line, and gives (exit code, line)."""

    def failing(*argv: object) -> tuple[int, str]:
        code = main([str(part) for part in argv])
        lines = [line for line in capfd.readouterr().err.splitlines() if line.strip()]
        assert len(lines) == 1 and "Traceback" not in lines[0], lines
        return code, lines[0]

    return failing


def test_help_is_quick():
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "video2reward.agent.cli", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and "describe" in done.stdout
    # Not a timed test: what makes it slow is what may not be imported. The time is printed for whoever looks.
    print(f"{time.perf_counter() - begun:.2f} s")
    heavy = ("torch", "mujoco", "chromadb", "langgraph", "langchain_core", "cv2", "mediapipe", "matplotlib", "numpy")
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert not imported.intersection(heavy)


@pytest.mark.parametrize("command", sorted(["run", "describe", "train", "judge", "recall", "play", "runs", "doctor",
                                            "models", "bench"]))  # fmt: skip
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0 and "usage" in capsys.readouterr().out


def test_an_unknown_option_exits_with_2(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["runs", "--nonsense"])
    assert ended.value.code == 2


def test_a_clip_that_is_not_there(failing, tmp_path):
    for command in ("run", "describe", "recall"):
        code, line = failing(command, tmp_path / "nowhere.mp4")
        assert code == 2 and "nowhere.mp4" in line


@pytest.mark.parametrize("content", [b"", b"this is a text file, not a video\n" * 10])
@pytest.mark.parametrize("command", ["describe", "run"])
def test_a_file_that_is_no_clip(failing, tmp_path, content, command):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(content)
    options = ["--out", tmp_path / "out"] if command == "run" else []
    code, line = failing(command, clip, *options)
    assert code == 2 and "clip.mp4" in line
    assert not (tmp_path / "out").exists()


def test_an_unknown_robot_is_answered_with_those_there_are(failing, tmp_path):
    (tmp_path / "clip.mp4").touch()
    code, line = failing("run", tmp_path / "clip.mp4", "--robot", "spot", "--out", tmp_path / "out")
    assert code == 2 and "go1" in line and "g1" in line and not (tmp_path / "out").exists()


def test_a_run_folder_that_exists_is_not_touched(failing, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"x")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("precious")
    code, line = failing("run", tmp_path / "clip.mp4", "--out", tmp_path / "out")
    assert code == 2 and "already exists" in line and (tmp_path / "out" / "mine").read_text() == "precious"


def test_a_model_without_server_or_key(failing, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"x")
    code, line = failing("run", tmp_path / "clip.mp4", "--author", "openai:big", "--out", tmp_path / "out")
    assert code == 2 and "OPENAI_API_KEY" in line and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "said"), [("def f(:\n", "line 1"), ("x = 1\n", "holds no term"), (None, "there is no reward file")]
)
def test_a_reward_that_is_none(failing, tmp_path, text, said):
    if text is not None:
        (tmp_path / "reward.py").write_text(text)
    code, line = failing("train", "--reward", tmp_path / "reward.py", "--out", tmp_path / "out", "--unsafe")
    assert code == 2 and said in line


def test_a_full_disk_is_one_sentence(failing, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    (tmp_path / "clip.mp4").write_bytes(b"x")
    code, line = failing("run", tmp_path / "clip.mp4", "--out", "/dev/full/out")
    assert code == 2 and "/dev/full" in line


def test_a_disk_that_fills_up_midway_is_the_users_to_mend(failing, monkeypatch):
    def full(_command):
        raise OSError(28, "No space left on device", "/somewhere/policy.pt")

    monkeypatch.setitem(commands.COMMANDS, "Runs", full)
    code, line = failing("runs")
    assert code == 2 and "No space left on device" in line and "/somewhere/policy.pt" in line


def test_checkpoints_that_find_no_room_are_a_full_disk_too(failing, monkeypatch):
    def full(_command):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setitem(commands.COMMANDS, "Runs", full)
    code, line = failing("runs")
    assert code == 2 and "disk is full" in line


def test_a_disk_without_room_is_noticed_before_anything_is_made(failing, monkeypatch, tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"x")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1000, 999, 1))
    code, line = failing("run", tmp_path / "clip.mp4", "--out", tmp_path / "out")
    assert code == 2 and "0 MB are free" in line and not (tmp_path / "out").exists()


def test_what_is_our_fault_names_the_file_with_the_traceback(failing, monkeypatch, tmp_path):
    def broken(_command):
        raise RuntimeError("a wheel came off")

    monkeypatch.setitem(commands.COMMANDS, "Runs", broken)
    code, line = failing("runs")
    assert code == 1 and "our fault" in line and "a wheel came off" in line
    log = line.rpartition("traceback: ")[2].rstrip(")")
    assert str(tmp_path / "home") in log and "Traceback" in Path(log).read_text()


def test_an_error_of_several_lines_is_told_in_one(failing, monkeypatch):
    def wordy(_command):
        raise BadReward("line one\n  line two.", "Mend it.")

    monkeypatch.setitem(commands.COMMANDS, "Runs", wordy)
    assert failing("runs") == (2, "video2reward: line one line two. Mend it.")


@pytest.mark.parametrize("path", ["nowhere", "empty"])
def test_a_run_without_a_policy_cannot_be_judged_nor_played(failing, tmp_path, path):
    (tmp_path / "empty").mkdir()
    for command in ("judge", "play"):
        code, line = failing(command, tmp_path / path)
        assert code == 2 and path in line


def test_runs_are_listed_best_first(tmp_path, capsys):
    assert main(["runs", "--root", str(tmp_path / "runs")]) == 0
    assert "No finished run" in capsys.readouterr().out
    (tmp_path / "runs").mkdir()
    for name, gsi in (("weak", 0.85), ("strong", 0.95)):
        tools = FakeTools(gsi=lambda attempt, seed, gsi=gsi: gsi)
        start(request(tmp_path / "runs" / name), tools=tools, author=FakeAuthor())
    assert main(["runs", "--root", str(tmp_path / "runs"), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [os.path.basename(one["run"]) for one in listed] == ["strong", "weak"]
    assert listed[0]["schema"] == "video2reward.result/1"


def test_doctor_shows_no_key(monkeypatch, capsys):
    from video2reward.agent import doctor

    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    # The checks that start processes have their own commands; here it is about what is printed.
    monkeypatch.setattr(doctor, "_CHECKS", (doctor._python, doctor._packages, doctor._memory, doctor._models))
    assert main(["doctor", "--json"]) == 0
    printed = capsys.readouterr().out
    assert "sk-very-secret" not in printed and "with a key" in printed
    assert {finding["what"] for finding in json.loads(printed)} == {
        "Python", "packages", "memory", "settings", "author", "critic", "chat",
    }  # fmt: skip


def test_a_reward_without_a_motion_is_trained_for_an_easy_one():
    trot, walk = commands.default_motion("go1"), commands.default_motion("g1")
    assert (trot.gait, walk.gait) == ("trot", "walk")
    # Froude 0.4 at a leg of 0.256 m: v = sqrt(0.4 * 9.81 * 0.256) = 1.002 m/s.
    assert trot.speed_m_s == pytest.approx(1.002, abs=0.001)


def test_a_clip_is_described_for_people_and_for_scripts(capsys, tmp_path):
    examples = Path(__file__).resolve().parents[2] / "examples"
    clip = [str(examples / "dog_trot.mp4"), "--keypoints", str(examples / "dog_trot_keypoints.csv")]
    assert main(["describe", *clip, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"quality", "subject", "pose_backend", "frames_used", "gait"} <= set(told)
    assert {"verdict", "reasons"} <= set(told["quality"]) and told["quality"]["verdict"] == "ok"
    assert {
        "label", "stride_frequency_hz", "duty_factor", "phase_offsets", "speed_leg_lengths_s", "froude",
        "leg_length_m_assumed", "confidence",
    } <= set(told["gait"])  # fmt: skip
    assert told["gait"]["label"] == "trot" and set(told["gait"]["phase_offsets"]) == {"FL", "FR", "RL", "RR"}
    page, video = tmp_path / "page.png", tmp_path / "seen.mp4"
    assert main(["describe", *clip, "--picture", str(page), "--video", str(video)]) == 0
    assert "trot" in capsys.readouterr().out
    assert page.read_bytes().startswith(b"\x89PNG") and b"ftyp" in video.read_bytes()[:16]
    assert main(["describe", *clip, "--picture", str(tmp_path / "page.jpg")]) == 2
    assert "page.png" in capsys.readouterr().err
    assert main(["recall", *clip, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["run", "a.mp4", "--usd", "0"], "--usd is 0; it must be above 0"),
        (["run", "a.mp4", "--most-candidates", "-1"], "--most-candidates is -1; it must be above 0"),
        (["run", "a.mp4", "--minutes", "nan"], "--minutes is nan; it must be above 0"),
        (["overnight", "a.mp4", "--until", "1h", "--tokens", "0"], "--tokens is 0; it must be above 0"),
        (["judge", "runs/a", "--num-envs", "0"], "--num-envs is 0; it must be above 0"),
    ],
    ids=["dollars", "candidates", "minutes", "tokens", "environments"],
)
def test_an_amount_of_nothing_is_refused_by_its_options_name(argv, said, capsys):
    assert main(argv) == 2
    assert said in capsys.readouterr().err
