"""The table of gaits: its targets are what they say, its medians are right, and rows of two calls come together."""

import json

import pytest
from video2reward.evals.gait_targets import synthetic_cases
from video2reward.evals.gaits import Row, first_pass, kept_rows, prepare, table
from video2reward.memory.records import TrainingSpec
from video2reward.memory.runs import load
from video2reward.tools.gait_labels import gait_label
from video2reward.tools.workers import WORK

ROW = Row(name="go1-trot", robot="go1", seed=1, wanted=("trot",), label="trot", passed=True, failed_gates=(), gsi=0.9,
          E_f=0.0, E_beta=0.01, E_phi=0.02, E_Fr=0.0, dtw=None, chatter=0.1, env_steps=1000, seconds=20.0,
          first_pass_s=10.0, first_pass_steps=500, first_pass_sought=True)  # fmt: skip


@pytest.mark.parametrize("case", synthetic_cases(), ids=lambda case: case.name)
def test_a_targets_own_numbers_bear_its_name(case):
    target = case.target
    subject = "quadruped" if target.robot == "go1" else "person"
    phases = dict(zip(target.feet, target.phase_offsets, strict=True))
    duty = dict(zip(target.feet, target.duty_factor, strict=True))
    assert gait_label(subject, phases, duty)[0] in case.labels


def test_the_table_has_medians_and_counts():
    rows = [
        ROW,
        ROW.model_copy(update={"seed": 2, "gsi": 0.5, "label": "pace", "first_pass_s": 30.0}),
        ROW.model_copy(update={"seed": 3, "gsi": 0.0, "passed": False, "first_pass_s": None, "label": "pace"}),
    ]
    line = table(rows).splitlines()[-1]
    # GSI 0.9, 0.5, 0: the median is 0.5; first passes after 10 s, 30 s and never.
    assert "| go1-trot | 2 of 3 | 1 of 3 | 0.50 |" in line and "| 30 | never |" in line


def test_what_was_not_looked_for_is_not_said_to_have_been_at_the_end_nor_never():
    unsought = ROW.model_copy(update={"first_pass_s": None, "first_pass_sought": False})
    line = table([unsought, unsought.model_copy(update={"seed": 2, "passed": False})]).splitlines()[-1]
    assert "| 10% | - | - |" in line


def test_rows_of_an_earlier_call_are_read_again(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"machine": "", "rows": [ROW.model_dump()]}))
    assert kept_rows(path) == [ROW] and kept_rows(None) == []


def test_a_training_is_prepared_with_the_authors_reward_and_kept_checkpoints(tmp_path):
    case = synthetic_cases()[0]
    spec = load(TrainingSpec, prepare(case, 7, tmp_path / "x", 2, 1234))
    assert (spec.seed, spec.max_env_steps, spec.num_threads) == (7, 1234, 2) and spec.keep_every_steps
    assert "footfall_match" in (tmp_path / "x" / "reward.py").read_text()


def test_the_first_checkpoint_that_passes_is_found_and_falling_ones_are_not_asked(tmp_path):
    rows = [{"env_steps": s, "wall_s": s / 100, "fall_rate_per_min": f} for s, f in ((100, 90), (200, 1), (300, 0))]
    (tmp_path / "progress.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / WORK).mkdir()
    for steps in (100, 200, 300):
        (tmp_path / WORK / f"policy-{steps:010d}.pt").touch()
    asked = []

    def passes(policy):
        asked.append(policy.stem)
        return policy.stem.endswith("300")

    assert first_pass(tmp_path, passes) == (300, 3.0)
    assert asked == ["policy-0000000200", "policy-0000000300"]
