"""The example clip: what it shows is what its truth file says."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import av
import numpy as np
import pytest
from video2reward.memory.records import QUADRUPED_KEYPOINTS

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def dog(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import make_dog

    return make_dog


@pytest.fixture
def motion(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import dog_motion

    return dog_motion


def test_making_it_again_gives_the_same_points_and_the_same_truth(dog, tmp_path) -> None:
    dog.write_keypoints(tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text() == (EXAMPLES / "dog_trot_keypoints.csv").read_text()
    assert json.loads((EXAMPLES / "dog_trot_truth.json").read_text()) == dog.TRUTH.as_json()


@pytest.mark.slow
def test_drawing_the_same_frame_twice_gives_the_same_picture(dog) -> None:
    from dog_picture import draw_dog
    from landscape import Landscape

    pictures = []
    for _ in range(2):
        pictures.append(Landscape().draw(0.5))
        draw_dog(pictures[-1], dog.pose_at(0.5))
    assert np.array_equal(*pictures)


def test_the_clip_fits_its_points(dog) -> None:
    with av.open(str(EXAMPLES / "dog_trot.mp4")) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(video=0))
        assert (stream.width, stream.height, float(stream.average_rate)) == (640, 360, dog.TRUTH.fps)
    with (EXAMPLES / "dog_trot_keypoints.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == frames == dog.TRUTH.num_frames
    assert {name.rsplit("_", 1)[0] for name in rows[0] if name != "frame"} == set(QUADRUPED_KEYPOINTS)
    for row in rows:
        assert all(0 < float(row[f"{name}_x"]) < 640 for name in QUADRUPED_KEYPOINTS)
        assert all(0 < float(row[f"{name}_y"]) < 360 for name in QUADRUPED_KEYPOINTS)
    assert (EXAMPLES / "dog_trot.mp4").stat().st_size < 1_000_000


def test_standing_paws_do_not_slide_and_swinging_ones_leave_the_ground(motion) -> None:
    truth = motion.TRUTH
    times = np.arange(0, truth.num_frames / truth.fps, 0.002)
    for limb in motion.LIMBS:
        paws, progress = zip(*(motion.paw_at(limb, t) for t in times), strict=True)
        paws, stands = np.array(paws), np.array(progress) < 1
        moved_m = np.abs(np.diff(paws, axis=0)).max(axis=1)
        assert moved_m[stands[1:] & stands[:-1]].max() < 1e-9
        assert stands.mean() == pytest.approx(truth.duty_factor[limb], abs=0.03)
        assert paws[~stands, 1].max() > 0.06
        assert moved_m.max() < 0.02, "no jumps between stance and swing: under 10 m/s"


def test_the_paw_that_is_drawn_is_the_paw_that_stands(motion) -> None:
    for time_s in np.linspace(0, 4, 97):
        pose = motion.pose_at(time_s)
        for limb in motion.LIMBS:
            side = "left" if limb[1] == "L" else "right"
            joint = pose.joints[f"{side}_{'front' if limb[0] == 'F' else 'hind'}_paw"]
            assert joint[[0, 2]] == pytest.approx(motion.paw_at(limb, time_s)[0])


def test_bones_keep_their_lengths(motion) -> None:
    for time_s in np.linspace(0, 4, 241):
        joints = motion.pose_at(time_s).joints
        for side in ("left", "right"):
            for names, lengths in (
                (("shoulder", "elbow", "wrist", "front_paw"), motion.FORE),
                (("hip", "knee", "ankle", "hind_paw"), motion.HIND),
            ):
                for upper, lower, length in zip(names, names[1:], lengths, strict=False):
                    span_m = np.linalg.norm(joints[f"{side}_{upper}"] - joints[f"{side}_{lower}"])
                    assert span_m == pytest.approx(length, abs=0.008), f"{side} {upper} to {lower}"


def test_the_touchdowns_come_when_the_truth_says(motion) -> None:
    truth = motion.TRUTH
    for limb, offset in truth.phase_offsets.items():
        touchdown_s = (2 + offset) / truth.stride_frequency_hz
        assert motion.paw_at(limb, touchdown_s - 1e-3)[1] > 1.9
        assert motion.paw_at(limb, touchdown_s + 1e-3)[1] < 0.1
