"""What every pose backend hands over: named points at the times they were seen, before any cleaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.records import PERSON_KEYPOINTS, QUADRUPED_KEYPOINTS, Skeleton, SwingReading

KEYPOINTS_BY_SKELETON: Mapping[Skeleton, tuple[str, ...]] = {
    "person": PERSON_KEYPOINTS,
    "quadruped": QUADRUPED_KEYPOINTS,
}


@dataclass(frozen=True)
class PointSeries:
    """Points under their canonical names.

    `frame_index` (N,) names the clip's frames, rising; `xy_px` (N, K, 2) with y down and NaN where nothing was seen;
    `confidence` (N, K) in [0, 1].
    """

    skeleton: Skeleton
    names: tuple[str, ...]
    frame_index: NDArray[np.int64]
    xy_px: NDArray[np.float64]
    confidence: NDArray[np.float64]
    source: str
    name_by_source_name: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sides_sure: float | None = None
    """How surely left and right were told apart over the whole clip already, in standard errors; None: not yet."""
    swings: SwingReading | None = None
    """What the times say at which the legs swing, where they were looked at."""
    turned_s: float | None = None
    """When the subject turned round and went the other way, in seconds of the clip; None where it did not."""
