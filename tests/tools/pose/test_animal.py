"""The example's dog, followed and measured in the pixels."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from video2reward.evals.drawn_animals import DrawnAnimal, write_animal
from video2reward.evals.drawn_clips import encode, scene, write_subject
from video2reward.memory.errors import BadClip, BadInput
from video2reward.memory.records import SubjectChoice
from video2reward.tools.describe import describe_clip
from video2reward.tools.extract_keypoints import load_track_arrays
from video2reward.tools.pose.motion_box import MotionWatch
from video2reward.tools.video import frames, open_clip

EXAMPLE = Path(__file__).parents[3] / "examples" / "dog_trot.mp4"


def test_what_moves_against_the_background_is_boxed(tmp_path: Path, clips) -> None:
    clip = open_clip(clips.video(tmp_path / "block.mp4", num_frames=40, pan_px=2.0))
    watch = MotionWatch(clip.fps)
    for frame in frames(clip):
        watch.add(frame)
    found = watch.result()
    assert found is not None
    middle = found.boxes_px[:, :2] + found.boxes_px[:, 2:] / 2
    # The block is 16 px wide and goes half a pixel a frame from x = 20.
    block = 28 + 0.5 * np.arange(40)
    assert np.median(np.abs(middle[:, 0] - block)) < 16


def test_an_empty_treadmill_is_said_to_show_nothing_that_moves(tmp_path: Path) -> None:
    clip = encode(tmp_path / "belt.mp4", scene((320, 180), np.arange(24) / 30, animals=0, belt=True), 30)
    with pytest.raises(BadClip, match="hardly anything moves"):
        describe_clip(clip, tmp_path / "out", subject=SubjectChoice(kind="animal"))


def test_a_clip_of_a_frame_a_second_is_refused_before_it_is_watched(tmp_path: Path) -> None:
    clip = write_subject(tmp_path, size=(96, 64), fps=1, frames=12, points=False)
    with pytest.raises(BadClip, match="1 frames a second: too few"):
        describe_clip(clip, tmp_path / "out")


@pytest.mark.parametrize(
    "choice, says",
    [
        (SubjectChoice(kind="animal", box_px=(700.0, 10.0, 50.0, 50.0)), "outside the picture"),
        (SubjectChoice(kind="animal", at_second=60.0), "after the end"),
    ],
    ids=["box", "moment"],
)
def test_what_points_outside_the_clip_is_refused(tmp_path: Path, choice: SubjectChoice, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        describe_clip(EXAMPLE, tmp_path, subject=choice)


@pytest.mark.slow
def test_the_example_is_measured_from_pixels(tmp_path: Path) -> None:
    track, description = describe_clip(EXAMPLE, tmp_path, subject=SubjectChoice(kind="animal"))
    assert description.quality.verdict != "refuse" and description.subject == "quadruped"
    gait = description.gait
    assert gait is not None and gait.gait == "trot" and gait.facing == "right"
    # The example's own truth: 1.9 strides a second, diagonal legs together.
    assert gait.stride_frequency_hz == pytest.approx(1.9, rel=0.03)
    assert abs(gait.phase_offsets["FR"] - 0.5) < 0.06 and abs(gait.phase_offsets["RL"] - 0.48) < 0.06
    assert "QuadNet" in track.source


@pytest.mark.slow
@pytest.mark.parametrize(
    "turn_deg, says", [(180.0, "turns round at"), (50.0, "the subject turns: from")], ids=["round", "a curve"]
)
def test_a_drawn_animal_that_turns_is_refused_with_the_moment(tmp_path: Path, turn_deg: float, says: str) -> None:
    dog = DrawnAnimal("trot", "dog", 51, turns_at_s=1.7, turn_deg=turn_deg)
    clip, _ = write_animal(tmp_path, dog)
    _, description = describe_clip(clip, tmp_path / "out", subject=SubjectChoice(kind="animal"))
    assert description.quality.verdict == "refuse"
    (said,) = [reason for reason in description.quality.reasons if says in reason]
    moment_s = float(re.search(r"(\d+\.\d) s", said).group(1))
    assert 1.7 <= moment_s <= 2.9  # while it turns, which takes a second; the network looks six times a second


@pytest.mark.slow
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_animal_that_is_in_view_at_the_second_is_the_subject(tmp_path: Path, side: str) -> None:
    dog = Path(__file__).parents[3] / "examples" / "dog_trot.mp4"
    images = [frame.image for frame in frames(open_clip(dog))][:90]
    # The other dog comes into view after one second.
    others = [np.full_like(image, 150) if index < 30 else image for index, image in enumerate(images)]
    halves = (images, others) if side == "left" else (others, images)
    clip = encode(tmp_path / "two.mp4", (np.hstack(pair) for pair in zip(*halves, strict=True)), 30, "libx264")
    track, _ = describe_clip(clip, tmp_path / "out", subject=SubjectChoice(kind="animal", at_second=0.5))
    boxes = load_track_arrays(track, tmp_path / "out").box_px
    middle = np.nanmedian(boxes[:, 0] + boxes[:, 2] / 2)
    assert (middle < 640) == (side == "left")
