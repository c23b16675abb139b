"""What `describe` draws: the page, the video, and the joints' cycles behind them."""

from __future__ import annotations

import csv
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video2reward.memory.errors import BadClip
from video2reward.memory.records import ClipDescription, KeypointTrack
from video2reward.sim.robots.model import LIMB_RGB
from video2reward.tools.describe import describe_clip
from video2reward.tools.describe_picture import write_picture, write_refusal
from video2reward.tools.describe_video import PANEL_PX, write_description_video
from video2reward.tools.extract_keypoints import load_track_arrays
from video2reward.tools.joint_cycles import joint_cycles, joint_names
from video2reward.tools.track import TrackArrays
from video2reward.tools.video import open_clip

Described = tuple[KeypointTrack, TrackArrays, ClipDescription]


def _describe(folder: Path, clips, points: dict[str, np.ndarray]) -> Described:
    length = len(next(iter(points.values())))
    clip = clips.video(folder / "clip.mp4", num_frames=length, size=(640, 360))
    with (folder / "points.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["frame", *(f"{name}_{axis}" for name in points for axis in "xy")])
        writer.writerows([i, *(v for xy in points.values() for v in xy[i])] for i in range(length))
    track, description = describe_clip(clip, folder / "out", keypoints=folder / "points.csv")
    return track, load_track_arrays(track, folder / "out"), description


@pytest.fixture(scope="module", params=["quadruped", "person"])
def described(request: pytest.FixtureRequest, tmp_path_factory, clips, walker) -> Described:
    person = request.param == "person"
    phases = {"L": 0.0, "R": 0.5} if person else {"FL": 0.0, "FR": 0.5, "RL": 0.5, "RR": 0.0}
    subject = walker(skeleton=request.param, speed=60.0, leg=60.0, bounce=-1.0, seconds=3.0, phases=phases,
                     hertz=1.5 if person else 2.0)  # fmt: skip
    return _describe(tmp_path_factory.mktemp(request.param), clips, subject.points())


def _has_colour(picture: np.ndarray, limb: str) -> int:
    """Return how many pixels have a limb's colour, as near as PNG and drawing leave it."""
    colour = np.array(LIMB_RGB[limb]) * 255
    return int((np.abs(picture.astype(float) - colour).max(-1) < 12).sum())


def test_the_page_shows_every_limb_in_its_colour(described: Described, tmp_path: Path) -> None:
    track, arrays, description = described
    out = write_picture(tmp_path / "new" / "page.png", track, arrays, description)
    page = cv2.imread(str(out))[..., ::-1]
    assert page.shape[1] == 1600 and page.shape[0] > 1000
    assert description.gait is not None
    for limb in description.gait.duty_factor:
        assert _has_colour(page, limb) > 3000, limb
    assert [path.name for path in out.parent.iterdir()] == ["page.png"]


def test_a_refused_clip_has_a_page_with_its_frames_and_reasons(tmp_path: Path, clips, walker) -> None:
    points = {name: np.tile(path[:1], (60, 1)) for name, path in walker(leg=60.0).points().items()}
    track, arrays, description = _describe(tmp_path, clips, points)
    assert description.quality.verdict == "refuse" and description.gait is None
    page = cv2.imread(str(write_picture(tmp_path / "page.png", track, arrays, description)))[..., ::-1]
    refused = (np.abs(page.astype(int) - [0xCF, 0x22, 0x2E]).max(-1) < 12).sum()
    assert refused > 300  # the verdict and the reasons stand there in red
    assert page.shape[0] < 1000  # no diagrams of a gait that was not measured
    with_reasons = write_description_video(tmp_path / "v.mp4", track, arrays, description)
    assert with_reasons.stat().st_size > 1000


def test_a_clip_in_which_nothing_was_found_shows_its_frames_and_why(tmp_path: Path, clips) -> None:
    clip = open_clip(clips.video(tmp_path / "empty.mp4", num_frames=20, size=(640, 360)))
    error = BadClip("no person and no animal was found.", "Show where it is.")
    page = cv2.imread(str(write_refusal(tmp_path / "page.png", clip, error)))[..., ::-1]
    assert (np.abs(page.astype(int) - [0xCF, 0x22, 0x2E]).max(-1) < 12).sum() > 300
    # The frames' coloured blocks fill a good part of the page, which is white otherwise.
    assert (np.ptp(page.astype(int), axis=-1) > 20).mean() > 0.2


def test_the_video_plays_the_clip_once_with_footfalls_under_it(described: Described, tmp_path: Path) -> None:
    track, arrays, description = described
    out = write_description_video(tmp_path / "seen.mp4", track, arrays, description)
    with av.open(str(out)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert description.gait is not None
    num_limbs = len(description.gait.duty_factor)
    assert len(pictures) == 75  # 3 s at 25 a second
    assert pictures[0].shape[1] == PANEL_PX[0] and pictures[0].shape[0] > PANEL_PX[1] + 20 * num_limbs
    assert np.abs(pictures[10].astype(float) - pictures[40]).mean() > 0.5  # it moves


def test_the_joints_turn_as_the_subject_was_made(walker) -> None:
    subject = walker(speed=200.0, leg=100.0, hertz=2.0, bounce=0.0, seconds=4.0)
    track, arrays = subject.track()
    cycles = {(c.joint, c.side): c for c in joint_cycles(track, arrays, touchdown=0.0, stride_s=0.5)}
    assert set(cycles) == {(joint, side) for joint in joint_names("quadruped") for side in ("left", "right")} - {
        ("knee", "left"), ("knee", "right")}  # the walker has no ankle  # fmt: skip
    leg = cycles[("front leg", "left")]
    # The foot lands half a stance ahead of its root: 0.5 × 0.45 × 200 px/s / 2 Hz = 22.5 px, over 100 px of leg.
    assert leg.mean_deg[0] == pytest.approx(np.degrees(np.arctan2(22.5, 100)), abs=1.5)
    assert leg.mean_deg[0] == pytest.approx(leg.mean_deg[-1], abs=0.5)
    # In the middle of stance it is under its root, and the right leg is half a stride behind.
    assert leg.mean_deg[round(0.225 * 50)] == pytest.approx(0.0, abs=1.5)
    right = cycles[("front leg", "right")]
    assert np.abs(np.roll(right.mean_deg[:-1], 25) - leg.mean_deg[:-1]).max() < 1.0
    assert len(leg.strides_deg) in (7, 8) and leg.spread_deg.max() < 0.5


def test_strides_that_differ_have_a_spread_and_a_hidden_joint_none(walker) -> None:
    track, arrays = walker(bounce=0.0, noise=2.0, seconds=6.0).track()
    noisy = joint_cycles(track, arrays, touchdown=0.0, stride_s=0.5)
    assert all(1.0 < cycle.spread_deg.mean() < 6.0 for cycle in noisy if cycle.joint == "front leg")
    arrays.x_px[:, arrays.names.index("left_elbow")] = np.nan
    seen = {(c.joint, c.side) for c in joint_cycles(track, arrays, touchdown=0.0, stride_s=0.5)}
    assert ("elbow", "left") not in seen and ("elbow", "right") in seen


def test_a_subject_without_feet_has_no_cycles(walker) -> None:
    track, arrays = walker().track()
    for limb in ("left_front", "right_front", "left_hind", "right_hind"):
        arrays.x_px[:, arrays.names.index(f"{limb}_paw")] = np.nan
    assert joint_cycles(track, arrays, touchdown=0.0, stride_s=0.5) == []
