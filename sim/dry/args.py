"""The arguments of one torch call on paper, by the function's own names."""

from __future__ import annotations

from collections.abc import Callable

from video2reward.sim.dry.values import (
    Dim,
    Dtype,
    Ends,
    Items,
    Kind,
    Nothing,
    Number,
    Refused,
    Tensor,
    Value,
    apart,
    integer,
    size,
)


class Args:
    """The arguments of one call, by the function's own names."""

    def __init__(self, values: dict[str, Value], name: str) -> None:
        self.values, self.name = values, name

    def __contains__(self, name: str) -> bool:
        return not isinstance(self.values.get(name, Nothing()), Nothing)

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def tensor(self, name: str = "input") -> Tensor:
        value = self.values[name]
        if not isinstance(value, Tensor):
            raise Ends
        return value

    def integer(self, name: str, default: int) -> int:
        return integer(self.values[name]) if name in self else default

    def axis(self, name: str, rank: int, default: int = -1) -> int:
        return axis(self.integer(name, default), rank)

    def own_axis(self, name: str, x: Tensor, what: str, default: int = -1) -> int:
        """Return an axis that is worked along. Raises Refused where it is that of the environments."""
        at = self.axis(name, len(x.shape), default)
        apart(x.shape, [at], what)
        return at

    def flag(self, name: str) -> bool:
        if name not in self:
            return False
        value = self.values[name]
        if not isinstance(value, Number) or value.value is None:
            raise Refused(f"{name}=", "write True or False")
        return bool(value.value)

    def axes(self, name: str, rank: int) -> list[int]:
        """Return the axes named, all where none is."""
        if name not in self:
            return list(range(rank))
        value = self.values[name]
        if isinstance(value, Items) and not value.items:
            # Some functions take no axis for none, some for all of them.
            raise Refused(f"{name}=()", "name the axes, as in dim=-1 or dim=(1, 2)")
        return [axis(integer(item), rank) for item in (value.items if isinstance(value, Items) else [value])]

    def sizes(self, name: str, least: int = 0) -> list[Dim]:
        """Return a shape; `least` is -1 where that stands for what is left over."""
        items = self.values[name].items
        if len(items) == 1 and isinstance(items[0], Items):
            items = items[0].items
        return [size(item, least) for item in items]

    def own_axes(self, name: str, x: Tensor, what: str) -> list[int]:
        """Do the same with the axes named, all where none is."""
        found = self.axes(name, len(x.shape))
        apart(x.shape, found, what)
        return found

    def kind(self, default: Kind) -> Kind:
        dtype = self.values.get("dtype")
        return dtype.kind if isinstance(dtype, Dtype) else default


Rule = Callable[[Args], Value]


def axis(value: int, rank: int) -> int:
    """Return an axis counted from the front. Raises Ends where there is none."""
    if not -max(rank, 1) <= value < max(rank, 1):
        raise Ends
    return value % max(rank, 1)
