"""Videos as files: what is written can be read again, and a GIF is the same pictures, fewer and smaller."""

import av
import numpy as np
import pytest
from video2reward.memory.errors import BadInput
from video2reward.tools.video_file import write_gif, write_video


def moving_square(num_frames: int):
    for index in range(num_frames):
        picture = np.full((120, 200, 3), 240, np.uint8)
        picture[40:80, 4 * index : 4 * index + 40] = (200, 30, 30)
        yield picture


def pictures_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def left_edge(picture) -> float:
    """Return where the square begins, as a share of the width."""
    red = (picture[..., 0].astype(int) - picture[..., 2]) > 80
    return float(np.flatnonzero(red.any(axis=0))[0]) / picture.shape[1]


def test_a_gif_shows_the_beginning_of_the_video_smaller(tmp_path):
    write_video(tmp_path / "a.mp4", moving_square(40), 20)
    write_gif(tmp_path / "a.mp4", tmp_path / "made" / "a.gif", width=100, fps=10, seconds=1.0)
    shown = pictures_of(tmp_path / "made" / "a.gif")
    assert len(shown) == 10 and shown[0].shape == (60, 100, 3)
    assert [left_edge(picture) for picture in shown] == pytest.approx([0.04 * k for k in range(10)], abs=0.03)
    # It repeats for ever, and nothing half-made is left beside it.
    assert b"NETSCAPE2.0" in (tmp_path / "made" / "a.gif").read_bytes()
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["a.gif"]


def test_a_video_of_nothing_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(BadInput, match="nothing to show"):
        write_video(tmp_path / "a.mp4", iter(()), 20)
    assert not list(tmp_path.iterdir())
