"""Tell a stride from half a stride by how often the two legs of a pair pass each other.

In a walk, a trot or a pace the second half of a stride is the first with near and far legs exchanged. Where these look
alike, the pictures come back twice a stride, and their rhythm is taken for twice its frequency. But two legs that come
back to where they were have passed each other an even number of times, or never (each passing changes which of them is
ahead). Legs that pass each other once in what was taken for a stride have changed places after it: it is half a stride.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from video2reward.tools.pose.quadnet import NEAR_FAR_KEYPOINTS
from video2reward.tools.pose.rhythm import Rhythm

_GIRDLES = ((1, 2), (4, 5))
"""Of the network's `PAIRS`: wrists and fore paws, ankles and hind paws."""
_ONCE = 2.5
"""How many times larger the part of the legs' gap that comes once a period has to be than the part that comes twice: in
drawn and filmed gaits of the right frequency it is at most 1.7 times as large in one girdle, of twice the right one
4 times and more in both."""
_PLAIN = 0.03
"""Legs pass each other plainly where that part is this share of the grid's side."""


def is_half_a_stride(
    places_px: NDArray[np.float64], confidence: NDArray[np.float64], side_px: float, facing: int, rhythm: Rhythm
) -> bool:
    """Tell whether fore and hind legs pass each other once in each period of a rhythm, instead of twice.

    `places_px` (T, 32, 2) and `confidence` (T, 32) are of the network's channels: of each pair, whichever is the near
    one, they show the leg behind and the leg ahead. `side_px` is that of the grid about the animal.
    """
    angle = 2 * np.pi * rhythm.phase
    columns = np.stack([np.ones_like(angle), *(f(k * angle) for k in (1, 2) for f in (np.cos, np.sin))], axis=1)
    xs, sure = facing * places_px[rhythm.window, :, 0] / side_px, np.clip(confidence[rhythm.window], 0.05, 1.0)
    for girdle in _GIRDLES:
        once = twice = 0.0
        for pair in girdle:
            behind = len(NEAR_FAR_KEYPOINTS) + 2 * pair
            weight = np.minimum(sure[:, behind], sure[:, behind + 1])[:, None]
            gap = (xs[:, behind + 1] - xs[:, behind])[:, None]
            _, *waves = np.linalg.lstsq(columns * weight, gap * weight, rcond=None)[0][:, 0]
            once, twice = once + float(np.hypot(*waves[:2])), twice + float(np.hypot(*waves[2:]))
        if once < _ONCE * twice or once < _PLAIN * len(girdle):
            return False
    return True
