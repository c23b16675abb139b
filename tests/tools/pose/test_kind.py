"""Who is in view: how many animals are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from video2reward.evals.drawn_clips import encode, scene
from video2reward.memory.errors import MissingPart
from video2reward.tools.models import find_model
from video2reward.tools.pose.backend import Detection
from video2reward.tools.pose.kind import _count, look_for_kind
from video2reward.tools.video import open_clip


def animal(width: float, height: float, score: float) -> Detection:
    return Detection(np.array([10.0, 10.0, width, height]), "animal", "quadruped", score)


def test_a_leg_taken_for_an_animal_and_a_mere_hint_are_not_counted() -> None:
    whole = animal(200, 120, 0.5)
    assert _count(()) == 0
    assert _count((whole, animal(40, 60, 0.4))) == 1
    assert _count((whole, animal(180, 130, 0.1))) == 1
    assert _count((whole, animal(180, 130, 0.3))) == 2


@pytest.mark.slow
@pytest.mark.parametrize("animals", [1, 3])
def test_one_animal_in_view_is_told_from_several(animals: int, tmp_path: Path) -> None:
    pytest.importorskip("mediapipe", reason="MEDIAPIPE IS NOT INSTALLED: NOBODY LOOKS FOR PEOPLE")
    try:
        find_model("blazepose")
    except MissingPart as error:
        pytest.skip(f"NO MODEL FILE FOR PEOPLE HERE: {error}")
    clip = encode(tmp_path / "clip.mp4", scene((640, 360), np.arange(40) / 30, animals=animals), 30)
    kind = look_for_kind(open_clip(clip))
    assert kind.kind == "animal"
    assert (kind.animals > 1) == (animals > 1)
