"""See the subject of a clip in its pixels: a person or an animal, whichever it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadClip, BadInput, MissingPart
from video2reward.memory.records import Clip, SubjectChoice
from video2reward.tools.alongside import Alongside
from video2reward.tools.camera import BackgroundMotion, BackgroundWatch
from video2reward.tools.pose.animal import see_animal
from video2reward.tools.pose.backend import Watcher
from video2reward.tools.pose.kind import Kind, look_for_kind
from video2reward.tools.pose.points import PointSeries
from video2reward.tools.pose.rhythm import Rhythm
from video2reward.tools.pose.topdown import MAX_BODIES
from video2reward.tools.pose.watch import watch
from video2reward.tools.pose.watchers import better_animal_watcher, open_watcher
from video2reward.tools.video import Frame, start_s

_CURE = "Show where it is with --box x,y,w,h, or give its points with --keypoints FILE (COCO JSON, DeepLabCut CSV, …)."
_STEADY = "Give a clip in which the whole subject walks, trots or runs steadily, seen from the side."
MIN_ANIMAL_SURE = 0.4


@dataclass(frozen=True)
class Seen:
    """The subject's points and what the background does; for animals the rhythm of the pictures too."""

    points: PointSeries
    background: BackgroundMotion
    rhythm: Rhythm | None = None


def see_subject(clip: Clip, choice: SubjectChoice, progress: Callable[[float], None] | None = None) -> Seen:
    """Find and follow the subject.

    Raises BadClip where there is none, BadInput for a box or a moment outside the clip, MissingPart where a network is
    missing.
    """
    choice = _checked(clip, choice)
    if choice.kind == "auto":
        kind = look_for_kind(clip)
    else:
        kind = Kind(choice.kind, "")
    if kind.kind == "person":
        return _person(clip, choice, progress, kind.people or MAX_BODIES)
    if watcher := better_animal_watcher():
        seen_by_it = _watched(clip, choice, watcher, progress)
        if seen_by_it is not None:
            return seen_by_it
    seen = see_animal(clip, choice, progress)
    if seen.points is None or seen.sure < MIN_ANIMAL_SURE:
        if kind.missing:
            raise MissingPart(
                f"no animal was found in {clip.path}, and people cannot be looked for: {kind.missing.what}",
                kind.missing.cure,
            )
        if not seen.moves:
            raise BadClip(
                f"hardly anything moves in {clip.path}: there are no strides to be seen.", f"{_STEADY} {_CURE}"
            )
        who = "animal" if choice.kind == "animal" else "person and no animal"
        raise BadClip(f"no {who} was found in {clip.path}.", _CURE)
    notes = (*seen.points.notes, *((kind.reason,) if "followed" in kind.reason else ()))
    if kind.animals > 1 and choice.box_px is None and choice.at_second is None:
        notes += ("several animals are in view: what moves most is followed; --box x,y,w,h takes another",)
    return Seen(replace(seen.points, notes=notes), seen.background, seen.rhythm)


def _checked(clip: Clip, choice: SubjectChoice) -> SubjectChoice:
    """Return the choice with its moment counted from the first frame that is watched."""
    begin_s = start_s(clip)
    if choice.at_second is not None and choice.at_second - begin_s > clip.duration_s:
        raise BadInput(
            f"--at-second {choice.at_second:g} is after the end.", f"The clip lasts {begin_s + clip.duration_s:.1f} s."
        )
    if choice.box_px is not None:
        x, y, width, height = choice.box_px
        if x >= clip.width_px or y >= clip.height_px or x + width <= 0 or y + height <= 0:
            raise BadInput(
                f"--box {x:g},{y:g},{width:g},{height:g} lies outside the picture.",
                f"The clip is {clip.width_px}×{clip.height_px} pixels; give x,y,width,height within it.",
            )
    if choice.at_second is None or not begin_s:
        return choice
    return choice.model_copy(update={"at_second": max(choice.at_second - begin_s, 0.0)})


def _person(clip: Clip, choice: SubjectChoice, progress: Callable[[float], None] | None, most: int) -> Seen:
    with open_watcher("person", most=most) as watcher:
        seen = _watched(clip, choice, watcher, progress)
    if seen is None:
        there = " there" if choice.box_px or choice.at_second is not None else ""
        raise BadClip(f"no person was found{there} in {clip.path}.", _CURE)
    return seen


def _watched(
    clip: Clip, choice: SubjectChoice, watcher: Watcher, progress: Callable[[float], None] | None
) -> Seen | None:
    """Follow the subject with a watcher; None where it sees none."""
    background = BackgroundWatch()
    with Alongside(background.add) as follow:

        def on_frame(frame: Frame, boxes_px: NDArray[np.float64]) -> None:
            anchor = boxes_px[0, :2] + boxes_px[0, 2:] * (0.5, 1.0) if len(boxes_px) else None
            follow(frame, boxes_px, anchor)
            if progress:
                progress(0.98 * (frame.index + 1) / clip.num_frames)

        points = watch(clip, watcher, on_frame, choice)
    return None if points is None else Seen(points, background.result())
