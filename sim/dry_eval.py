"""The expressions of the dry run: what each comes to on paper, and how much is done to get there."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import TypeVar

from video2reward.sim import dry_calls
from video2reward.sim.dry_shapes import slices_of
from video2reward.sim.dry_torch import TORCH, call
from video2reward.sim.dry_values import (
    MAX_BITS,
    Closure,
    Device,
    Dots,
    Dtype,
    Ends,
    Items,
    N,
    Named,
    Nothing,
    Number,
    Refused,
    Scope,
    Slice,
    State,
    Table,
    Tensor,
    Text,
    Value,
    bounded,
    broadcast,
    count,
    dim_number,
    freeze,
    highest,
    integer,
    joined,
    kind_of,
    number,
    shape_of,
    shown,
)

_Left = TypeVar("_Left")

MAX_STEPS = 40_000
MAX_TENSORS = 2_000
MAX_NUMBERS_PER_ENV = 60_000
MAX_ROUNDS = 256
READY_MADE_TENSORS = 10
# These read a generator to its end before anything else happens.
_READS_ALL = ("all", "any", "list", "max", "min", "sorted", "sum", "tuple")
MAX_DEPTH = 16

_ARITHMETIC: dict[type, Callable] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.BitAnd: operator.and_, ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}  # fmt: skip
_COMPARISONS: dict[type, Callable] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip


class RefusedAt(Exception):
    """A refusal with the place in the file; `ends` where the reward itself would raise there."""

    def __init__(self, line: int, construct: str, cure: str, ends: bool = False) -> None:
        super().__init__(f"line {line}: {construct}: {cure}")
        self.line, self.construct, self.cure, self.ends = line, construct, cure, ends


class Expressions:
    """Follow expressions; what calls a function of the reward is left to who follows statements."""

    def __init__(self, tree: ast.Module, contract: dry_calls.Contract, num_joints: int, num_feet: int) -> None:
        self.tree, self.contract = tree, contract
        self.sizes = {"num_envs": N, "num_joints": num_joints, "num_feet": num_feet}
        self.steps = self.tensors = self.numbers = 0
        self.returned: dict[str, Value] = {}
        self._calls: list[ast.AST] = []
        self._maybe_returned: list[list[Value]] = []
        self._undecided = 0
        self._last: ast.AST | None = None

    def _maybe(self, follow: Callable[[], _Left]) -> _Left:
        """Follow what may or may not be run: nothing that is changed there could be counted on."""
        self._undecided += 1
        left = follow()
        self._undecided -= 1
        return left

    def _eval(self, node: ast.expr, scope: Scope) -> Value:
        try:
            self._step()
            self._last = node
            value = getattr(self, f"_of_{type(node).__name__.lower()}")(node, scope)
            if isinstance(node, ast.Call | ast.BinOp | ast.UnaryOp | ast.Compare | ast.Subscript):
                self._weigh(value)
            return value
        except Refused as refused:
            raise RefusedAt(node.lineno, refused.construct, refused.cure) from None

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise Refused(f"more than {MAX_STEPS} operations", "a reward does less in a step: fewer rounds and calls")

    def _weigh(self, value: Value) -> None:
        """Bound every tensor, and all of them together; what is long counts as many steps."""
        if isinstance(value, Items | Table):
            self.steps += len(value.items) // 8
        for item in [value] if isinstance(value, Tensor) else value.items if isinstance(value, Items) else []:
            if isinstance(item, Tensor):
                bounded(item.shape)
        if isinstance(value, Tensor):
            self.tensors += 1
            self.numbers += value.per_env
            if self.tensors > MAX_TENSORS:
                raise Refused(f"more than {MAX_TENSORS} tensors", "a reward does less in a step")
            if self.numbers > MAX_NUMBERS_PER_ENV:
                raise Refused(f"more than {MAX_NUMBERS_PER_ENV} numbers per environment", "use fewer tensors")

    def _of_constant(self, node: ast.Constant, scope: Scope) -> Value:
        value = node.value
        if isinstance(value, str):
            return Text(value)
        if value is None:
            return Nothing()
        return Dots() if value is Ellipsis else number(value)

    def _of_name(self, node: ast.Name, scope: Scope) -> Value:
        value = scope.find(node.id)
        if value is None:
            raise Refused(node.id, "this name has no value here")
        return value

    def _of_tuple(self, node: ast.Tuple, scope: Scope) -> Value:
        return self._sequence(node.elts, scope, is_list=False)

    def _of_list(self, node: ast.List, scope: Scope) -> Value:
        return self._sequence(node.elts, scope, is_list=True)

    def _sequence(self, nodes: list[ast.expr], scope: Scope, is_list: bool, passed_on: bool = False) -> Items:
        items: list[Value] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                items += self._iterate(self._eval(node.value, scope))
            else:
                items.append(self._eval(node, scope) if passed_on else kept(self._eval(node, scope)))
        made = Items(items, is_list)
        self._charge(made)
        return made

    def _of_dict(self, node: ast.Dict, scope: Scope) -> Value:
        pairs = zip(node.keys, node.values, strict=True)
        made = Table({key_of(self._eval(k, scope)): kept(self._eval(v, scope)) for k, v in pairs if k is not None})
        self._charge(made)
        return made

    def _of_slice(self, node: ast.Slice, scope: Scope) -> Value:
        bounds = [self._eval(part, scope) if part else None for part in (node.lower, node.upper, node.step)]
        return Slice(*(None if isinstance(bound, Nothing) else bound for bound in bounds))

    def _of_ifexp(self, node: ast.IfExp, scope: Scope) -> Value:
        known = self._truth(self._eval(node.test, scope))
        if known is not None:
            return self._eval(node.body if known else node.orelse, scope)
        ways = [self._maybe(lambda part=part: self._eval(part, scope)) for part in (node.body, node.orelse)]
        return joined(*ways)

    def _of_boolop(self, node: ast.BoolOp, scope: Scope) -> Value:
        stop = isinstance(node.op, ast.Or)
        value: Value = Nothing()
        for at, part in enumerate(node.values):
            value = self._eval(part, scope)
            known = self._truth(value)
            if known is None:
                rest = [self._maybe(lambda part=part: self._eval(part, scope)) for part in node.values[at + 1 :]]
                if not all(isinstance(other, Number) for other in rest):
                    raise Refused("and, or", "only numbers are joined by and, or")
                return Number()
            if known is stop:
                return value
        return value

    def _of_unaryop(self, node: ast.UnaryOp, scope: Scope) -> Value:
        value = self._eval(node.operand, scope)
        if isinstance(node.op, ast.Not):
            known = self._truth(value)
            return Number() if known is None else number(not known)
        if isinstance(value, Tensor):
            return value
        if not isinstance(value, Number):
            raise Ends
        if value.value is None:
            return value
        if isinstance(node.op, ast.Invert):
            if not isinstance(value.value, int):
                raise Ends
            return number(~value.value)
        return number(-value.value if isinstance(node.op, ast.USub) else +value.value)

    def _of_binop(self, node: ast.BinOp, scope: Scope) -> Value:
        return self._binary(type(node.op), self._eval(node.left, scope), self._eval(node.right, scope))

    def _binary(self, op: type, one: Value, other: Value) -> Value:
        if isinstance(one, Text) or isinstance(other, Text):
            raise Refused("text computed with", "text is neither joined, multiplied nor formatted")
        if isinstance(one, Items) or isinstance(other, Items):
            return self._list_arithmetic(op, one, other)
        if isinstance(one, Tensor) or isinstance(other, Tensor):
            if op is ast.MatMult:
                return call("matmul", [one, other], {})
            kind = "float" if op is ast.Div else highest((kind_of(one), kind_of(other)))
            return Tensor(broadcast(shape_of(one), shape_of(other)), kind)
        if not (isinstance(one, Number) and isinstance(other, Number)) or op is ast.MatMult:
            raise Refused("this arithmetic", "only numbers and tensors are computed with")
        return _arithmetic(op, one, other)

    def _list_arithmetic(self, op: type, one: Value, other: Value) -> Value:
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
        self._charge(made)
        return made

    def _of_compare(self, node: ast.Compare, scope: Scope) -> Value:
        left, unknown = self._eval(node.left, scope), False
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self._maybe(lambda part=part: self._eval(part, scope)) if unknown else self._eval(part, scope)
            result = self._compared(type(op), left, right)
            if len(node.ops) == 1:
                return result
            if isinstance(result, Tensor):
                raise Refused(ast.unparse(node)[:60], "of tensors write (low < x) & (x < high)")
            known = self._truth(result)
            if known is False:
                return number(False) if not unknown else Number()
            unknown = unknown or known is None
            left = right
        return Number() if unknown else number(True)

    def _compared(self, op: type, one: Value, other: Value) -> Value:
        if op in (ast.Is, ast.IsNot):
            if not isinstance(one, Nothing) and not isinstance(other, Nothing):
                raise Refused("is", "only `is None` is known")
            same = isinstance(one, Nothing) and isinstance(other, Nothing)
            return number(same is (op is ast.Is))
        if op in (ast.In, ast.NotIn):
            self.steps += len(other.items) // 8 if isinstance(other, Items) else 0
            if isinstance(other, Table):
                found = key_of(one) in other.items
            elif isinstance(other, Items) and all(isinstance(i, Text | Number) for i in (one, *other.items)):
                if any(isinstance(i, Number) and i.value is None for i in (one, *other.items)):
                    return Number()
                found = _plain(one) in [_plain(i) for i in other.items]
            else:
                raise Refused("in", "only numbers and texts are looked for, in lists and dictionaries")
            return number(found is (op is ast.In))
        if isinstance(one, Tensor) or isinstance(other, Tensor):
            if not isinstance(one, Tensor | Number) or not isinstance(other, Tensor | Number):
                raise Refused("this comparison", "tensors are compared with tensors and numbers")
            return Tensor(broadcast(shape_of(one), shape_of(other)), "bool")
        if isinstance(one, Text) and isinstance(other, Text) and op in (ast.Eq, ast.NotEq):
            return number((one.value == other.value) is (op is ast.Eq))
        if not (isinstance(one, Number) and isinstance(other, Number)):
            raise Refused("this comparison", "numbers are compared with numbers, tensors with tensors")
        if one.value is None or other.value is None:
            return Number()
        return number(_COMPARISONS[op](one.value, other.value))

    def _truth(self, value: Value) -> bool | None:
        if isinstance(value, Tensor):
            raise Refused("a tensor taken for true or false", "write torch.where(mask, a, b), and &, | and ~ for masks")
        if isinstance(value, Number):
            return None if value.value is None else bool(value.value)
        if isinstance(value, Items | Table):
            return bool(value.items)
        if isinstance(value, Text):
            return bool(value.value)
        return not isinstance(value, Nothing)

    def _of_attribute(self, node: ast.Attribute, scope: Scope) -> Value:
        return self._attribute(self._eval(node.value, scope), node.attr)

    def _attribute(self, base: Value, name: str) -> Value:
        if isinstance(base, State):
            return self.contract.field(name, self.sizes)
        if isinstance(base, Named):
            return self.contract.member(base.name, name)
        if isinstance(base, Tensor):
            if name == "shape":
                return Items([dim_number(dim) for dim in base.shape])
            if name in ("T", "mT"):
                if len(base.shape) != 2:
                    raise Refused(f".{name} of {shown(base.shape)}", "write x.transpose(dim0, dim1)")
                return Tensor(base.shape[::-1], base.kind)
            plain = {"ndim": number(len(base.shape)), "dtype": Dtype(base.kind), "device": Device()}
            if name in plain:
                return plain[name]
        if isinstance(base, Items) and name in base.names:
            return base.items[base.names.index(name)]
        raise Refused(f".{name}", "this is neither a field of the state nor known of a tensor, or it must be called")

    def _of_subscript(self, node: ast.Subscript, scope: Scope) -> Value:
        base, index = self._eval(node.value, scope), self._eval(node.slice, scope)
        if isinstance(base, Tensor):
            return dry_calls.indexed(
                base, list(index.items) if isinstance(index, Items) and not index.is_list else [index]
            )
        if isinstance(base, Table):
            key = key_of(index)
            if key not in base.items:
                raise Ends
            return base.items[key]
        if not isinstance(base, Items):
            raise Ends
        if isinstance(index, Slice):
            bounds = [None if b is None else integer(b) for b in (index.start, index.stop, index.step)]
            if bounds[2] == 0:
                raise Ends
            return Items(base.items[slice(*bounds)], base.is_list)
        at = integer(index)
        if not -len(base.items) <= at < len(base.items):
            raise Ends
        return base.items[at]

    def _of_listcomp(self, node: ast.ListComp, scope: Scope) -> Value:
        made: list[Value] = []
        self._comprehend(node.generators, Scope(scope), lambda inner: made.append(kept(self._eval(node.elt, inner))))
        result = Items(made, is_list=True)
        self._charge(result)
        return result

    def _of_generatorexp(self, node: ast.GeneratorExp, scope: Scope) -> Value:
        # It is made while it is read: what it would change, or see changed, cannot be followed in another order.
        made = self._maybe(lambda: self._of_listcomp(node, scope))
        return Items(made.items, is_list=True, once=True, lazy=True)

    def _of_dictcomp(self, node: ast.DictComp, scope: Scope) -> Value:
        made: dict = {}

        def add(inner: Scope) -> None:
            made[key_of(self._eval(node.key, inner))] = kept(self._eval(node.value, inner))

        self._comprehend(node.generators, Scope(scope), add)
        result = Table(made)
        self._charge(result)
        return result

    def _comprehend(self, generators: list[ast.comprehension], scope: Scope, add: Callable[[Scope], None]) -> None:
        if not generators:
            add(scope)
            return
        for item in self._iterate(self._eval(generators[0].iter, scope)):
            self._step()
            self._bind(generators[0].target, item, scope)
            if all(self._decided(self._eval(test, scope)) for test in generators[0].ifs):
                self._comprehend(generators[1:], scope, add)

    def _decided(self, test: Value) -> bool:
        if (known := self._truth(test)) is None:
            raise Refused("an if in a comprehension", "it may not hang on numbers that only the run knows")
        return known

    def _of_lambda(self, node: ast.Lambda, scope: Scope) -> Value:
        return self._closure(node, scope)

    def _closure(self, node: ast.FunctionDef | ast.Lambda, scope: Scope) -> Closure:
        """Make a function; its defaults outlive the step and may not be changed."""
        plain = [*node.args.posonlyargs, *node.args.args]
        given = dict(
            zip([a.arg for a in plain][len(plain) - len(node.args.defaults) :], node.args.defaults, strict=True)
        )
        given |= {a.arg: d for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if d is not None}
        made = Closure(node, scope, {name: self._eval(default, scope) for name, default in given.items()})
        freeze(made)
        return made

    def _of_call(self, node: ast.Call, scope: Scope) -> Value:
        base = self._eval(node.func.value, scope) if isinstance(node.func, ast.Attribute) else None
        method = base is not None and isinstance(base, Tensor | Items | Table)
        function = None if method else self._eval(node.func, scope)
        arguments = self._sequence(node.args, scope, is_list=True, passed_on=True).items
        keywords = {item.arg: kept(self._eval(item.value, scope)) for item in node.keywords if item.arg}
        if method:
            return self._call_method(base, node.func.attr, arguments, keywords)
        if isinstance(function, Closure):
            return self._call_closure(function, [*map(kept, arguments)], keywords)
        if not isinstance(function, Named):
            raise Ends
        return self._call_named(function.name, arguments, keywords)

    def _call_method(self, base: Value, name: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        if isinstance(base, Tensor):
            return dry_calls.method(base, name, arguments, keywords)
        if name in ("append", "extend") and isinstance(base, Items) and base.is_list and len(arguments) == 1:
            items = arguments if name == "append" else self._iterate(arguments[0])
            for item in items:
                self._may_change(base, item)
            base.items += items
            self._charge(base)
            return Nothing()
        return dry_calls.container_method(base, name, arguments, key_of)

    def _call_named(self, name: str, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        path = name.removeprefix("torch.")
        if name.startswith("torch.") and path in TORCH:
            return call(path, arguments, keywords)
        if name.startswith("terms."):
            self.tensors += READY_MADE_TENSORS
        if name.removeprefix("builtins.") in _READS_ALL and arguments and isinstance(arguments[0], Items):
            arguments = [Items(arguments[0].items, arguments[0].is_list), *arguments[1:]]
        return self.contract.call(name, arguments, keywords, self._iterate, self._added, self.sizes)

    def _added(self, op: type, one: Value, other: Value) -> Value:
        value = self._binary(op, one, other)
        self._weigh(value)
        return value

    def _charge(self, value: Value) -> None:
        """Bound a list or dictionary, and count its values among the steps: it was built, and looked through here."""
        self.steps += count(value) // 8
        self._step()

    def _iterate(self, value: Value) -> list[Value]:
        if isinstance(value, Tensor):
            return slices_of(value, 0)
        if isinstance(value, Items) and value.lazy:
            raise Refused("a loop over a generator", "write a list: [… for …]")
        if isinstance(value, Table):
            items: list[Value] = [Text(k) if isinstance(k, str) else number(k) for k in value.items]
        elif isinstance(value, Items):
            items = list(value.items)
        else:
            raise Ends
        # Python would see what is added to a list while it is looked through; here that cannot happen.
        value.frozen = True
        if len(items) > MAX_ROUNDS:
            raise Refused(f"a loop of {len(items)} rounds", f"loops have at most {MAX_ROUNDS} rounds")
        return items

    def _may_change(self, base: Items | Table, value: Value) -> None:
        if base.frozen:
            raise Refused(
                "a list changed that outlives the step or was looked through",
                "build lists first, in the term; a reward keeps nothing between steps",
            )
        if self._undecided:
            raise Refused("a list changed under an if or in a generator", "build lists in statements of their own")
        if isinstance(value, Items | Table) and (getattr(value, "is_list", True) or count(value) > 64):
            raise Refused("lists in lists that grow", "write nested lists out, or append tuples")

    def _bind(self, target: ast.expr, value: Value, scope: Scope) -> None:
        raise NotImplementedError

    def _call_closure(self, function: Closure, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        raise NotImplementedError


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


def _plain(value: Value) -> str | int | float | None:
    return value.value if isinstance(value, Text | Number) else None


def _arithmetic(op: type, one: Number, other: Number) -> Number:
    """Compute with numbers as Python does, as long as they stay small."""
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
