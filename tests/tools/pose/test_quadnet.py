"""The embedded quadruped network as it is shipped: it loads, decodes, mirrors, and finds a drawn dog."""

import cv2
import numpy as np
import pytest
from video2reward.evals.quadnet.pictures import Artist
from video2reward.memory.records import QUADRUPED_KEYPOINTS
from video2reward.tools.pose.quadnet import (
    CELL_PX,
    CHANNELS,
    INPUT_PX,
    NEAR_FAR_KEYPOINTS,
    PAIRS,
    QuadNet,
    RawPose,
    to_left_right,
)

INNER = INPUT_PX / 1.25  # a box whose margin makes it the whole drawn picture
WHOLE = np.array([[(INPUT_PX - INNER) / 2, (INPUT_PX - INNER) / 2, INNER, INNER]])
BODY = [i for i, name in enumerate(NEAR_FAR_KEYPOINTS) if name.endswith(("withers", "tail_base", "shoulder", "hip"))]


@pytest.fixture(scope="module")
def network():
    return QuadNet()


@pytest.fixture(scope="module")
def drawn():
    """Drawn animals that fill a good part of their picture and lie inside it."""
    artist = Artist(np.random.default_rng(77), num_textures=12)
    kept = []
    while len(kept) < 24:
        sample = artist.sample()
        if sample.points[:, 2].all() and np.ptp(sample.points[:, 0]) > 80:
            kept.append(sample)
    return kept


def three(sample):
    grey = [cv2.cvtColor(np.ascontiguousarray(sample.image[..., c]), cv2.COLOR_GRAY2RGB) for c in (3, 4)]
    return grey[0], np.ascontiguousarray(sample.image[..., :3]), grey[1]


def facing(sample):
    return 1 if sample.points[2, 0] > sample.points[3, 0] else -1


def trunk_px(points):
    return np.linalg.norm(points[2, :2] - points[3, :2])


def test_outputs_have_the_shapes_that_are_promised(network, drawn):
    raw = network.raw(three(drawn[0]), np.repeat(WHOLE, 2, axis=0))
    assert raw.x_curves.shape == raw.y_curves.shape == (2, len(CHANNELS), 2 * INPUT_PX)
    assert raw.heatmaps.shape == (2, len(CHANNELS), INPUT_PX // CELL_PX, INPUT_PX // CELL_PX)
    assert raw.outline.shape == (2, INPUT_PX // CELL_PX, INPUT_PX // CELL_PX)
    np.testing.assert_allclose(raw.heatmaps.sum((2, 3)), 1.0, atol=1e-3)
    assert raw.outline.min() >= 0 and raw.outline.max() <= 1


def test_curves_peak_where_the_heat_map_does(network, drawn):
    raw = network.raw(three(drawn[1]), WHOLE, facing(drawn[1]))
    xy, confidence = raw.places()
    assert ((confidence >= 0) & (confidence <= 1)).all()
    for channel in np.flatnonzero(confidence[0] > 0.6):
        row, column = np.unravel_index(raw.heatmaps[0, channel].argmax(), raw.heatmaps.shape[2:])
        at = np.array([column, row]) * CELL_PX + 1.5
        # The curve peaks at the middle of the surest window, up to two cells from the single surest cell.
        np.testing.assert_allclose(xy[0, channel], at, atol=2.5 * CELL_PX)


def test_drawn_animals_are_found_within_a_tenth_of_the_trunk(network, drawn):
    body, all_points = [], []
    for sample in drawn:
        xy = network.raw(three(sample), WHOLE, facing(sample)).points()[0][0]
        off = np.linalg.norm(xy - sample.points[:, :2], axis=1) / trunk_px(sample.points)
        body.append(np.median(off[BODY]))
        all_points.append(np.median(off))
    assert np.median(body) < 0.1
    assert np.median(all_points) < 0.1


def test_a_mirrored_picture_of_the_other_facing_gives_mirrored_points_and_the_same_near_and_far(network, drawn):
    for sample in drawn[:4]:
        frames = three(sample)
        xy, confidence = network.raw(frames, WHOLE, 1).points()
        mirrored = tuple(np.ascontiguousarray(frame[:, ::-1]) for frame in frames)
        back, sure = network.raw(mirrored, WHOLE, -1).points()
        np.testing.assert_allclose(INPUT_PX - 1 - back[..., 0], xy[..., 0], atol=0.1)
        np.testing.assert_allclose(back[..., 1], xy[..., 1], atol=0.1)
        np.testing.assert_allclose(sure, confidence, atol=1e-3)


def test_the_facing_is_told_and_turns_with_the_picture(network, drawn):
    told = []
    for sample in drawn:
        frames = three(sample)
        odds = network.facing(frames, WHOLE)[0]
        mirrored = tuple(np.ascontiguousarray(frame[:, ::-1]) for frame in frames)
        assert network.facing(mirrored, WHOLE)[0] == pytest.approx(-odds, abs=0.01)
        told.append((odds > 0) == (facing(sample) > 0))
    assert np.mean(told) > 0.7


def test_a_single_picture_is_seen_with_the_likelier_facing(network, drawn):
    sample = drawn[0]
    frame = three(sample)[1]
    way = 1 if network.facing((frame, frame, frame), WHOLE)[0] > 0 else -1
    raw = network.raw((frame, frame, frame), WHOLE, way)
    xy, confidence = network.see(frame, WHOLE)
    np.testing.assert_allclose(xy, to_left_right(raw.points()[0], way))
    np.testing.assert_allclose(confidence, to_left_right(raw.points()[1], way, axis=-1))


def test_the_ordered_channels_show_the_one_behind_and_the_one_ahead(network, drawn):
    off, apart = [], []
    for sample in drawn:
        xy = network.raw(three(sample), WHOLE, facing(sample)).places()[0][0]
        for pair, (near, far) in enumerate(PAIRS):
            truth = sample.points[[near, far], :2]
            truth = truth[np.argsort(facing(sample) * truth[:, 0])]
            seen = xy[20 + 2 * pair : 22 + 2 * pair]
            off.extend(np.linalg.norm(seen - truth, axis=1) / trunk_px(sample.points))
            apart.append((seen[1, 0] - seen[0, 0]) * facing(sample))
    assert np.median(off) < 0.1
    assert np.mean(np.array(apart) > -CELL_PX) > 0.9


def test_near_and_far_are_told_apart_better_than_by_chance(network, drawn):
    right = []
    for sample in drawn:
        odds = network.raw(three(sample), WHOLE, facing(sample)).near_is_behind()[0]
        for pair, (near, far) in enumerate(PAIRS):
            gap = (sample.points[far, 0] - sample.points[near, 0]) * facing(sample)
            if abs(gap) > 0.15 * trunk_px(sample.points) and abs(odds[pair]) > 0.3:
                right.append((odds[pair] > 0) == (gap > 0))
    assert len(right) > 15
    assert np.mean(right) > 0.6


def test_both_legs_of_a_pair_are_placed_where_the_network_saw_two(network, drawn):
    for sample in drawn:
        raw = network.raw(three(sample), WHOLE, facing(sample))
        places, points = raw.places()[0][0], raw.points()[0][0]
        for pair, (near, far) in enumerate(PAIRS):
            two = places[20 + 2 * pair : 22 + 2 * pair]
            chosen = points[[near, far]]
            np.testing.assert_allclose(chosen[np.argsort(chosen[:, 0])], two[np.argsort(two[:, 0])])


def test_near_is_right_for_an_animal_that_faces_right():
    values = np.arange(20.0)[:, None]
    near_paw = NEAR_FAR_KEYPOINTS.index("near_front_paw")
    right, left = QUADRUPED_KEYPOINTS.index("right_front_paw"), QUADRUPED_KEYPOINTS.index("left_front_paw")
    assert to_left_right(values, 1)[right, 0] == near_paw
    assert to_left_right(values, -1)[left, 0] == near_paw
    np.testing.assert_array_equal(to_left_right(to_left_right(values, 1), 1), values)
    np.testing.assert_array_equal(to_left_right(values, 1)[:4], values[:4])


def test_points_go_with_the_box(network, drawn):
    """A picture laid elsewhere in a larger frame, at twice the size, gives the same points there."""
    frames = three(drawn[2])
    plain, confidence = network.raw(frames, WHOLE, facing(drawn[2])).points()
    large = []
    for frame in frames:
        canvas = np.zeros((600, 800, 3), np.uint8)
        canvas[150 : 150 + 2 * INPUT_PX, 300 : 300 + 2 * INPUT_PX] = cv2.resize(frame, None, fx=2, fy=2)
        large.append(canvas)
    box = WHOLE * 2 + [300, 150, 0, 0]
    moved = network.raw(tuple(large), box, facing(drawn[2])).points()[0]
    sure = confidence[0] > 0.6
    expected = plain[0, sure] * 2 + [300.5, 150.5]
    assert np.median(np.linalg.norm(moved[0, sure] - expected, axis=1)) < 3.0


def test_boxes_before_and_after_hold_a_travelling_animal_still(network, drawn):
    frames = three(drawn[3])
    plain = network.raw(frames, WHOLE)
    shifts = (-14, 0, 14)
    travelling = tuple(
        cv2.warpAffine(frame, np.float64([[1, 0, 40 + shift], [0, 1, 0]]), (INPUT_PX + 80, INPUT_PX))
        for frame, shift in zip(frames, shifts, strict=True)
    )
    before, now, after = (WHOLE + [40 + shift, 0, 0, 0] for shift in shifts)
    followed = network.raw(travelling, now, boxes_before_px=before, boxes_after_px=after)
    np.testing.assert_allclose(followed.heatmaps, plain.heatmaps, atol=0.02)
    np.testing.assert_allclose(followed.origin_px - [40, 0], plain.origin_px)


def test_no_box_gives_no_points(network):
    picture = np.zeros((50, 60, 3), np.uint8)
    xy, confidence = network.see(picture, np.empty((0, 4)))
    assert xy.shape == (0, 20, 2) and confidence.shape == (0, 20)


def test_a_box_beyond_the_picture_is_answered_without_an_error(network):
    picture = np.full((50, 60, 3), 90, np.uint8)
    xy, confidence = network.see(picture, np.array([[500.0, 500.0, 40.0, 40.0], [-900.0, -900.0, 2000.0, 2000.0]]))
    assert xy.shape == (2, 20, 2) and np.isfinite(confidence).all()


def test_the_box_holds_the_outline_and_the_sure_points():
    cells, bins = INPUT_PX // CELL_PX, 2 * INPUT_PX
    outline = np.zeros((2, cells, cells), np.float32)
    outline[0, 10:20, 5:30] = 0.9
    x_curves, y_curves = np.zeros((2, 32, bins), np.float32), np.zeros((2, 32, bins), np.float32)
    x_curves[:, 0, 100], y_curves[:, 0, 240] = 0.8, 0.8  # a sure paw below the outline
    x_curves[:, 1, 380], y_curves[:, 1, 240] = 0.2, 0.2  # an unsure one far to the right
    raw = RawPose(
        x_curves, y_curves, np.zeros((2, 32, cells, cells), np.float32), outline, np.array([[100.0, 50.0]] * 2),
        np.full((2, 2), 0.5), np.ones(2, int), np.ones(2),
    )  # fmt: skip
    boxes, scores = raw.boxes()
    # Columns 5-29 at 4 input pixels a cell and half a picture pixel each: x 110 to 160. Rows from 10 on: y from 70,
    # down to the paw at bin 240, input pixel 120, y 110.
    np.testing.assert_allclose(boxes[0], [109.75, 69.75, 50, 40.25])
    assert scores[0] > 0
    assert scores[1] == 0 and np.isnan(boxes[1]).all()


def test_an_animal_is_found_in_a_whole_picture(network, drawn):
    overlaps = []
    for sample in drawn[:8]:
        frame = np.zeros((360, 640, 3), np.uint8)
        frame[:] = sample.image[..., :3].mean((0, 1)).astype(np.uint8)
        frame[120 : 120 + INPUT_PX, 250 : 250 + INPUT_PX] = sample.image[..., :3]
        rows, columns = np.nonzero(sample.mask > 127)
        low = np.array([columns.min(), rows.min()]) * 4 + [250, 120]
        high = np.array([columns.max(), rows.max()]) * 4 + 4 + [250, 120]
        found = network.detect(frame)[0].box_px
        sides = np.minimum(high, found[:2] + found[2:]) - np.maximum(low, found[:2])
        both = np.prod(np.maximum(sides, 0))
        overlaps.append(both / (np.prod(high - low) + np.prod(found[2:]) - both))
    assert np.median(overlaps) > 0.5
