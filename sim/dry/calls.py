"""What the dry run knows besides torch: the contract's names, Python's few functions, indexing and methods.

The state's fields and the ready-made terms are read from the text of the contract's own files, so that looking at a
reward needs no torch and a new field or term is known as soon as it is written.
"""

from __future__ import annotations

import ast
import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from video2reward.sim.dry.builtins import BUILTINS, UNKNOWN, builtin, calculated
from video2reward.sim.dry.torch_table import METHODS, TORCH, call
from video2reward.sim.dry.values import (
    Dim,
    Dots,
    Dtype,
    Ends,
    Items,
    Kind,
    N,
    Named,
    Nothing,
    Number,
    Refused,
    Slice,
    State,
    Table,
    Tensor,
    Text,
    Value,
    apart,
    dim_number,
    integer,
    not_counted,
    number,
)
from video2reward.sim.reward_text import tree_of

MATH = (
    "acos", "asin", "atan", "atan2", "ceil", "copysign", "cos", "cosh", "degrees", "e", "exp", "expm1", "fabs",
    "floor", "fmod", "hypot", "inf", "isclose", "isfinite", "isinf", "isnan", "log", "log10", "log1p", "log2", "nan",
    "pi", "pow", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "tau",
)  # fmt: skip
DTYPES: dict[str, Kind] = {
    "float": "float", "float32": "float", "float64": "float", "double": "float", "long": "int", "int": "int",
    "int64": "int", "int32": "int", "bool": "bool",
}  # fmt: skip
SUBMODULES = ("torch", "torch.linalg", "torch.nn", "torch.nn.functional", "torch.special", "math")
TYPING = ("Callable", "Dict", "Final", "List", "Literal", "Optional", "Sequence", "Tuple", "Union")
CONTRACT = ("RewardState", "Tensor", "term")

HINTS = {
    "item": "a term works on all environments at once; keep tensors",
    "tolist": "a term works on all environments at once; keep tensors",
    "numpy": "keep tensors; torch has what numpy has",
    "rand": "a reward gives the same for the same state",
    "randn": "a reward gives the same for the same state",
    "rand_like": "a reward gives the same for the same state",
    "randn_like": "a reward gives the same for the same state",
    "empty": "its numbers are chance; write torch.zeros",
    "outer": "write x[:, None] * y",
    "data": "tensors are never changed in place; use the tensor itself",
    "cpu": "leave the device as it is",
    "cuda": "leave the device as it is",
}


@dataclass(frozen=True)
class ReadyMade:
    """A function of `sim.terms`: its keyword arguments, those that must be given, and the shape it returns."""

    keywords: tuple[str, ...]
    needed: frozenset[str]
    shape: tuple[str, ...]


@dataclass(frozen=True)
class Contract:
    """What a reward file may name."""

    fields: dict[str, tuple[str, ...] | None]
    ready_made: dict[str, ReadyMade]

    @property
    def names(self) -> dict[str, Value]:
        return {name: Named(f"builtins.{name}") for name in BUILTINS}

    def field(self, name: str, sizes: dict[str, Dim]) -> Value:
        """Return what the state holds under a name."""
        if name not in self.fields:
            raise Refused(f"s.{name}", "the state has no such field; see the contract")
        shape = self.fields[name]
        return Number() if shape is None else Tensor(_real(shape, sizes))

    def module(self, name: str) -> Value:
        """Return a module. Raises Refused for any but torch's own and math."""
        if name not in SUBMODULES:
            raise Refused(f"import {name}", "only torch and math are known; torch has what numpy has")
        return Named(name)

    def imported(self, module: str, name: str) -> Value:
        """Return what an import binds. Raises Refused for what is not part of the contract."""
        if module == "__future__" and name == "annotations":
            return Nothing()
        if module == "typing" and name in TYPING:
            return Named("typing")
        if module == "video2reward.sim.contract" and name in CONTRACT:
            return Named(name)
        if module == "video2reward.sim.terms" and name in self.ready_made:
            return Named(f"terms.{name}")
        if module in SUBMODULES:
            return self.member(module, name)
        raise Refused(f"from {module} import {name}", "import torch, math, and from the contract and its terms by name")

    def member(self, base: str, name: str) -> Value:
        """Return what a module holds under a name."""
        path = f"{base}.{name}"
        if base == "math" and name in MATH:
            value = getattr(math, name)
            return Named(path) if callable(value) else Number(value)
        if base == "torch":
            if name in DTYPES:
                return Dtype(DTYPES[name])
            if name in ("pi", "e", "inf", "nan"):
                return Number(getattr(math, name))
            if name == "Tensor":
                return Named("Tensor")
        if path in SUBMODULES or path.removeprefix("torch.") in TORCH and base.startswith("torch"):
            return Named(path)
        raise Refused(path, HINTS.get(name, UNKNOWN))

    def call(
        self,
        name: str,
        arguments: list[Value],
        keywords: dict[str, Value],
        iterate: Callable[[Value], list[Value]],
        binary: Callable[[type, Value, Value], Value],
        sizes: dict[str, Dim],
    ) -> Value:
        """Follow a call of a function that is not torch's. Raises Refused for one that is not known."""
        room, _, plain = name.partition(".")
        if room == "terms":
            return self._ready_made(plain, arguments, keywords, sizes)
        if room == "math" and not keywords:
            return calculated(getattr(math, plain), name, arguments)
        if room == "builtins":
            return builtin(plain, arguments, keywords, iterate, binary)
        raise Refused(f"{name}(…)", UNKNOWN)

    def _ready_made(
        self, name: str, arguments: list[Value], keywords: dict[str, Value], sizes: dict[str, Dim]
    ) -> Value:
        known = self.ready_made[name]
        if unknown := set(keywords) - set(known.keywords):
            raise Refused(f"{min(unknown)}= in {name}", f"it takes {', '.join(known.keywords) or 'the state alone'}")
        if len(arguments) != 1 or not isinstance(arguments[0], State) or not known.needed <= set(keywords):
            raise Refused(f"{name}(…)", f"write {name}({', '.join(['s', *(f'{word}=…' for word in known.keywords)])})")
        not_counted(*keywords.values())
        for word, value in keywords.items():
            parts = value.items if isinstance(value, Items) else [value]
            if len(parts) > 64 or not all(isinstance(part, Number) for part in parts):
                raise Refused(f"{word}= in {name}", "it is a number, or a tuple of up to 64 numbers")
        return Tensor(_real(known.shape, sizes))


@functools.cache
def read_contract() -> Contract:
    """Read the state's fields and the ready-made terms from the contract's files, without running them."""
    room = Path(__file__).parent.parent
    fields: dict[str, tuple[str, ...] | None] = {}
    for node in tree_of((room / "contract.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name == "RewardState":
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.annotation, ast.Subscript):
                    kind, said = item.annotation.slice.elts
                    fields[item.target.id] = _shape_said(said.value) if ast.unparse(kind) == "Tensor" else None
    ready: dict[str, ReadyMade] = {}
    for node in tree_of((room / "terms.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            words = [item.arg for item in node.args.kwonlyargs]
            needed = {w for w, default in zip(words, node.args.kw_defaults, strict=True) if default is None}
            ready[node.name] = ReadyMade(tuple(words), frozenset(needed), _shape_said(ast.get_docstring(node) or ""))
    return Contract(fields, ready)


def method(base: Tensor, name: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
    """Follow a tensor's method."""
    if name not in METHODS:
        raise Refused(f".{name}(…)", HINTS.get(name, UNKNOWN))
    return call(name, [base, *arguments], keywords)


def container_method(base: Items | Table, name: str, arguments: list[Value], key: Callable) -> Value:
    """Follow the methods of lists and dictionaries that change nothing."""
    if isinstance(base, Table) and not arguments:
        keys: list[Value] = [Text(k) if isinstance(k, str) else number(k) for k in base.items]
        if name in ("keys", "values", "items"):
            base.frozen = True
            values = list(base.items.values())
            pairs: list[Value] = [Items([k, v]) for k, v in zip(keys, values, strict=True)]
            return Items({"keys": keys, "values": values, "items": pairs}[name])
    if isinstance(base, Table) and name == "get" and len(arguments) in (1, 2):
        return base.items.get(key(arguments[0]), arguments[1] if len(arguments) == 2 else Nothing())
    raise Refused(f".{name}(…)", "of lists append and extend are known, of dictionaries keys, values, items and get")


def indexed(x: Tensor, index: list[Value]) -> Value:
    """Follow x[…]: whole numbers, slices, None, the ellipsis, and one list or tensor of whole numbers."""
    used = sum(not isinstance(part, Nothing | Dots) for part in index)
    if used > len(x.shape):
        raise Ends
    if sum(isinstance(part, Dots) for part in index) > 1:
        raise Ends
    fill: list[Value] = [Slice(None, None, None)] * (len(x.shape) - used)
    if not any(isinstance(part, Dots) for part in index):
        index = [*index, Dots()]
    at = next(i for i, part in enumerate(index) if isinstance(part, Dots))
    index = [*index[:at], *fill, *index[at + 1 :]]
    dims, out, picked = list(x.shape), [], 0
    for part in index:
        if isinstance(part, Nothing):
            out.append(1)
            continue
        dim = dims.pop(0)
        if isinstance(part, Slice):
            out.append(_sliced(dim, part))
        elif isinstance(part, Number):
            apart((dim,), [0], "an index into")
            if isinstance(part.value, bool):
                raise Refused(f"[{part.value}]", "write None for a new axis")
            at = integer(part)
            if not -dim <= at < dim:
                raise Ends
        else:
            out += _picked(part)
            apart((dim,), [0], "an index into")
            picked += 1
    if picked > 1 or picked and any(isinstance(part, Number) for part in index):
        raise Refused("an index of several lists", "pick along one axis, with slices elsewhere")
    return Tensor(tuple(out), x.kind)


def _picked(part: Value) -> tuple[Dim, ...]:
    if isinstance(part, Tensor):
        if part.kind != "int":
            raise Refused("a mask as an index", "write torch.where(mask, x, other), or x * mask")
        return part.shape
    if isinstance(part, Items) and part.items:
        for item in part.items:
            if isinstance(item, Number) and isinstance(item.value, bool):
                raise Refused("a mask as an index", "write torch.where(mask, x, other), or x * mask")
            integer(item)
        return (len(part.items),)
    raise Refused("this index", "an index is a whole number, a slice, None, or a list of whole numbers")


def _sliced(dim: Dim, part: Slice) -> Dim:
    bounds = [None if bound is None else bound for bound in (part.start, part.stop, part.step)]
    if dim == N:
        whole = (number(0), dim_number(N), number(1))
        if any(bound not in (None, usual) for bound, usual in zip(bounds, whole, strict=True)):
            apart((N,), [0], "a slice of")
        return N
    known = [None if bound is None else integer(bound) for bound in bounds]
    if known[2] is not None and known[2] <= 0:
        raise Ends
    return len(range(*slice(*known).indices(dim)))


def _real(shape: tuple[str, ...], sizes: dict[str, Dim]) -> tuple[Dim, ...]:
    return tuple(sizes[part] if part in sizes else int(part) for part in shape)


def _shape_said(text: str) -> tuple[str, ...]:
    """Return the shape that a description names first; (num_envs,) where it names none."""
    found = re.search(r"\(((?:num_\w+|\d+)(?:, *(?:num_\w+|\d+))*),?\)", text)
    return tuple(part.strip() for part in found[1].split(",")) if found else ("num_envs",)
