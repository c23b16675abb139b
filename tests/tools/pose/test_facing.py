"""Which way an animal faces: its body tells it, whichever way it goes, also before a camera that stands still."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from video2reward.evals.drawn_animals import HEIGHT_PX, DrawnAnimal, draw_animal
from video2reward.tools.gait import describe_gait
from video2reward.tools.pose.animal_box import BoxFinder
from video2reward.tools.pose.facing import facing_sign
from video2reward.tools.pose.quadnet import QuadNet
from video2reward.tools.video import Frame


def stacked(points: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack(list(points.values()), axis=1)


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("speed", [300.0, 0.0, -300.0], ids=["forwards", "on a belt", "backwards"])
def test_the_body_tells_the_facing_and_not_the_travel(walker, left: bool, speed: float) -> None:
    points = walker(left=left, seconds=2.0).points()
    middle = stacked(points).mean(1)
    at = np.arange(len(middle)) / 30 * speed * (-1 if left else 1)
    moved = {name: path + np.stack([at - middle[:, 0], 0 * at], axis=1) for name, path in points.items()}
    assert facing_sign(tuple(moved), stacked(moved), "quadruped") == (-1 if left else 1)


def test_where_only_one_end_of_the_body_was_seen_the_travel_tells(walker) -> None:
    points = {name: path for name, path in walker(left=True).points().items() if name.endswith(("hip", "hind_paw"))}
    assert facing_sign(tuple(points), stacked(points), "quadruped") == -1
    still = {name: path - path.mean(0) for name, path in points.items()}
    assert facing_sign(tuple(still), stacked(still)[:1], "quadruped") == 0


@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_the_gait_says_how_it_faces_before_a_still_camera(walker, left: bool) -> None:
    track, arrays = walker(left=left).track()
    forwards = describe_gait(track, arrays)
    backwards = describe_gait(
        track, replace(arrays, x_px=arrays.x_px[::-1], y_px=arrays.y_px[::-1], confidence=arrays.confidence[::-1])
    )
    assert (forwards.facing, forwards.travel) == ("left" if left else "right", "forward")
    assert (backwards.facing, backwards.travel) == (forwards.facing, "backward")


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("left", [False, True], ids=["right", "left"])
def test_the_network_tells_the_facing_of_an_animal_that_passes_a_still_camera(left: bool, backwards: bool) -> None:
    pictures, _ = draw_animal(DrawnAnimal("trot", "dog", 3, pan=False, to_left=left, seconds=0.5))
    looks_hz = 6.0  # fewer would do; the finder looks at all of them
    finder = BoxFinder(QuadNet(), looks_hz)
    seen = list(islice(pictures, 0, None, 5))
    for index, picture in enumerate(reversed(seen) if backwards else seen):
        width = picture.shape[1]
        finder.add(Frame(index, index / looks_hz, picture, 1.0), np.array([0.0, 0.0, width, HEIGHT_PX]))
    assert finder.facing == (-1 if left else 1)
