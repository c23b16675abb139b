"""A ring of samples on disk: `python -m video2reward.evals.quadnet.store` fills it while another process trains."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from video2reward.evals.quadnet.network import NUM_KEYPOINTS
from video2reward.evals.quadnet.pictures import MASK_STRIDE, PICTURE_PX, Artist

CAPACITY = 10_000
HELD_OUT = 160  # these are never trained on
_SMALL = PICTURE_PX // MASK_STRIDE


@dataclass(frozen=True)
class Ring:
    """Memory-mapped samples; `count` (1,) is how many were ever written.

    The first HELD_OUT places are written once, for measuring; the others are written over when the ring is full.
    """

    images: NDArray[np.uint8]
    points: NDArray[np.float32]
    masks: NDArray[np.uint8]
    count: NDArray[np.int64]

    @property
    def filled(self) -> int:
        """How many places hold a sample."""
        return min(int(self.count[0]), len(self.images))

    @property
    def next_place(self) -> int:
        """Where the next sample goes."""
        return next_place(int(self.count[0]), len(self.images))


def next_place(count: int, capacity: int) -> int:
    """Return the place of a ring's sample number `count`."""
    return count if count < capacity else HELD_OUT + (count - HELD_OUT) % (capacity - HELD_OUT)


def open_ring(folder: Path, capacity: int = CAPACITY) -> Ring:
    """Open or create the ring in a folder (about 2 GB of sparse files at full capacity)."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes = {
        "images": ((capacity, PICTURE_PX, PICTURE_PX, 5), np.uint8),
        "points": ((capacity, NUM_KEYPOINTS, 3), np.float32),
        "masks": ((capacity, _SMALL, _SMALL), np.uint8),
        "count": ((1,), np.int64),
    }
    maps = {}
    for name, (shape, dtype) in shapes.items():
        path = folder / f"{name}.dat"
        maps[name] = np.memmap(path, dtype=dtype, mode="r+" if path.exists() else "w+", shape=shape)
    return Ring(**maps)


def fill(folder: Path, minutes: float, seed: int, rest: float) -> int:
    """Draw samples into the ring for some minutes, resting `rest` seconds after each; return how many were drawn."""
    cv2.setNumThreads(1)
    ring = open_ring(folder)
    artist = Artist(np.random.default_rng([seed, int(ring.count[0])]))
    start, drawn = time.monotonic(), 0
    while time.monotonic() - start < minutes * 60:
        sample = artist.sample()
        place = ring.next_place
        ring.images[place], ring.points[place], ring.masks[place] = sample.image, sample.points, sample.mask
        ring.count[0] += 1
        drawn += 1
        if rest:
            time.sleep(rest)
    return drawn


def main() -> None:
    """Fill the ring of a training folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the training folder")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rest", type=float, default=0.0, help="seconds to rest after each sample")
    args = parser.parse_args()
    print(f"{fill(args.folder / 'ring', args.minutes, args.seed, args.rest)} samples drawn")


if __name__ == "__main__":
    main()
