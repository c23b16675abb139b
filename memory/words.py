"""Where a text lies: by default hashed words and their parts, which needs no model, no download and no network.

A space has a name and a size. Vectors of different spaces are never compared: each has a collection of its own.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import BadInput
from video2reward.memory.records import Attempt, RunRequest

_WORD = re.compile(r"[a-z0-9]+")
_PART_WEIGHT = 0.35
_NO_NEWS = frozenset("a an and as at be by for from in is it its of on or that the this to was were with".split())


class TextSpace(Protocol):
    """Turns texts into unit vectors (num_texts, size). May raise V2RError where that cannot be done now."""

    name: str
    size: int

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


class HashingSpace:
    """Hashed words and their parts of three letters (Weinberger et al. 2009: the hash's sign keeps sums unbiased)."""

    def __init__(self, size: int = 512) -> None:
        self.name, self.size = "hashing", size

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self._one(text) for text in texts])

    def _one(self, text: str) -> NDArray[np.float32]:
        vector = np.zeros(self.size, dtype=np.float32)
        for word in _WORD.findall(text.lower()):
            if word in _NO_NEWS:
                continue
            self._add(vector, word, 1.0)
            padded = f"<{word}>"
            for start in range(len(padded) - 2):
                self._add(vector, padded[start : start + 3], _PART_WEIGHT)
        length = float(np.linalg.norm(vector))
        return vector / length if length else vector

    def _add(self, vector: NDArray[np.float32], piece: str, weight: float) -> None:
        value = zlib.crc32(piece.encode())
        vector[value % self.size] += weight if value & 0x80000000 else -weight


def words_of(attempt: Attempt, request: RunRequest | None) -> str:
    """Return what can be said of an attempt in words: robot, motion, clip, what was asked for, what its reward is."""
    target, program = attempt.target, attempt.program
    clip = request.clip.stem.replace("_", " ") if request else ""
    pace = "slow" if target.froude < 0.15 else ("fast" if target.froude > 0.6 else "medium")
    outcome = "passed" if attempt.passed else "did not pass"
    terms = " ".join(program.terms)
    return (
        f"{target.robot} {target.gait} {target.travel.replace('_', ' ')} {pace} {target.speed_m_s:.1f} m/s {clip} "
        f"{outcome} {terms} {program.rationale}"
    ).replace("_", " ")


def checked(space: TextSpace, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return vectors that fit their space. Raises BadInput: a space that changes its size would be mixed up."""
    if vectors.ndim != 2 or vectors.shape[1] != space.size or not np.isfinite(vectors).all():
        raise BadInput(
            f"the embeddings {space.name} gave vectors of shape {vectors.shape}, not of {space.size} numbers."
        )
    return vectors
