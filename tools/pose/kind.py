"""Person or animal: a first look at a few frames decides which of the two is followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from video2reward.memory.errors import MissingPart
from video2reward.memory.records import Clip
from video2reward.tools.pose.backend import Detection, Watcher
from video2reward.tools.pose.quadnet import QuadNet
from video2reward.tools.pose.subject import Sighting
from video2reward.tools.pose.watchers import open_watcher
from video2reward.tools.video import Frame, frames

_PEOPLE_LOOKS, _ANIMAL_LOOKS, _COUNTING_LOOKS = 20, 4, 3
_UPRIGHT = 0.9
"""From shoulders to ankles a walking person is higher than the whole body is wide; an animal taken for one is not."""
_LEAST_SEEN = 0.2
_PLAINLY_AN_ANIMAL = 0.42
_ONE_OF_SEVERAL, _LIKE_SIZE = 0.25, 0.4
"""A second animal is counted from this score on, and where its box is so large a share of the largest."""


@dataclass(frozen=True)
class Kind:
    """Who is to be followed, and why where that is not plain; `missing` is what people could not be seen without.

    `people` is how many were seen at once, `animals` at least how many; 0 where nobody looked.
    """

    kind: Literal["person", "animal"]
    reason: str
    missing: MissingPart | None = None
    people: int = 0
    animals: int = 0


def look_for_kind(clip: Clip) -> Kind:
    """Tell whether the subject of a clip is a person or an animal.

    A person who stands upright is one, unless a plain animal is beside: then the person is a handler or a rider.
    Without a network for people everything is taken for an animal, and the missing part is handed back.
    """
    wanted = set(np.linspace(0, clip.num_frames - 1, _PEOPLE_LOOKS).astype(int).tolist())
    held: list[Frame] = []
    upright: list[float] = []
    looks = people = 0
    try:
        with open_watcher("person") as watcher:
            for frame in frames(clip, max_side_px=1280, only=wanted):
                looks += 1
                seen = watcher.look(frame)
                people = max(people, len(seen))
                upright += _uprightness(watcher, seen)
                held.append(frame)
    except MissingPart as error:
        return Kind("animal", "", error)
    if len(upright) < max(1, _LEAST_SEEN * looks) or np.median(upright) < _UPRIGHT:
        found = _animals(held, _COUNTING_LOOKS)
        return Kind("animal", "no upright person was seen", animals=int(np.median([_count(one) for one in found])))
    sure = [max((body.score for body in one), default=0.0) for one in _animals(held, _ANIMAL_LOOKS)]
    if float(np.median(sure)) > _PLAINLY_AN_ANIMAL:
        return Kind(
            "animal", "an animal and a person are in view: the animal is followed; --subject person takes the other"
        )
    return Kind("person", "", people=people)


def _animals(held: list[Frame], looks: int) -> list[tuple[Detection, ...]]:
    """Return the animals in so many of the frames."""
    network = QuadNet()
    chosen = np.linspace(0, len(held) - 1, looks + 2)[1:-1].astype(int) if held else ()
    return [network.detect(held[index].image) for index in chosen] or [()]


def _count(found: tuple[Detection, ...]) -> int:
    """Return how many of the bodies in a frame are animals of about one size: a small box is often a part of one."""
    areas = [float(body.box_px[2] * body.box_px[3]) for body in found if body.score > _ONE_OF_SEVERAL]
    return sum(area > _LIKE_SIZE * max(areas) for area in areas)


def _uprightness(watcher: Watcher, people: list[Sighting]) -> list[float]:
    """Return how high the most upright body reaches from shoulders to ankles, over its width; none where none is."""
    found = []
    for body in people:
        middles = [_middle(watcher.names, body.xy_px, part) for part in ("shoulder", "ankle")]
        width = float(np.nanmax(body.xy_px[:, 0]) - np.nanmin(body.xy_px[:, 0]))
        height = float(middles[1][1] - middles[0][1])
        if np.isfinite(height) and width > 0 and body.confidence.mean() > 0.5:
            found.append(height / width)
    return [max(found)] if found else []


def _middle(names: tuple[str, ...], xy: NDArray[np.float64], part: str) -> NDArray[np.float64]:
    return np.mean([xy[names.index(f"{side}_{part}")] for side in ("left", "right")], axis=0)
