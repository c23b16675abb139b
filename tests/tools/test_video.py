"""Clips: what is read, and what is refused with which sentence."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from video2reward.evals.odd_clips import rotated
from video2reward.memory.errors import BadClip, BadInput, V2RError
from video2reward.tools.video import frame_times, frames, open_clip


def test_a_clip_is_described_as_decoded(tmp_path: Path, clips) -> None:
    clip = open_clip(clips.video(tmp_path / "a.mp4", num_frames=24, fps=24, size=(160, 96)))
    assert (clip.width_px, clip.height_px, clip.num_frames) == (160, 96, 24)
    assert clip.fps == pytest.approx(24, rel=0.01)
    assert clip.duration_s == pytest.approx(1.0, abs=0.05)
    seen = list(frames(clip))
    assert [frame.index for frame in seen] == list(range(24))
    assert all(frame.image.flags["C_CONTIGUOUS"] and frame.image.shape == (96, 160, 3) for frame in seen)


def test_frames_are_contiguous_at_odd_widths_and_scales(tmp_path: Path, clips) -> None:
    clip = open_clip(clips.video(tmp_path / "a.mp4", size=(158, 90), num_frames=6))
    for frame in frames(clip, max_side_px=77):
        assert frame.image.flags["C_CONTIGUOUS"]
        assert frame.image.shape[1] == 77
        assert frame.scale == pytest.approx(77 / 158)


def test_uneven_time_stamps_are_kept(tmp_path: Path, clips) -> None:
    times = [0, 33, 66, 133, 166, 200, 300, 333, 366, 400]
    clip = open_clip(clips.video(tmp_path / "a.mkv", num_frames=10, times=times))
    assert frame_times(clip) * 1000 == pytest.approx(times, abs=1.5)
    assert any("uneven" in note for note in clip.notes)


def test_a_gifs_own_delays_set_its_rate(tmp_path: Path, clips) -> None:
    times = [0, 50, 110, 160, 220, 270, 330, 380, 440, 490]  # 5 and 6 hundredths by turns: 18.4 a second
    clip = open_clip(clips.video(tmp_path / "a.gif", num_frames=10, times=times, codec="gif"))
    assert clip.fps == pytest.approx(9 / 0.49, rel=0.02)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_the_rotation_tag_is_applied(tmp_path: Path, clips, degrees: int) -> None:
    plain = clips.video(tmp_path / "a.mp4", num_frames=5)
    turned = tmp_path / "b.mp4"
    turned.write_bytes(rotated(plain.read_bytes(), degrees))
    before, after = (next(frames(open_clip(path))).image.astype(int) for path in (plain, turned))
    clip = open_clip(turned)
    assert (clip.width_px, clip.height_px) == (after.shape[1], after.shape[0])
    # The tag says how far clockwise a player turns the picture; numpy turns counter-clockwise.
    assert np.abs(after - np.rot90(before, -degrees // 90)).mean() < 2


def _file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_what_is_no_clip_is_refused_in_one_sentence_with_a_cure(tmp_path: Path, clips) -> None:
    whole = clips.video(tmp_path / "whole.mp4", num_frames=40).read_bytes()
    mkv = clips.video(tmp_path / "whole.mkv", num_frames=40).read_bytes()
    cases = {
        "there is no file": tmp_path / "missing.mp4",
        "is not a file": tmp_path,
        "is empty": _file(tmp_path / "empty.mp4", b""),
        "not a video": _file(tmp_path / "text.mp4", b"this is no video at all\n" * 50),
        "a text file": _file(tmp_path / "notes.txt", b"this is no video at all\n" * 50),
        "only sound": clips.sound(tmp_path / "sound.m4a"),
        "a still picture": clips.video(tmp_path / "one.mp4", num_frames=1),
        "not a video ": _file(tmp_path / "headless.mp4", whole[: len(whole) // 2]),
        "cut off": _file(tmp_path / "half.mkv", mkv[: len(mkv) // 2]),
    }
    for sentence, path in cases.items():
        with pytest.raises(BadClip, match=sentence.strip()) as caught:
            open_clip(path)
        assert caught.value.cure
        assert "\n" not in str(caught.value)


def test_a_slow_motion_factor_must_be_above_zero(tmp_path: Path, clips) -> None:
    path = clips.video(tmp_path / "a.mp4")
    for factor in (0.0, -1.0, float("nan")):
        with pytest.raises(BadInput, match="slow-motion"):
            open_clip(path, factor)
    assert open_clip(path, 4.0).slow_motion_factor == 4.0


@pytest.fixture(scope="module")
def good_bytes(tmp_path_factory: pytest.TempPathFactory, clips) -> bytes:
    return clips.video(tmp_path_factory.mktemp("good") / "a.mp4", num_frames=12).read_bytes()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_but_never_crashes(
    tmp_path: Path, good_bytes: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(good_bytes)
    for _ in range(data.draw(st.integers(1, 20))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.mp4"
    path.write_bytes(bytes(damaged[: data.draw(st.integers(1, len(damaged)))]))
    os.utime(path, ns=(data.draw(st.integers(1, 10**18)),) * 2)
    try:
        clip = open_clip(path)
        assert sum(1 for _ in frames(clip, max_side_px=64)) <= clip.num_frames
    except V2RError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_of_a_long_clip_the_stretch_about_the_wanted_moment_is_watched(clips, tmp_path, name):
    path = clips.video(tmp_path / name, num_frames=90, fps=30)
    whole = [frame.image for frame in frames(open_clip(path))]
    first, about = open_clip(path, most=20), open_clip(path, most=20, around_s=2.0)
    assert (first.first_frame, about.first_frame) == (0, 50)  # 2 s is frame 60, ten of the twenty lie before it
    for clip in (first, about):
        watched = list(frames(clip))
        assert [frame.index for frame in watched] == list(range(20))
        assert len(frame_times(clip)) == 20 and watched[0].time_s == 0
        for frame in watched[::7]:
            assert (frame.image == whole[clip.first_frame + frame.index]).all()
    assert "of a long clip 2 to 2 s are watched" in about.notes[0]


def test_a_moment_after_the_end_of_a_long_clip_takes_its_last_stretch(clips, tmp_path):
    clip = open_clip(clips.video(tmp_path / "a.mp4", num_frames=60, fps=30), most=20, around_s=99.0)
    assert clip.first_frame == 40
