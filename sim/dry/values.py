"""What the dry run computes with: a reward's values on paper, tensors as shapes and numbers as themselves.

A dimension is a number, or N for the environments, whose number the paper does not know.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Literal

N = "num_envs"
Dim = int | str
Kind = Literal["float", "int", "bool"]
_KINDS = ("bool", "int", "float")

MAX_PER_ENV = 4096
MAX_ITEMS = 4096
MAX_BITS = 64
MAX_NUMBER = 1e12


class Refused(Exception):
    """Something is not known to be harmless: what it is, and what to write instead."""

    def __init__(self, construct: str, cure: str) -> None:
        super().__init__(f"{construct}: {cure}")
        self.construct, self.cure = construct, cure


class Ends(Exception):
    """Here the reward itself would raise, so that nothing after this runs."""


@dataclass(frozen=True)
class Tensor:
    """A tensor's shape, and whether it holds numbers, whole numbers or truth values."""

    shape: tuple[Dim, ...]
    kind: Kind = "float"

    @property
    def per_env(self) -> int:
        product = 1
        for dim in self.shape:
            product *= dim if isinstance(dim, int) else 1
        return product


@dataclass(frozen=True)
class Number:
    """A Python number; `value` is None where only the run knows it, `bits` then bounds a whole one."""

    value: int | float | None = None
    whole: bool = False
    bits: int = 0
    is_num_envs: bool = False


@dataclass(frozen=True)
class Text:
    """A string."""

    value: str


@dataclass
class Items:
    """A list or tuple; an iterator where `once`. A frozen one outlives the step and may not be changed.

    `names` are those of a pair's fields; a `lazy` one is made while it is read.
    """

    items: list
    is_list: bool = False
    frozen: bool = False
    once: bool = False
    lazy: bool = False
    names: tuple[str, ...] = ()


@dataclass
class Table:
    """A dictionary with constant keys."""

    items: dict
    frozen: bool = False


@dataclass(frozen=True)
class Named:
    """A function, module, type or other thing of the contract, known by its full name."""

    name: str


@dataclass(frozen=True)
class State:
    """The RewardState."""


@dataclass(frozen=True)
class Dtype:
    """A tensor's element type."""

    kind: Kind


@dataclass(frozen=True)
class Device:
    """The device that a tensor lies on."""


@dataclass(frozen=True)
class Nothing:
    """None."""


@dataclass(frozen=True)
class Dots:
    """The ellipsis."""


@dataclass(frozen=True)
class Slice:
    """A slice; None where a bound is not given."""

    start: Number | None
    stop: Number | None
    step: Number | None


@dataclass(eq=False)
class Closure:
    """A function or lambda of the reward file."""

    node: ast.FunctionDef | ast.Lambda
    scope: Scope
    defaults: dict[str, Value] = field(default_factory=dict)


class Scope(dict):
    """The names that are bound in a function, and the scope around it.

    `own` are the function's names wherever it binds them: before that, Python does not look for them further out.
    """

    def __init__(self, parent: Scope | None = None, own: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.parent, self.own = parent, own

    def find(self, name: str) -> Value | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope:
                return scope[name]
            if name in scope.own:
                return None
            scope = scope.parent
        return None


Value = (
    Tensor | Number | Text | Items | Table | Named | State | Dtype | Device | Nothing | Dots | Slice | Closure
)  # fmt: skip


def broadcast(*shapes: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """Return the shape that tensors of these shapes have together. Raises Refused where environments meet features."""
    out: list[Dim] = []
    for dims in zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1):
        wide = {dim for dim in dims if dim != 1}
        if len(wide) > 1:
            if N in wide:
                raise Refused(
                    " with ".join(shown(shape) for shape in shapes),
                    "these shapes do not line up; keep num_envs first, as in x[:, None] * y or y.sum(-1)",
                )
            raise Ends
        out.append(wide.pop() if wide else 1)
    return tuple(reversed(out))


def bounded(shape: tuple[Dim, ...], kind: Kind = "float") -> Tensor:
    """Return a tensor of a shape. Raises Refused where it would be larger than a reward's can be."""
    tensor = Tensor(shape, kind)
    if shape.count(N) > 1:
        raise Refused(
            f"a tensor of shape {shown(shape)}", "environments are not compared with each other; keep one num_envs axis"
        )
    if tensor.per_env > MAX_PER_ENV or len(shape) > 8:
        raise Refused(
            f"a tensor of shape {shown(shape)}", f"a tensor has at most {MAX_PER_ENV} numbers per environment, 8 axes"
        )
    return tensor


def highest(kinds: Iterable[Kind]) -> Kind:
    """Return the kind that arithmetic on these kinds has."""
    return max(kinds, key=_KINDS.index, default="float")


def kind_of(value: Value) -> Kind:
    """Return the kind of a tensor's or a number's elements."""
    if isinstance(value, Tensor):
        return value.kind
    if isinstance(value, Number):
        not_counted(value)
        return "bool" if isinstance(value.value, bool) else "int" if value.whole else "float"
    raise Ends


def shape_of(value: Value) -> tuple[Dim, ...]:
    """Return a tensor's shape, () for a number."""
    if isinstance(value, Tensor):
        return value.shape
    if isinstance(value, Number):
        not_counted(value)
        return ()
    raise Ends


def not_counted(*values: Value) -> None:
    """Refuse to compute with the number of environments, by which a trial could be told from a training."""
    for value in values:
        if isinstance(value, Number) and value.is_num_envs:
            raise Refused(
                "the number of environments computed with",
                "a reward is the same however many there are; it serves as a size alone, as in torch.zeros(x.shape[0])",
            )
        if isinstance(value, Items):
            not_counted(*value.items)


def apart(shape: tuple[Dim, ...], axes: Iterable[int], what: str) -> None:
    """Refuse what works along the axis of the environments: each is computed by itself, as if it were alone."""
    if any(shape[axis] == N for axis in axes if axis < len(shape)):
        raise Refused(
            f"{what} {shown(shape)}",
            "it mixes environments; work over features (dim=-1), never over environments",
        )


def number(value: int | float) -> Number:
    """Return a known number. Raises Refused where it is larger than a reward needs."""
    if isinstance(value, complex):
        raise Refused("a complex number", "numbers are real; the root of a negative number is not")
    if not isinstance(value, bool) and abs(value) > MAX_NUMBER and abs(value) != float("inf"):
        raise Refused("a number over 1e12", "numbers lie between -1e12 and 1e12; use math.inf for no bound")
    return Number(value, whole=isinstance(value, int), bits=value.bit_length() if isinstance(value, int) else 0)


def integer(value: Value) -> int:
    """Return a whole number that is known before the run. Raises Refused where only the run knows it."""
    if not isinstance(value, Number):
        raise Ends
    if value.value is None:
        raise Refused("a number that only the run knows", "sizes, indices and axes are literals or x.shape[…]")
    if isinstance(value.value, bool):
        raise Refused(str(value.value), "sizes, indices and axes are whole numbers; name keepdim= and the like")
    if not isinstance(value.value, int):
        raise Ends
    return int(value.value)


def size(value: Value, least: int = 0) -> Dim:
    """Return a size: a known whole number or num_envs."""
    if isinstance(value, Number) and value.is_num_envs:
        return N
    length = integer(value)
    if length < least:
        raise Ends
    if length > MAX_PER_ENV:
        raise Refused(f"the size {length}", f"a tensor has at most {MAX_PER_ENV} numbers per environment")
    return length


def dim_number(dim: Dim) -> Number:
    """Return a dimension as the number a reward sees."""
    return number(dim) if isinstance(dim, int) else Number(None, True, 24, True)


def shown(shape: tuple[Dim, ...]) -> str:
    """Write a shape as the contract does."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
