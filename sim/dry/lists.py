"""Lists and dictionaries on paper: how long they are, what may be kept, and what two ways of an if leave."""

from __future__ import annotations

from video2reward.sim.dry.values import (
    MAX_ITEMS,
    Closure,
    Items,
    Number,
    Refused,
    Scope,
    Table,
    Tensor,
    Text,
    Value,
    highest,
    not_counted,
)


def count(value: Value) -> int:
    """Return how many values something holds, itself included."""
    total, rest = 0, [value]
    while rest:
        total += 1
        top = rest.pop()
        if isinstance(top, Items):
            rest += top.items
        elif isinstance(top, Table):
            rest += top.items.values()
        if total > MAX_ITEMS:
            raise Refused("a list this long", f"a list or dictionary holds at most {MAX_ITEMS} values in all")
    return total


def freeze(value: Value) -> None:
    """Mark what outlives the step as unchangeable, with all it holds and all that its functions can name."""
    rest: list[Value] = [value]
    seen: set[int] = set()
    while rest:
        top = rest.pop()
        if isinstance(top, Items | Table) and not top.frozen:
            top.frozen = True
            rest += top.items if isinstance(top, Items) else top.items.values()
        elif isinstance(top, Closure):
            rest += top.defaults.values()
            scope: Scope | None = top.scope
            while scope is not None and id(scope) not in seen:
                seen.add(id(scope))
                rest += scope.values()
                scope = scope.parent


def joined(one: Value, other: Value) -> Value:
    """Return what is known of a value that is one or the other. Raises Refused where they have nothing in common."""
    kept(one), kept(other)
    if one is other:
        return one
    if isinstance(one, Items) and isinstance(other, Items) and not (one.is_list or other.is_list):
        if len(one.items) == len(other.items) and one.names == other.names:
            return Items([joined(a, b) for a, b in zip(one.items, other.items, strict=True)], names=one.names)
    # Two lists that are equal now are still two: what is added to one is not in the other.
    if not isinstance(one, Items | Table) and one == other and type(_known(one)) is type(_known(other)):
        return one
    if isinstance(one, Number) and isinstance(other, Number):
        not_counted(one, other)
        return Number(None, one.whole and other.whole, max(one.bits, other.bits))
    if isinstance(one, Tensor) and isinstance(other, Tensor) and one.shape == other.shape:
        return Tensor(one.shape, highest((one.kind, other.kind)))
    raise Refused("a value of two kinds", "both ways of an if give tensors of one shape")


def _known(value: Value) -> object:
    return value.value if isinstance(value, Number) else None


def kept(value: Value) -> Value:
    """Refuse to keep an iterator: it would be empty the second time."""
    if isinstance(value, Items) and value.once:
        raise Refused("an iterator that is kept", "write list(…) around it")
    return value


def key_of(value: Value) -> str | int:
    if isinstance(value, Text):
        return value.value
    if isinstance(value, Number) and isinstance(value.value, int):
        return value.value
    raise Refused("this key", "keys of dictionaries are texts or whole numbers")
