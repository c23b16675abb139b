"""Left and right, mixed up on purpose and mended; and who is the subject among several."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video2reward.tools.pose.points import PointSeries
from video2reward.tools.pose.sides import mend_sides
from video2reward.tools.pose.stride_sides import mend_sides_by_stride
from video2reward.tools.pose.subject import Sighting, follow_subject


def _series(walker, **changes: object) -> PointSeries:
    points = walker(**changes).points()
    xy = np.stack(list(points.values()), axis=1)
    return PointSeries("quadruped", tuple(points), np.arange(len(xy)), xy, np.ones(xy.shape[:2]), "test")


def _swapped(series: PointSeries, frames: np.ndarray) -> PointSeries:
    xy = series.xy_px.copy()
    for index, name in enumerate(series.names):
        if name.startswith("left_"):
            twin = series.names.index(name.replace("left_", "right_"))
            xy[np.ix_(frames, [index, twin])] = series.xy_px[np.ix_(frames, [twin, index])]
    return PointSeries(series.skeleton, series.names, series.frame_index, xy, series.confidence, series.source)


def test_what_is_in_order_is_left_alone(walker) -> None:
    series = _series(walker, noise=1.0)
    assert mend_sides(series) is series


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), share=st.floats(0.02, 0.2))
def test_frames_with_left_and_right_mixed_up_are_mended(walker, seed: int, share: float) -> None:
    series = _series(walker, noise=1.0, seed=seed)
    frames = np.flatnonzero(np.random.default_rng(seed).random(len(series.xy_px)) < share)
    mended = mend_sides(_swapped(series, frames))
    paws = [index for index, name in enumerate(series.names) if name.endswith("paw")]
    # Frames in which the limbs pass each other cannot be told, and need not be.
    apart = np.abs(series.xy_px[:, paws[0::2]] - series.xy_px[:, paws[1::2]]).max(-1) > 12.0
    wrong = np.abs(mended.xy_px[:, paws[0::2]] - series.xy_px[:, paws[0::2]]).max(-1) > 6.0
    assert (wrong & apart).mean() < 0.03
    assert len(frames) == 0 or any("mended" in note for note in mended.notes)


def test_a_stretch_of_frames_mixed_up_is_mended(walker) -> None:
    series = _series(walker, noise=1.0)
    mended = mend_sides(_swapped(series, np.arange(60, 66)))
    assert np.abs(mended.xy_px - series.xy_px).max() < 1e-9 or (np.abs(mended.xy_px - series.xy_px) > 6).mean() < 0.01


def test_the_stride_sets_right_what_lies_mixed_up_for_a_third_of_a_second(walker) -> None:
    # Ten frames in a row are smooth in themselves: only the stride before and after tells that they are exchanged.
    series = _series(walker, noise=1.0)
    mended = mend_sides_by_stride(_swapped(series, np.arange(60, 70)), fps=30.0)
    apart = np.abs(series.xy_px - _swapped(series, np.arange(150)).xy_px).max((1, 2)) > 12.0
    assert (np.abs(mended.xy_px - series.xy_px).max((1, 2))[apart] > 6.0).mean() < 0.03
    assert any("by the stride" in note for note in mended.notes)


def test_the_stride_leaves_alone_what_is_in_order_and_what_has_no_rhythm(walker) -> None:
    series = _series(walker, noise=2.0)
    assert mend_sides_by_stride(series, fps=30.0) is series
    rng = np.random.default_rng(0)
    noise = PointSeries(
        "quadruped", series.names, series.frame_index, rng.normal(0, 20, series.xy_px.shape), series.confidence, "test"
    )
    assert mend_sides_by_stride(noise, fps=30.0) is noise


def _body(frame: int, x: float, swing: float) -> Sighting:
    xy = np.array([[x, 100.0], [x - swing, 200.0], [x + swing, 200.0], [x, 50.0]])
    return Sighting(frame, xy, np.full(4, 0.9))


def test_of_several_bodies_the_one_that_travels_is_followed_through_crossings() -> None:
    sightings = []
    for frame in range(60):
        swing = 20 * np.sin(frame / 3)
        bodies = [_body(frame, 50 + 6 * frame, swing), _body(frame, 230, 0.0), _body(frame, 500, 0.0)]
        sightings += bodies[frame % 3 :] + bodies[: frame % 3]
    subject, note = follow_subject(sightings, 60)
    assert len(subject) == 60
    assert [s.xy_px[0, 0] for s in subject] == pytest.approx([50 + 6 * frame for frame in range(60)])
    assert "3 bodies" in note


def test_the_body_that_was_pointed_at_is_followed_and_nobody_where_nobody_is() -> None:
    sightings = []
    for frame in range(60):
        sightings += [_body(frame, 50 + 6 * frame, 10.0), _body(frame, 500, 0.0)]
    standing, note = follow_subject(sightings, 60, box_px=np.array([480.0, 40.0, 40.0, 170.0]))
    assert {s.xy_px[0, 0] for s in standing} == {500.0} and "pointed at" in note
    # In frame 30 the walker is at x = 230.
    walking, _ = follow_subject(sightings, 60, frame=30, box_px=np.array([210.0, 40.0, 40.0, 170.0]))
    assert walking[30].xy_px[0, 0] == 230.0
    assert follow_subject(sightings, 60, frame=0, box_px=np.array([900.0, 40.0, 40.0, 170.0])) == ([], "")


def test_a_single_body_needs_no_choice_and_nobody_is_nobody() -> None:
    subject, note = follow_subject([_body(frame, 100.0, 0.0) for frame in range(10)], 10)
    assert len(subject) == 10 and note == ""
    assert follow_subject([], 10) == ([], "")
