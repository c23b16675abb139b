"""The drawn quadrupeds: their truth is where they were drawn, in every frame and after every distortion."""

import numpy as np
import pytest
from video2reward.evals.quadnet.bodies import random_body
from video2reward.evals.quadnet.camera import Camera
from video2reward.evals.quadnet.motion import joints, random_gait
from video2reward.evals.quadnet.pictures import MASK_STRIDE, PICTURE_PX, Artist
from video2reward.evals.quadnet.raster import Canvas
from video2reward.tools.pose.quadnet import NEAR_FAR_KEYPOINTS


@pytest.fixture(scope="module")
def samples():
    artist = Artist(np.random.default_rng(1), num_textures=12)
    return [artist.sample() for _ in range(40)]


def on_outline(sample, points):
    """Which points have some of the animal within a cell (4 px) of them."""
    cells = np.clip(np.floor(points / MASK_STRIDE).astype(int), 0, PICTURE_PX // MASK_STRIDE - 1)
    covered = np.pad(sample.mask, 1) > 60
    return np.array([covered[y : y + 3, x : x + 3].any() for x, y in cells])


def test_points_lie_on_the_drawn_animal(samples):
    near = [i for i, name in enumerate(NEAR_FAR_KEYPOINTS) if not name.startswith("far_")]
    hits = []
    for sample in samples:
        inside = sample.points[near, 2] > 0
        hits.extend(on_outline(sample, sample.points[near][inside, :2]))
    # Riders, handlers and the edge of the picture hide a few.
    assert np.mean(hits) > 0.93


def test_points_of_another_picture_do_not_lie_on_the_animal(samples):
    hits = []
    for sample, other in zip(samples, samples[1:], strict=False):
        inside = other.points[:, 2] > 0
        hits.extend(on_outline(sample, other.points[inside, :2]))
    assert np.mean(hits) < 0.6


def test_the_same_seed_draws_the_same_pictures(samples):
    again = Artist(np.random.default_rng(1), num_textures=12).sample()
    np.testing.assert_array_equal(again.image, samples[0].image)
    np.testing.assert_array_equal(again.points, samples[0].points)


def test_both_directions_are_drawn(samples):
    ahead = np.array([sample.points[0, 0] - sample.points[3, 0] for sample in samples])
    assert 0.25 < (ahead > 0).mean() < 0.75


def test_a_foot_on_the_ground_stays_on_the_ground_and_moves_back():
    rng = np.random.default_rng(3)
    body = random_body(rng)
    gait = random_gait(rng, body)
    start = (1.0 - gait.phases[2]) % 1.0  # touchdown of the near hind foot
    stance = [joints(body, gait, start + share * gait.duty)["near_hind_paw"] for share in (0.1, 0.5, 0.9)]
    xs = [point[0] for point in stance]
    assert xs[0] > xs[1] > xs[2]
    # The leg reaches for the ground; a short one may not quite get there.
    assert all(point[1] < 0.25 * body.height for point in stance)


def test_the_nearer_rod_hides_the_farther_one():
    canvas = Canvas(40)
    canvas.rod(np.array([5.0, 20.0, 10.0]), np.array([35.0, 20.0, 10.0]), 4.0, 4.0, part=1, flat=1.0)
    canvas.rod(np.array([20.0, 5.0, -10.0]), np.array([20.0, 35.0, -10.0]), 4.0, 4.0, part=2, flat=1.0)
    assert canvas.part[20, 20] == 1 and canvas.part[8, 20] == 2 and canvas.part[2, 2] == 0
    # A round rod that lies across the view is nearest along its axis: depth 10 + radius 4.
    assert canvas.depth[20, 20] == pytest.approx(14.0, abs=1e-3)


def test_a_face_is_drawn_only_from_its_front():
    corners = np.array([[5.0, 5.0, 0.0], [30.0, 5.0, 0.0], [30.0, 30.0, 0.0], [5.0, 30.0, 0.0]])
    front, back = Canvas(40), Canvas(40)
    front.face(corners, part=3)
    back.face(corners[::-1], part=3)
    assert front.part[15, 15] == 3 and not back.part.any()


def test_a_camera_from_above_lifts_what_is_far():
    camera = Camera(yaw=0.0, pitch=0.5, roll=0.0, distance=1e6, look_at_height=0.0, scale_px=100.0)
    near, far = camera.project(np.array([[0.0, 0.0, 0.3], [0.0, 0.0, -0.3]]))[0]
    # 0.6 apart in depth, seen from 0.5 rad above: 60 px · sin(0.5) on the picture.
    assert near[1] - far[1] == pytest.approx(60 * np.sin(0.5), rel=1e-3)
    assert near[2] > far[2]
