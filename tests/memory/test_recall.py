"""The memory: nearest in motion, exact in rank, explained, and rebuilt from run folders when it is lost."""

import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video2reward.memory import runs
from video2reward.memory.motion import distance, motion_point
from video2reward.memory.recall import Memory
from video2reward.memory.records import (
    Attempt,
    Critique,
    GaitDescriptor,
    Gate,
    MotionTarget,
    RewardProgram,
    RobotGait,
    Similarity,
)

TROT, PACE = (0.0, 0.5, 0.5, 0.0), (0.0, 0.5, 0.0, 0.5)


def target(
    gait: str = "trot",
    phases: tuple[float, ...] = TROT,
    frequency_hz: float = 2.0,
    speed_m_s: float = 1.0,
    leg_m: float = 0.256,
    robot: str = "go1",
    duty: float = 0.5,
) -> MotionTarget:
    return MotionTarget(
        robot=robot,
        feet=("FL", "FR", "RL", "RR") if len(phases) == 4 else ("L", "R"),
        gait=gait,
        speed_m_s=speed_m_s,
        stride_frequency_hz=frequency_hz,
        duty_factor=(duty,) * len(phases),
        phase_offsets=phases,
        leg_length_m=leg_m,
        froude=speed_m_s**2 / (9.81 * leg_m),
    )


def attempt(name: str, wanted: MotionTarget, gsi: float | None = None) -> Attempt:
    program = RewardProgram(
        id=name, path="reward.py", sha256="0", terms={"a": 1.0}, serves={"a": "x"}, author="test", rationale=""
    )
    critique = None
    if gsi is not None:
        errors = {"E_f": 0.0, "E_beta": 0.0, "E_phi": 0.0, "E_Fr": 0.0}
        critique = Critique(
            attempt=name,
            passed=gsi > 0,
            gates=(Gate(name="survives", passed=gsi > 0, value=1.0, needed="95 %", sentence="ok"),),
            similarity=Similarity(gsi=gsi, gsi_ungated=gsi, **errors),
            robot=RobotGait(
                gait=wanted.gait, speed_m_s=1.0, stride_frequency_hz=2.0, duty_factor=wanted.duty_factor,
                phase_offsets=wanted.phase_offsets, froude=0.4, survival=1.0, lifted_steps_hz=(), raw_touchdowns_hz=(),
                chatter=(),
            ),
            verdict="ok", num_envs=1, seconds=1.0, seed=1,
        )  # fmt: skip
    return Attempt(id=name, lap=1, candidate=1, target=wanted, program=program, critique=critique)


@pytest.fixture
def memory(tmp_path) -> Memory:
    return Memory(tmp_path / "home")


@pytest.fixture
def remember(memory, tmp_path):
    """Return a function that puts an attempt into a run folder and into the memory."""

    def remember(run: str, one: Attempt) -> Path:
        folder = tmp_path / "runs" / run / "attempts" / one.id
        folder.mkdir(parents=True)
        (folder / "reward.py").write_text("# a reward\n")
        runs.save(one, folder / "attempt.json")
        memory.remember(one, folder)
        return folder

    return remember


def test_the_nearest_motion_comes_first_and_says_why(memory, remember):
    remember("pacing", attempt("L1-C1", target("pace", PACE), gsi=0.9))
    # 2.0 Hz is wanted; 1.88 Hz is 6 % slower.
    folder = remember("trotting", attempt("L1-C1", target(frequency_hz=1.88), gsi=0.78))
    first, second = memory.recall(target(), "go1", k=5)
    assert first.attempt == "trotting/L1-C1" and first.folder == folder.resolve()
    assert first.near and first.passed
    assert first.sentence == "same gait (trot), 6 % slower cadence, same speed, reward reached 0.78."
    assert not second.near and "pace instead of trot" in second.sentence and "far from" in second.sentence


def test_one_run_gives_one_hit_its_best_attempt(memory, remember):
    for name, gsi in (("L1-C1", 0.0), ("L1-C2", 0.8), ("L2-C1", 0.5)):
        remember("run", attempt(name, target(), gsi=gsi))
    (hit,) = memory.recall(target(), k=5)
    assert hit.attempt == "run/L1-C2" and hit.gsi == 0.8


def test_only_the_wanted_robot_is_recalled(memory, remember):
    remember("walking", attempt("L1-C1", target("walk", (0.0, 0.5), robot="g1", leg_m=0.645), gsi=0.8))
    assert memory.recall(target(), "go1") == []
    assert memory.recall(target("walk", (0.0, 0.5), robot="g1", leg_m=0.645), "go1") == []
    assert len(memory.recall(target("walk", (0.0, 0.5), robot="g1", leg_m=0.645), "g1")) == 1


def test_a_dog_finds_the_robot_that_moved_like_it(memory, remember):
    remember("trotting", attempt("L1-C1", target(frequency_hz=2.0), gsi=0.8))
    # Dynamic similarity: a leg twice as long strides slower by the root of two, at the same Froude number.
    dog = GaitDescriptor(
        subject="quadruped", gait="trot", stride_frequency_hz=2.0 / math.sqrt(2), duty_factor={},
        phase_offsets={"FL": 0.0, "FR": 0.5, "RL": 0.5, "RR": 0.0}, speed_leg_lengths_s=2.0,
        froude=1.0 / (9.81 * 0.256), leg_length_m_assumed=0.512, leg_length_px=100.0,
        stride_frequency_dimensionless=2.0 * math.sqrt(0.256 / 9.81),
    )  # fmt: skip
    (hit,) = memory.recall(dog)
    assert hit.distance == pytest.approx(0.0, abs=1e-3)


def test_a_hit_whose_folder_is_gone_is_dropped(memory, remember):
    folder = remember("gone", attempt("L1-C1", target(), gsi=0.9))
    shutil.rmtree(folder)
    assert memory.recall(target()) == []


def test_a_lost_index_is_rebuilt_from_run_folders(memory, remember):
    remember("trotting", attempt("L1-C1", target(), gsi=0.8))
    shutil.rmtree(memory.home / "index")
    assert [hit.attempt for hit in memory.recall(target())] == ["trotting/L1-C1"]


@pytest.mark.parametrize(
    "damaged",
    [lambda raw: b"\x00garbage" * 100, lambda raw: raw[: len(raw) // 2]],
    ids=["garbled", "half-written"],
)
def test_a_damaged_index_is_rebuilt_and_never_fatal(memory, remember, damaged):
    remember("trotting", attempt("L1-C1", target(), gsi=0.8))
    for path in (memory.home / "index").rglob("*"):
        if path.is_file():
            path.write_bytes(damaged(path.read_bytes()))
    assert [hit.attempt for hit in memory.recall(target())] == ["trotting/L1-C1"]
    assert memory.trouble


def test_a_memory_that_cannot_be_written_is_no_reason_to_fail(tmp_path, remember):
    (tmp_path / "file").write_text("not a folder")
    closed = Memory(tmp_path / "file" / "home")
    closed.remember(attempt("L1-C1", target()), tmp_path / "run" / "attempts" / "L1-C1")
    assert closed.recall(target()) == [] and closed.trouble


def test_rebuild_takes_in_folders_of_other_machines(memory, remember, tmp_path):
    remember("trotting", attempt("L1-C1", target(), gsi=0.8))
    fresh = Memory(tmp_path / "elsewhere")
    assert fresh.rebuild(tmp_path / "runs" / "trotting") == 1
    assert len(fresh.recall(target())) == 1


def test_what_another_process_remembered_is_found(memory, remember, tmp_path):
    remember("mine", attempt("L1-C1", target(), gsi=0.8))
    assert len(memory.recall(target())) == 1
    folder = tmp_path / "runs" / "theirs" / "attempts" / "L1-C1"
    folder.mkdir(parents=True)
    (folder / "reward.py").write_text("# a reward\n")
    runs.save(attempt("L1-C1", target(), gsi=0.7), folder / "attempt.json")
    code = (
        "import sys; from pathlib import Path; from video2reward.memory import runs\n"
        "from video2reward.memory.recall import Memory; from video2reward.memory.records import Attempt\n"
        "folder = Path(sys.argv[2]); memory = Memory(Path(sys.argv[1]))\n"
        "memory.remember(runs.load(Attempt, folder / 'attempt.json'), folder)"
    )
    subprocess.run([sys.executable, "-c", code, str(memory.home), str(folder)], check=True)
    assert {hit.attempt for hit in memory.recall(target())} == {"mine/L1-C1", "theirs/L1-C1"}


def test_many_attempts_are_ranked_as_exact_search_ranks_them(memory, tmp_path):
    generator = np.random.default_rng(0)
    known: dict[str, MotionTarget] = {}
    for index in range(150):
        phases = (0.0, *(float(value) for value in generator.random(3)))
        wanted = target("unknown", phases, float(generator.uniform(1, 3)), float(generator.uniform(0.5, 2)))
        folder = tmp_path / "runs" / f"r{index}" / "attempts" / "L1-C1"
        folder.mkdir(parents=True)
        (folder / "reward.py").write_text("")
        runs.save(attempt("L1-C1", wanted, gsi=0.5), folder / "attempt.json")
        known[f"r{index}/L1-C1"] = wanted
    assert memory.rebuild(*(tmp_path / "runs").iterdir()) == 150
    query = target("unknown", (0.0, 0.4, 0.6, 0.1))
    point = motion_point(query)
    exact = sorted(known, key=lambda name: distance(point, motion_point(known[name]).vector, "unknown"))[:10]
    assert [hit.attempt for hit in memory.recall(query, k=10)] == exact


unit = st.floats(0.0, 0.999)


@given(phases=st.tuples(unit, unit, unit, unit), shift=unit)
def test_only_differences_of_phases_count(phases, shift):
    one = motion_point(target(phases=phases))
    other = motion_point(target(phases=tuple((phase + shift) % 1.0 for phase in phases)))
    assert distance(one, other.vector, "trot") == pytest.approx(0.0, abs=1e-3)


@given(factor=st.floats(0.25, 4.0))
def test_size_does_not_count_where_movement_is_similar(factor):
    # Equal Froude number and equal f sqrt(L/g): speed grows and cadence falls with the root of the size.
    one = motion_point(target())
    other = motion_point(
        target(frequency_hz=2.0 / math.sqrt(factor), speed_m_s=math.sqrt(factor), leg_m=0.256 * factor)
    )
    assert distance(one, other.vector, "trot") == pytest.approx(0.0, abs=1e-3)
