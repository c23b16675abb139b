"""The subject as a body in its own sagittal plane: where trunk and limbs are, forward and up, where it can be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadClip
from video2reward.memory.records import BIPED_LIMBS, QUADRUPED_LIMBS, KeypointTrack, Skeleton
from video2reward.tools.clean import runs_of
from video2reward.tools.pose.facing import facing_sign
from video2reward.tools.track import TrackArrays

Points = NDArray[np.float64]

# For each limb, by the points that may stand for it, best first; a tuple of names is their middle.
_SIDE = {"FL": "left", "RL": "left", "L": "left", "FR": "right", "RR": "right", "R": "right"}
_PARTS: Mapping[str, Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "F": {"foot": (("front_paw",), ("wrist",)), "mid": (("elbow",),), "root": (("shoulder",),)},
    "R": {"foot": (("hind_paw",), ("ankle",)), "mid": (("knee",),), "root": (("hip",),)},
    "person": {"foot": (("heel", "toe"), ("ankle",), ("toe",), ("heel",)), "mid": (("knee",),), "root": (("hip",),)},
}
_TRUNK: Mapping[Skeleton, tuple[tuple[str, ...], ...]] = {
    "person": (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"), ("neck",)),
    "quadruped": (
        ("left_shoulder", "right_shoulder", "left_hip", "right_hip"),
        ("withers", "tail_base"),
        ("neck", "tail_base"),
        ("left_shoulder", "right_shoulder", "tail_base"),
    ),
}
MIN_WINDOW_S = 0.4
MIN_LIMB_SHARE = 0.6
"""A limb is used where it is known for this share of the stretch."""
_TOO_FEW = ("fewer than two limbs can be followed.", "Film the whole subject, feet included, from the side.")


@dataclass(frozen=True)
class Limb:
    """One limb relative to the trunk's middle, each (T, 2): forward and up, in pixels, NaN where it is hidden.

    Heel and toe only for people.
    """

    foot: Points
    mid: Points | None = None
    root: Points | None = None
    heel: Points | None = None
    toe: Points | None = None


@dataclass(frozen=True)
class Body:
    """Forward is where the subject faces. `trunk_w` (T, 2) lies in the frame of the still background.

    `fps` counts real seconds: slow motion is taken out. `window` is the stretch of the track that is used.
    """

    skeleton: Skeleton
    fps: float
    window: slice
    facing: int
    limbs: Mapping[str, Limb]
    trunk_w: Points
    pitch_rad: NDArray[np.float64] | None
    """Lean of the trunk from its upright (person) or level (quadruped) line, nose down or forwards positive."""
    tail_base: Points | None
    notes: tuple[str, ...] = ()

    @property
    def num_frames(self) -> int:
        return len(self.trunk_w)

    def forward_signals(self) -> NDArray[np.float64]:
        """Return the feet's forward positions relative to the trunk, (T, num_limbs), holes bridged."""
        return np.stack([_bridged(limb.foot)[:, 0] for limb in self.limbs.values()], axis=1)


def read_body(track: KeypointTrack, arrays: TrackArrays) -> Body:
    """Choose the longest stretch in which the trunk and most limbs are known, and read the body there.

    Raises BadClip where no two limbs can be followed for long enough to tell anything.
    """
    notes = []
    xy = np.stack([arrays.x_px, arrays.y_px], axis=-1)
    sign = facing_sign(arrays.names, xy[arrays.frame_ok], track.skeleton)
    facing = sign or 1
    names = BIPED_LIMBS if track.skeleton == "person" else QUADRUPED_LIMBS
    feet = {limb: _part(arrays, limb, "foot", track.skeleton) for limb in names}
    trunk = _trunk(arrays, track.skeleton)
    if trunk is None:
        raise BadClip("no point of the subject's trunk was seen.", "Hips and shoulders, or withers and tail base, do.")
    known = {
        limb: np.isfinite(foot).all(1) & np.isfinite(trunk).all(1) & arrays.frame_ok
        for limb, foot in feet.items()
        if foot is not None
    }
    if not known:
        raise BadClip(*_TOO_FEW)
    most = np.sum(list(known.values()), axis=0) >= max(2, 0.5 * len(known))
    stretch = max(runs_of(most), key=lambda run: run.stop - run.start, default=slice(0, 0))
    usable = [limb for limb, mask in known.items() if mask[stretch].size and mask[stretch].mean() >= MIN_LIMB_SHARE]
    if len(usable) < 2:
        raise BadClip(*_TOO_FEW)
    hidden = [limb for limb in names if limb not in usable]
    if hidden:
        notes.append(f"{', '.join(hidden)} cannot be followed and is left out")
    fps = track.fps * track.clip.slow_motion_factor
    if (stretch.stop - stretch.start) / fps < MIN_WINDOW_S:
        raise BadClip(
            f"the limbs can be followed together for {(stretch.stop - stretch.start) / fps:.1f} s only.",
            "Film the whole subject from the side for at least two strides.",
        )
    swings = [_bridged((feet[limb] - trunk)[stretch])[:, 0] for limb in usable]
    stretch = _without_standing(stretch, swings, fps, notes)

    def seen(points: Points | None) -> Points | None:
        if points is None:
            return None
        relative = (points - trunk)[stretch] * (facing, -1.0)
        return relative if np.isfinite(relative).all(1).mean() >= MIN_LIMB_SHARE else None

    limbs = {
        limb: Limb(
            foot=(feet[limb] - trunk)[stretch] * (facing, -1.0),
            mid=seen(_part(arrays, limb, "mid", track.skeleton)),
            root=seen(_part(arrays, limb, "root", track.skeleton)),
            heel=seen(_known(arrays, f"{_SIDE[limb]}_heel")) if track.skeleton == "person" else None,
            toe=seen(_known(arrays, f"{_SIDE[limb]}_toe")) if track.skeleton == "person" else None,
        )
        for limb in usable
    }
    camera = np.stack([arrays.camera_x_px, arrays.camera_y_px], axis=1)
    return Body(
        skeleton=track.skeleton,
        fps=fps,
        window=stretch,
        facing=sign,
        limbs=limbs,
        trunk_w=(trunk + camera)[stretch] * (facing, -1.0),
        pitch_rad=_pitch(arrays, track.skeleton, stretch, facing),
        tail_base=seen(_known(arrays, "tail_base")),
        notes=tuple(notes),
    )


def _without_standing(stretch: slice, swings: list[NDArray[np.float64]], fps: float, notes: list[str]) -> slice:
    """Cut off a beginning or an end in which the feet hardly move against the trunk."""
    length = stretch.stop - stretch.start
    span = max(int(0.7 * fps), 5)
    if length < 3 * span:
        return stretch
    views = np.lib.stride_tricks.sliding_window_view(np.stack(swings, axis=1), span, axis=0)
    lively = np.ptp(views, axis=-1).mean(1)
    moving = np.flatnonzero(lively > 0.4 * np.quantile(lively, 0.8))
    if not len(moving):
        return stretch
    start, stop = stretch.start + int(moving[0]), stretch.start + int(moving[-1]) + span
    if moving[0] > 0:
        start += span // 2
    if stop < stretch.stop:
        stop -= span // 2
    if stop - start < length - 2:
        notes.append(f"{start / fps:.1f} to {stop / fps:.1f} s are used: before and after, the limbs hardly move")
    return slice(start, stop)


def _part(arrays: TrackArrays, limb: str, part: str, skeleton: Skeleton) -> Points | None:
    group = "person" if skeleton == "person" else limb[0]
    best: Points | None = None
    most = 0.0
    for names in _PARTS[group][part]:
        if all(arrays.has(f"{_SIDE[limb]}_{name}") for name in names):
            points = np.mean([arrays.point(f"{_SIDE[limb]}_{name}") for name in names], axis=0)
            share = float(np.isfinite(points).all(1).mean())
            # A second choice has to be seen clearly more often; a subject may be in view for a small part of a clip.
            if share > (0.0 if best is None else most + 0.15):
                best, most = points, share
    return best


def _known(arrays: TrackArrays, name: str) -> Points | None:
    return arrays.point(name) if arrays.has(name) else None


def _trunk(arrays: TrackArrays, skeleton: Skeleton) -> Points | None:
    """Return the middle of the trunk from the set of points that is seen together most often."""
    best: Points | None = None
    most = 0.0
    for names in _TRUNK[skeleton]:
        if all(arrays.has(name) for name in names):
            points = np.mean([arrays.point(name) for name in names], axis=0)
            share = float(np.isfinite(points).all(1).mean())
            if share > (0.0 if best is None else most + 0.1):
                best, most = points, share
    if best is not None:
        return best
    known = [
        name for name in arrays.names if not name.endswith(("paw", "ankle", "heel", "toe", "knee", "wrist", "elbow"))
    ]
    known = [name for name in known if arrays.has(name)]
    return arrays.point(max(known, key=lambda name: np.isfinite(arrays.point(name)).sum())) if known else None


def _pitch(arrays: TrackArrays, skeleton: Skeleton, stretch: slice, facing: int) -> NDArray[np.float64] | None:
    pairs = (
        (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")),
        *(((("tail_base",), ("withers",)),) if skeleton == "quadruped" else ()),
    )
    for rear, front in pairs:
        if all(arrays.has(name) for name in rear + front):
            ends = [np.mean([arrays.point(name) for name in names], axis=0)[stretch] for names in (rear, front)]
            line = (ends[1] - ends[0]) * (facing, -1.0)
            if np.isfinite(line).all(1).mean() > 0.7:
                line = _bridged(line)
                upright = skeleton == "person"
                return np.arctan2(line[:, 0], line[:, 1]) if upright else -np.arctan2(line[:, 1], line[:, 0])
    return None


def _bridged(points: Points) -> Points:
    """Fill what is missing with straight lines: the mean stride needs every frame, a few weak ones do no harm."""
    filled = points.copy()
    frames = np.arange(len(points))
    known = np.isfinite(points).all(1)
    for axis in range(points.shape[1]):
        filled[~known, axis] = np.interp(frames[~known], frames[known], points[known, axis])
    return filled
