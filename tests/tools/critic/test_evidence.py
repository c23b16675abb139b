"""A rollout's file is a stranger's word: everything that cannot be true is refused, and nothing in it is run."""

from __future__ import annotations

import json
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from video2reward.tools.critic.evidence import BadRollout, read_meta, read_rollout
from video2reward.tools.render_and_critique import judge_rollout


@pytest.fixture
def rollout(scripted):
    """Return a maker of a small rollout with some of its arrays replaced."""
    path = scripted.write(replace(scripted.good("go1"), num_envs=3, seconds=3.0))

    def make(meta: dict | None = None, drop: str = "", **arrays):
        with np.load(path) as file:
            whole = {name: file[name] for name in file.files}
        if meta is not None:
            whole["meta_json"] = np.array(json.dumps({**json.loads(str(whole["meta_json"])), **meta}))
        whole |= {name: change(whole[name]) if callable(change) else change for name, change in arrays.items()}
        whole.pop(drop, None)
        out = path.with_name("changed.npz")
        np.savez(out, **whole)
        return out

    return make


def with_value(value):
    def change(array):
        array = array.copy()
        array[10] = value
        return array

    return change


def test_a_true_rollout_is_read(rollout):
    made = read_rollout(rollout())
    assert (made.num_envs, made.seconds, made.decimation) == (3, 3.0, 4)
    assert made.counted.sum() == 3 * 100  # two of three seconds at 50 Hz


IMPOSSIBLE = {
    "an unknown robot": {"meta": {"robot": "spot"}},
    "feet in another order": {"meta": {"feet": ["FR", "FL", "RL", "RR"]}},
    "a coarse physics step": {"meta": {"physics_dt_s": 0.01}},
    "a negative physics step": {"meta": {"physics_dt_s": -0.005}},
    "a time in words": {"meta": {"control_dt_s": "soon"}},
    "no seed": {"meta": {"seed": None}},
    "no contacts": {"drop": "foot_contact"},
    "no meta": {"drop": "meta_json"},
    "a list for meta": {"meta_json": np.array("[1, 2]")},
    "broken meta": {"meta_json": np.array("{")},
    "contacts cut short": {"foot_contact": lambda a: a[:-1]},
    "contacts as numbers": {"foot_contact": lambda a: a.astype(np.float32)},
    "body contact of one environment": {"body_contact": lambda a: a[:, :1]},
    "a foot that is nowhere": {"foot_pos_w": with_value(np.nan)},
    "a foot at infinity": {"foot_pos_w": with_value(np.inf)},
    "a trunk a thousand kilometres away": {"base_pos_w": with_value(1e6)},
    "quaternions of length two": {"base_quat_w": lambda a: 2 * a},
    "quaternions of length zero": {"base_quat_w": lambda a: 0 * a},
    "roots in a plane": {"root_pos_w": lambda a: a[..., :2]},
    "falls of two environments": {"fell_at_s": lambda a: a[:2]},
    "a trunk without time": {"base_pos_w": lambda a: a[:0]},
    "a trunk without environments": {"base_pos_w": lambda a: a[0]},
}


# The names are written down: one made from a function's address would differ between two test processes.
@pytest.mark.parametrize("change", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_cannot_be_true_is_refused_in_one_sentence(rollout, change):
    with pytest.raises(BadRollout) as refusal:
        read_rollout(rollout(**change))
    assert "changed.npz" in str(refusal.value)


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"not a zip", bytes(10_000)])
def test_a_file_that_is_no_rollout_is_refused(tmp_path, raw):
    path = tmp_path / "rollout.npz"
    path.write_bytes(raw)
    with pytest.raises(BadRollout):
        read_rollout(path)
    assert read_meta(path) == {}


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadRollout, match="was not written"):
        read_rollout(tmp_path / "rollout.npz")


class _Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('run!')",))


def test_a_pickle_inside_is_not_run(rollout):
    path = rollout()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("extra.npy", pickle.dumps(_Bomb()))
    read_rollout(path)
    with pytest.raises(BadRollout):
        objects = np.array([_Bomb()], dtype=object)
        np.savez(path, foot_contact=objects, allow_pickle=True)
        read_rollout(path)


def test_a_tilted_trunk_is_a_fall_whatever_is_reported(rollout):
    def tilted(quat):
        quat = quat.copy()
        quat[75:, 1] = (np.cos(0.5), np.sin(0.5), 0, 0)  # a roll of 57 degrees from 1.52 s on
        return quat

    made = read_rollout(rollout(base_quat_w=tilted))
    assert made.fell_at_s[1] == pytest.approx(76 * 0.02) and np.isinf(made.fell_at_s[[0, 2]]).all()
    assert made.counted[:, 1].sum() == 25


def test_a_fall_time_that_is_not_a_number_is_a_fall_at_once(rollout):
    made = read_rollout(rollout(fell_at_s=np.array([np.nan, np.inf, np.inf])))
    assert made.fell_at_s[0] == 0.0


def test_what_cannot_be_believed_is_a_verdict_with_all_gates_shut(rollout, scripted):
    critique = judge_rollout(rollout(foot_pos_w=with_value(np.nan)), scripted.target("go1"), attempt="L1-C1")
    assert not critique.passed and not any(gate.passed for gate in critique.gates) and len(critique.gates) == 4
    assert critique.verdict.startswith("Not judged: ") and critique.similarity.gsi == 0.0


@pytest.mark.parametrize("asked", [{"num_envs": 64}, {"seed": 1}, {"seconds": 10.0}])
def test_a_rollout_other_than_asked_for_is_not_judged(rollout, scripted, asked):
    assert judge_rollout(rollout(), scripted.target("go1"), **asked).verdict.startswith("Not judged: ")


def test_a_rollout_of_another_robot_is_not_judged(rollout, scripted):
    assert judge_rollout(rollout(), scripted.target("g1")).verdict.startswith("Not judged: ")
