"""A gait carried over to a robot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video2reward.memory.records import GaitDescriptor
from video2reward.sim.config import G1, GO1, GRAVITY_M_S2
from video2reward.tools.gait import describe_gait
from video2reward.tools.retarget import retarget


def _gait(**changes: object) -> GaitDescriptor:
    values: dict[str, object] = dict(
        subject="quadruped", gait="trot", stride_frequency_hz=2.0, speed_leg_lengths_s=3.0, froude=0.0,
        duty_factor={"FL": 0.4, "FR": 0.42, "RL": 0.38, "RR": 0.4}, leg_length_m_assumed=0.5, leg_length_px=100.0,
        phase_offsets={"FL": 0.0, "FR": 0.5, "RL": 0.48, "RR": 0.98}, stride_frequency_dimensionless=0.45,
    )  # fmt: skip
    return GaitDescriptor.model_validate(values | changes)


@given(speed=st.floats(0.3, 4.0), hertz=st.floats(0.8, 2.5), leg=st.floats(0.3, 0.8))
def test_froude_number_and_dimensionless_cadence_are_kept(speed: float, hertz: float, leg: float) -> None:
    gait = _gait(speed_leg_lengths_s=speed, stride_frequency_hz=hertz, leg_length_m_assumed=leg)
    target = retarget(gait, GO1)
    if target.feasibility == "ok":
        # v²/(g L) of the subject: v = speed · L.
        assert target.froude == pytest.approx(speed**2 * leg / GRAVITY_M_S2, rel=1e-6)
        cadence = target.stride_frequency_hz * (GO1.leg_length_m / GRAVITY_M_S2) ** 0.5
        assert cadence == pytest.approx(hertz * (leg / GRAVITY_M_S2) ** 0.5, rel=1e-6)
    assert abs(target.speed_m_s) <= 3.2
    assert 0.5 <= target.stride_frequency_hz <= 4.0


def test_a_quadrupeds_footfalls_stay_limb_by_limb() -> None:
    target = retarget(_gait(), GO1)
    assert target.feet == ("FL", "FR", "RL", "RR")
    assert target.phase_offsets == pytest.approx((0.0, 0.5, 0.48, 0.98))
    assert target.duty_factor == pytest.approx((0.4, 0.42, 0.38, 0.4))
    assert target.gait == "trot"


def test_a_walking_person_becomes_a_trot_on_four_legs_and_says_so(walker) -> None:
    person = walker(skeleton="person", phases={"L": 0.0, "R": 0.5}, duty=0.62, hertz=0.9, speed=140.0)
    gait = describe_gait(*person.track())
    target = retarget(gait, GO1)
    offset = (target.phase_offsets[2] - target.phase_offsets[1]) % 1.0
    assert min(offset, 1 - offset) < 1e-9  # the left hind leg goes with the right front leg
    assert target.phase_offsets[0] == 0.0
    assert target.gait == "trot"
    assert any("person on four legs" in note for note in target.notes)
    assert {"FL_foot", "RR_mid"} <= target.limb_cycle.keys()


def test_a_dog_on_two_legs_follows_its_hind_legs() -> None:
    target = retarget(_gait(), G1)
    assert target.feet == ("L", "R")
    assert target.phase_offsets == pytest.approx((0.0, 0.5))
    assert target.duty_factor == pytest.approx((0.38, 0.4))
    assert target.gait == "run"


def test_what_the_robot_cannot_do_is_clipped_and_noted() -> None:
    target = retarget(_gait(speed_leg_lengths_s=12.0, stride_frequency_hz=4.5, duty_factor=dict.fromkeys(
        ("FL", "FR", "RL", "RR"), 0.1)), GO1)  # fmt: skip
    assert (target.speed_m_s, target.stride_frequency_hz) == (3.2, 4.0)
    assert target.duty_factor == (0.2,) * 4
    assert target.feasibility == "adjusted"
    assert len(target.notes) >= 4


def test_limbs_that_were_not_seen_are_assumed_and_said_so() -> None:
    target = retarget(_gait(duty_factor={"FL": 0.4, "RL": 0.4}, phase_offsets={"FL": 0.0, "RL": 0.48}), GO1)
    assert target.phase_offsets == pytest.approx((0.0, 0.5, 0.48, 0.98))
    assert any("assumed" in note for note in target.notes)


def test_a_clip_on_the_spot_stays_there() -> None:
    target = retarget(_gait(travel="on_the_spot", speed_leg_lengths_s=0.0), GO1)
    assert target.speed_m_s == 0.0
    assert target.travel == "on_the_spot"


def test_cycles_start_where_the_robots_first_foot_touches_down() -> None:
    path = tuple((float(np.cos(2 * np.pi * i / 32)), 0.0) for i in range(32))
    gait = _gait(limb_cycle={"RL_foot": path, "RR_foot": path}, phase_offsets={
        "FL": 0.0, "FR": 0.5, "RL": 0.25, "RR": 0.75})  # fmt: skip
    moved = retarget(gait, G1).limb_cycle["L_foot"]
    assert moved[0][0] == pytest.approx(np.cos(2 * np.pi * 0.25), abs=0.02)
