"""Pictures of rollouts, with and without a GL library."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from video2reward.memory.errors import BadInput
from video2reward.sim import render


@pytest.fixture(autouse=True)
def forget_the_choice():
    render.choose_gl.cache_clear()
    yield
    render.choose_gl.cache_clear()


def test_without_gl_the_robot_is_drawn_and_the_notes_say_so(make_rollout, monkeypatch) -> None:
    monkeypatch.setenv(render.GL_VARIABLE, "none")
    for robot in ("go1", "g1"):
        recording = render.load_recording(make_rollout(robot))
        seen = render.render_rollout(recording, fps=10, start_s=0.5, seconds=1.0, width=160, height=120)
        assert seen.gl is None
        assert "skeleton" in seen.notes[0]
        assert seen.frames.shape == (10, 120, 160, 3)
        assert np.abs(np.diff(seen.frames.astype(int), axis=0)).max() > 50, "the robot moves"


def test_a_gl_that_fails_halfway_falls_back_to_the_drawing(make_rollout, monkeypatch) -> None:
    def broken(*_: object) -> np.ndarray:
        raise RuntimeError("eglMakeCurrent failed")

    monkeypatch.setattr(render, "use_gl", lambda: "egl")
    monkeypatch.setattr(render, "_rendered", broken)
    seen = render.render_rollout(render.load_recording(make_rollout()), fps=5, seconds=0.6, width=160, height=120)
    assert seen.gl is None and "eglMakeCurrent failed" in seen.notes[0]
    assert len(seen.frames) == 3


def test_a_gl_that_is_not_installed_is_not_chosen(monkeypatch) -> None:
    monkeypatch.setattr(render, "_PROBE", "raise SystemExit(1)")
    monkeypatch.delenv(render.GL_VARIABLE, raising=False)
    assert render.choose_gl() is None


def test_the_search_happens_once(monkeypatch) -> None:
    monkeypatch.setenv(render.GL_VARIABLE, "none")
    first = render.choose_gl()
    monkeypatch.setenv(render.GL_VARIABLE, "egl")
    assert render.choose_gl() is first


def test_facing_left_is_the_mirror_of_facing_right_for_the_drawing(make_rollout, monkeypatch) -> None:
    monkeypatch.setenv(render.GL_VARIABLE, "none")
    recording = render.load_recording(make_rollout())

    def dark_mass(facing) -> float:
        frame = render.render_rollout(recording, fps=5, seconds=0.2, width=200, height=120, facing=facing).frames[0]
        across = np.flatnonzero((frame[:96] < 90).all(axis=2).any(axis=0))
        return float(across.mean()) - 100

    assert dark_mass("right") == pytest.approx(-dark_mass("left"), abs=2)
    assert dark_mass("right") > 0, "the head is ahead"


def test_the_typical_environment_is_neither_the_best_nor_one_that_fell(make_rollout) -> None:
    # Five environments, each faster than the one before; two fell. Of the three that stand the middle one is shown.
    recording = render.load_recording(make_rollout(num_envs=5, fell_at_s=(1.0, 2.0)))
    assert recording.env_id == 3
    assert np.isinf(recording.fell_at_s)


def test_times_beyond_the_recording_are_clamped(make_rollout, monkeypatch) -> None:
    monkeypatch.setenv(render.GL_VARIABLE, "none")
    recording = render.load_recording(make_rollout(seconds=1.0))
    seen = render.render_rollout(recording, fps=10, start_s=5.0, seconds=6.0, width=160, height=120)
    assert len(seen.frames) >= 1 and seen.start_s < 1.0


def test_a_broken_rollout_is_refused_in_a_sentence(tmp_path) -> None:
    path = tmp_path / "rollout.npz"
    path.write_bytes(b"not a rollout")
    with pytest.raises(BadInput, match="rollout.npz is not a readable rollout"):
        render.load_recording(path)


def test_where_there_is_gl_a_process_of_its_own_renders_the_robot(make_rollout) -> None:
    if render.choose_gl() is None:
        pytest.skip("NO GL HERE: rendering was not tested, only the drawn fallback")
    script = (
        "import sys, json; from pathlib import Path; from video2reward.sim import render;"
        "recording = render.load_recording(Path(sys.argv[1]));"
        "seen = render.render_rollout(recording, fps=5, seconds=0.6, width=160, height=120);"
        "print(json.dumps([seen.gl, seen.notes, list(seen.frames.shape), float(seen.frames.std())]))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(make_rollout())], capture_output=True, text=True)
    gl, notes, shape, spread = json.loads(done.stdout)
    assert gl in ("egl", "osmesa") and not notes, done.stderr
    assert shape == [3, 120, 160, 3] and spread > 20


@pytest.mark.parametrize("word", ["disable", "off"])
def test_mujoco_s_own_word_for_no_gl_is_obeyed(monkeypatch, word) -> None:
    monkeypatch.delenv(render.GL_VARIABLE, raising=False)
    monkeypatch.setenv("MUJOCO_GL", word)
    assert render.choose_gl() is None
