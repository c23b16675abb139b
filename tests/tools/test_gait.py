"""The gait's numbers on subjects whose gait is known by construction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video2reward.memory.errors import BadClip
from video2reward.tools.contact import Contact, even_in_pairs
from video2reward.tools.cycle import apart
from video2reward.tools.gait import describe_gait
from video2reward.tools.quality import assess, slow_motion_estimate

GAITS = {
    "walk": ({"FL": 0.0, "FR": 0.5, "RL": 0.75, "RR": 0.25}, 0.62),
    "trot": ({"FL": 0.0, "FR": 0.5, "RL": 0.5, "RR": 0.0}, 0.45),
    "pace": ({"FL": 0.0, "FR": 0.5, "RL": 0.0, "RR": 0.5}, 0.45),
    "bound": ({"FL": 0.0, "FR": 0.0, "RL": 0.5, "RR": 0.5}, 0.35),
    "canter": ({"FL": 0.0, "FR": 0.82, "RL": 0.46, "RR": 0.63}, 0.3),
}


@pytest.mark.parametrize("name", GAITS)
def test_a_known_gait_is_measured_and_named(walker, name: str) -> None:
    phases, duty = GAITS[name]
    gait = describe_gait(*walker(phases=phases, duty=duty).track())
    assert gait.gait == name
    assert gait.stride_frequency_hz == pytest.approx(2.0, rel=0.01)
    # 300 px/s over a leg of 100 px; the gait's own L is the hip over the lowest paths of the feet.
    assert gait.speed_leg_lengths_s == pytest.approx(3.0, rel=0.05)
    for limb, phase in phases.items():
        assert apart(gait.phase_offsets[limb], phase) < 0.03
        assert gait.duty_factor[limb] == pytest.approx(duty, abs=0.07)
    assert gait.phase_offsets["FL"] == 0.0
    assert (gait.facing, gait.travel) == ("right", "forward")


def test_phases_are_those_of_touchdown_where_duty_differs_between_fore_and_hind(walker) -> None:
    fore = walker(duty=0.6, phases={"FL": 0.0, "FR": 0.5}, bounce=0.0)
    hind = walker(duty=0.35, phases={"RL": 0.5, "RR": 0.0}, bounce=0.0)
    track, arrays = walker(bounce=0.0).track()
    for part in (fore, hind):
        for name, path in part.points().items():
            if name.endswith("paw"):
                arrays.x_px[:, arrays.names.index(name)], arrays.y_px[:, arrays.names.index(name)] = path.T
    gait = describe_gait(track, arrays)
    # The middles of stance lie (0.6 - 0.35) / 2 = 0.125 apart from where they would with equal duty.
    assert apart(gait.phase_offsets["RL"], 0.5) < 0.04
    assert apart(gait.phase_offsets["RR"], 0.0) < 0.04


@pytest.mark.parametrize("bounce, duty, name", [(2.5, 0.62, "walk"), (-3.0, 0.35, "run")])
def test_a_person_walks_or_runs(walker, bounce: float, duty: float, name: str) -> None:
    # Touchdown is half a stance ahead, so the middle of stance is at duty / 2; the trunk's rise is set to follow it.
    person = walker(
        skeleton="person", phases={"L": 0.0, "R": 0.5}, duty=duty, hertz=1.0 if name == "walk" else 1.4,
        speed=150.0 if name == "walk" else 320.0, bounce=0.0,
    )  # fmt: skip
    track, arrays = person.track()
    time = np.arange(arrays.num_frames) / person.fps
    arrays.y_px[:] -= bounce * np.cos(4 * np.pi * (person.hertz * time - duty / 2))[:, None]
    gait = describe_gait(track, arrays)
    assert gait.gait == name
    assert apart(gait.phase_offsets["R"], 0.5) < 0.03
    assert gait.duty_factor["L"] == pytest.approx(duty, abs=0.09)


def test_a_still_subject_is_no_gait(walker) -> None:
    with pytest.raises(BadClip):
        describe_gait(*walker(speed=0.0, bounce=0.0).track())


def test_slow_motion_is_taken_out(walker) -> None:
    track, arrays = walker(fps=30.0, hertz=0.5, speed=75.0, seconds=16.0).track()
    slowed = track.model_copy(update={"clip": track.clip.model_copy(update={"slow_motion_factor": 4.0})})
    gait = describe_gait(slowed, arrays)
    assert gait.stride_frequency_hz == pytest.approx(2.0, rel=0.01)
    assert gait.speed_leg_lengths_s == pytest.approx(3.0, rel=0.05)


def test_on_a_treadmill_the_subject_stays_on_the_spot(walker) -> None:
    track, arrays = walker().track()
    arrays.x_px[:] -= (300.0 * np.arange(arrays.num_frames) / track.fps)[:, None]
    gait = describe_gait(track, arrays)
    assert gait.travel == "on_the_spot"
    assert gait.speed_leg_lengths_s == 0.0
    assert gait.gait == "trot"
    assert any("treadmill" in note for note in gait.notes)


def test_going_backwards_is_told(walker) -> None:
    track, arrays = walker(bounce=0.0).track()
    backwards = replace(arrays, x_px=arrays.x_px[::-1].copy(), y_px=arrays.y_px[::-1].copy())
    gait = describe_gait(track, backwards)
    assert (gait.travel, gait.facing) == ("backward", "right")
    assert gait.speed_leg_lengths_s == pytest.approx(-3.0, rel=0.05)
    assert gait.duty_factor["FL"] == pytest.approx(0.45, abs=0.07)


def test_a_start_from_standing_is_left_out(walker) -> None:
    track, arrays = walker(seconds=4.0).track()
    still = 45
    grown = {
        name: np.concatenate([np.repeat(getattr(arrays, name)[:1], still, axis=0), getattr(arrays, name)])
        for name in ("x_px", "y_px", "confidence", "box_px", "camera_x_px", "camera_y_px", "frame_ok")
    }
    gait = describe_gait(track, replace(arrays, **grown))
    assert gait.stride_frequency_hz == pytest.approx(2.0, rel=0.02)
    assert gait.gait == "trot"
    assert gait.window_s[0] > 1.0


@pytest.mark.parametrize("skeleton", ["quadruped", "person"])
def test_a_subject_in_view_for_a_tenth_of_a_clip_is_measured_there(walker, skeleton: str) -> None:
    person = {"phases": {"L": 0.0, "R": 0.5}, "duty": 0.62, "hertz": 0.9} if skeleton == "person" else {}
    track, arrays = walker(skeleton=skeleton, seconds=40.0, **person).track()
    gone = (np.arange(arrays.num_frames) >= 120)[:, None]
    seen = replace(
        arrays, x_px=np.where(gone, np.nan, arrays.x_px), y_px=np.where(gone, np.nan, arrays.y_px),
        confidence=np.where(gone, 0.0, arrays.confidence),
    )  # fmt: skip
    gait = describe_gait(track, seen)
    assert gait.gait == ("walk" if person else "trot") and gait.window_s[1] <= 4.1
    assert assess(track, seen, gait).verdict != "refuse"


def _numbers(gait) -> np.ndarray:
    return np.array([gait.stride_frequency_hz, gait.speed_leg_lengths_s, *gait.duty_factor.values()])


def _same_phases(a, b) -> bool:
    return all(apart(a.phase_offsets[limb], b.phase_offsets[limb]) < 0.02 for limb in a.phase_offsets)


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(0.3, 4.0), x=st.floats(-500, 500), y=st.floats(-300, 300), name=st.sampled_from(sorted(GAITS)))
def test_place_and_size_in_the_picture_change_nothing(walker, scale: float, x: float, y: float, name: str) -> None:
    phases, duty = GAITS[name]
    track, arrays = walker(phases=phases, duty=duty, noise=0.5).track()
    moved = replace(arrays, x_px=arrays.x_px * scale + x, y_px=arrays.y_px * scale + y, box_px=arrays.box_px * scale)
    a, b = describe_gait(track, arrays), describe_gait(track, moved)
    assert _numbers(b) == pytest.approx(_numbers(a), rel=0.01, abs=0.01)
    assert _same_phases(a, b)
    assert b.leg_length_px == pytest.approx(a.leg_length_px * scale, rel=0.01)
    assert a.gait == b.gait


@settings(max_examples=10, deadline=None)
@given(start=st.floats(0.0, 1.0), name=st.sampled_from(sorted(GAITS)))
def test_when_the_clip_starts_changes_nothing(walker, start: float, name: str) -> None:
    phases, duty = GAITS[name]
    a = describe_gait(*walker(phases=phases, duty=duty).track())
    b = describe_gait(*walker(phases=phases, duty=duty, start_s=start).track())
    assert _numbers(b) == pytest.approx(_numbers(a), rel=0.03, abs=0.03)
    assert all(apart(a.phase_offsets[limb], b.phase_offsets[limb]) < 0.03 for limb in phases)
    assert a.gait == b.gait


@settings(max_examples=10, deadline=None)
@given(name=st.sampled_from(sorted(GAITS)), seed=st.integers(0, 9))
def test_a_mirrored_picture_faces_the_other_way_and_keeps_its_limbs(walker, name: str, seed: int) -> None:
    phases, duty = GAITS[name]
    track, arrays = walker(phases=phases, duty=duty, noise=1.0, seed=seed).track()
    a, b = describe_gait(track, arrays), describe_gait(track, replace(arrays, x_px=1000.0 - arrays.x_px))
    assert (a.facing, b.facing) == ("right", "left")
    assert _numbers(b) == pytest.approx(_numbers(a), rel=0.01, abs=0.01)
    assert _same_phases(a, b)


@settings(max_examples=10, deadline=None)
@given(name=st.sampled_from(sorted(GAITS)), seed=st.integers(0, 9))
def test_swapping_the_names_left_and_right_swaps_the_limbs(walker, name: str, seed: int) -> None:
    phases, duty = GAITS[name]
    track, arrays = walker(phases=phases, duty=duty, noise=1.0, seed=seed).track()
    other = {"left": "right", "right": "left"}
    names = tuple("_".join(other.get(word, word) for word in point.split("_")) for point in arrays.names)
    a = describe_gait(track, arrays)
    b = describe_gait(track.model_copy(update={"names": names}), replace(arrays, names=names))
    swapped = {"FL": "FR", "FR": "FL", "RL": "RR", "RR": "RL"}
    for limb, twin in swapped.items():
        # Phases count from FL, which was FR before.
        assert apart(b.phase_offsets[limb], a.phase_offsets[twin] - a.phase_offsets["FR"]) < 0.02
        assert b.duty_factor[limb] == pytest.approx(a.duty_factor[twin], abs=0.01)


def test_limb_cycles_start_at_the_reference_touchdown_and_lie_under_their_roots(walker) -> None:
    gait = describe_gait(*walker().track())
    cycle = np.array(gait.limb_cycle["FL_foot"])
    assert cycle.shape == (32, 2)
    assert cycle[:, 1].mean() == pytest.approx(-0.95, abs=0.1)  # a leg length below the shoulder
    # At touchdown the foot is half a stance ahead: 0.5 * 0.45 * 300 px/s / 2 Hz = 34 px of 100.
    assert cycle[0, 0] == pytest.approx(0.34, abs=0.06)
    assert {"FL_foot", "FL_mid", "RR_foot", "RR_mid"} <= gait.limb_cycle.keys()


def _seen_by_network(walker, **changes: object):
    track, arrays = walker(**changes).track()
    return track.model_copy(update={"sides_sure": 5.0, "rhythm_hz": 2.0, "rhythm_strength": 0.5}), arrays


def test_footfalls_the_network_is_sure_of_are_named(walker) -> None:
    assert describe_gait(*_seen_by_network(walker)).gait == "trot"


def test_fore_legs_that_alternate_over_hind_legs_that_fall_together_are_not_believed(walker) -> None:
    gait = describe_gait(*_seen_by_network(walker, phases={"FL": 0.0, "FR": 0.5, "RL": 0.98, "RR": 0.22}))
    assert gait.gait == "unknown" and gait.confidence["gait"] == 0.0
    assert gait.stride_frequency_hz == pytest.approx(2.0, rel=0.01)


def test_footfalls_are_not_believed_where_near_and_far_were_a_guess(walker) -> None:
    track, arrays = _seen_by_network(walker)
    gait = describe_gait(track.model_copy(update={"sides_sure": 0.5}), arrays)
    report = assess(track.model_copy(update={"sides_sure": 0.5}), arrays, gait)
    assert gait.gait == "unknown" and report.verdict == "refuse"
    assert any("which foot falls when" in reason for reason in report.reasons)


def test_which_leg_of_a_bound_is_the_near_one_need_not_be_known(walker) -> None:
    track, arrays = _seen_by_network(walker, phases={"FL": 0.0, "FR": 0.03, "RL": 0.5, "RR": 0.5}, duty=0.35)
    known = describe_gait(track, arrays)
    track = track.model_copy(update={"sides_sure": 0.0})
    gait = describe_gait(track, arrays)
    assert gait.gait == "bound" and gait.confidence["gait"] == pytest.approx(known.confidence["gait"])
    assert assess(track, arrays, gait).verdict == "ok"


@pytest.mark.parametrize("hind", [0.77, 0.27], ids=["right", "hind feet mistaken"])
def test_a_walk_is_named_without_knowing_which_leg_is_the_near_one(walker, hind: float) -> None:
    phases = {"FL": 0.0, "FR": 0.5, "RL": hind, "RR": hind - 0.5 if hind > 0.5 else hind + 0.5}
    track, arrays = _seen_by_network(walker, phases=phases, duty=0.62, speed=100.0)
    gait = describe_gait(track.model_copy(update={"sides_sure": 0.1}), arrays)
    assert gait.gait == "walk" and apart(gait.phase_offsets["RL"], 0.77) < 0.03
    sure = describe_gait(track, arrays)
    assert apart(sure.phase_offsets["RL"], hind) < 0.03  # where sides were seen they are kept


def _without_plain_contacts(walker, **changes: object):
    """Return a track whose paws shake so wildly, up and down and along, that no touchdown can be seen in them."""
    track, arrays = _seen_by_network(walker, **changes)
    paws = [index for index, name in enumerate(arrays.names) if name.endswith("paw")]
    time_s = np.arange(arrays.num_frames) / track.fps
    shaken = {"x_px": arrays.x_px.copy(), "y_px": arrays.y_px.copy()}
    for places in shaken.values():
        places[:, paws] += 25 * np.sin(2 * np.pi * 8 * time_s)[:, None]
    return track, replace(arrays, **shaken)


def test_a_paw_that_seems_to_jump_in_the_middle_of_its_stance_stands(walker) -> None:
    # As where the other leg passes: up and down again, while it stays where it is over the ground.
    track, arrays = _seen_by_network(walker, duty=0.5)
    plain = describe_gait(track, arrays)
    moments = np.arange(arrays.num_frames) / track.fps * plain.stride_frequency_hz
    y_px = arrays.y_px.copy()
    for limb, name in {"FL": "left_front", "FR": "right_front", "RL": "left_hind", "RR": "right_hind"}.items():
        off = (moments - plain.phase_offsets[limb] - 0.25 + 0.5) % 1.0 - 0.5
        y_px[:, arrays.names.index(f"{name}_paw")] -= 14 * np.exp(-((off / 0.05) ** 2))
    gait = describe_gait(track, replace(arrays, y_px=y_px))
    for limb, duty in plain.duty_factor.items():
        assert gait.duty_factor[limb] == pytest.approx(duty, abs=0.04)


@pytest.mark.parametrize(
    "phases",
    [{"FL": 0.0, "FR": 0.5, "RL": 0.5, "RR": 0.0}, {"FL": 0.0, "FR": 0.5, "RL": 0.75, "RR": 0.25}],
    ids=["trot", "walk"],
)
def test_where_no_touchdown_is_plain_the_middles_of_the_stances_tell_the_footfalls(walker, phases) -> None:
    gait = describe_gait(*_without_plain_contacts(walker, phases=phases))
    assert any("middles of the stances" in note for note in gait.notes)
    for limb, phase in phases.items():
        assert apart(gait.phase_offsets[limb], phase) < 0.05
    assert gait.gait != "unknown"


def test_a_bound_is_not_named_by_the_middles_of_the_stances(walker) -> None:
    gait = describe_gait(*_without_plain_contacts(walker, phases={"FL": 0.0, "FR": 0.0, "RL": 0.5, "RR": 0.5}))
    assert gait.gait == "unknown"


def test_footfalls_that_are_only_likelier_than_others_are_named_with_a_warning(walker) -> None:
    track, arrays = _seen_by_network(walker)
    track = track.model_copy(update={"sides_sure": 1.0})  # one standard error: 84 %
    gait = describe_gait(track, arrays)
    report = assess(track, arrays, gait)
    assert gait.gait == "trot" and report.verdict == "warn"
    assert gait.confidence["gait"] <= 0.85
    assert any("trot is the likeliest (84%)" in reason for reason in report.reasons)


def test_the_two_feet_of_a_pair_seen_by_the_network_have_one_duty_about_middles_that_agree() -> None:
    duty = {"FL": 0.5, "FR": 0.4, "RL": 0.3, "RR": 0.3}
    even = even_in_pairs({limb: Contact(0.1, share, 1.0, way_middle=0.25) for limb, share in duty.items()})
    assert [contact.duty for contact in even.values()] == pytest.approx([0.45, 0.45, 0.3, 0.3])
    # Middles of stance of the fore feet, as their contacts tell: .35 and .30; as their ways tell, .25 for both. What a
    # contact tells of its own is mostly noise: .10 and .05 later than the way become .0825 and .0675.
    touchdowns = [contact.touchdown for contact in even.values()]
    assert touchdowns == pytest.approx([0.25 + 0.0825 - 0.225, 0.25 + 0.0675 - 0.225, 0.1, 0.1])


@pytest.mark.parametrize("duty", [0.42, 0.6])
def test_a_walk_whose_feet_were_seen_down_too_short_warns_of_its_duty(walker, duty: float) -> None:
    phases = {"FL": 0.0, "FR": 0.5, "RL": 0.75, "RR": 0.25}
    track, arrays = _seen_by_network(walker, phases=phases, duty=duty, speed=150.0, bounce=0.0)
    gait = describe_gait(track, arrays)
    report = assess(track, arrays, gait)
    assert gait.gait == "walk"
    assert (gait.confidence["duty_factor"] <= 0.3) == (duty < 0.5)
    assert any("duty is a guess" in reason for reason in report.reasons) == (duty < 0.5)


@pytest.mark.parametrize("slowed", [1.0, 4.0])
def test_slow_motion_is_told_by_how_a_runner_falls(walker, slowed: float) -> None:
    # A bob of 8 px of a 100 px leg (0.9 m) at 2.8 Hz: (2 pi 2.8)^2 * 0.072 m / 2 = 11 m/s^2, about g.
    runner = dict(skeleton="person", phases={"L": 0.0, "R": 0.5}, duty=0.35, bounce=4.0)
    track, arrays = walker(**runner, hertz=1.4 / slowed, speed=300.0 / slowed, seconds=5.0 * slowed).track()
    gait = describe_gait(track, arrays)
    assert gait.gait == "run"
    report = assess(track, arrays, gait)
    assert slow_motion_estimate(gait) == pytest.approx(slowed, rel=0.2)
    assert any("slow motion" in reason for reason in report.reasons) == (slowed > 1)
