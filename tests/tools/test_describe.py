"""From a clip and its keypoint file to a description: camera, cleaning, quality."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from video2reward.memory.errors import BadClip, BadInput, BadKeypoints, MissingPart
from video2reward.memory.records import ClipDescription
from video2reward.memory.runs import load
from video2reward.tools.clean import clean_points, even_grid, hampel_outliers
from video2reward.tools.describe import describe_clip, description_rows, render_table
from video2reward.tools.extract_keypoints import extract_keypoints, load_track_arrays
from video2reward.tools.gait import describe_gait
from video2reward.tools.quality import assess


def _keypoints(path: Path, points: dict[str, np.ndarray], shift_px: float = 0.0) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", *(f"{name}_{axis}" for name in points for axis in "xy")])
        for i in range(len(next(iter(points.values())))):
            writer.writerow([i, *(v for xy in points.values() for v in (xy[i, 0] - shift_px * i, xy[i, 1]))])
    return path


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory, clips, walker):
    """Describe a trot that goes right at 4 px a frame while the camera pans along."""
    folder = tmp_path_factory.mktemp("described")
    subject = walker(speed=120.0, leg=40.0, bounce=-1.0, seconds=4.0)
    clip = clips.video(folder / "a.mp4", num_frames=120, size=(640, 360), pan_px=4.0)
    file = _keypoints(folder / "a.csv", subject.points(), shift_px=4.0)
    seen: list[float] = []
    track, description = describe_clip(clip, folder / "out", keypoints=file, progress=seen.append)
    return folder, track, description, seen


def test_a_clip_with_keypoints_is_described(described) -> None:
    folder, track, description, _ = described
    gait = description.gait
    assert gait is not None and gait.gait == "trot"
    assert description.quality.verdict == "ok"
    assert gait.stride_frequency_hz == pytest.approx(2.0, rel=0.01)
    assert description.frames_used in range(116, 121)
    assert load(ClipDescription, folder / "out" / "description.json") == description
    assert {"track.json", "track.npz", "description.json"} <= {path.name for path in (folder / "out").iterdir()}


def test_the_cameras_motion_is_measured_and_given_back_to_the_speed(described) -> None:
    folder, track, description, _ = described
    assert track.camera == "moving"
    arrays = load_track_arrays(track, folder / "out")
    assert arrays.camera_x_px[-1] == pytest.approx(4.0 * 119, rel=0.01)
    assert description.gait is not None
    assert description.gait.speed_leg_lengths_s == pytest.approx(120 / 40, rel=0.06)
    assert description.gait.travel == "forward"


def test_progress_rises_to_one(described) -> None:
    seen = described[3]
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_description_is_shown_as_a_table(described) -> None:
    from rich.console import Console

    console = Console(width=120, record=True, file=open("/dev/null", "w"))
    console.print(render_table(described[2]))
    text = console.export_text()
    for word in ("trot", "2.00 a second", "seen from: side", "touchdowns", "assumed"):
        assert word in text
    console.file.close()


def test_arrays_of_another_track_are_refused(described, tmp_path: Path) -> None:
    folder, track, _, _ = described
    (tmp_path / "track.npz").write_bytes(b"something else")
    with pytest.raises(BadInput, match="was written with"):
        load_track_arrays(track, tmp_path)


def test_black_frames_cuts_and_repeats_are_noted(tmp_path: Path, clips, walker) -> None:
    points = walker(speed=30.0, leg=40.0, seconds=3.0).points()
    clip = clips.video(
        tmp_path / "a.mp4", num_frames=90, size=(320, 180), pan_px=3.0, cut_at=40, black_from=80, repeat=(10, 15, 20)
    )
    track = extract_keypoints(clip, tmp_path / "out", keypoints=_keypoints(tmp_path / "a.csv", points))
    notes = " ".join(track.notes)
    assert "10 black frames" in notes
    assert "cuts at 1.3 s" in notes
    assert "3 repeated frames" in notes
    arrays = load_track_arrays(track, tmp_path / "out")
    assert not arrays.frame_ok[40] and not arrays.frame_ok[85] and arrays.frame_ok[30]


def test_a_subject_that_stands_is_refused_with_advice(tmp_path: Path, clips, walker) -> None:
    points = walker(speed=0.0, bounce=0.0, seconds=2.0).points()
    clip = clips.video(tmp_path / "a.mp4", num_frames=60)
    _, description = describe_clip(clip, tmp_path / "out", keypoints=_keypoints(tmp_path / "a.csv", points))
    assert description.gait is None
    assert description.quality.verdict == "refuse"
    assert description.quality.reasons and description.quality.advice


def test_a_clip_without_a_person_and_without_keypoints_says_what_to_give(tmp_path: Path, clips) -> None:
    clip = clips.video(tmp_path / "a.mp4", num_frames=12)
    with pytest.raises((BadClip, MissingPart), match="--keypoints"):
        extract_keypoints(clip, tmp_path / "out")


def test_a_keypoint_file_of_another_clip_is_refused(tmp_path: Path, clips, walker) -> None:
    clip = clips.video(tmp_path / "a.mp4", num_frames=12)
    file = tmp_path / "a.csv"
    _keypoints(file, walker().points())
    lines = file.read_text().splitlines()
    file.write_text(
        "\n".join([lines[0], *(f"{1000 + i},{line.partition(',')[2]}" for i, line in enumerate(lines[1:]))])
    )
    with pytest.raises(BadKeypoints, match="of the clip's 12 frames"):
        extract_keypoints(clip, tmp_path / "out", keypoints=file)


def test_a_foot_that_falls_with_the_reference_foot_is_told_to_fall_at_nought(walker) -> None:
    track, arrays = walker().track()
    gait = describe_gait(track, arrays)
    gait = gait.model_copy(update={"phase_offsets": {"FL": 0.0, "FR": 0.5, "RL": 0.494, "RR": 0.997}})
    report = assess(track, arrays, gait)
    description = ClipDescription(
        clip=track.clip, subject="quadruped", pose_backend="test", frames_used=1, quality=report, gait=gait
    )
    assert ("touchdowns", "FL 0.00  FR 0.50  RL 0.49  RR 0.00") in [row[:2] for row in description_rows(description)]


def test_too_few_strides_are_refused(walker) -> None:
    track, arrays = walker(seconds=0.9).track()
    gait = describe_gait(track, arrays)
    report = assess(track, arrays, gait.model_copy(update={"num_strides": 1.6}))
    assert report.verdict == "refuse"
    assert any("strides can be seen" in reason for reason in report.reasons)


def test_a_subject_seen_from_the_front_or_turning_round_is_refused(walker) -> None:
    track, arrays = walker().track()
    gait = describe_gait(track, arrays)
    middle = arrays.x_px.mean(1, keepdims=True)
    narrow = replace(arrays, x_px=middle + 0.1 * (arrays.x_px - middle))
    assert assess(track, narrow, gait).view == "front_or_back"
    assert assess(track, narrow, gait).verdict == "refuse"
    half = np.where(np.arange(arrays.num_frames)[:, None] < 70, 1, -1)
    turning = replace(arrays, x_px=middle + half * (arrays.x_px - middle))
    assert any("turns round" in reason for reason in assess(track, turning, gait).reasons)


@pytest.mark.parametrize("last, says", [(True, "from 2.5 s on its body looks"), (False, "before 2.5 s its body looks")])
def test_a_subject_that_turns_away_from_the_side_view_is_refused_with_the_moment(walker, last: bool, says: str) -> None:
    track, arrays = walker(speed=100.0).track()  # it stays within the picture
    gait = describe_gait(track, arrays)
    # It turns by 60 degrees in the third second of five, by 37 (their cosine is 0.8) after 2.6 s or up to 2.4 s.
    turned_rad = np.clip(np.arange(arrays.num_frames) / 30 - 2.0, 0, 1) * np.pi / 3
    shorter = np.cos(turned_rad if last else turned_rad[::-1])
    middle = arrays.x_px.mean(1, keepdims=True)
    box = arrays.box_px * np.stack([np.ones(150), np.ones(150), shorter, np.ones(150)], axis=1)
    turning = replace(arrays, x_px=middle + shorter[:, None] * (arrays.x_px - middle), box_px=box)
    report = assess(track, turning, gait)
    assert report.verdict == "refuse"
    assert any(says in reason for reason in report.reasons), report.reasons
    assert any("straight on" in advice for advice in report.advice)


def test_a_subject_that_is_cut_off_by_the_pictures_edge_does_not_turn(walker) -> None:
    track, arrays = walker(speed=100.0).track()  # it stays within the picture
    gait = describe_gait(track, arrays)
    box = arrays.box_px.copy()
    box[75:, 0] = 0.0
    shorter = np.where(np.arange(150) < 75, 1.0, 0.6)
    middle = arrays.x_px.mean(1, keepdims=True)
    cut_off = replace(arrays, x_px=middle + shorter[:, None] * (arrays.x_px - middle), box_px=box)
    assert not any("turns" in reason for reason in assess(track, cut_off, gait).reasons)


def test_a_subject_that_raises_its_head_does_not_turn(walker) -> None:
    track, arrays = walker().track()
    box = arrays.box_px * np.where(np.arange(150) < 75, 1.0, 0.7)[:, None] ** [0, 0, 1, 0]
    report = assess(track, replace(arrays, box_px=box), describe_gait(track, arrays))
    assert report.verdict == "ok", report.reasons


def test_a_subject_that_the_network_saw_turn_round_is_refused_with_the_moment(walker) -> None:
    track, arrays = walker().track()
    report = assess(track.model_copy(update={"turned_s": 2.1}), arrays, describe_gait(track, arrays))
    assert report.verdict == "refuse"
    assert "the subject turns round at 2.1 s." in report.reasons


def test_hidden_feet_are_warned_of(walker) -> None:
    track, arrays = walker().track()
    gait = describe_gait(track, arrays)
    confidence = arrays.confidence.copy()
    confidence[::2, [name.endswith("paw") for name in arrays.names]] = 0.0
    report = assess(track, replace(arrays, confidence=confidence), gait)
    assert report.verdict == "warn"
    assert report.missing_share == pytest.approx(0.5, abs=0.02)


def test_outliers_go_and_short_gaps_are_filled_but_long_ones_stay() -> None:
    times = np.arange(90) / 30
    path = np.stack([50 * times, 20 * np.sin(2 * np.pi * times)], axis=1)
    xy = np.repeat(path[:, None], 3, axis=1) + np.array([[0.0, 0.0], [3.0, 1.0], [6.0, 2.0]])
    sure = np.ones((90, 3))
    broken = xy.copy()
    broken[30, 0] += 60.0
    sure[50:53, 0] = 0.0
    sure[60:80, 1] = 0.0
    clean, confidence = clean_points(times, broken, sure, even_grid(times, 30.0), cutoff_hz=10.0)
    assert np.abs(clean[5:85, 0] - xy[5:85, 0]).max() < 1.0
    assert (confidence[50:53, 0] == 0).all() and np.isfinite(clean[50:53, 0]).all()
    assert np.isnan(clean[62:78, 1]).all()


def test_a_smooth_curve_holds_no_outliers() -> None:
    assert hampel_outliers(np.sin(np.arange(200) / 5)).mean() < 0.02


def test_a_body_that_does_not_stand_upright_is_no_person(walker) -> None:
    person = walker(skeleton="person", phases={"L": 0.0, "R": 0.5}, duty=0.6, hertz=1.0, speed=140.0)
    track, arrays = person.track()
    gait = describe_gait(track, arrays)
    assert assess(track, arrays, gait).verdict == "ok"
    lying = assess(track, arrays, gait.model_copy(update={"trunk_pitch_rad": 1.5}))
    assert lying.verdict == "refuse"
    assert any("--keypoints" in advice for advice in lying.advice)
