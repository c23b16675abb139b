"""How each joint turns over the stride, stride by stride: the mean and how far the strides lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadClip
from video2reward.memory.records import KeypointTrack, Skeleton
from video2reward.tools.body import read_body
from video2reward.tools.cycle import find_stride
from video2reward.tools.track import TrackArrays

NUM_BINS = 50
MAX_GAP = 0.1
"""A stride with a hole longer than this share of it is not drawn."""

_JOINTS: Mapping[Skeleton, Mapping[str, tuple[str, ...]]] = {
    # Two points: a limb against the vertical. Three: the angle between two bones, 180 for a stretched limb.
    "quadruped": {
        "front leg": ("shoulder", "front_paw"),
        "elbow": ("shoulder", "elbow", "front_paw"),
        "hind leg": ("hip", "hind_paw"),
        "knee": ("hip", "knee", "ankle"),
    },
    "person": {"thigh": ("hip", "knee"), "knee": ("hip", "knee", "ankle"), "ankle": ("knee", "ankle", "toe")},
}


@dataclass(frozen=True)
class JointCycle:
    """One joint of one side: `strides_deg` (S, NUM_BINS + 1) from phase 0 to 1, one row for each whole stride.

    The angle of a leg counts from straight down, forward positive; a joint's is 180 for a stretched limb.
    """

    joint: str
    side: str
    strides_deg: NDArray[np.float64]

    @property
    def mean_deg(self) -> NDArray[np.float64]:
        return self.strides_deg.mean(axis=0)

    @property
    def spread_deg(self) -> NDArray[np.float64]:
        """Standard deviation over the strides, 0 for a single one."""
        return self.strides_deg.std(axis=0)


def joint_names(skeleton: Skeleton) -> tuple[str, ...]:
    """Return the joints that are looked at, in the order in which they are shown."""
    return tuple(_JOINTS[skeleton])


def joint_cycles(track: KeypointTrack, arrays: TrackArrays, touchdown: float, stride_s: float) -> list[JointCycle]:
    """Fold the joints' angles over the stride; none for a joint that was not seen through a whole stride.

    `touchdown` is the stride phase, counted from clip second 0 at a steady `stride_s` in clip seconds, at which the
    reference limb lands: there every row begins. Slow changes of the rhythm are followed.
    """
    try:
        body = read_body(track, arrays)
    except BadClip:
        return []
    stride = find_stride(body.forward_signals(), body.fps)
    if stride is None:
        return []
    frames = np.arange(body.window.start, body.window.stop)
    steady = frames / track.fps / stride_s - touchdown
    lead = float(np.angle(np.exp(2j * np.pi * (stride.phase - steady)).mean()) / (2 * np.pi))
    phase = stride.phase - lead
    facing = body.facing or 1
    cycles = []
    for joint, parts in _JOINTS[track.skeleton].items():
        for side in ("left", "right"):
            points = [arrays.point(f"{side}_{part}")[body.window] * (facing, -1.0) for part in parts]
            rows = _folded(_angle_deg(points), phase)
            if len(rows):
                cycles.append(JointCycle(joint, side, rows))
    return cycles


def _angle_deg(points: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the angle (T,) of a limb (two points, forward and up) or between bones (three points)."""
    if len(points) == 2:
        down = points[1] - points[0]
        return np.degrees(np.arctan2(down[:, 0], -down[:, 1]))
    upper, lower = points[0] - points[1], points[2] - points[1]
    cross = upper[:, 0] * lower[:, 1] - upper[:, 1] * lower[:, 0]
    return np.degrees(np.arctan2(np.abs(cross), (upper * lower).sum(axis=1)))


def _folded(angle_deg: NDArray[np.float64], phase: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the whole strides of an angle (T,), each (NUM_BINS + 1)."""
    known = np.isfinite(angle_deg)
    rows = []
    if known.sum() > 4:
        at, values = phase[known], angle_deg[known]
        for start in range(int(np.ceil(at[0])), int(np.floor(at[-1]))):
            inside = at[(at >= start - MAX_GAP) & (at <= start + 1 + MAX_GAP)]
            if len(inside) > 3 and np.diff(inside).max() <= MAX_GAP:
                rows.append(np.interp(start + np.linspace(0, 1, NUM_BINS + 1), at, values))
    return np.array(rows).reshape(-1, NUM_BINS + 1)
