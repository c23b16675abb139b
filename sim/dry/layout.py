"""Rules for torch functions that lay tensors out anew: axes moved, joined, cut and repeated."""

from __future__ import annotations

import math

from video2reward.sim.dry.args import Args, axis
from video2reward.sim.dry.values import (
    Dim,
    Ends,
    Items,
    N,
    Refused,
    Tensor,
    Value,
    apart,
    highest,
    integer,
    shown,
)


def resized(a: Args) -> Value:
    """Lay a tensor out anew; one -1 stands for what is left over."""
    x = a.tensor()
    sizes = a.sizes("shape", -1)
    product = 1
    for dim in sizes:
        product *= dim if isinstance(dim, int) and dim != -1 else 1
    if -1 in sizes:
        rest, odd = divmod(x.per_env, product) if product else (0, 1)
        batched = N in x.shape and N not in sizes
        if odd:
            raise Ends
        if batched and rest != 1:
            raise Refused(
                f"{shown(x.shape)} laid out as {shown(tuple(sizes))}", "keep num_envs first, as in x.flatten(1)"
            )
        sizes[sizes.index(-1)] = N if batched else rest
    elif product != x.per_env:
        raise Ends
    if sizes.count(N) != x.shape.count(N):
        raise Refused(f"{shown(x.shape)} laid out as {shown(tuple(sizes))}", "keep num_envs first: x.shape[0], …")
    before = [_product(dims[: dims.index(N)]) for dims in (list(x.shape), sizes) if N in dims]
    if len(set(before)) > 1:
        # Numbers keep their order in memory: an axis of environments that moves takes other environments' numbers.
        raise Refused(f"{shown(x.shape)} laid out as {shown(tuple(sizes))}", "keep num_envs where it is, first")
    return Tensor(tuple(sizes), x.kind)


def _product(dims: list[Dim]) -> int:
    return math.prod(dim for dim in dims if isinstance(dim, int))


def flattened(a: Args) -> Value:
    x = a.tensor()
    first, last = a.axis("start_dim", len(x.shape), 0), a.axis("end_dim", len(x.shape), -1)
    merged = [dim for dim in x.shape[first : last + 1] if dim != 1]
    if N in merged and len(merged) > 1:
        raise Refused(f"{shown(x.shape)} flattened", "keep num_envs first, as in x.flatten(1)")
    product: Dim = 1
    for dim in merged:
        product = dim if product == 1 else product * dim
    return Tensor((*x.shape[:first], product, *x.shape[last + 1 :]), x.kind)


def squeezed(a: Args) -> Value:
    x = a.tensor()
    dims = a.axes("dim", len(x.shape))
    return Tensor(tuple(d for i, d in enumerate(x.shape) if not (i in dims and d == 1)), x.kind)


def unsqueezed(a: Args) -> Value:
    x = a.tensor()
    at = a.axis("dim", len(x.shape) + 1)
    return Tensor((*x.shape[:at], 1, *x.shape[at:]), x.kind)


def swapped(a: Args) -> Value:
    x = a.tensor()
    one, other, dims = a.axis("dim0", len(x.shape)), a.axis("dim1", len(x.shape)), list(x.shape)
    if dims:
        dims[one], dims[other] = dims[other], dims[one]
    return Tensor(tuple(dims), x.kind)


def permuted(a: Args) -> Value:
    x, items = a.tensor(), a["dims"].items
    items = items[0].items if len(items) == 1 and isinstance(items[0], Items) else items
    order = [axis(integer(item), len(x.shape)) for item in items]
    if sorted(order) != list(range(len(x.shape))):
        raise Ends
    return Tensor(tuple(x.shape[i] for i in order), x.kind)


def unbound(a: Args) -> Value:
    x = a.tensor()
    return Items(slices_of(x, a.axis("dim", len(x.shape), 0)))


def slices_of(x: Tensor, at: int) -> list[Value]:
    """Return the tensors that x falls into along an axis. Raises Refused for the axis of the environments."""
    if not x.shape:
        raise Ends
    if x.shape[at] == N:
        raise Refused("a loop over environments", "a term works on all environments at once; loop over x.unbind(-1)")
    return [Tensor((*x.shape[:at], *x.shape[at + 1 :]), x.kind)] * x.shape[at]


def parted(a: Args) -> Value:
    x = a.tensor()
    at = a.axis("dim", len(x.shape), 0)
    length = x.shape[at] if x.shape else 0
    if length == N:
        raise Refused("environments in parts", "a term works on all environments at once")
    if "chunks" in a:
        step = -(-length // max(1, integer(a["chunks"])))
        sizes = [min(step, length - i) for i in range(0, length, max(1, step))]
    elif isinstance(a["size"], Items):
        sizes = [integer(item) for item in a["size"].items]
    else:
        step = max(1, integer(a["size"]))
        sizes = [min(step, length - i) for i in range(0, length, step)]
    if sum(sizes) != length or min(sizes, default=0) < 0:
        raise Ends
    return Items([Tensor((*x.shape[:at], part, *x.shape[at + 1 :]), x.kind) for part in sizes])


def one_of(a: Args) -> Value:
    x = a.tensor()
    at, index = a.own_axis("dim", x, "one of"), integer(a["index"])
    dim = x.shape[at] if x.shape else 0
    if not -dim <= index < dim:
        raise Ends
    return Tensor((*x.shape[:at], *x.shape[at + 1 :]), x.kind)


def part_of(a: Args) -> Value:
    x = a.tensor()
    at, start, length = a.own_axis("dim", x, "a part of"), integer(a["start"]), integer(a["length"])
    dim = x.shape[at] if x.shape else 0
    if length < 0 or not -dim <= start <= dim or start % max(dim, 1) + length > dim:
        raise Ends
    return Tensor((*x.shape[:at], length, *x.shape[at + 1 :]), x.kind)


def selected(a: Args) -> Value:
    x, index = a.tensor(), a.tensor("index")
    at = a.own_axis("dim", x, "a choice of")
    if len(index.shape) != 1:
        raise Ends
    return Tensor((*x.shape[:at], index.shape[0], *x.shape[at + 1 :]), x.kind)


def gathered(a: Args) -> Value:
    x, index = a.tensor(), a.tensor("index")
    a.own_axis("dim", x, "a choice of")
    if len(index.shape) != len(x.shape):
        raise Ends
    apart(x.shape, [i for i, dim in enumerate(x.shape) if index.shape[i] != dim], "some of")
    return Tensor(index.shape, x.kind)


def moved(a: Args) -> Value:
    """Follow flip and roll; roll without axes runs over all of them."""
    x, name = a.tensor(), "dims"
    items = a.values.get(name)
    if isinstance(items, Items) and len(items.items) == 1 and isinstance(items.items[0], Items):
        a.values[name] = items.items[0]
    a.own_axes(name, x, "moving the numbers of")
    return x


def tensors(a: Args) -> list[Tensor]:
    given = a["tensors"].items if isinstance(a["tensors"], Items) else []
    if not given or not all(isinstance(item, Tensor) for item in given):
        raise Ends
    return given


def stacked(a: Args) -> Value:
    given = tensors(a)
    if len({item.shape for item in given}) > 1:
        raise Ends
    at = a.axis("dim", len(given[0].shape) + 1, 0)
    shape = given[0].shape
    return Tensor((*shape[:at], len(given), *shape[at:]), highest(item.kind for item in given))


def joined_up(a: Args) -> Value:
    given = tensors(a)
    at = a.axis("dim", len(given[0].shape), 0)
    dims = [item.shape[at] if at < len(item.shape) else 0 for item in given]
    if N in dims and len(dims) > 1:
        raise Refused("environments joined to environments", "join features: torch.cat([x, y], dim=-1)")
    if len({item.shape[:at] + item.shape[at + 1 :] for item in given}) > 1:
        raise Ends
    shape = given[0].shape
    total = dims[0] if len(dims) == 1 else sum(dims)
    return Tensor((*shape[:at], total, *shape[at + 1 :]), highest(item.kind for item in given))


def expanded(a: Args) -> Value:
    x = a.tensor()
    wanted = list(a.tensor("other").shape) if "other" in a else a.sizes("size", -1)
    missing = len(wanted) - len(x.shape)
    if missing < 0:
        raise Ends
    old = (1,) * missing + x.shape
    dims = tuple(have if want == -1 else want for have, want in zip(old, wanted, strict=True))
    if any(have not in (1, dim) for have, dim in zip(old, dims, strict=True)):
        raise Ends
    return Tensor(dims, x.kind)


def repeated(a: Args) -> Value:
    x, times = a.tensor(), a.sizes("repeats")
    old = (1,) * (len(times) - len(x.shape)) + x.shape
    if len(old) > len(times):
        raise Ends
    dims: list[Dim] = []
    for have, want in zip(old, times, strict=True):
        if N in (have, want) and 1 not in (have, want):
            raise Refused("environments repeated", "the number of environments does not change")
        dims.append(have if want == 1 else want if have == 1 else have * want)
    return Tensor(tuple(dims), x.kind)
