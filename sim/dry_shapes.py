"""The rules by which torch functions give shapes. A rule raises Ends where torch itself would raise."""

from __future__ import annotations

from collections.abc import Callable

from video2reward.sim.dry_values import (
    Device,
    Dim,
    Dtype,
    Ends,
    Items,
    Kind,
    N,
    Nothing,
    Number,
    Refused,
    Tensor,
    Text,
    Value,
    bounded,
    broadcast,
    highest,
    integer,
    kind_of,
    number,
    shape_of,
    shown,
    size,
)


class Args:
    """The arguments of one call, by the function's own names."""

    def __init__(self, values: dict[str, Value]) -> None:
        self.values = values

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
        return [axis(integer(item), rank) for item in (value.items if isinstance(value, Items) else [value])]

    def sizes(self, name: str) -> list[Dim]:
        items = self.values[name].items
        if len(items) == 1 and isinstance(items[0], Items):
            items = items[0].items
        return [size(item) for item in items]

    def kind(self, default: Kind) -> Kind:
        dtype = self.values.get("dtype")
        return dtype.kind if isinstance(dtype, Dtype) else default


Rule = Callable[[Args], Value]


def axis(value: int, rank: int) -> int:
    """Return an axis counted from the front. Raises Ends where there is none."""
    if not -max(rank, 1) <= value < max(rank, 1):
        raise Ends
    return value % max(rank, 1)


def elementwise(*names: str, kind: Kind | None = None) -> Rule:
    """Return the rule of a function that works on each number of its arguments, lined up by broadcasting."""

    def rule(a: Args) -> Value:
        given = [a[name] for name in names if name in a]
        shape = broadcast(*(shape_of(value) for value in given))
        return Tensor(shape, a.kind(kind or highest(kind_of(value) for value in given)))

    return rule


def reduction(kind: Kind | None = None) -> Rule:
    def rule(a: Args) -> Value:
        x = a.tensor()
        dims = a.axes("dim", len(x.shape))
        keep = a.flag("keepdim")
        left = [1 if i in dims else dim for i, dim in enumerate(x.shape) if keep or i not in dims]
        return Tensor(tuple(left), a.kind(kind or ("int" if x.kind != "float" else "float")))

    return rule


def extreme(a: Args) -> Value:
    x = a.tensor()
    if "dim" not in a:
        return Tensor((), x.kind)
    if isinstance(a["dim"], Tensor):
        return Tensor(broadcast(x.shape, a.tensor("dim").shape), highest((x.kind, a.tensor("dim").kind)))
    found = reduction(x.kind)(a)
    return Items([found, Tensor(found.shape, "int")], names=("values", "indices"))


def resized(a: Args) -> Value:
    """Lay a tensor out anew; one -1 stands for what is left over."""
    x = a.tensor()
    sizes = a.sizes("shape")
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
    return Tensor(tuple(sizes), x.kind)


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
    at, index = a.axis("dim", len(x.shape)), integer(a["index"])
    dim = x.shape[at] if x.shape else 0
    if dim != N and not -dim <= index < dim:
        raise Ends
    return Tensor((*x.shape[:at], *x.shape[at + 1 :]), x.kind)


def part_of(a: Args) -> Value:
    x = a.tensor()
    at, start, length = a.axis("dim", len(x.shape)), integer(a["start"]), integer(a["length"])
    dim = x.shape[at] if x.shape else 0
    if dim == N:
        raise Refused("a part of the environments", "a term works on all environments at once")
    if length < 0 or not -dim <= start <= dim or start % max(dim, 1) + length > dim:
        raise Ends
    return Tensor((*x.shape[:at], length, *x.shape[at + 1 :]), x.kind)


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
    wanted = list(a.tensor("other").shape) if "other" in a else a.sizes("size")
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
    if isinstance(end, Number) and end.is_num_envs and start == number(0) and "step" not in a:
        return Tensor((N,), a.kind("int"))
    values = [value.value for value in (start, end, a.values.get("step", number(1))) if isinstance(value, Number)]
    if len(values) < 3 or not all(isinstance(value, int | float) for value in values):
        raise Refused("arange of numbers that only the run knows", "its bounds are literals or x.shape[…]")
    first, last, step = values
    if not step or (last - first) / step < 0 or abs(last - first) == float("inf"):
        raise Ends
    length = (last - first) / step
    return Tensor((size(number(int(length) + (length % 1 > 0))),), a.kind(highest(map(kind_of, (start, end)))))


def product(a: Args) -> Value:
    one, other = a.tensor().shape, a.tensor("other").shape
    if not one or not other:
        raise Ends
    left = one if len(one) > 1 else (1, *one)
    right = other if len(other) > 1 else (*other, 1)
    inner = {left[-1], right[-2]}
    if len(inner) > 1:
        raise Refused(f"{shown(one)} @ {shown(other)}", "the last axis of one meets the last but one of the other")
    batch = broadcast(left[:-2], right[:-2])
    rows = left[-2:-1] if len(one) > 1 else ()
    columns = right[-1:] if len(other) > 1 else ()
    return Tensor((*batch, *rows, *columns), highest((a.tensor().kind, a.tensor("other").kind)))


def einsum(a: Args) -> Value:
    """Follow an einsum whose letters are all written out; the product of all its axes is bounded like a tensor."""
    operands = a["operands"].items
    if not isinstance(a["equation"], Text) or not all(isinstance(item, Tensor) for item in operands):
        raise Ends
    ins, arrow, out = a["equation"].value.replace(" ", "").partition("->")
    parts = ins.split(",")
    if not arrow or not all(part.isalpha() for part in parts) or not (out.isalpha() or out == ""):
        raise Refused("this einsum", "name every axis with a letter and write the result, as in 'nj,j->n'")
    dims: dict[str, Dim] = {}
    for letters, item in zip(parts, operands, strict=False):
        if len(parts) != len(operands) or len(letters) != len(item.shape):
            raise Ends
        for letter, dim in zip(letters, item.shape, strict=True):
            dims[letter] = broadcast((dims.get(letter, 1),), (dim,))[0]
    if list(dims.values()).count(N) > 1:
        raise Refused("this einsum", "environments are not compared with each other")
    cost = Tensor(tuple(dims.values())).per_env
    if cost > 16_384 or any(letter not in dims for letter in out):
        raise Refused("this einsum", "it makes too many products; write (x * y).sum(-1)")
    return Tensor(tuple(dims[letter] for letter in out), highest(item.kind for item in operands))


def differences(a: Args) -> Value:
    x = a.tensor()
    at, times = a.axis("dim", len(x.shape)), a.integer("n", 1)
    dims = [dim if i != at or dim == N else max(0, dim - times) for i, dim in enumerate(x.shape)]
    return Tensor(tuple(dims), x.kind)


def same_pair(a: Args) -> Value:
    x = a.tensor()
    return Items([x, Tensor(x.shape, "int")], names=("values", "indices"))


def top(a: Args) -> Value:
    x = a.tensor()
    at, k = a.axis("dim", len(x.shape)), integer(a["k"])
    if x.shape and x.shape[at] == N:
        raise Refused("topk over environments", "environments are not compared with each other")
    if not x.shape or not 0 <= k <= x.shape[at]:
        raise Ends
    shape = (*x.shape[:at], k, *x.shape[at + 1 :])
    return Items([Tensor(shape, x.kind), Tensor(shape, "int")], names=("values", "indices"))


def selected(a: Args) -> Value:
    x, index = a.tensor(), a.tensor("index")
    at = a.axis("dim", len(x.shape))
    if len(index.shape) != 1:
        raise Ends
    return Tensor((*x.shape[:at], index.shape[0], *x.shape[at + 1 :]), x.kind)


def converted(a: Args) -> Value:
    x, to = a.tensor(), a.values.get("other")
    if isinstance(to, Tensor):
        return Tensor(x.shape, to.kind)
    if to is not None and not isinstance(to, Dtype | Device):
        raise Refused(".to(…)", "write .to(torch.float32), .to(x.device) or .float()")
    return Tensor(x.shape, to.kind if isinstance(to, Dtype) else a.kind(x.kind))


def loss(a: Args) -> Value:
    # All differences are made before they are reduced.
    shape = bounded(broadcast(a.tensor().shape, a.tensor("target").shape)).shape
    whole = isinstance(a.values.get("reduction"), Text) and a["reduction"].value == "none"
    return Tensor(shape if whole else ())


def as_kind(kind: Kind) -> Rule:
    return lambda a: Tensor(a.tensor().shape, kind)


def same(a: Args) -> Value:
    return a.tensor()


def similarity(a: Args) -> Value:
    shape = bounded(broadcast(*(a.tensor(name).shape for name in ("x1", "x2")))).shape
    at = a.axis("dim", len(shape), 1)
    return Tensor((*shape[:at], *shape[at + 1 :]))
