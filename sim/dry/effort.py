"""What a reward may do in a step, counted while it is followed: operations, tensors, numbers per environment."""

from __future__ import annotations

from video2reward.sim.dry.lists import count
from video2reward.sim.dry.values import Items, Refused, Table, Tensor, Value, bounded

MAX_STEPS = 40_000
MAX_TENSORS = 2_000
MAX_NUMBERS_PER_ENV = 60_000
MAX_ROUNDS = 256
MAX_DEPTH = 16
_VALUES_A_STEP = 8
"""So many values are looked through, or kept apart for two ways, in the time of one operation."""


class Effort:
    """Counts what is done. Raises Refused where it is more than a reward needs."""

    def __init__(self) -> None:
        self.steps = self.tensors = self.numbers = 0

    def step(self, values: int = 0) -> None:
        """Count one operation on so many values."""
        self.steps += 1 + values // _VALUES_A_STEP
        if self.steps > MAX_STEPS:
            raise Refused(f"more than {MAX_STEPS} operations", "a reward does less in a step: fewer rounds and calls")

    def weigh(self, value: Value) -> None:
        """Bound every tensor, and all of them together; what is long counts as many operations."""
        if isinstance(value, Items | Table):
            self.steps += len(value.items) // _VALUES_A_STEP
        for item in [value] if isinstance(value, Tensor) else value.items if isinstance(value, Items) else []:
            if isinstance(item, Tensor):
                bounded(item.shape)
        if isinstance(value, Tensor):
            self.tensors += 1
            self.numbers += value.per_env
            if self.tensors > MAX_TENSORS:
                raise Refused(f"more than {MAX_TENSORS} tensors", "a reward does less in a step")
            if self.numbers > MAX_NUMBERS_PER_ENV:
                raise Refused(f"more than {MAX_NUMBERS_PER_ENV} numbers per environment", "use fewer tensors")

    def charge(self, value: Value) -> None:
        """Bound a list or dictionary, and count its values: it was built, and looked through here."""
        self.step(count(value))
