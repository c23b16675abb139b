"""The first tool: from a clip to named points on an even time grid, with the camera's motion beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadClip
from video2reward.memory.records import ArrayFile, Clip, KeypointTrack, SubjectChoice
from video2reward.tools.camera import WORK_SIDE_PX, BackgroundMotion, BackgroundWatch
from video2reward.tools.clean import clean_points, cutoff_for, even_grid
from video2reward.tools.pose.keypoint_file import read_keypoints
from video2reward.tools.pose.points import PointSeries
from video2reward.tools.pose.rhythm import Rhythm
from video2reward.tools.pose.seeing import see_subject
from video2reward.tools.pose.sides import mend_sides
from video2reward.tools.pose.stride_sides import mend_sides_by_stride
from video2reward.tools.track import ARRAYS_FILE, TrackArrays, load_track_arrays, save_arrays, save_track
from video2reward.tools.video import MAX_WATCHED, frame_times, frames, open_clip

__all__ = ["Progress", "extract_keypoints", "load_track_arrays"]

MIN_FPS = 4.0
"""With fewer frames a second not even a slow walk's stride shows each foot on the ground and off it."""
Progress = Callable[[float], None]
"""Called with the share that is done, from 0 to 1."""


def extract_keypoints(
    clip: Path | str,
    out: Path,
    *,
    keypoints: Path | None = None,
    slow_motion_factor: float = 1.0,
    subject: SubjectChoice | None = None,
    progress: Progress | None = None,
) -> KeypointTrack:
    """Find the subject's points in a clip and write `out`/track.json and `out`/track.npz.

    A keypoint file rules where it is given; without one, a person or an animal is looked for, as `subject` says or as
    a first look decides. Times and rates of the track are those of the clip as it plays: `slow_motion_factor` is kept
    in the record and applied by the gait.
    Raises BadClip, BadKeypoints or MissingPart.
    """
    rhythm: Rhythm | None = None
    if keypoints is not None:
        opened = open_clip(clip, slow_motion_factor)
        points = read_keypoints(keypoints, opened)
        background = _watch(opened, points, progress)
    else:
        choice = subject or SubjectChoice()
        opened = open_clip(clip, slow_motion_factor, most=MAX_WATCHED, around_s=choice.at_second)
        if opened.fps * slow_motion_factor < MIN_FPS:
            raise BadClip(
                f"{opened.path} shows {opened.fps:.2g} frames a second: too few to see strides in.",
                "Film at 30 frames a second or more.",
            )
        seen = see_subject(opened, choice, progress)
        points, background, rhythm = seen.points, seen.background, seen.rhythm
    track, arrays = _assemble(opened, points, background)
    if rhythm is not None:
        seen_in_pictures = {"rhythm_strength": rhythm.strength, "rhythm_halves": rhythm.halves}
        track = track.model_copy(update={"rhythm_hz": rhythm.frequency_hz, **seen_in_pictures})
    sha256 = save_arrays(arrays, out)
    track = track.model_copy(update={"arrays": ArrayFile(path=ARRAYS_FILE, sha256=sha256)})
    save_track(track, out)
    if progress:
        progress(1.0)
    return track


def _watch(clip: Clip, points: PointSeries, progress: Progress | None) -> BackgroundMotion:
    """Follow the background outside the box of the points that are known already."""
    boxes = _boxes(points.xy_px)
    times = np.arange(clip.num_frames)
    known = np.isfinite(boxes).all(1)
    along = np.stack([np.interp(times, points.frame_index[known], boxes[known, side]) for side in range(4)], axis=1)
    watch = BackgroundWatch()
    for frame in frames(clip, max_side_px=WORK_SIDE_PX):
        box = along[frame.index]
        watch.add(frame, box[None], box[:2] + box[2:] * (0.5, 1.0))
        if progress:
            progress(0.98 * (frame.index + 1) / clip.num_frames)
    return watch.result()


def _assemble(clip: Clip, points: PointSeries, background: BackgroundMotion) -> tuple[KeypointTrack, TrackArrays]:
    num_decoded = len(background.camera_x_px)
    frame_s = frame_times(clip)[:num_decoded]
    grid_s = even_grid(frame_s, clip.fps)
    if points.sides_sure is None:
        points = mend_sides_by_stride(mend_sides(points), clip.fps)
    inside = points.frame_index < num_decoded
    index = points.frame_index[inside]
    notes = list(clip.notes) + list(points.notes)

    # A repeated frame shows an older moment under a newer time; its points would put a step into every curve.
    bad = background.black[index]
    repeats = background.repeated & ~background.black
    if 0 < repeats.mean() < 0.4:
        bad |= background.repeated[index]
        notes.append(f"{int(repeats.sum())} repeated frames are bridged")
    if background.black.any():
        notes.append(f"{int(background.black.sum())} black frames are left out")
    cuts = np.flatnonzero(background.cut & ~background.black)
    if len(cuts):
        notes.append(
            f"cuts at {', '.join(f'{frame_s[cut]:.1f} s' for cut in cuts[:10])}: strides across them are not used"
        )
    confidence = np.where(bad[:, None], 0.0, points.confidence[inside])

    cutoff = cutoff_for(clip.fps, clip.slow_motion_factor, walking_person=points.skeleton == "person")
    xy, sure = clean_points(frame_s[index], points.xy_px[inside], confidence, grid_s, cutoff_hz=cutoff)
    camera = np.stack(
        [np.interp(grid_s, frame_s, values) for values in (background.camera_x_px, background.camera_y_px)], axis=1
    )
    nearest = np.clip(np.searchsorted(frame_s, grid_s - 0.5 / clip.fps), 0, num_decoded - 1)
    frame_ok = ~(background.black[nearest] | background.cut[nearest])
    if not np.isfinite(xy).any():
        raise BadClip(
            f"nothing was seen surely enough in {clip.path}: every point's confidence is too low.",
            "Film the whole subject from the side in good light, or give --keypoints FILE.",
        )
    arrays = TrackArrays(
        names=points.names,
        x_px=xy[..., 0],
        y_px=xy[..., 1],
        confidence=sure,
        box_px=_boxes(xy),
        camera_x_px=camera[:, 0],
        camera_y_px=camera[:, 1],
        frame_ok=frame_ok,
    )
    track = KeypointTrack(
        clip=clip,
        skeleton=points.skeleton,
        names=points.names,
        fps=clip.fps,
        arrays=ArrayFile(path=ARRAYS_FILE, sha256=""),
        source=points.source,
        name_by_source_name=dict(points.name_by_source_name),
        camera=background.camera,
        sides_sure=points.sides_sure,
        swings=points.swings,
        turned_s=points.turned_s,
        camera_inlier_ratio=background.inlier_ratio,
        notes=tuple(notes),
    )
    return track, arrays


def _boxes(xy_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the boxes around points (T, K, 2) as x, y, width, height, (T, 4); NaN where nothing was seen."""
    seen = np.isfinite(xy_px).all(-1)
    some = seen.any(1)
    boxes = np.full((len(xy_px), 4), np.nan)
    low = np.where(seen[..., None], xy_px, np.inf).min(1)
    high = np.where(seen[..., None], xy_px, -np.inf).max(1)
    boxes[some] = np.concatenate([low, high - low], axis=1)[some]
    return boxes
