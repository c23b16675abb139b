"""The expressions of the dry run: what each comes to on paper, and how much is done to get there."""

from __future__ import annotations

import ast
from collections.abc import Callable

from video2reward.sim.dry import calls
from video2reward.sim.dry.arithmetic import binary, compared, truth
from video2reward.sim.dry.effects import Effects
from video2reward.sim.dry.lists import freeze, joined, kept, key_of
from video2reward.sim.dry.values import (
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
    dim_number,
    integer,
    number,
    shown,
)  # fmt: skip


class RefusedAt(Exception):
    """A refusal with the place in the file; `ends` where the reward itself would raise there."""

    def __init__(self, line: int, construct: str, cure: str, ends: bool = False) -> None:
        super().__init__(f"line {line}: {construct}: {cure}")
        self.line, self.construct, self.cure, self.ends = line, construct, cure, ends


class Expressions(Effects):
    """Follow expressions; what calls a function of the reward is left to who follows statements."""

    def __init__(self, tree: ast.Module, contract: calls.Contract, num_joints: int, num_feet: int) -> None:
        super().__init__(contract, {"num_envs": N, "num_joints": num_joints, "num_feet": num_feet})
        self.tree = tree
        self.returned: dict[str, Value] = {}
        self._calls: list[ast.AST] = []
        self._maybe_returned: list[list[Value]] = []
        self._last: ast.AST | None = None

    def _eval(self, node: ast.expr, scope: Scope) -> Value:
        try:
            self.effort.step()
            self._last = node
            value = getattr(self, f"_of_{type(node).__name__.lower()}")(node, scope)
            if isinstance(node, ast.Call | ast.BinOp | ast.UnaryOp | ast.Compare | ast.Subscript):
                self.effort.weigh(value)
            return value
        except Refused as refused:
            raise RefusedAt(node.lineno, refused.construct, refused.cure) from None

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
        self.effort.charge(made)
        return made

    def _of_dict(self, node: ast.Dict, scope: Scope) -> Value:
        pairs = zip(node.keys, node.values, strict=True)
        made = Table({key_of(self._eval(k, scope)): kept(self._eval(v, scope)) for k, v in pairs if k is not None})
        self.effort.charge(made)
        return made

    def _of_slice(self, node: ast.Slice, scope: Scope) -> Value:
        bounds = [self._eval(part, scope) if part else None for part in (node.lower, node.upper, node.step)]
        return Slice(*(None if isinstance(bound, Nothing) else bound for bound in bounds))

    def _of_ifexp(self, node: ast.IfExp, scope: Scope) -> Value:
        known = truth(self._eval(node.test, scope))
        if known is not None:
            return self._eval(node.body if known else node.orelse, scope)
        ways = [self._maybe(lambda part=part: self._eval(part, scope)) for part in (node.body, node.orelse)]
        return joined(*ways)

    def _of_boolop(self, node: ast.BoolOp, scope: Scope) -> Value:
        stop = isinstance(node.op, ast.Or)
        value: Value = Nothing()
        for at, part in enumerate(node.values):
            value = self._eval(part, scope)
            known = truth(value)
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
            known = truth(value)
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
        return binary(type(node.op), self._eval(node.left, scope), self._eval(node.right, scope), self.effort)

    def _of_compare(self, node: ast.Compare, scope: Scope) -> Value:
        left, unknown = self._eval(node.left, scope), False
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self._maybe(lambda part=part: self._eval(part, scope)) if unknown else self._eval(part, scope)
            result = compared(type(op), left, right, self.effort)
            if len(node.ops) == 1:
                return result
            if isinstance(result, Tensor):
                raise Refused(ast.unparse(node)[:60], "of tensors write (low < x) & (x < high)")
            known = truth(result)
            if known is False:
                return number(False) if not unknown else Number()
            unknown = unknown or known is None
            left = right
        return Number() if unknown else number(True)

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
            return calls.indexed(base, list(index.items) if isinstance(index, Items) and not index.is_list else [index])
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
        self.effort.charge(result)
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
        self.effort.charge(result)
        return result

    def _comprehend(self, generators: list[ast.comprehension], scope: Scope, add: Callable[[Scope], None]) -> None:
        if not generators:
            add(scope)
            return
        for item in self._iterate(self._eval(generators[0].iter, scope)):
            self.effort.step()
            self._bind(generators[0].target, item, scope)
            if all(self._decided(self._eval(test, scope)) for test in generators[0].ifs):
                self._comprehend(generators[1:], scope, add)

    def _decided(self, test: Value) -> bool:
        if (known := truth(test)) is None:
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
        for default in made.defaults.values():
            freeze(default)
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

    def _bind(self, target: ast.expr, value: Value, scope: Scope) -> None:
        raise NotImplementedError

    def _call_closure(self, function: Closure, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        raise NotImplementedError
