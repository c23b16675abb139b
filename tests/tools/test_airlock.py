"""What a hostile worker leaves in its folder does no harm outside of it, and is told as what it is."""

import json
import os
from pathlib import Path

import pytest
from video2reward.memory.errors import BadInput
from video2reward.tools import airlock
from video2reward.tools.confine import available_layers
from video2reward.tools.train_policy import Watchdog, train_policy
from video2reward.tools.workers import Worker

HOSTILE = "hostile_worker"


@pytest.fixture
def let(tmp_path, jobs):
    """Return a function that lets the hostile worker do one deed and returns the folder and what was believed."""
    (tmp_path / "secret.txt").write_text("s3cret")
    (tmp_path / "true.json").write_text(json.dumps({"attempt": "links_result", "status": "timeout", "wall_s": 0.1}))
    job = jobs(HOSTILE)

    def let(deed: str, **limits):
        spec = job(deed, max_wall_s=60.0)
        (spec.parent / "reward.py").write_text("# a reward\n")
        return spec.parent, train_policy(spec, module=HOSTILE, watchdog=Watchdog(**limits))

    return let


def leaks(folder: Path) -> bool:
    """Say whether the secret was carried into the files that are ours."""
    return any("s3cret" in path.read_text(errors="replace") for path in folder.glob("*") if path.is_file())


def test_nothing_but_its_own_folder_can_be_forged(let):
    if available_layers().sandbox:
        pytest.skip(f"THE SANDBOX IS NOT TESTED HERE: {available_layers().sandbox}")
    folder, run = let("forges")
    assert run.status == "ok"
    assert not {"critique.json", "attempt.json", "training.json"} & {path.name for path in folder.iterdir()}
    assert (folder / "reward.py").read_text() == (folder / "worker" / "reward.py").read_text() == "# a reward\n"
    assert json.loads((folder / "spec.json").read_text())["attempt"] == "forges"
    assert Worker(folder, HOSTILE).num_starts() == 1


@pytest.mark.parametrize("deed", ["links_policy", "links_result", "links_curves"])
def test_a_link_in_the_place_of_a_file_is_not_followed(let, deed):
    folder, run = let(deed)
    assert not leaks(folder) and run.metrics == {}
    if deed != "links_curves":
        assert run.status == "rejected" and run.checkpoint is None
    assert not any(path.is_symlink() for path in folder.iterdir())


def test_a_pipe_in_the_place_of_the_curves_does_not_hang(let):
    folder, run = let("pipes")
    assert run.status == "ok" and not (folder / "progress.jsonl").exists()


@pytest.mark.parametrize(
    ("deed", "said"), [("floods", "bytes"), ("grows", "bytes"), ("nests", "not a readable TrainingRun")]
)
def test_what_is_too_large_or_too_deep_is_rejected(let, deed, said):
    folder, run = let(deed)
    assert run.status == "rejected" and said in run.reason and run.checkpoint is None
    assert not (folder / "policy.pt").exists()


def test_words_and_rows_are_cut_down_to_what_can_be_shown(let):
    folder, run = let("babbles")
    assert run.status == "ok" and run.reason.isprintable() and "said" in run.reason and len(run.reason) <= 600
    assert Worker(folder, HOSTILE).progress() == {"fine": 2.5}


@pytest.mark.parametrize(
    ("deed", "limits", "said"),
    [
        ("eats", {"memory_bytes": 300 << 20}, "memory"),
        ("hoards", {"disk_bytes": 50 << 20}, "on the disk"),
        ("litters", {"disk_bytes": 50 << 20}, "too many files"),
        ("idles", {"silent_s": 1.5}, "silent"),
    ],
)
def test_a_worker_over_a_limit_is_ended_and_recorded(let, deed, limits, said):
    folder, run = let(deed, **limits)
    assert run.status == "killed" and said in run.reason
    if deed == "idles":
        assert (run.env_steps, run.metrics, run.term_means) == (7, {"mean_reward": 0.5}, {"a": 1.0})
        assert (folder / "progress.jsonl").stat().st_size > 0 and run.checkpoint == "policy.pt"


def test_folders_in_folders_without_end_are_counted_all_the_same(tmp_path):
    path, made = tmp_path / "worker", []
    for _ in range(1_200):  # as deep as Python's own way through folders does not go
        path = path / "d"
        made.append(path)
    (tmp_path / "worker").mkdir()
    try:
        for folder in made:
            os.mkdir(folder)
        (made[-1] / "file").write_bytes(b"0" * 5_000)
        held = Worker(tmp_path, HOSTILE).disk_bytes(1 << 30)
        assert 1_200 * 4_096 + 5_000 < held < 1_200 * 16_384
        assert 100_000 < Worker(tmp_path, HOSTILE).disk_bytes(100_000) < 200_000
    finally:
        (made[-1] / "file").unlink(missing_ok=True)
        for folder in reversed(made):
            if folder.is_dir():
                os.rmdir(folder)


def test_only_plain_files_are_read(tmp_path):
    (tmp_path / "file").write_text("0123456789")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    assert airlock.read_bytes(tmp_path / "file", 4, tail=True) == b"6789"
    for name in ("link", "pipe", "."):
        with pytest.raises(BadInput, match="not a plain file"):
            airlock.read_bytes(tmp_path / name, 100)
    with pytest.raises(BadInput, match="10 bytes"):
        airlock.read_bytes(tmp_path / "file", 4)
    with pytest.raises(FileNotFoundError):
        airlock.read_bytes(tmp_path / "none", 4)
