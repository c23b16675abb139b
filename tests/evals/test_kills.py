"""The trial of kills itself, once with each victim."""

import pytest
from video2reward.evals.kills import main


@pytest.mark.slow
def test_a_run_that_is_killed_ends_as_one_that_is_left_alone(capsys):
    assert main(["--moments", "3"]) == 0
    assert "3 of 3 runs resumed" in capsys.readouterr().out
