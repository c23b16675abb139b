"""How long each node of the loop took, and how much of that was work of others: training, judging, models."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from video2reward.agent.state import RunState

_OTHERS_WORK = (
    "describe",
    "train",
    "judge",
    "clip_sheet",
    "contact_sheet",
    "propose",
    "review",
    "try_policy",
    "choose",
)
"""The calls of tools, author and critic that are not the loop's own. Writing and guarding a reward is."""


class Stopwatch:
    """Adds up the time of others' work. What is called within such a call is a part of it and not counted twice."""

    def __init__(self) -> None:
        self.others_s = 0.0
        self._depth = 0

    def watching(self, called: Any) -> Any:
        """Return a stand-in for tools, author or critic that runs the watch while it works; None stays None."""
        return None if called is None else _Watched(called, self)

    def node(self, name: str, function: Callable[[RunState], RunState], tell: Callable[..., None]) -> Any:
        """Return a node that tells how long it took (`wall_s`), and how much of that was others' work (`others_s`)."""

        def timed(state: RunState) -> RunState:
            begun, others_s = time.monotonic(), self.others_s
            changed = function(state)
            tell(
                "node", node=name, lap=changed.get("lap", state.get("lap", 0)),
                wall_s=round(time.monotonic() - begun, 4), others_s=round(self.others_s - others_s, 4),
            )  # fmt: skip
            return changed

        return timed

    @contextmanager
    def running(self) -> Iterator[None]:
        self._depth += 1
        begun = time.monotonic()
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.others_s += time.monotonic() - begun


class _Watched:
    def __init__(self, called: Any, watch: Stopwatch) -> None:
        self._called, self._watch = called, watch

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._called, name)
        if name not in _OTHERS_WORK:
            return found

        def call(*args: Any, **named: Any) -> Any:
            with self._watch.running():
                return found(*args, **named)

        return call
