"""Animals and four-legged robots in the pixels, by the embedded network: where, points, then which leg is which."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter
from video2reward.memory.errors import BadClip
from video2reward.memory.records import Clip, SubjectChoice
from video2reward.tools.alongside import Alongside
from video2reward.tools.camera import WORK_SIDE_PX, BackgroundMotion, BackgroundWatch
from video2reward.tools.clean import runs_of
from video2reward.tools.gait import SIDES_PLAIN
from video2reward.tools.pose.animal_box import SURE_BOX, BoxFinder
from video2reward.tools.pose.half_stride import is_half_a_stride
from video2reward.tools.pose.limbs import told_apart
from video2reward.tools.pose.motion_box import MotionWatch
from video2reward.tools.pose.points import PointSeries
from video2reward.tools.pose.quadnet import CELL_PX, CHANNELS, FRAME_STEP_S, NEAR_FAR_KEYPOINTS, PAIRS, QuadNet, RawPose
from video2reward.tools.pose.rhythm import WIDTH, Glimpse, Rhythm, find_rhythm, glimpse_of, looks_along
from video2reward.tools.pose.swing_order import read_swings
from video2reward.tools.pose.swings import watch_swings
from video2reward.tools.video import Frame, frames

_SHORT_SIDE_PX = 360
_PLAIN_FACING = 0.12
"""Mean log-odds of a look: animals that were drawn or filmed plainly come to 0.14 and more."""
_FOLLOWED = 0.15
_FRAMES_BEHIND = 8
"""The background may be followed so late: a look for the box takes as long as some frames of it."""
_WAY = 1.5
"""Widths of the animal that it has to go for its way to tell where its head is."""
_TRUNK = [
    index for index, name in enumerate(NEAR_FAR_KEYPOINTS) if name.endswith(("withers", "tail_base", "shoulder", "hip"))
]


@dataclass(frozen=True)
class AnimalSeen:
    """What was seen of the animal; `points` is None where none was. `sure` (0 to 1) is the network's own certainty."""

    points: PointSeries | None
    background: BackgroundMotion
    rhythm: Rhythm | None
    sure: float
    moves: bool
    """Whether anything moves against the background at all."""


@dataclass(frozen=True)
class _Views:
    """What the network said, frame by frame, in pixels of the clip; NaN and None where there was no box."""

    places_px: NDArray[np.float64]
    confidence: NDArray[np.float64]
    near_behind: NDArray[np.float64]
    glimpses: list[Glimpse | None]


def see_animal(clip: Clip, choice: SubjectChoice, progress: Callable[[float], None] | None = None) -> AnimalSeen:
    """Follow the animal that is the subject of a clip, in three passes: what moves, the box, the points.

    Where its near and far legs look alike, a fourth watches when they swing.
    """
    network = QuadNet()
    moving, moves = _moving_boxes(clip, _wanted(clip, choice, network), _part(progress, 0.0, 0.2))
    finder = BoxFinder(network, clip.fps)
    background = BackgroundWatch()
    report = _part(progress, 0.2, 0.5)
    with Alongside(background.add, depth=_FRAMES_BEHIND) as follow:
        for frame in frames(clip, max_side_px=_side_px(clip)):
            box = moving[min(frame.index, len(moving) - 1)]
            follow(frame, box[None], box[:2] + box[2:] * (0.5, 1.0))
            finder.add(frame, box)
            report(frame.index / clip.num_frames)
    motion = background.result()
    segments = _segments(motion)
    boxes, sure = finder.result(segments, len(motion.black))
    if not np.isfinite(boxes).any():
        return AnimalSeen(None, motion, None, sure, moves)
    facing = faces(finder.facing_odds, boxes, motion, segments) or finder.facing
    views = _look(clip, network, boxes, facing, _part(progress, 0.5, 0.9))
    segments = [part for segment in segments for part in _inside(segment, np.isfinite(boxes[:, 0]))]
    anchor, side = _trunk_anchor(views, boxes, segments)
    looks = looks_along(views.glimpses, anchor, side)
    rhythm = find_rhythm(looks, segments, clip.fps)
    if rhythm and is_half_a_stride(views.places_px, views.confidence, side, facing, rhythm):
        half = replace(rhythm, frequency_hz=rhythm.frequency_hz / 2, phase=rhythm.phase / 2)
        rhythm = find_rhythm(looks, [rhythm.window], clip.fps, near_hz=half.frequency_hz) or half
    points = told_apart(
        views.places_px, views.confidence, views.near_behind, anchor, side, rhythm, facing, network.name, views.glimpses
    )
    if rhythm is not None and points.sides_sure is not None and points.sides_sure < SIDES_PLAIN:
        swings = watch_swings(clip, boxes, rhythm.window, facing, _side_px(clip))
        points = replace(points, swings=read_swings(swings, rhythm.phase) if swings is not None else None)
    if rhythm and len(segments) > 1:
        start_s, stop_s = rhythm.window.start / clip.fps, rhythm.window.stop / clip.fps
        note = f"of {len(segments)} shots the one with the plainest strides is used, {start_s:.1f} to {stop_s:.1f} s"
        points = replace(points, notes=(*points.notes, note))
    if (turned := finder.turned_at()) is not None:
        points = replace(points, turned_s=turned / clip.fps)
    return AnimalSeen(points, motion, rhythm, sure, moves)


def faces(odds: float, boxes: NDArray[np.float64], motion: BackgroundMotion, segments: list[slice]) -> int | None:
    """Return 1 for an animal that faces right in the picture and -1 for left; None where neither can be told.

    `odds` is the mean log-odds of a look. Where they are small, as with a tail that is carried like a head, the way it
    goes over the background decides: hardly anything goes backwards for long.
    """
    if abs(odds) >= _PLAIN_FACING:
        return 1 if odds > 0 else -1
    if motion.camera == "unknown" or motion.inlier_ratio < _FOLLOWED:
        return None
    along = (boxes[:, 0] + boxes[:, 2] / 2 + motion.camera_x_px) / np.nanmedian(boxes[:, 2])
    ways = np.nan_to_num([along[part.stop - 1] - along[part.start] for part in segments])
    if abs(ways.sum()) < max(_WAY, 0.8 * np.abs(ways).sum()):
        return None
    return 1 if ways.sum() > 0 else -1


def _wanted(clip: Clip, choice: SubjectChoice, network: QuadNet) -> tuple[int, NDArray[np.float64]] | None:
    """Return the frame and the box (4,) of the subject as far as the user says: of a moment alone, who is seen then.

    Raises BadClip where no animal can be made out at that moment.
    """
    if choice.box_px is None and choice.at_second is None:
        return None
    index = min(round((choice.at_second or 0.0) * clip.fps), clip.num_frames - 1)
    if choice.box_px is not None:
        return index, np.array(choice.box_px)
    for frame in frames(clip, max_side_px=_side_px(clip), only={index}):
        for body in network.detect(frame.image):
            if body.score > SURE_BOX:
                return index, body.box_px / frame.scale
    raise BadClip(
        f"no animal can be made out at that moment of {clip.path}.", "Show it with --box x,y,w,h, or choose another."
    )


def _moving_boxes(
    clip: Clip, wanted: tuple[int, NDArray[np.float64]] | None, report: Callable[[float], None]
) -> tuple[NDArray[np.float64], bool]:
    watch = MotionWatch(clip.fps)
    for frame in frames(clip, max_side_px=_side_px(clip)):
        watch.add(frame)
        report(frame.index / clip.num_frames)
    found = watch.result(wanted)
    whole = np.array([0.0, 0.0, clip.width_px, clip.height_px])
    return found.boxes_px if found else np.tile(whole, (clip.num_frames, 1)), watch.moves()


def _segments(motion: BackgroundMotion) -> list[slice]:
    """Return the stretches without a cut or a black frame; a cut's own frame begins the next."""
    edges = np.flatnonzero(motion.cut)
    parts = []
    for run in runs_of(~motion.black):
        starts = [run.start, *(int(edge) for edge in edges if run.start < edge < run.stop), run.stop]
        parts += [slice(a, b) for a, b in zip(starts, starts[1:], strict=False) if b - a >= 8]
    return parts


def _inside(segment: slice, mask: NDArray[np.bool_]) -> list[slice]:
    return [slice(segment.start + run.start, segment.start + run.stop) for run in runs_of(mask[segment])]


def _look(
    clip: Clip, network: QuadNet, boxes: NDArray[np.float64], facing: int, report: Callable[[float], None]
) -> _Views:
    """Run the network on every frame with the frames a stride's part before and after it."""
    reach = max(1, round(FRAME_STEP_S * clip.fps))
    num_frames = len(boxes)
    window: deque[Frame] = deque(maxlen=2 * reach + 1)
    glimpses: list[Glimpse | None] = [None] * num_frames
    xy = np.full((num_frames, len(CHANNELS), 2), np.nan)
    confidence, near_behind = np.zeros(xy.shape[:2]), np.zeros((num_frames, len(PAIRS)))

    def keep(at: int, middle: Frame, raw: RawPose) -> None:
        scale = middle.scale
        places, sure = raw.places()
        xy[at], confidence[at], near_behind[at] = places[0] / scale, sure[0], raw.near_is_behind()[0]
        legs = np.stack([raw.heatmaps[0, near] + raw.heatmaps[0, far] for near, far in PAIRS]) / 2
        cell = raw.scale_px[0] * CELL_PX / scale
        origin = (raw.origin_px[0] + 1.5 * raw.scale_px[0]) / scale
        glimpses[at] = glimpse_of(middle.image, scale, legs, raw.outline[0], origin, cell)

    def look(at: int) -> None:
        held = list(window)
        middle = next(frame for frame in held if frame.index == at)
        before, after = (min(held, key=lambda frame: abs(frame.index - other)) for other in (at - reach, at + reach))
        if not np.isfinite(boxes[at]).all():
            return
        scale = middle.scale
        around = [
            (boxes[f.index] if np.isfinite(boxes[f.index]).all() else boxes[at])[None] * scale
            for f in (before, middle, after)
        ]
        raw = network.raw(
            (before.image, middle.image, after.image),
            around[1],
            facing,
            boxes_before_px=around[0],
            boxes_after_px=around[2],
        )
        kept(at, middle, raw)

    last = -1
    with Alongside(keep) as kept:
        for frame in frames(clip, max_side_px=_side_px(clip)):
            if frame.index >= num_frames:
                break
            window.append(frame)
            last = frame.index
            if last >= reach:
                look(last - reach)
            report(last / num_frames)
        for at in range(max(last - reach + 1, 0), last + 1):
            look(at)
    return _Views(xy, confidence, near_behind, glimpses)


def _trunk_anchor(
    views: _Views, boxes: NDArray[np.float64], segments: list[slice]
) -> tuple[NDArray[np.float64], float]:
    """Return the trunk's middle over time, (T, 2), and the side of the grid that is laid about it, in pixels."""
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    usual = float(np.nanmedian(np.sqrt(boxes[:, 2] * boxes[:, 3])))
    anchor = centre.copy()
    for segment in segments:
        trunk = views.places_px[segment][:, _TRUNK] - centre[segment, None]
        off = np.clip(trunk - np.nanmedian(trunk, axis=0), -0.15 * usual, 0.15 * usual)
        weight = np.clip(views.confidence[segment][:, _TRUNK], 0.02, 1.0) ** 2
        moved = np.nansum(off * weight[..., None], axis=1) / weight.sum(1)[:, None]
        moved = median_filter(moved, size=(min(5, len(moved)), 1), mode="nearest")
        anchor[segment] += gaussian_filter1d(moved, 1.5, axis=0, mode="nearest")
    return anchor, WIDTH * usual


def _side_px(clip: Clip) -> int:
    """Return at what longer side the clip is looked at: in a very wide picture the animal is still to be seen."""
    long, short = max(clip.width_px, clip.height_px), min(clip.width_px, clip.height_px)
    return min(max(2 * WORK_SIDE_PX, round(_SHORT_SIDE_PX * long / short)), 4096)


def _part(progress: Callable[[float], None] | None, start: float, stop: float) -> Callable[[float], None]:
    return lambda share: progress(start + (stop - start) * min(share, 1.0)) if progress else None
