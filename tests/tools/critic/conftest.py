"""The labelled motions, and what else the critic's tests share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from video2reward.evals.labelled import Motion, bad_motions, good_motion, target_of, write_rollout
from video2reward.memory.records import MotionTarget


@dataclass(frozen=True)
class Scripted:
    """What the tests take from here."""

    folder: Path
    good: Callable[[str], Motion] = good_motion
    bad: Callable[[str], dict[str, Motion]] = bad_motions
    target: Callable[..., MotionTarget] = target_of

    def write(self, motion: Motion, name: str = "rollout.npz") -> Path:
        return write_rollout(motion, self.folder / name)


@pytest.fixture
def scripted(tmp_path: Path) -> Scripted:
    """Return the labelled motions and a writer of their rollouts."""
    return Scripted(tmp_path)
