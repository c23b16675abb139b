"""What a language model is told of how large the ready-made quantities are."""

import pytest
from video2reward.evals.try_model import motions
from video2reward.tools.sizes import sizes_text


@pytest.mark.parametrize("target", motions(), ids=lambda target: target.robot)
def test_each_quantity_has_its_means_and_the_gait_is_told_from_standing(target):
    rows = {}
    for line in sizes_text(target).splitlines():
        name, _, numbers = line.removeprefix("- ").partition(": ")
        rows[name] = [float(number) for number in numbers.split(",")]
    assert all(len(row) == 5 for row in rows.values()) and "expected_stance" not in rows
    gait, standing, lying, falling, rough = zip(*(rows[n] for n in ("footfall_match", "upright")), strict=True)
    assert gait[0] > 0.9 > 1.2 * standing[0] and standing[1] == lying[1] == 1.0 > falling[1]
    # On the wanted gait, forward progress is 1 and the costs of what a robot should not do are next to nothing.
    assert rows["forward_progress"][:2] == [1.0, 0.0] and rows["low_knees"][0] == 0.0 < rows["low_knees"][3]
