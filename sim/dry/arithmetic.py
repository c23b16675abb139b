"""Operators on paper: arithmetic, comparisons, and what is taken for true."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

from video2reward.sim.dry.effort import MAX_ROUNDS, Effort
from video2reward.sim.dry.lists import count, key_of
from video2reward.sim.dry.torch_table import call
from video2reward.sim.dry.values import (
    MAX_BITS,
    Ends,
    Items,
    Nothing,
    Number,
    Refused,
    Table,
    Tensor,
    Text,
    Value,
    broadcast,
    highest,
    integer,
    kind_of,
    not_counted,
    number,
    shape_of,
)

_ARITHMETIC: dict[type, Callable] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}  # fmt: skip
_COMPARISONS: dict[type, Callable] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip


def binary(op: type, one: Value, other: Value, effort: Effort) -> Value:
    """Return what an operator makes of two values."""
    if isinstance(one, Text) or isinstance(other, Text):
        raise Refused("text computed with", "text is neither joined, multiplied nor formatted")
    if isinstance(one, Items) or isinstance(other, Items):
        return _lists(op, one, other, effort)
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        if op is ast.MatMult:
            return call("matmul", [one, other], {})
        kind = "float" if op is ast.Div else highest((kind_of(one), kind_of(other)))
        return Tensor(broadcast(shape_of(one), shape_of(other)), kind)
    if not (isinstance(one, Number) and isinstance(other, Number)) or op is ast.MatMult:
        raise Refused("this arithmetic", "only numbers and tensors are computed with")
    return _numbers(op, one, other)


def compared(op: type, one: Value, other: Value, effort: Effort) -> Value:
    """Return what a comparison of two values comes to."""
    if op in (ast.Is, ast.IsNot):
        if not isinstance(one, Nothing) and not isinstance(other, Nothing):
            raise Refused("is", "only `is None` is known")
        same = isinstance(one, Nothing) and isinstance(other, Nothing)
        return number(same is (op is ast.Is))
    if op in (ast.In, ast.NotIn):
        return _within(one, other, effort, wanted=op is ast.In)
    if isinstance(one, Tensor) or isinstance(other, Tensor):
        if not isinstance(one, Tensor | Number) or not isinstance(other, Tensor | Number):
            raise Refused("this comparison", "tensors are compared with tensors and numbers")
        return Tensor(broadcast(shape_of(one), shape_of(other)), "bool")
    if isinstance(one, Text) and isinstance(other, Text) and op in (ast.Eq, ast.NotEq):
        return number((one.value == other.value) is (op is ast.Eq))
    if not (isinstance(one, Number) and isinstance(other, Number)):
        raise Refused("this comparison", "numbers are compared with numbers, tensors with tensors")
    not_counted(one, other)
    if one.value is None or other.value is None:
        return Number()
    return number(_COMPARISONS[op](one.value, other.value))


def truth(value: Value) -> bool | None:
    """Return whether a value counts as true, None where only the run knows it."""
    if isinstance(value, Tensor):
        raise Refused("a tensor taken for true or false", "write torch.where(mask, a, b), and &, | and ~ for masks")
    if isinstance(value, Number):
        not_counted(value)
        return None if value.value is None else bool(value.value)
    if isinstance(value, Items | Table):
        return bool(value.items)
    if isinstance(value, Text):
        return bool(value.value)
    return not isinstance(value, Nothing)


def _lists(op: type, one: Value, other: Value, effort: Effort) -> Value:
    if isinstance(one, Items) and isinstance(other, Items) and op is ast.Add and one.is_list == other.is_list:
        made = Items(one.items + other.items, one.is_list)
    elif op is ast.Mult and not (isinstance(one, Items) and isinstance(other, Items)):
        items, times = (one, integer(other)) if isinstance(one, Items) else (other, integer(one))
        if times * count(items) > 4 * MAX_ROUNDS:
            raise Refused("a list repeated", f"a list is repeated up to {4 * MAX_ROUNDS} values")
        made = Items(items.items * times, items.is_list)
    elif isinstance(one, Tensor) or isinstance(other, Tensor):
        raise Refused("a tensor computed with a list", "write torch.tensor([…], device=s.joint_pos.device)")
    else:
        raise Ends
    effort.charge(made)
    return made


def _within(one: Value, other: Value, effort: Effort, *, wanted: bool) -> Value:
    if isinstance(other, Table):
        return number((key_of(one) in other.items) is wanted)
    if not isinstance(other, Items) or not all(isinstance(item, Text | Number) for item in (one, *other.items)):
        raise Refused("in", "only numbers and texts are looked for, in lists and dictionaries")
    effort.step(len(other.items))
    not_counted(one, other)
    if any(isinstance(item, Number) and item.value is None for item in (one, *other.items)):
        return Number()
    return number((one.value in [item.value for item in other.items]) is wanted)


def _numbers(op: type, one: Number, other: Number) -> Number:
    """Compute with numbers as Python does, as long as they stay small."""
    not_counted(one, other)
    if one.value is None or other.value is None:
        whole = one.whole and other.whole and op is not ast.Div
        bits = one.bits + other.bits + 1
        if whole and (bits > MAX_BITS or op is ast.Pow):
            raise Refused("whole numbers that grow", "compute with tensors, or with literals")
        return Number(None, whole, bits if whole else 0)
    try:
        if op is ast.Pow:
            # The size of a power is looked at before it is computed.
            if abs(one.value) > 1 and other.value * math.log10(abs(one.value)) > 12:
                raise Refused("a number over 1e12", "numbers lie between -1e12 and 1e12")
            return number(one.value**other.value)
        return number(_ARITHMETIC[op](one.value, other.value))
    except (ArithmeticError, TypeError, ValueError):
        raise Ends from None
