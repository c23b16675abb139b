"""Run a watcher over a whole clip and hand over the subject's points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.records import Clip, SubjectChoice
from video2reward.tools.pose.backend import Watcher
from video2reward.tools.pose.points import PointSeries
from video2reward.tools.pose.subject import Sighting, follow_subject
from video2reward.tools.video import Frame, frames

OnFrame = Callable[[Frame, NDArray[np.float64]], None]
"""Called with each frame and the boxes (B, 4) of all bodies in it, the largest first, in pixels of the clip."""

_MAX_SIDE_PX = 1280
_MIN_SHARE = 0.1


def watch(
    clip: Clip, watcher: Watcher, on_frame: OnFrame | None = None, choice: SubjectChoice | None = None
) -> PointSeries | None:
    """Follow the body that is the subject of a clip; None where nobody is seen for long enough."""
    choice = choice or SubjectChoice()
    sightings: list[Sighting] = []
    num_frames = 0
    for frame in frames(clip, max_side_px=_MAX_SIDE_PX):
        num_frames += 1
        seen = watcher.look(frame)
        sightings += seen
        if on_frame:
            on_frame(frame, _boxes(seen))
    subject, note = follow_subject(
        sightings,
        num_frames,
        round(choice.at_second * clip.fps) if choice.at_second is not None else None,
        np.array(choice.box_px) if choice.box_px else None,
    )
    if len(subject) < max(4, _MIN_SHARE * num_frames):
        return None
    return PointSeries(
        skeleton=watcher.skeleton,
        names=watcher.names,
        frame_index=np.array([sighting.frame for sighting in subject]),
        xy_px=np.stack([sighting.xy_px for sighting in subject]),
        confidence=np.stack([sighting.confidence for sighting in subject]),
        source=watcher.name,
        name_by_source_name=watcher.name_by_source_name,
        notes=(*((note,) if note else ()), *watcher.notes),
    )


def _boxes(bodies: list[Sighting]) -> NDArray[np.float64]:
    boxes = []
    for body in bodies:
        seen = body.xy_px[np.isfinite(body.xy_px).all(1)]
        if len(seen):
            boxes.append(np.concatenate([seen.min(0), np.ptp(seen, axis=0)]))
    boxes.sort(key=lambda box: -box[2] * box[3])
    return np.array(boxes).reshape(-1, 4)
