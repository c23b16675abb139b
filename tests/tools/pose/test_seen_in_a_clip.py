"""From pixels to a gait through a detector and RTMPose, both as exported networks that know colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from video2reward.evals.drawn_clips import encode
from video2reward.memory.errors import BadClip
from video2reward.memory.records import SubjectChoice
from video2reward.tools.describe import describe_clip
from video2reward.tools.extract_keypoints import extract_keypoints
from video2reward.tools.models import add
from video2reward.tools.pose.keypoint_formats import HALPE26

from . import networks

PERSON_RGB = (200, 200, 100)
"""What the detector takes for a person: a patch behind the body; its box is twice as wide."""


@pytest.fixture
def networks_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    add("yolox-tiny", networks.save_yolox(tmp_path / "y.onnx", {0: PERSON_RGB}, (416, 416), finest=32))
    add("rtmpose-halpe26", networks.save_simcc(tmp_path / "h.onnx", 26, (192, 256)))


@pytest.mark.slow
def test_a_walking_person_is_followed_by_rtmpose_and_described(networks_here: None, tmp_path: Path, walker) -> None:
    subject = walker(skeleton="person", speed=60.0, leg=80.0, hertz=1.5, duty=0.6, bounce=1.0, seconds=2.7,
                     phases={"L": 0.0, "R": 0.5})  # fmt: skip
    # The right side lies higher, so that no disc hides another; heels and toes would touch the ankles.
    shift = {"left": np.array([-200.0, -80.0]), "right": np.array([-200.0, -100.0])}
    points = {
        name: path + shift[name.split("_")[0]]
        for name, path in subject.points().items()
        if name.endswith(("shoulder", "hip", "knee", "ankle"))
    }
    pictures = []
    for frame in range(81):
        places = np.full((26, 2), -50.0)  # what is not drawn lies outside the picture
        for name, path in points.items():
            places[HALPE26.index(name)] = path[frame]
        picture = networks.picture_with_blobs((640, 360), places)
        left, top = (points["left_hip"][frame] - (110, 35)).astype(int)
        picture[top : top + 100, left : left + 100] = PERSON_RGB
        pictures.append(picture)
    clip = encode(tmp_path / "walk.mkv", pictures, 30, "ffv1", "bgr0")
    track, description = describe_clip(clip, tmp_path / "out", subject=SubjectChoice(kind="person"))
    assert description.pose_backend == "RTMPose Halpe26 (onnxruntime) in boxes by YOLOX-tiny (onnxruntime)"
    assert track.name_by_source_name["left_big_toe"] == "left_toe"
    gait = description.gait
    assert gait is not None and gait.stride_frequency_hz == pytest.approx(1.5, rel=0.03)
    assert (gait.phase_offsets["R"] - gait.phase_offsets["L"]) % 1.0 == pytest.approx(0.5, abs=0.03)


@pytest.mark.slow
def test_an_animal_is_followed_by_rtmpose_once_its_files_are_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("V2R_POSE_TASK", raising=False)
    add("yolox-tiny", networks.save_yolox(tmp_path / "y.onnx", {16: PERSON_RGB}, (416, 416), finest=32))
    add("rtmpose-ap10k", networks.save_simcc(tmp_path / "a.onnx", 17, (256, 256)))
    picture = networks.picture_with_blobs((640, 360), np.full((17, 2), -50.0))
    picture[130:230, 270:370] = PERSON_RGB
    clip = encode(tmp_path / "dog.mkv", [picture] * 30, 30, "ffv1", "bgr0")
    with pytest.raises(BadClip):  # boxes without points are no animal, and the network in the package sees none here
        extract_keypoints(clip, tmp_path / "none", subject=SubjectChoice(kind="animal"))
    legs = np.stack([np.linspace(230, 410, 17), np.tile([150.0, 200.0], 9)[:17]], axis=1)
    moving = [networks.picture_with_blobs((640, 360), legs + [np.sin(i / 3) * 6, 0]) for i in range(30)]
    for frame in moving:
        frame[20:120, 270:370] = PERSON_RGB
    clip = encode(tmp_path / "legs.mkv", moving, 30, "ffv1", "bgr0")
    track = extract_keypoints(clip, tmp_path / "out", subject=SubjectChoice(kind="animal"))
    assert track.source == "RTMPose AP-10K (onnxruntime) in boxes by YOLOX-tiny (onnxruntime)"
    assert track.skeleton == "quadruped" and track.name_by_source_name["left_hip"] == "left_knee"
