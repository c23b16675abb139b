"""Footfall diagrams: what is drawn is what was measured."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from video2reward.tools.critic import svg
from video2reward.tools.critic.evidence import read_rollout
from video2reward.tools.critic.footfalls import contact_strip, footfall_diagram, limb_paths, write_footfalls
from video2reward.tools.critic.measure import measure, stance_share


@pytest.fixture
def measured(scripted):
    return measure(read_rollout(scripted.write(scripted.good("go1"))))


def bars(picture: str, colour: str) -> list[float]:
    """Return the widths of a limb's bars, weighted by their darkness."""
    found = re.findall(rf'width="([\d.]+)" height="14.00" rx="1.5" fill="{colour}" fill-opacity="([\d.]+)"', picture)
    return [float(width) * float(opacity) for width, opacity in found]


def test_every_foot_is_dark_for_its_share_of_two_strides(scripted, measured):
    picture = footfall_diagram(scripted.target("go1"), measured)
    stride = (360 - 34 - 52) / 2
    for foot, duty in zip(("FL", "FR", "RL", "RR"), (0.4, 0.4, 0.35, 0.35), strict=True):
        # Two strides of the clip and two of the robot.
        assert sum(bars(picture, svg.colour(foot))) == pytest.approx(4 * duty * stride, rel=0.05)


def test_the_share_of_stance_is_the_schedule(measured):
    share = stance_share(measured, num_bins=20)
    assert share.shape == (4, 20)
    assert share.mean(axis=1) == pytest.approx((0.4, 0.4, 0.35, 0.35), abs=0.02)
    assert share[0, :7].min() > 0.95 and share[0, 9:].max() < 0.05
    assert share[1, 10:17].min() > 0.95


def test_a_robot_that_takes_no_strides_is_drawn_too(scripted):
    still = measure(read_rollout(scripted.write(scripted.bad("go1")["stand still"])))
    ElementTree.fromstring(footfall_diagram(scripted.target("go1"), still))
    ElementTree.fromstring(contact_strip(still))
    assert limb_paths(scripted.target("go1"), still.robot) == []


def test_pictures_are_well_formed_and_named(scripted, measured, tmp_path):
    target = scripted.target("go1", limb_cycle=measured.robot.limb_cycle)
    made = [footfall_diagram(target, measured), contact_strip(measured), *limb_paths(target, measured.robot)]
    assert len(made) == 6
    for picture in made:
        root = ElementTree.fromstring(picture)
        assert root.get("role") == "img" and root.get("aria-label")
    alone = write_footfalls(tmp_path / "footfalls.svg", scripted.folder / "rollout.npz", target)
    assert "prefers-color-scheme" in alone.read_text() and "http" not in alone.read_text().replace(
        "http://www.w3.org", ""
    )


def test_words_are_escaped():
    picture = svg.picture(10, 10, [svg.text(0, 0, "</text><script>")], title='a"b<c')
    root = ElementTree.fromstring(picture)
    assert root.get("aria-label") == 'a"b<c' and "<script>" not in picture


def test_a_bar_over_the_seam_of_the_stride_is_drawn_on_both_sides(scripted):
    target = scripted.target("g1", phase_offsets=(0.0, 0.9), duty_factor=(0.6, 0.3))
    widths = bars(footfall_diagram(target, None), svg.colour("R"))
    # 0.2 strides left over from the stride before, then 0.3, then 0.1 up to the end.
    assert np.array(widths) / ((360 - 34 - 52) / 2) == pytest.approx([0.2, 0.3, 0.1], abs=0.01)
