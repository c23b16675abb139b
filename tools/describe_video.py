"""What was seen in a clip, as a video: the clip with its points, and which feet stand underneath."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from video2reward.memory.records import ClipDescription, KeypointTrack
from video2reward.tools.critic.overlay import PAPER, Image, Subject, draw_footfalls, subject_panels
from video2reward.tools.track import TrackArrays
from video2reward.tools.video_file import write_video

PANEL_PX = (720, 480)
FPS = 25
MAX_S = 20.0
_CAPTION_PX, _ROW_PX = 34, 22
_INK = (36, 41, 48)
_CHUNK = 100
"""Pictures that are held at once."""


def write_description_video(out: Path, track: KeypointTrack, arrays: TrackArrays, description: ClipDescription) -> Path:
    """Write the clip once, at its own speed and at most 20 s of it, with points, footfalls and the verdict."""
    subject = Subject(track.clip.path, track, arrays, description.gait)
    seconds = min(arrays.num_frames / track.fps, MAX_S)
    write_video(out, _pictures(subject, description, np.arange(max(int(seconds * FPS), 1)) / FPS), FPS)
    return out


def _pictures(subject: Subject, description: ClipDescription, clip_s: np.ndarray) -> Iterator[Image]:
    caption = _caption(description)
    stance = subject.stance(clip_s)
    for start in range(0, len(clip_s), _CHUNK):
        panels, _ = subject_panels(subject, clip_s[start : start + _CHUNK], *PANEL_PX)
        for index, panel in enumerate(panels, start):
            rows = [caption, panel]
            if stance is not None:
                height = _ROW_PX * len(subject.limbs) + 8
                rows.append(draw_footfalls(PANEL_PX[0], height, subject.limbs, stance, 1 / FPS, clip_s[index]))
            yield np.vstack(rows)


def _caption(description: ClipDescription) -> Image:
    gait, quality = description.gait, description.quality
    said = f"{quality.verdict}: {gait.gait}, {gait.stride_frequency_hz:.2f} strides/s" if gait else quality.verdict
    said += f" - {description.subject} by {description.pose_backend}"
    if not gait and quality.reasons:
        said += f" - {quality.reasons[0]}"
    caption = np.full((_CAPTION_PX, PANEL_PX[0], 3), PAPER, np.uint8)
    plain = said.encode("ascii", "replace").decode()  # OpenCV's fonts know no more
    for size in (0.5, 0.44, 0.38, 0.32):
        if cv2.getTextSize(plain, cv2.FONT_HERSHEY_DUPLEX, size, 1)[0][0] < PANEL_PX[0] - 16:
            break
    cv2.putText(caption, plain, (8, 22), cv2.FONT_HERSHEY_DUPLEX, size, _INK, 1, cv2.LINE_AA)
    return caption
