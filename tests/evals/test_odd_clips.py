"""Odd and damaged clips: each gets a clear verdict; none crashes or hangs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from video2reward.agent.cli import main
from video2reward.evals.drawn_clips import write_subject
from video2reward.evals.fuzz_clips import Verdict, Worker, fuzz, mutate
from video2reward.evals.odd_clips import MAX_MEMORY_MB, ODD_CLIPS, describe_odd
from video2reward.memory.errors import MissingPart
from video2reward.tools.models import find_model
from video2reward.tools.video import open_clip

FROM_PIXELS = ("ten animals", "empty treadmill", "empty scene", "cartoon", "frozen picture")


@pytest.mark.parametrize("kind", ["1 fps", "alpha", "HDR", "sound only", "damaged midway", "cut off mkv", "portrait"])
def test_an_odd_clip_gets_a_verdict(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = ODD_CLIPS[kind]
    clip = odd.make(tmp_path)
    points = ["--keypoints", str(tmp_path / "points.csv")] if (tmp_path / "points.csv").is_file() else []
    assert main(["describe", str(clip), *points, "--json"]) in odd.right
    printed = capsys.readouterr()
    said = printed.out or printed.err
    assert odd.must_say in said and "Traceback" not in said and "our fault" not in said


@pytest.mark.parametrize("kind", ["empty treadmill", "ten animals"])
def test_scenes_without_a_keypoint_file_are_clips_too(kind: str, tmp_path: Path) -> None:
    assert open_clip(ODD_CLIPS[kind].make(tmp_path)).num_frames == 90
    assert not (tmp_path / "points.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(set(ODD_CLIPS) - {"still picture"}))
def test_every_odd_clip_is_handled_within_time_and_memory(kind: str, tmp_path: Path) -> None:
    if kind in FROM_PIXELS:
        pytest.importorskip("mediapipe", reason="MEDIAPIPE IS NOT INSTALLED: NOTHING IS SEEN IN PIXELS")
        try:
            find_model("blazepose")
        except MissingPart as error:
            pytest.skip(f"NO MODEL FILE FOR PEOPLE HERE: {error}")
    outcome = describe_odd(kind, tmp_path)
    assert outcome.handled, outcome


def test_damaged_clips_are_described_or_refused() -> None:
    tally = fuzz(seconds=60.0, seed=11, max_inputs=60)
    assert tally.failures == []
    assert tally.tried == 60 and tally.described > 5 and tally.refused > 20
    assert tally.peak_mb < MAX_MEMORY_MB


def test_a_process_that_dies_is_counted_and_another_goes_on(tmp_path: Path) -> None:
    clip = write_subject(tmp_path, size=(96, 64), frames=48)
    worker = Worker(tmp_path / "points.csv")
    try:
        assert worker.describe(clip).kind == "described"
        worker._process.kill()
        verdict = worker.describe(clip)
        assert isinstance(verdict, Verdict) and verdict.kind == "crash" and "-9" in verdict.said
        assert worker.describe(clip).kind == "described"
    finally:
        worker.stop()


def test_the_same_seed_damages_in_the_same_way() -> None:
    content, other = bytes(range(256)) * 20, bytes(256) * 20
    first, again, another = (mutate(content, other, random.Random(seed)) for seed in (3, 3, 4))
    assert first == again != another and first != content
