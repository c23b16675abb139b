"""When legs swing: seen in what goes forward faster than the trunk, read as a gait."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from video2reward.evals.drawn_clips import encode, scene
from video2reward.memory.records import SwingReading
from video2reward.tools.gait import describe_gait
from video2reward.tools.pose.swing_order import find_order, read_swings
from video2reward.tools.pose.swings import COLUMNS, SPAN, Swings, watch_swings
from video2reward.tools.quality import assess
from video2reward.tools.swing_gait import with_swings
from video2reward.tools.video import open_clip

FPS, HERTZ, DUTY = 30.0, 1.7, 0.45


def _seen(near_far: tuple[float, float, float, float], noise: float = 0.1) -> tuple[Swings, NDArray[np.float64]]:
    """Return what swings over six seconds: near fore, far fore, near hind and far hind leg touch down at these phases.

    Far legs show half as much. A foot that swings goes forward evenly, which is not how it is fitted.
    """
    rng = np.random.default_rng(1)
    phase = np.arange(180) / FPS * HERTZ
    along = SPAN[0] + (np.arange(COLUMNS) + 0.5) / COLUMNS * (SPAN[1] - SPAN[0])
    forward = noise * rng.random((180, COLUMNS))
    for leg, touchdown in enumerate(near_far):
        middle, shown = 0.68 if leg < 2 else 0.28, 1.0 if leg in (0, 2) else 0.5
        turn = (phase - touchdown) % 1.0
        swing = (turn - DUTY) / (1 - DUTY)
        foot = middle + 0.15 * (2 * swing - 1)
        forward += shown * (swing > 0)[:, None] * np.exp(-0.5 * ((along - foot[:, None]) / 0.04) ** 2)
    return Swings(forward, -0.05), phase


# A hind leg's swing is taken to be seen 0.06 strides late: it is drawn so here.
@pytest.mark.parametrize(
    "name, near_far",
    [("trot", (0.0, 0.5, 0.56, 0.06)), ("pace", (0.0, 0.5, 0.06, 0.56)), ("walk", (0.0, 0.5, 0.81, 0.31))],
)
def test_symmetrical_gaits_are_told_by_when_the_near_legs_swing(name: str, near_far) -> None:
    reading = read_swings(*_seen(near_far))
    assert reading is not None and reading.gait == name and reading.share > 0.95


@pytest.mark.parametrize("near_far", [(0.0, 0.1, 0.5, 0.6), (0.0, 0.05, 0.05, 0.0)], ids=["gallop", "pronk"])
def test_legs_of_a_pair_that_swing_together_are_no_symmetrical_gait(near_far) -> None:
    swings, phase = _seen(near_far)
    order = find_order(swings.forward, phase)
    assert order is not None and order.symmetrical < -2 * order.error


def test_noise_says_nothing() -> None:
    phase = np.arange(180) / FPS * HERTZ
    assert read_swings(Swings(np.random.default_rng(0).random((180, COLUMNS)), 0.0), phase) is None


@pytest.mark.parametrize("facing", [1, -1])
def test_a_drawn_trot_swings_half_a_stride_apart(tmp_path: Path, facing: int) -> None:
    pictures = scene((320, 180), np.arange(90) / FPS, belt=True)
    clip = open_clip(encode(tmp_path / "trot.mp4", (np.ascontiguousarray(p[:, ::facing]) for p in pictures), 30))
    leg = 180 / 3.5
    box = np.array([160 - (0.75 if facing > 0 else 1.3) * leg, 99 - 0.4 * leg, 2.05 * leg, 1.45 * leg])
    swings = watch_swings(clip, np.tile(box, (90, 1)), slice(0, 90), facing, 640)
    assert swings is not None and swings.forward.shape == (90, COLUMNS)
    order = find_order(swings.forward, np.arange(90) / FPS * 2.0)
    assert order is not None and order.symmetrical > 2 * order.error


def _unsure(walker, sides_sure: float, swings: str | None, halves: float = 0.5, **changes: object):
    track, arrays = walker(**changes).track()
    reading = SwingReading(gait=swings, share=0.9) if swings else None
    known = {"sides_sure": sides_sure, "rhythm_hz": 2.0, "rhythm_strength": 0.5, "rhythm_halves": halves}
    track = track.model_copy(update=known | {"swings": reading})
    gait = with_swings(track, describe_gait(track, arrays))
    return gait, assess(track, arrays, gait)


def test_where_single_legs_cannot_be_told_the_swings_name_the_gait_with_a_warning(walker) -> None:
    gait, report = _unsure(walker, 0.2, "pace")
    assert gait.gait == "pace" and gait.phase_offsets["RL"] == 0.0 and gait.confidence["gait"] == 0.9
    assert report.verdict == "warn" and any("fits a pace (90%)" in reason for reason in report.reasons)


def test_swings_name_no_gait_where_half_a_stride_later_the_legs_show_the_opposite(walker) -> None:
    gait, report = _unsure(walker, 0.2, "pace", halves=-0.7)
    assert gait.gait == "unknown" and report.verdict == "refuse"


def test_points_and_swings_that_agree_need_no_warning(walker) -> None:
    gait, report = _unsure(walker, 1.0, "trot")
    assert gait.gait == "trot" and report.verdict == "ok"


@pytest.mark.parametrize("swings, halves", [("pace", 0.5), (None, -0.7)], ids=["swings", "halves"])
def test_a_name_that_does_not_fit_the_picture_as_a_whole_is_not_believed(walker, swings, halves: float) -> None:
    gait, report = _unsure(walker, 5.0, swings, halves)
    assert gait.gait == "unknown" and report.verdict == "refuse"
    assert any("its points make it a trot" in note for note in gait.notes)


def test_legs_that_go_together_at_a_gallops_speed_are_a_gallop_with_a_warning(walker) -> None:
    phases = {"FL": 0.0, "FR": 0.1, "RL": 0.6, "RR": 0.5}
    # 1100 px/s are 10 leg lengths of 111 px a second (a hip is 1.11 times as high as a shoulder), Froude 5.
    gait, report = _unsure(walker, 0.2, None, -0.7, phases=phases, duty=0.25, speed=1100.0)
    assert gait.gait == "gallop" and report.verdict == "warn"
    slow, refused = _unsure(walker, 0.2, None, -0.7, phases=phases, duty=0.25)
    assert slow.gait == "unknown" and refused.verdict == "refuse"
