"""Which leg is seen where two cross: drawn legs of two shades, the nearer one over the other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from video2reward.tools.pose.in_front import seen_in_front
from video2reward.tools.pose.rhythm import Glimpse

FRAMES, STRIDES, CELL_PX = 120, 6.0, 5.0
PHASE = np.arange(FRAMES) / FRAMES * STRIDES
SIDE_PX = 240.0


def leg(phase: np.ndarray) -> np.ndarray:
    """Return hip, knee and paw (T, 3, 2), in pixels, of a leg that swings about a hip at (120, 60)."""
    swing = np.sin(2 * np.pi * phase)
    hip = np.tile([120.0, 60.0], (len(phase), 1))
    knee = hip + np.stack([25 * swing, np.full(len(phase), 55.0)], axis=1)
    paw = knee + np.stack([35 * swing - 10, 55 + 5 * np.cos(2 * np.pi * phase)], axis=1)
    return np.stack([hip, knee, paw], axis=1)


def drawn(legs: list[np.ndarray], shades: list[int], rng: np.random.Generator) -> list[Glimpse]:
    """Return the pictures of legs over noise; the last one covers the others."""
    glimpses = []
    for frame in range(FRAMES):
        picture = np.clip(rng.normal(110, 12, (48, 48)), 0, 255).astype(np.uint8)
        for one, shade in zip(legs, shades, strict=True):
            points = np.round(one[frame] / CELL_PX).astype(int)
            cv2.polylines(picture, [points], False, shade, 3)
        noisy = np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)
        nothing = np.zeros((1, 24, 24), np.uint8)
        glimpses.append(Glimpse(nothing, noisy, noisy, np.zeros(2), np.full(2, CELL_PX)))
    return glimpses


@pytest.mark.parametrize("shades", [(60, 150), (170, 70)], ids=["far legs dark", "far legs light"])
def test_the_leg_that_covers_the_other_is_in_front(shades: tuple[int, int]) -> None:
    near, far = leg(PHASE), leg(PHASE + 0.5)
    glimpses = drawn([far, near], list(shades), np.random.default_rng(0))
    told = seen_in_front(glimpses, near, far, PHASE, SIDE_PX)
    assert told > 2.0
    assert seen_in_front(glimpses, far, near, PHASE, SIDE_PX) < -2.0


def test_legs_that_look_alike_tell_nothing() -> None:
    near, far = leg(PHASE), leg(PHASE + 0.5)
    glimpses = drawn([far, near], [60, 60], np.random.default_rng(1))
    assert abs(seen_in_front(glimpses, near, far, PHASE, SIDE_PX)) < 1.5


def test_legs_that_are_not_seen_tell_nothing() -> None:
    near, far = leg(PHASE), leg(PHASE + 0.5)
    glimpses = drawn([far, near], [60, 150], np.random.default_rng(2))
    assert seen_in_front(glimpses, np.full_like(near, np.nan), far, PHASE, SIDE_PX) == 0.0
    assert seen_in_front([None] * FRAMES, near, far, PHASE, SIDE_PX) == 0.0
