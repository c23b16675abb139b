"""Python's own few functions, and those of math, as the dry run follows them."""

from __future__ import annotations

import ast
from collections.abc import Callable

from video2reward.sim.dry.lists import count
from video2reward.sim.dry.values import (
    Ends,
    Items,
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
    broadcast,
    dim_number,
    integer,
    not_counted,
    number,
    shape_of,
)

BUILTINS = (
    "abs", "all", "any", "bool", "dict", "enumerate", "float", "int", "isinstance", "len", "list", "max", "min", "pow",
    "range", "reversed", "round", "slice", "sorted", "sum", "tuple", "zip",
)  # fmt: skip
UNKNOWN = "this is not known to be harmless and bounded"


def calculated(function: Callable, name: str, arguments: list[Value]) -> Value:
    """Compute a function of numbers, where they are known."""
    if any(isinstance(value, Tensor) for value in arguments):
        raise Refused(f"{name} of a tensor", f"write torch.{name.partition('.')[2]}")
    if not all(isinstance(value, Number) for value in arguments):
        raise Ends
    values = [value.value for value in arguments]
    not_counted(*arguments)
    if None in values:
        if name in ("math.floor", "math.ceil"):
            raise Refused(name, "whole numbers are known before the run")
        return Number()
    try:
        return number(function(*values))
    except (ArithmeticError, TypeError, ValueError):
        raise Ends from None


def builtin(
    name: str,
    arguments: list[Value],
    keywords: dict[str, Value],
    iterate: Callable[[Value], list[Value]],
    binary: Callable[[type, Value, Value], Value],
) -> Value:
    allowed = {"sum": {"start"}, "enumerate": {"start"}, "zip": {"strict"}, "sorted": {"reverse"}}
    if name == "dict" and not arguments:
        return Table(dict(keywords))
    if not set(keywords) <= allowed.get(name, set()):
        raise Refused(f"{min(keywords)}= in {name}", "this argument is not known")
    first = arguments[0] if arguments else None
    if name in ("bool", "float", "int", "abs", "round", "pow"):
        return _number_from(name, arguments)
    if name == "slice":
        return Slice(*([None if isinstance(a, Nothing) else a for a in arguments] + [None] * 3)[:3]
                     if len(arguments) > 1 else (None, first, None))  # fmt: skip
    if name == "range":
        bounds = [integer(value) for value in arguments]
        if not 1 <= len(bounds) <= 3 or (len(bounds) == 3 and bounds[2] == 0):
            raise Ends
        rounds = len(range(*bounds))
        if rounds > 256:
            raise Refused(f"a range of {rounds} rounds", "loops have at most 256 rounds")
        return Items([number(value) for value in range(*bounds)])
    if first is None:
        return Items([], is_list=name == "list") if name in ("list", "tuple", "zip") else Nothing()
    if name == "len":
        if isinstance(first, Tensor) and first.shape:
            return dim_number(first.shape[0])
        if isinstance(first, Items | Table):
            return number(len(first.items))
        raise Ends
    if name == "isinstance":
        return _is_instance(arguments)
    if name in ("max", "min"):
        return _most(max if name == "max" else min, iterate(first) if len(arguments) == 1 else arguments)
    items = iterate(first)
    if name in ("all", "any"):
        if not all(isinstance(item, Number) for item in items):
            raise Refused(f"{name} of tensors", f"write torch.{name}(x, dim=-1)")
        not_counted(*items)
        known = [item.value for item in items]
        return Number() if None in known else number((all if name == "all" else any)(known))
    if name == "sum":
        total = keywords.get("start", arguments[1] if len(arguments) == 2 else number(0))
        for item in items:
            if isinstance(item, Items):
                raise Refused("a sum of lists", "write the list out")
            total = binary(ast.Add, total, item)
        return total
    if name == "enumerate":
        start = integer(keywords.get("start", arguments[1] if len(arguments) == 2 else number(0)))
        return Items([Items([number(start + i), item]) for i, item in enumerate(items)], once=True)
    if name == "zip":
        rest = [items, *map(iterate, arguments[1:])]
        return Items([Items(list(parts)) for parts in zip(*rest, strict=False)], once=True)
    if name == "reversed":
        return Items(items[::-1], once=True)
    if name == "sorted":
        if not all(isinstance(item, Number) and item.value is not None for item in items):
            raise Refused("sorted", "only known numbers are sorted")
        turned = bool(integer(keywords["reverse"])) if "reverse" in keywords else False
        return Items(sorted(items, key=lambda item: item.value, reverse=turned), is_list=True)
    made = Items(items, is_list=name == "list")
    if name not in ("list", "tuple"):
        raise Refused(f"{name}(…)", UNKNOWN)
    count(made)
    return made


def _number_from(name: str, arguments: list[Value]) -> Value:
    first = arguments[0] if arguments else number(0)
    if isinstance(first, Tensor):
        if name == "abs":
            return first
        if name == "round" and len(arguments) == 1 or name == "pow" and len(arguments) == 2:
            return first if name == "round" else Tensor(broadcast(first.shape, shape_of(arguments[1])), first.kind)
        cures = {"float": "write x.float()", "int": "write x.long()", "bool": "write x.bool(), or x > 0"}
        raise Refused(f"{name}(…) of a tensor", cures.get(name, UNKNOWN))
    if isinstance(first, Text) and name == "float" and len(first.value) < 32:
        try:
            return number(float(first.value))
        except ValueError:
            raise Ends from None
    if not all(isinstance(value, Number) for value in arguments) or len(arguments) > 2:
        raise Refused(f"{name}(…)", "it takes numbers")
    not_counted(*arguments)
    values = [value.value for value in arguments]
    if name == "bool":
        return Number() if None in values else number(bool(*values))
    if None in values:
        if name == "int" or name == "round" and len(values) == 1 or name == "pow":
            raise Refused(f"{name}(…)", "of numbers that only the run knows, floats are made; leave it out")
        return Number(None, first.whole and name == "abs", first.bits)
    if name == "pow" or name == "round" and len(values) == 2 and abs(values[1]) > 30:
        raise Refused(f"{name}(…)", "write x ** 2" if name == "pow" else "round to fewer digits")
    try:
        return number({"float": float, "int": int, "abs": abs, "round": round}[name](*values))
    except (ArithmeticError, TypeError, ValueError):
        raise Ends from None


def _most(pick: Callable, items: list[Value]) -> Value:
    if any(isinstance(item, Tensor) for item in items):
        raise Refused("min, max of tensors", "write torch.minimum, torch.maximum, x.amax(-1) or x.clamp(min=…)")
    if not items or not all(isinstance(item, Number) for item in items):
        raise Ends
    not_counted(*items)
    known = [item.value for item in items]
    if None in known:
        return Number(None, all(item.whole for item in items), max(item.bits for item in items))
    return number(pick(known))


def _is_instance(arguments: list[Value]) -> Value:
    kinds = {"Tensor": Tensor, "RewardState": State, "builtins.list": Items, "builtins.tuple": Items,
             "builtins.dict": Table}  # fmt: skip
    if len(arguments) != 2 or not isinstance(arguments[1], Named):
        raise Refused("isinstance(…)", "ask for one type")
    value, name = arguments[0], arguments[1].name
    if name in ("builtins.float", "builtins.int", "builtins.bool"):
        if isinstance(value, Number):
            return Number()
        return number(False)
    if name not in kinds:
        raise Refused("isinstance(…)", "only the types of the contract are known")
    if isinstance(value, Items):
        return number(name == ("builtins.list" if value.is_list else "builtins.tuple"))
    return number(isinstance(value, kinds[name]))
