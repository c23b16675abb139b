"""How the camera moves, from what lies behind and under the subject."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from video2reward.tools.camera import BackgroundMotion, BackgroundWatch
from video2reward.tools.pose.animal import faces
from video2reward.tools.video import Frame

BOX = np.array([130.0, 90.0, 60.0, 60.0])
FEET = BOX[:2] + BOX[2:] * (0.5, 1.0)


def _texture(seed: int, height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(60, 255, (height // 6, width // 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def _watched(*, far_px: float, ground_px: float, bars_px: int = 0, count: int = 40) -> BackgroundMotion:
    """Pan over a far scene and a ground, so many pixels a frame, before a subject that stays in the picture."""
    far, ground = _texture(1, 180, 720), _texture(2, 60, 720)
    watch = BackgroundWatch()
    for index in range(count):
        picture = np.zeros((180, 320, 3), np.uint8)
        for layer, top, shift in ((far, 0, far_px), (ground, 130, ground_px)):
            warp = np.array([[1.0, 0.0, -shift * index], [0.0, 1.0, 0.0]])
            picture[top : top + len(layer)] = cv2.warpAffine(layer, warp, (320, len(layer)))[: 180 - top]
        picture[:bars_px] = picture[180 - bars_px :] = 0
        watch.add(Frame(index, index / 30, picture, 1.0), BOX[None], FEET)
    return watch.result()


def test_a_pan_over_one_plane_is_measured() -> None:
    motion = _watched(far_px=3.0, ground_px=3.0)
    assert motion.camera == "moving" and motion.camera_x_px[-1] == pytest.approx(3.0 * 39, rel=0.02)


def test_a_camera_that_goes_along_is_measured_by_the_ground_and_not_by_houses_far_behind() -> None:
    motion = _watched(far_px=0.3, ground_px=4.0)
    assert motion.camera == "moving" and motion.camera_x_px[-1] == pytest.approx(4.0 * 39, rel=0.05)


def test_black_bars_do_not_pass_for_a_background_that_stays() -> None:
    motion = _watched(far_px=3.0, ground_px=3.0, bars_px=24)
    assert motion.camera == "moving" and motion.camera_x_px[-1] == pytest.approx(3.0 * 39, rel=0.02)


def test_a_still_camera_is_still() -> None:
    assert _watched(far_px=0.0, ground_px=0.0).camera == "still"


def _motion(way_px: float, camera: str = "moving") -> BackgroundMotion:
    along, no = np.linspace(0.0, way_px, 50), np.zeros(50, bool)
    return BackgroundMotion(along, 0 * along, camera, 0.8, no, no, no)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "odds, way_px, camera, expected",
    [
        (0.3, -500.0, "moving", 1),  # plain looks count, even of an animal that goes backwards
        (-0.05, 500.0, "moving", 1),
        (0.05, -500.0, "moving", -1),
        (0.05, 60.0, "moving", None),  # one width of its box is too short a way
        (0.05, 500.0, "unknown", None),
    ],
)
def test_where_the_looks_do_not_tell_an_animal_faces_the_way_it_goes(odds, way_px, camera, expected) -> None:
    assert faces(odds, np.tile(BOX, (50, 1)), _motion(way_px, camera), [slice(0, 50)]) == expected
