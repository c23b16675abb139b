"""Cutting bodies out and reading points off network outputs."""

from __future__ import annotations

import numpy as np
import pytest
from video2reward.tools.pose.crop import cut
from video2reward.tools.pose.heatmap import decode_heatmaps
from video2reward.tools.pose.simcc import decode_simcc


def _bump(length: int, centre: float, width: float = 4.0, height: float = 0.9) -> np.ndarray:
    return height * np.exp(-(((np.arange(length) - centre) / width) ** 2) / 2)


def test_simcc_finds_the_top_between_the_bins() -> None:
    # Two bins a pixel: a bump over bin 101.3 lies at pixel 50.65.
    x, y = _bump(384, 101.3)[None, None], _bump(512, 40.8, height=0.7)[None, None]
    xy, confidence = decode_simcc(x, y)
    assert xy[0, 0] == pytest.approx([101.3 / 2, 40.8 / 2], abs=0.02)
    assert confidence[0, 0] == pytest.approx(0.7, abs=0.01)  # the lower of the two


def test_simcc_at_the_rim_stays_inside() -> None:
    curve = np.linspace(1.0, 0.0, 100)[None, None]
    xy, _ = decode_simcc(curve, curve[..., ::-1])
    assert xy[0, 0].tolist() == [0.0, 49.5]


@pytest.mark.parametrize("value", [0.0, -3.0, np.nan, -np.inf])
def test_a_curve_without_a_top_saw_nothing(value: float) -> None:
    xy, confidence = decode_simcc(np.full((1, 2, 50), value), np.ones((1, 2, 50)))
    assert np.isnan(xy).all() and (confidence == 0).all()


def test_confidence_never_leaves_the_unit_interval() -> None:
    # RTMPose's own maxima go a little above 1.
    _, confidence = decode_simcc(_bump(60, 20, height=1.3)[None, None], _bump(60, 20, height=1.2)[None, None])
    assert confidence[0, 0] == 1.0


@pytest.mark.parametrize("blur", [0, 3, 11])
def test_heatmaps_are_read_between_the_pixels(blur: int) -> None:
    heatmap = np.outer(_bump(64, 30.3, width=2.0), _bump(48, 17.6, width=2.0))[None, None].astype(np.float32)
    xy, confidence = decode_heatmaps(heatmap, blur=blur)
    assert xy[0, 0] == pytest.approx([17.6, 30.3], abs=0.05)
    assert confidence[0, 0] == pytest.approx(heatmap.max())


def test_flat_and_broken_heatmaps_saw_nothing_and_rims_hold() -> None:
    maps = np.zeros((1, 3, 8, 8), np.float32)
    maps[0, 1] = np.nan
    maps[0, 2, 0, 7] = 1.0
    xy, confidence = decode_heatmaps(maps)
    assert np.isnan(xy[0, :2]).all() and confidence[0].tolist() == [0.0, 0.0, 1.0]
    assert np.abs(xy[0, 2] - [7, 0]).max() <= 1.0


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("box", [(100, 50, 80, 160), (100, 50, 200, 40), (-30, -20, 90, 120), (310, 230, 0, 0)])
def test_a_crop_leads_back_to_where_it_was_cut(box: tuple[int, ...], unbiased: bool) -> None:
    y, x = np.mgrid[:240, :320]
    picture = np.stack([x / 320 * 255, y / 240 * 255, np.full_like(x, 128)], axis=-1).astype(np.uint8)
    crop = cut(picture, np.array(box, float), (192, 256), unbiased=unbiased)
    assert crop.pixels.shape == (3, 256, 192) and crop.pixels.flags.c_contiguous
    if not unbiased:  # the shape is kept: one scale for both axes
        assert crop.scale_px[0] == pytest.approx(crop.scale_px[1])
    places = np.array([[96.0, 128.0], [150.0, 60.0]])
    back = crop.to_picture(places)
    for (column, row), (x_px, y_px) in zip(places.astype(int), back, strict=True):
        if 1 <= x_px < 318 and 1 <= y_px < 238:
            red = crop.pixels[0, row, column] * 58.395 + 123.675
            green = crop.pixels[1, row, column] * 57.12 + 116.28
            assert (red / 255 * 320, green / 240 * 240) == pytest.approx((x_px, y_px * 255 / 240), abs=2.5)


def test_the_box_gets_a_margin_of_a_quarter_and_its_centre_the_middle() -> None:
    crop = cut(np.zeros((400, 400, 3), np.uint8), np.array([100.0, 100.0, 60.0, 160.0]), (192, 256))
    assert crop.to_picture(np.array([96.0, 128.0])) == pytest.approx([130, 180])
    # 160 px high, times 1.25, over 256 input pixels
    assert crop.scale_px == pytest.approx([200 / 256, 200 / 256])
