"""Which way the subject faces in the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.records import Skeleton

_FRONT_AND_BACK: dict[Skeleton, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    # Each pair: points that lie ahead of other points of the same body, however it moves.
    "quadruped": (
        (
            ("nose", "neck", "withers", "_shoulder", "_elbow", "_wrist", "_front_paw"),
            ("tail_base", "_hip", "_hind_paw"),
        ),
    ),
    "person": ((("_toe",), ("_heel",)), (("_toe",), ("_ankle",)), (("nose",), ("_shoulder",))),
}


def facing_sign(names: Sequence[str], xy_px: NDArray[np.float64], skeleton: Skeleton) -> int:
    """Return 1 for a subject that faces right in the picture, -1 for left, 0 where nothing tells.

    `xy_px` is (T, K, 2). Body parts decide; where they are missing or do not differ, the travel does.
    """
    x = xy_px[..., 0]
    if not np.isfinite(x).any():
        return 0
    for front, back in _FRONT_AND_BACK[skeleton]:
        ahead = _mean(names, x, front) - _mean(names, x, back)
        ahead = ahead[np.isfinite(ahead)]
        if len(ahead) >= 4:
            share_right = float((ahead > 0).mean())
            if abs(share_right - 0.5) > 0.3:
                return 1 if share_right > 0.5 else -1
    middle = np.nanmean(x[np.isfinite(x).any(1)], axis=1)
    rows = xy_px[np.isfinite(xy_px).all(-1)]
    height = float(np.ptp(rows[:, 1])) if len(rows) else 0.0
    travel = float(np.median(middle[-5:]) - np.median(middle[:5]))
    return int(np.sign(travel)) if height and abs(travel) > 0.5 * height else 0


def _mean(names: Sequence[str], x: NDArray[np.float64], parts: tuple[str, ...]) -> NDArray[np.float64]:
    """Average the columns whose name ends in one of `parts`, frame by frame; NaN where none was seen."""
    columns = x[:, [index for index, name in enumerate(names) if name.endswith(parts)]]
    counts = np.isfinite(columns).sum(1)
    return np.where(counts > 0, np.nansum(columns, 1) / np.maximum(counts, 1), np.nan)
