"""The eyes on real and rendered clips whose truth is known; skipped where the clips are not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from video2reward.evals.mocap import JOINT_BY_NAME, mocap_keypoints, mocap_truth
from video2reward.evals.perception import DOG_BOUNDS, PEOPLE, PersonTruth, measure_clip
from video2reward.memory.errors import MissingPart
from video2reward.memory.records import QUADRUPED_KEYPOINTS
from video2reward.tools.models import find_model


@pytest.fixture
def clips_folder() -> Path:
    folder = os.environ.get("V2R_CLIPS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("V2R_CLIPS IS NOT SET: NOTHING IS MEASURED ON REAL CLIPS")
    return Path(folder)


@pytest.fixture
def pose_task() -> None:
    pytest.importorskip("mediapipe", reason="MEDIAPIPE IS NOT INSTALLED: NOTHING IS MEASURED ON PEOPLE")
    try:
        find_model("blazepose")
    except MissingPart as error:
        pytest.skip(f"NO MODEL FILE FOR PEOPLE HERE: {error}")


@pytest.mark.parametrize(
    "name, label",
    [
        ("dog_trot_walk04_pan", "trot"),
        pytest.param("dog_pace_walk00_pan", "pace", marks=pytest.mark.slow),
        pytest.param("dog_canter_run00_pan", "canter", marks=pytest.mark.slow),
        pytest.param("dog_canter_run00_static", "canter", marks=pytest.mark.slow),
    ],
)
def test_a_dog_from_noisy_keypoints_is_within_bounds(clips_folder: Path, tmp_path: Path, name: str, label: str) -> None:
    gt = clips_folder / "dogs_mocap" / f"{name}_gt.npz"
    keypoints = mocap_keypoints(gt, tmp_path / "points.csv", noise_px=3.0, dropout=0.1)
    # The bounds are those of the mean that `evals.perception` prints; one draw of the noise may lie a quarter beyond.
    bounds = replace(DOG_BOUNDS, phase=1.25 * DOG_BOUNDS.phase)
    row = measure_clip(gt.with_name(f"{name}.mp4"), tmp_path / "out", keypoints, label, mocap_truth(gt), bounds)
    assert row.passed, row


@pytest.mark.parametrize(
    "person",
    [pytest.param(person, marks=() if "runner" in person.clip else pytest.mark.slow) for person in PEOPLE],
    ids=lambda person: Path(person.clip).stem,
)
def test_a_person_from_pixels_is_within_bounds(
    clips_folder: Path, tmp_path: Path, pose_task: None, person: PersonTruth
) -> None:
    row = measure_clip(clips_folder / person.clip, tmp_path / "out", None, person.label, person, person.bounds)
    assert row.passed, row


def test_the_mocap_joints_have_canonical_names() -> None:
    assert set(JOINT_BY_NAME) <= set(QUADRUPED_KEYPOINTS)
    assert len(set(JOINT_BY_NAME.values())) == len(JOINT_BY_NAME)
