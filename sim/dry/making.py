"""Rules for torch functions that make tensors or change what kind of number they hold."""

from __future__ import annotations

from video2reward.sim.dry.args import Args, Rule
from video2reward.sim.dry.values import (
    Device,
    Dim,
    Dtype,
    Ends,
    Items,
    Kind,
    Number,
    Refused,
    Tensor,
    Value,
    highest,
    kind_of,
    not_counted,
    number,
    size,
)


def filled(kind: Kind | None = None) -> Rule:
    def rule(a: Args) -> Value:
        like = a.values.get("input")
        default = kind or (like.kind if isinstance(like, Tensor) else "float")
        sizes = a.sizes("size") if "size" in a else list(a.tensor().shape)
        return Tensor(tuple(sizes), a.kind(default))

    return rule


def full(a: Args) -> Value:
    items = a["size"].items if isinstance(a["size"], Items) else [a["size"]]
    return Tensor(tuple(size(item) for item in items), a.kind(kind_of(a["fill_value"])))


def written_out(a: Args) -> Value:
    """Follow `torch.tensor`: nested lists of numbers, as deep as they are."""
    kinds: set[Kind] = set()

    def shape_in(value: Value, depth: int) -> tuple[Dim, ...]:
        if isinstance(value, Number):
            kinds.add(kind_of(value))
            return ()
        if isinstance(value, Tensor):
            raise Refused("torch.tensor of tensors", "write torch.stack([…], dim=-1)")
        if not isinstance(value, Items) or depth > 6:
            raise Ends
        inner = {shape_in(item, depth + 1) for item in value.items}
        if len(inner) > 1:
            raise Ends
        return (len(value.items), *(inner.pop() if inner else ()))

    data = a["data"]
    if isinstance(data, Tensor):
        return Tensor(data.shape, a.kind(data.kind))
    shape = shape_in(data, 0)
    return Tensor(shape, a.kind(highest(kinds)))


def counted(a: Args) -> Value:
    start, end = (a["start"], a["end"]) if "end" in a else (number(0), a["start"])
    not_counted(start, end)
    values = [value.value for value in (start, end, a.values.get("step", number(1))) if isinstance(value, Number)]
    if len(values) < 3 or not all(isinstance(value, int | float) for value in values):
        raise Refused("arange of numbers that only the run knows", "its bounds are literals or x.shape[…]")
    first, last, step = values
    if not step or (last - first) / step < 0 or abs(last - first) == float("inf"):
        raise Ends
    length = (last - first) / step
    return Tensor((size(number(int(length) + (length % 1 > 0))),), a.kind(highest(map(kind_of, (start, end)))))


def converted(a: Args) -> Value:
    x, to = a.tensor(), a.values.get("other")
    if isinstance(to, Tensor):
        return Tensor(x.shape, to.kind)
    if to is not None and not isinstance(to, Dtype | Device):
        raise Refused(".to(…)", "write .to(torch.float32), .to(x.device) or .float()")
    return Tensor(x.shape, to.kind if isinstance(to, Dtype) else a.kind(x.kind))


def as_kind(kind: Kind) -> Rule:
    return lambda a: Tensor(a.tensor().shape, kind)


def same(a: Args) -> Value:
    return a.tensor()
