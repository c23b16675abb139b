"""The bench's page says what was measured, on what machine."""

import platform

from video2reward.evals.bench import Trial, as_markdown
from video2reward.evals.race import SB3_MISSING, Lap

TRIAL = Trial(
    name="example-go1", status="passed", gait_wanted="trot", gait="trot", gsi=0.875, first_pass_s=51.6, wall_s=80.2,
    peak_memory_mb=812.4,
)  # fmt: skip


def test_a_page_names_the_machine_and_holds_every_row():
    rate = {"robot": "go1", "num_envs": 128, "threads": 1, "raw": 30000.0, "loop": 12000.0, "runner": 9000.0,
            "sb3": 8000.0}  # fmt: skip
    lap = Lap(learner="ours", seed=1, env_steps_per_s=20000.0, first_pass_s=12.3, first_pass_steps=200_000)
    page = as_markdown([rate], [lap], [TRIAL])
    assert platform.python_version() in page and "torch" in page
    # 12 000 of 30 000 is a share of 0.40.
    assert "| go1 | 128 | 1 | 30,000 | 12,000 | 0.40 | 9,000 | 8,000 |" in page
    assert "| ours | 1 | 20,000 | 12.3 s | 200,000 |" in page
    assert "| example-go1 | passed | trot | trot | 0.88 | 52 s | 80 s | 812 MB |" in page


def test_a_run_that_never_passed_says_so():
    never = TRIAL.model_copy(update={"status": "budget", "gait": None, "gsi": None, "first_pass_s": None})
    assert "| budget | trot | - | 0.00 | never |" in as_markdown([], [], [never])


def test_a_bench_without_stable_baselines3_says_so_in_its_tables():
    rate = {"robot": "g1", "num_envs": 128, "threads": 2, "raw": 1.0, "loop": 1.0, "runner": 1.0, "sb3": None}
    lap = Lap(learner="ours", seed=1, env_steps_per_s=1.0, first_pass_s=None, first_pass_steps=None)
    page = as_markdown([rate], [lap], [])
    assert f"| 1 | {SB3_MISSING} |" in page
    assert f"| sb3 | - | {SB3_MISSING} |" in page
