"""The options that say who in a clip is the subject."""

from __future__ import annotations

from pathlib import Path

import pytest
from video2reward.agent.subject import subject_of
from video2reward.agent.work_options import Clip
from video2reward.memory.errors import BadInput
from video2reward.memory.records import SubjectChoice


def test_nothing_said_leaves_the_choice_to_the_eyes() -> None:
    assert subject_of(Clip(Path("a.mp4"))) == SubjectChoice()


def test_a_box_and_a_moment_are_read() -> None:
    choice = subject_of(Clip(Path("a.mp4"), subject="animal", box="10, 20,30.5,40", at_second=1.5))
    assert choice == SubjectChoice(kind="animal", box_px=(10.0, 20.0, 30.5, 40.0), at_second=1.5)


@pytest.mark.parametrize("box", ["10,20,30", "a,b,c,d", "1,2,0,5", "1,2,nan,5", ""])
def test_a_box_that_is_none_is_refused(box: str) -> None:
    with pytest.raises(BadInput, match="--box"):
        subject_of(Clip(Path("a.mp4"), box=box))


def test_a_moment_before_the_clip_is_refused() -> None:
    with pytest.raises(BadInput, match="--at-second"):
        subject_of(Clip(Path("a.mp4"), at_second=-1.0))
