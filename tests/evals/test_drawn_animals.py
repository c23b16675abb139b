"""Drawn animals: what is drawn is what their truth says."""

from __future__ import annotations

import numpy as np
import pytest
from video2reward.evals.drawn_animals import HEIGHT_PX, WIDTH_PX, DrawnAnimal, draw_animal
from video2reward.tools.gait_labels import gait_label


@pytest.mark.parametrize("to_left", [False, True], ids=["right", "left"])
@pytest.mark.parametrize("gait", ["walk", "trot", "pace", "canter", "gallop", "bound"])
def test_the_truth_bears_the_gaits_name(gait: str, to_left: bool) -> None:
    _, truth = draw_animal(DrawnAnimal(gait, "dog", 1, to_left=to_left))
    assert truth.phase_offsets["FL"] == 0
    assert gait_label("quadruped", truth.phase_offsets, truth.duty_factor)[0] == gait


def test_an_animal_that_goes_left_is_the_mirror_of_one_that_goes_right() -> None:
    (right, truth), (left, mirrored) = (draw_animal(DrawnAnimal("canter", "dog", 4, to_left=way)) for way in (0, 1))
    picture = next(right)
    assert picture.shape == (HEIGHT_PX, WIDTH_PX, 3)
    np.testing.assert_array_equal(picture[:, ::-1], next(left))
    # A right lead becomes a left one: FL .00 FR .81 RL .47 RR .64 from the other side, counted from the left forefoot.
    assert truth.phase_offsets == {"FL": 0.0, "FR": 0.81, "RL": 0.47, "RR": 0.64}
    assert mirrored.phase_offsets == pytest.approx({"FL": 0.0, "FR": 0.19, "RL": 0.83, "RR": 0.66})
