"""Laws of the similarity: identity, symmetry, invariance; and no motion, however degenerate, breaks it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video2reward.memory.records import GaitDescriptor, RobotGait
from video2reward.tools.critic import dtw as warping
from video2reward.tools.critic.similarity import MAX_ERROR, asked_errors, compare, composite, phase_error, wanted_gait

FEET = ("FL", "FR", "RL", "RR")
fractions = st.floats(0.0, 0.999)


def cycles(seed: int, names: tuple[str, ...] = tuple(f"{foot}_{part}" for foot in FEET for part in ("foot", "mid"))):
    """Return smooth closed paths, a different one per joint."""
    rng = np.random.default_rng(seed)
    angle = 2 * np.pi * np.arange(32) / 32
    paths = {}
    for name in names:
        harmonics = rng.normal(size=(2, 2, 2)) / np.array([1.0, 3.0])[:, None, None] * 0.3
        waves = np.stack([[np.cos(k * angle), np.sin(k * angle)] for k in (1, 2)])
        paths[name] = tuple(map(tuple, np.einsum("kab,kbt->ta", harmonics, waves) + np.array([0.0, -0.9])))
    return paths


def rolled(cycle, by: int):
    return {name: tuple(np.roll(np.array(path), by, axis=0).tolist()) for name, path in cycle.items()}


def swapped(cycle):
    other = {"FL": "FR", "FR": "FL", "RL": "RR", "RR": "RL"}
    return {f"{other[name[:2]]}{name[2:]}": path for name, path in cycle.items()}


def robot_like(target, **changes) -> RobotGait:
    made = RobotGait(
        gait=target.gait,
        speed_m_s=target.speed_m_s,
        stride_frequency_hz=target.stride_frequency_hz,
        duty_factor=target.duty_factor,
        phase_offsets=target.phase_offsets,
        froude=target.froude,
        survival=1.0,
        lifted_steps_hz=(target.stride_frequency_hz,) * len(target.feet),
        raw_touchdowns_hz=(target.stride_frequency_hz,) * len(target.feet),
        chatter=(0.0,) * len(target.feet),
        limb_cycle=target.limb_cycle,
    )
    return made.model_copy(update=changes)


def test_the_target_itself_is_perfect(scripted):
    target = scripted.target("go1", limb_cycle=cycles(0))
    same = compare(robot_like(target), wanted_gait(target), target.leg_length_m, passed=True)
    assert same.gsi == pytest.approx(1.0) and same.dtw == pytest.approx(0.0) and same.fastdtw == pytest.approx(0.0)


def test_a_shut_gate_leaves_nothing_but_the_ungated_number(scripted):
    target = scripted.target("go1")
    shut = compare(robot_like(target), wanted_gait(target), target.leg_length_m, passed=False)
    assert shut.gsi == 0.0 and shut.gsi_ungated == pytest.approx(1.0)


def test_the_composite_is_the_published_formula():
    # exp(-(0.05/0.1 + 0.02/0.1 + 0.03/0.1 + 0.1/0.25)/4) = exp(-1.4/4)
    assert composite(0.05, 0.02, 0.03, 0.1) == pytest.approx(math.exp(-0.35))


def test_errors_are_those_of_the_evaluation(scripted):
    target = scripted.target("go1")
    robot = robot_like(
        target,
        stride_frequency_hz=1.1 * target.stride_frequency_hz,
        duty_factor=tuple(duty + 0.04 for duty in target.duty_factor),
        phase_offsets=(0.0, 0.55, 0.45, 0.97),
        froude=1.21 * target.froude,
        speed_m_s=1.1 * target.speed_m_s,
    )
    found = compare(robot, wanted_gait(target), target.leg_length_m, passed=True)
    assert found.E_f == pytest.approx(0.1)
    assert found.E_beta == pytest.approx(0.04)
    # (0.05 + 0.05 + 0.03) / 3: over the circle's seam, and without the reference foot.
    assert found.E_phi == pytest.approx(0.13 / 3)
    assert found.E_Fr == pytest.approx(0.21)


@given(phases=st.tuples(fractions, fractions, fractions), turns=st.tuples(*[st.integers(-2, 2)] * 3))
def test_phases_lie_on_a_circle(phases, turns):
    wanted = (0.0, 0.5, 0.5, 0.0)

    def error(found):
        robot = RobotGait.model_construct(phase_offsets=(0.0, *found), lifted_steps_hz=(2.0,) * 4)
        return phase_error(robot, wanted)

    turned = tuple(phase + turn for phase, turn in zip(phases, turns, strict=True))
    assert error(phases) == pytest.approx(error(turned), abs=1e-9)
    assert 0.0 <= error(phases) <= 0.5


@given(
    hz=st.floats(0.0, 50.0),
    speed=st.floats(-20.0, 20.0),
    duty=st.tuples(*[st.floats(0.0, 1.0)] * 4),
    phases=st.tuples(*[fractions] * 4),
    steps=st.tuples(*[st.floats(0.0, 10.0)] * 4),
)
@settings(max_examples=60, deadline=None)
def test_every_motion_has_finite_errors_and_a_similarity_between_0_and_1(hz, speed, duty, phases, steps):
    target = _target()
    robot = robot_like(
        target,
        stride_frequency_hz=hz,
        speed_m_s=speed,
        froude=speed**2 / (9.81 * 0.256),
        duty_factor=duty,
        phase_offsets=phases,
        lifted_steps_hz=steps,
    )
    found = compare(robot, wanted_gait(target), 0.256, passed=True)
    assert 0.0 <= found.gsi <= 1.0
    assert 0.0 <= found.E_phi <= 0.5 and 0.0 <= found.E_beta <= 1.0
    assert all(0.0 <= error <= MAX_ERROR for error in (found.E_f, found.E_Fr))


def _target():
    from video2reward.memory.records import MotionTarget

    return MotionTarget(
        robot="go1",
        feet=FEET,
        gait="trot",
        speed_m_s=1.5,
        stride_frequency_hz=2.5,
        duty_factor=(0.4,) * 4,
        phase_offsets=(0.0, 0.5, 0.5, 0.0),
        leg_length_m=0.256,
        froude=0.896,
    )


def test_going_the_wrong_way_is_far_in_froude(scripted):
    target = scripted.target("go1")
    robot = robot_like(target, speed_m_s=-target.speed_m_s)
    assert compare(robot, wanted_gait(target), target.leg_length_m, passed=True).E_Fr == pytest.approx(2.0)


def test_a_motion_without_steps_is_like_nothing(scripted):
    target = scripted.target("go1")
    found = compare(robot_like(target, lifted_steps_hz=(0.0,) * 4), wanted_gait(target), 0.256, passed=True)
    assert found.gsi == 0.0 and found.E_phi == 0.5


def test_an_adjusted_target_is_held_to_the_clip_and_not_to_what_was_asked(scripted):
    target = scripted.target("go1", feasibility="adjusted")
    gait = GaitDescriptor(
        subject="quadruped",
        gait="trot",
        stride_frequency_hz=3.0,
        duty_factor=dict.fromkeys(FEET, 0.3),
        phase_offsets=dict(zip(FEET, target.phase_offsets, strict=True)),
        speed_leg_lengths_s=8.0,
        froude=3.0,
        leg_length_m_assumed=0.5,
        leg_length_px=100.0,
        stride_frequency_dimensionless=0.7,
    )
    wanted = wanted_gait(target, gait)
    assert (wanted.stride_frequency, wanted.froude, wanted.duty_factor) == (0.7, 3.0, (0.3,) * 4)
    assert wanted_gait(target).froude == target.froude
    asked = asked_errors(target, wanted)
    assert asked["E_Fr"] == pytest.approx(1.0 - target.froude / 3.0) and asked["E_phi"] == 0.0
    assert asked["gsi"] == composite(asked["E_f"], asked["E_beta"], asked["E_phi"], asked["E_Fr"]) < 1.0
    assert asked_errors(target, wanted_gait(target))["gsi"] == pytest.approx(1.0)


@given(seed=st.integers(0, 10_000), other=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_dtw_is_zero_on_itself_and_symmetric(seed, other):
    rng = np.random.default_rng([seed, other])
    a, b = rng.normal(size=(20, 2)), rng.normal(size=(27, 2))
    assert warping.dtw(a, a) == 0.0
    assert warping.dtw(a, b) == pytest.approx(warping.dtw(b, a))
    assert warping.dtw(a, b) > 0.0


def test_dtw_of_a_constant_offset_is_the_offset():
    a = np.zeros((30, 2))
    # Every cell costs 5, and so does their mean along any path.
    assert warping.dtw(a, a + np.array([3.0, 4.0])) == pytest.approx(5.0)


@given(seed=st.integers(0, 10_000), by=st.integers(0, 31))
@settings(max_examples=4, deadline=None)
def test_cycles_are_the_same_whatever_the_start_phase(seed, by):
    ours, theirs = cycles(seed), cycles(seed + 1)
    moved = warping.compare_cycles(rolled(ours, by), theirs)
    assert moved.dtw == pytest.approx(warping.compare_cycles(ours, theirs).dtw)
    same = warping.compare_cycles(rolled(ours, by), ours)
    assert same.dtw == pytest.approx(0.0, abs=1e-12) and same.start_bin == by


@given(seed=st.integers(0, 10_000))
@settings(max_examples=3, deadline=None)
def test_a_mirrored_motion_is_the_same_motion(seed):
    cycle = cycles(seed)
    found = warping.compare_cycles(swapped(cycle), cycle)
    assert found.dtw == pytest.approx(0.0, abs=1e-12) and found.mirrored


def test_one_joint_out_of_time_is_seen():
    """All joints share one start phase: a pace must not pass for a trot by shifting limb by limb."""
    cycle = cycles(3)
    broken = {**cycle, "FL_foot": rolled(cycle, 16)["FL_foot"]}
    assert warping.compare_cycles(broken, cycle).dtw > 0.01


@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_fastdtw_is_an_upper_bound_that_is_nearly_tight(seed):
    rng = np.random.default_rng(seed)
    a, b = (np.cumsum(rng.normal(size=(40, 3)), axis=0) for _ in range(2))
    cost = np.linalg.norm(a[:, None] - b[None], axis=-1)
    total = np.full((41, 41), np.inf)
    total[0, 0] = 0.0
    for i in range(40):
        for j in range(40):
            total[i + 1, j + 1] = cost[i, j] + min(total[i, j], total[i, j + 1], total[i + 1, j])
    exact = total[-1, -1]
    assert exact - 1e-9 <= warping.fastdtw(a, b) <= 2.0 * exact
    assert warping.fastdtw(a, b, radius=40) == pytest.approx(exact)
    assert warping.fastdtw(a, a) == 0.0


@pytest.mark.parametrize("theirs", [{}, {"tail": ((0.0, 0.0), (1.0, 1.0))}, {"FL_foot": ((0.0, 0.0),)}])
def test_cycles_that_cannot_be_compared_are_not(theirs):
    assert warping.compare_cycles(cycles(0), theirs) is None
