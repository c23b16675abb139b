"""Open what watches a clip for one kind of body: the best of what is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from video2reward.memory.errors import BadInput, MissingPart
from video2reward.memory.records import Skeleton
from video2reward.tools.pose.backend import Watcher, backend_names, choose_backend
from video2reward.tools.pose.detectors import open_detector
from video2reward.tools.pose.topdown import MAX_BODIES, TopDown

BLAZEPOSE, QUADNET = "blazepose", "quadnet"


@contextmanager
def open_watcher(skeleton: Skeleton, only: str | None = None, most: int = MAX_BODIES) -> Iterator[Watcher]:
    """Open the best watcher for a kind of body, or the one whose backend is called `only`, and close it again.

    People: a backend with a detector, else BlazePose, which finds its own boxes, `most` at once. Animals: a backend
    with a detector.
    Raises BadInput for an unknown name and MissingPart where nothing can be opened.
    """
    names = watcher_names(skeleton)
    if only is not None and only not in names:
        raise BadInput(f"there is no pose backend {only!r} for a {skeleton}.", f"There are {', '.join(names)}.")
    watcher: TopDown | None = None
    if only != BLAZEPOSE:
        try:
            watcher = _top_down(skeleton, only)
        except MissingPart:
            if only is not None or skeleton != "person":
                raise
    if watcher is not None:
        yield watcher
        return
    from video2reward.tools.pose.blazepose import open_blazepose

    with open_blazepose(most_people=most) as blazepose:
        yield blazepose


def better_animal_watcher() -> Watcher | None:
    """Return a watcher for animals whose networks were fetched or installed; None where only the package's own is here.

    The network in the package finds its own boxes and is led by what knows it best: it needs no watcher.
    """
    try:
        detector = open_detector()
    except MissingPart:
        return None
    for name in backend_names("quadruped"):
        if name == QUADNET:
            continue
        try:
            return TopDown(detector, choose_backend("quadruped", name).backend)
        except MissingPart:
            continue
    return None


def watcher_names(skeleton: Skeleton) -> tuple[str, ...]:
    """Return the backends that can watch for a kind of body, the best first."""
    return (*backend_names(skeleton), *((BLAZEPOSE,) if skeleton == "person" else ()))


def _top_down(skeleton: Skeleton, only: str | None) -> TopDown:
    # The detector first: it is the smaller one, and without it the backend need not be loaded.
    detector = open_detector()
    choice = choose_backend(skeleton, only)
    return TopDown(detector, choice.backend, choice.passed_over)
