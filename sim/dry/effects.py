"""What is called and looked through on paper, and what is changed there: lists, and nothing that outlives the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from video2reward.sim.dry import calls
from video2reward.sim.dry.arithmetic import binary
from video2reward.sim.dry.effort import MAX_ROUNDS, Effort
from video2reward.sim.dry.layout import slices_of
from video2reward.sim.dry.lists import count, key_of
from video2reward.sim.dry.torch_table import TORCH, call
from video2reward.sim.dry.values import Dim, Ends, Items, Nothing, Refused, Table, Tensor, Text, Value, number

_Left = TypeVar("_Left")

READY_MADE_TENSORS = 10
# These read a generator to its end before anything else happens.
_READS_ALL = ("all", "any", "list", "max", "min", "sorted", "sum", "tuple")


class Effects:
    """Follow calls of what is not the reward's own, and count them."""

    def __init__(self, contract: calls.Contract, sizes: dict[str, Dim]) -> None:
        self.contract, self.sizes = contract, sizes
        self.effort = Effort()
        self._undecided = 0

    def _maybe(self, follow: Callable[[], _Left]) -> _Left:
        """Follow what may or may not be run: nothing that is changed there could be counted on."""
        self._undecided += 1
        left = follow()
        self._undecided -= 1
        return left

    def _call_method(self, base: Value, name: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        if isinstance(base, Tensor):
            return calls.method(base, name, arguments, keywords)
        if name in ("append", "extend") and isinstance(base, Items) and base.is_list and len(arguments) == 1:
            items = arguments if name == "append" else self._iterate(arguments[0])
            for item in items:
                self._may_change(base, item)
            base.items += items
            self.effort.charge(base)
            return Nothing()
        return calls.container_method(base, name, arguments, key_of)

    def _call_named(self, name: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        path = name.removeprefix("torch.")
        if name.startswith("torch.") and path in TORCH:
            return call(path, arguments, keywords)
        if name.startswith("terms."):
            self.effort.tensors += READY_MADE_TENSORS
        if name.removeprefix("builtins.") in _READS_ALL and arguments and isinstance(arguments[0], Items):
            arguments = [Items(arguments[0].items, arguments[0].is_list), *arguments[1:]]
        return self.contract.call(name, arguments, keywords, self._iterate, self._added, self.sizes)

    def _added(self, op: type, one: Value, other: Value) -> Value:
        value = binary(op, one, other, self.effort)
        self.effort.weigh(value)
        return value

    def _iterate(self, value: Value) -> list[Value]:
        if isinstance(value, Tensor):
            return slices_of(value, 0)
        if isinstance(value, Items) and value.lazy:
            raise Refused("a loop over a generator", "write a list: [… for …]")
        if isinstance(value, Table):
            items: list[Value] = [Text(k) if isinstance(k, str) else number(k) for k in value.items]
        elif isinstance(value, Items):
            items = list(value.items)
        else:
            raise Ends
        # Python would see what is added to a list while it is looked through; here that cannot happen.
        value.frozen = True
        if len(items) > MAX_ROUNDS:
            raise Refused(f"a loop of {len(items)} rounds", f"loops have at most {MAX_ROUNDS} rounds")
        return items

    def _may_change(self, base: Items | Table, value: Value) -> None:
        if base.frozen:
            raise Refused(
                "a list changed that outlives the step or was looked through",
                "build lists first, in the term; a reward keeps nothing between steps",
            )
        if self._undecided:
            raise Refused("a list changed under an if or in a generator", "build lists in statements of their own")
        if isinstance(value, Items | Table) and (getattr(value, "is_list", True) or count(value) > 64):
            raise Refused("lists in lists that grow", "write nested lists out, or append tuples")
