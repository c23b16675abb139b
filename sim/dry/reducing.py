"""Rules for torch functions that compute: number by number, along axes, and products."""

from __future__ import annotations

from video2reward.sim.dry.args import Args, Rule
from video2reward.sim.dry.values import (
    Dim,
    Ends,
    Items,
    Kind,
    N,
    Refused,
    Tensor,
    Text,
    Value,
    apart,
    bounded,
    broadcast,
    highest,
    integer,
    kind_of,
    number,
    shape_of,
    shown,
)


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
        dims = a.own_axes("dim", x, "a reduction of")
        keep = a.flag("keepdim")
        left = [1 if i in dims else dim for i, dim in enumerate(x.shape) if keep or i not in dims]
        return Tensor(tuple(left), a.kind(kind or ("int" if x.kind != "float" else "float")))

    return rule


def norm(a: Args) -> Value:
    """Follow norms of vectors; those of matrices by their singular values take a thousand times as long."""
    order = a.values.get("ord", a.values.get("p", number(2)))
    if isinstance(order, Text) and order.value != "fro":
        raise Refused(f"the norm {order.value!r}", "norms of vectors are known: p=1, p=2, p=math.inf")
    if "ord" in a.values and "vector" not in a.name and len(a.axes("dim", len(a.tensor().shape))) > 1:
        raise Refused("the norm of a matrix", "write torch.linalg.vector_norm, or torch.linalg.norm(x, dim=-1)")
    return reduction("float")(a)


def along(a: Args) -> Value:
    """Follow what works along one axis and keeps the shape: cumulative sums, softmax, normalize."""
    a.own_axis("dim", a.tensor(), "working along", 1)
    return Tensor(a.tensor().shape, a.kind(a.tensor().kind))


def ranked(a: Args) -> Value:
    a.own_axis("dim", a.tensor(), "sorting")
    return Tensor(a.tensor().shape, "int")


def extreme(a: Args) -> Value:
    x = a.tensor()
    if "dim" not in a:
        apart(x.shape, range(len(x.shape)), "an extreme of")
        return Tensor((), x.kind)
    if isinstance(a["dim"], Tensor):
        return Tensor(broadcast(x.shape, a.tensor("dim").shape), highest((x.kind, a.tensor("dim").kind)))
    found = reduction(x.kind)(a)
    return Items([found, Tensor(found.shape, "int")], names=("values", "indices"))


def differences(a: Args) -> Value:
    x = a.tensor()
    at, times = a.own_axis("dim", x, "differences of"), a.integer("n", 1)
    dims = [dim if i != at else max(0, dim - times) for i, dim in enumerate(x.shape)]
    return Tensor(tuple(dims), x.kind)


def same_pair(a: Args) -> Value:
    x = a.tensor()
    a.own_axis("dim", x, "sorting")
    return Items([x, Tensor(x.shape, "int")], names=("values", "indices"))


def top(a: Args) -> Value:
    x = a.tensor()
    at, k = a.own_axis("dim", x, "topk of"), integer(a["k"])
    if not x.shape or not 0 <= k <= x.shape[at]:
        raise Ends
    shape = (*x.shape[:at], k, *x.shape[at + 1 :])
    return Items([Tensor(shape, x.kind), Tensor(shape, "int")], names=("values", "indices"))


def product(a: Args) -> Value:
    one, other = a.tensor().shape, a.tensor("other").shape
    if not one or not other:
        raise Ends
    left = one if len(one) > 1 else (1, *one)
    right = other if len(other) > 1 else (*other, 1)
    inner = {left[-1], right[-2]}
    if len(inner) > 1:
        raise Refused(f"{shown(one)} @ {shown(other)}", "the last axis of one meets the last but one of the other")
    if N in inner:
        raise Refused(f"{shown(one)} @ {shown(other)}", "a product over environments mixes them; write (x * y).sum(-1)")
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
    if any(dim == N and letter not in out for letter, dim in dims.items()):
        raise Refused("this einsum", "it sums over environments; keep their letter in the result, as in 'nj,j->n'")
    cost = Tensor(tuple(dims.values())).per_env
    if cost > 16_384 or any(letter not in dims for letter in out):
        raise Refused("this einsum", "it makes too many products; write (x * y).sum(-1)")
    return Tensor(tuple(dims[letter] for letter in out), highest(item.kind for item in operands))


def loss(a: Args) -> Value:
    # All differences are made before they are reduced.
    shape = bounded(broadcast(a.tensor().shape, a.tensor("target").shape)).shape
    whole = isinstance(a.values.get("reduction"), Text) and a["reduction"].value == "none"
    apart(shape, () if whole else range(len(shape)), "a loss of")
    return Tensor(shape if whole else ())


def similarity(a: Args) -> Value:
    shape = bounded(broadcast(*(a.tensor(name).shape for name in ("x1", "x2")))).shape
    at = a.own_axis("dim", Tensor(shape), "a similarity of", 1)
    return Tensor((*shape[:at], *shape[at + 1 :]))
