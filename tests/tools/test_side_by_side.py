"""The video of the clip beside the robot, and the contact sheet of both."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video2reward.memory.errors import BadInput
from video2reward.memory.records import GaitDescriptor, KeypointTrack
from video2reward.memory.runs import load
from video2reward.sim import render
from video2reward.tools.critic.overlay import Subject
from video2reward.tools.critic.sheet import PANEL_H, PANEL_W, PHASES, contact_sheet, make_clip_sheet
from video2reward.tools.critic.video import side_by_side
from video2reward.tools.describe import describe_clip
from video2reward.tools.track import load_track

EXAMPLES = Path(__file__).parents[2] / "examples"
TRUTH = json.loads((EXAMPLES / "dog_trot_truth.json").read_text())


@pytest.fixture(autouse=True)
def drawn_not_rendered(monkeypatch):
    monkeypatch.setenv(render.GL_VARIABLE, "none")
    render.choose_gl.cache_clear()
    yield
    render.choose_gl.cache_clear()


@pytest.fixture(scope="module")
def described(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("described")
    describe_clip(EXAMPLES / "dog_trot.mp4", folder, keypoints=EXAMPLES / "dog_trot_keypoints.csv")
    return folder


def decode(path: Path) -> tuple[np.ndarray, av.VideoStream]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]), stream


def test_clip_and_robot_stand_side_by_side_in_a_video_that_browsers_play(described, make_rollout, tmp_path) -> None:
    out = tmp_path / "new" / "video.mp4"
    made = side_by_side(make_rollout(seconds=4.0), out, track_json=described / "track.json", seconds=2.0)
    assert made == out
    pictures, stream = decode(out)
    assert len(pictures) == 50 and float(stream.average_rate) == 25
    height, width = pictures.shape[1:3]
    assert width == 964 and height % 2 == 0
    half = pictures[:, :360, :480].astype(int), pictures[:, :360, -480:].astype(int)
    for panel in half:
        assert np.abs(np.diff(panel, axis=0)).max() > 60, "both move"
    green = (half[0][..., 1] > half[0][..., 2] + 20).mean()
    assert green > 0.2, "the meadow is on the left"


def test_a_clip_that_is_gone_leaves_its_points(described, make_rollout, tmp_path) -> None:
    out = tmp_path / "video.mp4"
    side_by_side(make_rollout(), out, track_json=described / "track.json", clip=tmp_path / "moved.mp4", seconds=1.0)
    pictures, _ = decode(out)
    left = pictures[:, :360, :480].astype(int)
    assert np.abs(np.diff(left, axis=0)).max() > 60, "the points move on the blank"


def test_without_a_track_the_robot_is_shown_alone(make_rollout, tmp_path) -> None:
    pictures, _ = decode(side_by_side(make_rollout("g1"), tmp_path / "video.mp4", seconds=1.0))
    assert pictures.shape[2] == 480


def test_a_person_beside_a_quadruped_robot_keeps_even_sizes(described, make_rollout, tmp_path) -> None:
    pictures, _ = decode(
        side_by_side(make_rollout("g1"), tmp_path / "v.mp4", track_json=described / "track.json", seconds=0.5)
    )
    assert pictures.shape[1] % 2 == 0 and pictures.shape[2] % 2 == 0


def test_a_robot_that_fell_is_said_to_have_fallen(described, make_rollout, tmp_path) -> None:
    rollout = make_rollout(seconds=4.0, fell_at_s=(2.0,))
    pictures, _ = decode(side_by_side(rollout, tmp_path / "v.mp4", seconds=2.5))
    caption = pictures[:, 362:384].astype(int)
    red = ((caption[..., 0] > caption[..., 1] + 60) & (caption[..., 0] > 120)).sum(axis=(1, 2))
    assert red[5] == 0 and red[-1] > 30


def test_a_clip_without_a_gait_is_shown_without_footfalls(described, make_rollout, tmp_path) -> None:
    track, arrays = load_track(described)
    subject = Subject(track.clip.path, track, arrays, None)
    assert subject.stance(np.arange(3.0)) is None
    assert subject.loop_s[0] == 0.0
    (tmp_path / "track.json").write_text((described / "track.json").read_text())
    (tmp_path / "track.npz").write_bytes((described / "track.npz").read_bytes())
    assert decode(side_by_side(make_rollout(), tmp_path / "v.mp4", track_json=tmp_path / "track.json", seconds=0.5))


def test_the_clip_s_stance_bars_lie_where_its_feet_stand(described) -> None:
    # The truth file says when each paw touches down; the bars come from points and mean stride alone.
    track, arrays = load_track(described)
    gait = load_gait(described)
    subject = Subject(track.clip.path, track, arrays, gait)
    stride_s = 1 / TRUTH["stride_frequency_hz"]
    seconds = np.arange(0.5, 3.5, 0.005)
    bars = subject.stance(seconds)
    for column, limb in enumerate(subject.limbs):
        truly = (seconds / stride_s - TRUTH["phase_offsets"][limb]) % 1.0 < TRUTH["duty_factor"][limb]
        assert (bars[:, column] == truly).mean() > 0.9, limb


def test_a_clip_that_is_repeated_goes_on_in_step(described) -> None:
    track, arrays = load_track(described)
    subject = Subject(track.clip.path, track, arrays, load_gait(described))
    start_s, length_s = subject.loop_s
    assert length_s / subject.stride_s == pytest.approx(round(length_s / subject.stride_s))
    assert start_s + length_s <= track.clip.duration_s
    assert subject.clip_time(np.array([0.1 + length_s]))[0] == pytest.approx(start_s + 0.1)
    stands = subject.stance(np.array([start_s + 0.01]))
    assert stands[0, 0], "it begins with the reference limb's touchdown"


def test_slow_motion_is_shown_at_real_speed(described) -> None:
    track, arrays = load_track(described)
    slow = track.model_copy(update={"clip": track.clip.model_copy(update={"slow_motion_factor": 4.0})})
    subject = Subject(track.clip.path, slow, arrays, None)
    assert subject.clip_time(np.array([0.5]))[0] == pytest.approx(2.0)


def test_a_broken_rollout_ends_the_process_with_a_sentence(tmp_path) -> None:
    broken = tmp_path / "rollout.npz"
    broken.write_bytes(b"x")
    with pytest.raises(BadInput):
        side_by_side(broken, tmp_path / "v.mp4")
    command = [sys.executable, "-m", "video2reward.tools.critic.video", str(broken), "--out", str(tmp_path / "v.mp4")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "not a readable rollout" in done.stderr
    assert not list(tmp_path.glob("*.mp4"))


def load_gait(folder: Path) -> GaitDescriptor:
    from video2reward.memory.records import ClipDescription

    gait = load(ClipDescription, folder / "description.json").gait
    assert gait and load(KeypointTrack, folder / "track.json")
    return gait


def test_a_contact_sheet_shows_both_at_the_same_phases_and_the_whole_rollout(described, make_rollout, tmp_path) -> None:
    out = contact_sheet(make_rollout(seconds=4.0), tmp_path / "sheet.png", track_json=described / "track.json")
    sheet = cv2.cvtColor(cv2.imread(str(out)), cv2.COLOR_BGR2RGB).astype(int)
    # Drawn without GL there are three rows of pictures: clip, robot, whole rollout; and a margin with their names.
    assert sheet.shape[1] > PHASES * PANEL_W and sheet.shape[0] > 3 * PANEL_H
    columns = [sheet[90:200, 110 + k * (PANEL_W + 3) : 300 + k * (PANEL_W + 3)] for k in range(PHASES)]
    assert all(np.abs(a - b).max() > 60 for a, b in zip(columns, columns[1:], strict=False)), "each phase is another"
    green = (columns[0][..., 1] > columns[0][..., 2] + 20).mean()
    assert green > 0.2, "the first row is the clip"


def test_a_contact_sheet_needs_no_clip_and_no_gait(make_rollout, tmp_path) -> None:
    assert cv2.imread(str(contact_sheet(make_rollout("g1", seconds=2.0), tmp_path / "sheet.jpg"))) is not None


def test_the_clips_own_sheet_is_a_picture_of_one_stride(described, tmp_path) -> None:
    picture = cv2.imread(str(make_clip_sheet(described, tmp_path / "clip.jpg")))
    assert picture.shape[1] > PHASES // 2 * PANEL_W and picture.shape[0] > 2 * PANEL_H


def test_a_sheet_of_nothing_is_refused(tmp_path) -> None:
    with pytest.raises(BadInput, match="not a readable rollout"):
        contact_sheet(tmp_path / "none.npz", tmp_path / "sheet.jpg")
    with pytest.raises(BadInput):
        make_clip_sheet(tmp_path, tmp_path / "clip.jpg")
