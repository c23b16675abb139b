"""Of two feet that stand in turn, the one that stands lower in the picture is the nearer one."""

from __future__ import annotations

import numpy as np
import pytest
from video2reward.tools.pose.limbs import both_tell
from video2reward.tools.pose.nearer import stands_nearer

SIDE_PX = 250.0
PHASE = np.arange(120) / 30 * 2.0  # eight strides
BINS = (np.arange(24) + 0.5) / 24
# A foot goes back for half of the stride and forward for the other half; the second one half a stride later.
PATH = np.where(BINS < 0.5, 0.5 - 2 * BINS, 2 * BINS - 1.5) * 0.2
PATHS = (PATH, np.roll(PATH, 12))


def sure(lower_px: float, *, sinks_px: float = 0.0, noise_px: float = 2.0, seen: float = 1.0) -> float:
    """How surely the first foot is said to be the nearer one where it stands so much lower; swings lift feet 30 px."""
    rng = np.random.default_rng(2)
    heights, known = [], []
    for first, shift in ((True, 0.0), (False, 0.5)):
        swing = np.clip((PHASE - shift) % 1.0 - 0.5, 0, None) * 2
        y = 200 + (lower_px if first else 0.0) - 30 * np.sin(np.pi * swing) + sinks_px * np.arange(120) / 120
        heights.append(y + rng.normal(0, noise_px, 120))
        known.append(rng.random(120) < seen)
    return stands_nearer((heights[0], heights[1]), (known[0], known[1]), PATHS, PHASE, SIDE_PX)


def test_the_foot_that_stands_lower_is_the_nearer_one() -> None:
    # 15 px are .06 of the side; of that .01 is always open, and .02 is one standard error: 2.5.
    assert sure(15.0) == pytest.approx(2.5, abs=0.3)
    assert sure(-15.0) == pytest.approx(-2.5, abs=0.3)


def test_feet_that_stand_level_tell_nothing() -> None:
    assert abs(sure(0.0)) < 0.1 and abs(sure(2.0)) < 0.3


def test_an_animal_that_comes_nearer_and_sinks_in_the_picture_misleads_nobody() -> None:
    assert sure(0.0, sinks_px=120.0) == pytest.approx(0.0, abs=0.2)
    assert sure(15.0, sinks_px=-120.0) == pytest.approx(2.5, abs=0.4)


def test_feet_that_were_hardly_seen_tell_nothing() -> None:
    assert sure(15.0, seen=0.1) == 0.0


def test_two_witnesses_that_agree_are_surer_and_two_that_contradict_each_other_tell_nothing() -> None:
    assert both_tell(1.0, 1.0) > 1.3 and both_tell(-1.0, -1.0) == pytest.approx(-both_tell(1.0, 1.0))
    assert both_tell(2.0, -2.0) == pytest.approx(0.0, abs=1e-9)
    assert both_tell(1.5, 0.0) == pytest.approx(1.5)
    assert np.isfinite(both_tell(60.0, 40.0))
