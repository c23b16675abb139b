"""The dry run: follow a reward on paper, statement by statement, before any of it is run.

Tensors are shapes, numbers are themselves, and what is done is counted. So every loop, helper and list is seen as long
as it really gets, and a step the tables do not know is refused. The reward's names mean what Python would have them
mean; where an `if` hangs on something that only the run knows, both ways are followed.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from video2reward.sim.dry.arithmetic import binary, truth
from video2reward.sim.dry.effort import MAX_DEPTH
from video2reward.sim.dry.expressions import Expressions, RefusedAt
from video2reward.sim.dry.lists import count, freeze, joined, kept, key_of
from video2reward.sim.dry.values import (
    Closure,
    Ends,
    Items,
    N,
    Nothing,
    Refused,
    Scope,
    State,
    Table,
    Tensor,
    Value,
    integer,
    shown,
)


@dataclass(frozen=True)
class _Return:
    value: Value


class DryRun(Expressions):
    """Follow one reward file on a robot with so many joints and feet; `returned` is what each term came to."""

    def follow(self, terms: list[ast.FunctionDef]) -> Iterator[RefusedAt]:
        """Follow the file's head, then each term; yield the first refusal in each. A head that is refused ends it."""
        top = Scope(Scope())
        top.parent.update(self.contract.names)
        try:
            for node in self.tree.body:
                self._statement(node, top)
        except (RefusedAt, Ends) as refused:
            yield self._placed(refused, 1)
            return
        for value in top.values():
            freeze(value)
        for node in terms:
            self._calls, self._maybe_returned, self._undecided = [], [], 0
            try:
                value = self._call_closure(top[node.name], [State()], {})
                self.returned[node.name] = value
                if isinstance(value, Tensor) and value.shape != (N,):
                    said = f"it returns {shown(value.shape)}, not a tensor of shape (num_envs,)"
                    yield RefusedAt(node.lineno, node.name, said, ends=True)
            except (RefusedAt, Refused, Ends) as refused:
                yield self._placed(refused, node.lineno)

    def _placed(self, refused: RefusedAt | Refused | Ends, line: int) -> RefusedAt:
        if isinstance(refused, RefusedAt):
            return refused
        if isinstance(refused, Refused):
            return RefusedAt(line, refused.construct, refused.cure)
        node = self._last or self.tree.body[0]
        why = "this raises an error whenever it is run; see that the shapes and arguments fit"
        return RefusedAt(node.lineno, ast.unparse(node)[:80], why, ends=True)

    def _block(self, body: list[ast.stmt], scope: Scope) -> _Return | str | None:
        for node in body:
            if (left := self._statement(node, scope)) is not None:
                return left
        return None

    def _statement(self, node: ast.stmt, scope: Scope) -> _Return | str | None:
        try:
            self.effort.step()
            return getattr(self, f"_do_{type(node).__name__.lower()}")(node, scope)
        except Refused as refused:
            raise RefusedAt(node.lineno, refused.construct, refused.cure) from None

    def _do_import(self, node: ast.Import, scope: Scope) -> None:
        for alias in node.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            scope[alias.asname or name] = self.contract.module(name)

    def _do_importfrom(self, node: ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            scope[alias.asname or alias.name] = self.contract.imported(node.module or "", alias.name)

    def _do_functiondef(self, node: ast.FunctionDef, scope: Scope) -> None:
        scope[node.name] = self._closure(node, scope)

    def _do_expr(self, node: ast.Expr, scope: Scope) -> None:
        self._eval(node.value, scope)

    def _do_pass(self, node: ast.Pass, scope: Scope) -> None:
        pass

    def _do_break(self, node: ast.Break, scope: Scope) -> str:
        return "break"

    def _do_continue(self, node: ast.Continue, scope: Scope) -> str:
        return "continue"

    def _do_return(self, node: ast.Return, scope: Scope) -> _Return:
        return _Return(kept(self._eval(node.value, scope)) if node.value else Nothing())

    def _do_assign(self, node: ast.Assign, scope: Scope) -> None:
        value = self._eval(node.value, scope)
        for target in node.targets:
            self._bind(target, value, scope)

    def _do_annassign(self, node: ast.AnnAssign, scope: Scope) -> None:
        if node.value is not None:
            self._bind(node.target, self._eval(node.value, scope), scope)

    def _do_augassign(self, node: ast.AugAssign, scope: Scope) -> None:
        # The reward is run as x = x + y, which changes no tensor in place.
        old = self._eval(_as_loaded(node.target), scope)
        value = binary(type(node.op), old, self._eval(node.value, scope), self.effort)
        self.effort.weigh(value)
        self._bind(node.target, value, scope)

    def _do_if(self, node: ast.If, scope: Scope) -> _Return | str | None:
        known = truth(self._eval(node.test, scope))
        if known is not None:
            return self._block(node.body if known else node.orelse, scope)
        # Each way has the names to itself, and what they come to is put together again.
        self.effort.step(3 * len(scope))
        before, ways, left = dict(scope), [], []
        for body in (node.body, node.orelse):
            scope.clear()
            scope.update(before)
            end = self._maybe(lambda body=body: self._block(body, scope))
            if isinstance(end, str):
                raise Refused(end, "what a loop does may not hang on numbers that only the run knows")
            if isinstance(end, _Return):
                left.append(end.value)
            else:
                ways.append(dict(scope))
        scope.clear()
        if not ways:
            return _Return(left[0] if len(left) == 1 else joined(*left))
        self._maybe_returned[-1].extend(left)
        scope.update(ways[0])
        for way in ways[1:]:
            for name in set(scope) - set(way):
                del scope[name]
            for name in scope:
                scope[name] = joined(scope[name], way[name])
        return None

    def _do_for(self, node: ast.For, scope: Scope) -> _Return | None:
        for item in self._iterate(self._eval(node.iter, scope)):
            self.effort.step()
            self._bind(node.target, item, scope)
            left = self._block(node.body, scope)
            if left == "break":
                break
            if isinstance(left, _Return):
                return left
        return None

    def _bind(self, target: ast.expr, value: Value, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            scope[target.id] = kept(value)
        elif isinstance(target, ast.Tuple | ast.List):
            parts = self._iterate(value)
            if len(parts) != len(target.elts):
                raise Ends
            for part, item in zip(target.elts, parts, strict=True):
                self._bind(part, item, scope)
        elif isinstance(target, ast.Subscript):
            self._store(self._eval(target.value, scope), self._eval(target.slice, scope), value)
        else:
            raise Refused(ast.unparse(target), "the state is never changed; make a new tensor")

    def _store(self, base: Value, index: Value, value: Value) -> None:
        if isinstance(base, Tensor):
            raise Refused("a tensor changed in place", "write x = torch.where(mask, new, x)")
        if not isinstance(base, Items | Table):
            raise Ends
        self._may_change(base, value)
        if isinstance(base, Table):
            base.items[key_of(index)] = value
        else:
            if not base.is_list or not -len(base.items) <= (at := integer(index)) < len(base.items):
                raise Ends
            base.items[at] = value
        count(base)

    def _call_closure(self, function: Closure, arguments: list[Value], keywords: dict[str, Value]) -> Value:
        node, args = function.node, function.node.args
        if node in self._calls or len(self._calls) >= MAX_DEPTH:
            raise Refused("a function that calls itself", f"write a loop; calls go at most {MAX_DEPTH} deep")
        names = [a.arg for a in (*args.posonlyargs, *args.args)]
        every = {*names, *(a.arg for a in args.kwonlyargs)}
        if len(arguments) > len(names) or not set(keywords) <= every - set(names[: len(arguments)]):
            raise Ends
        scope = Scope(function.scope, _own_names(node))
        scope.update({**function.defaults, **dict(zip(names, arguments, strict=False)), **keywords})
        if every - set(scope):
            raise Ends
        self._calls.append(node)
        self._maybe_returned.append([])
        if isinstance(node, ast.Lambda):
            value = self._eval(node.body, scope)
        else:
            left = self._block(node.body, scope)
            value = left.value if isinstance(left, _Return) else Nothing()
        self._calls.pop()
        for other in self._maybe_returned.pop():
            value = joined(value, other)
        return value


@functools.lru_cache(maxsize=512)
def _own_names(function: ast.FunctionDef | ast.Lambda) -> frozenset[str]:
    """Return the names that a function binds in its own statements; comprehensions and functions in it have theirs."""
    found: set[str] = set()
    rest: list[ast.AST] = [] if isinstance(function, ast.Lambda) else list(function.body)
    while rest:
        node = rest.pop()
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif not isinstance(node, ast.Lambda | ast.ListComp | ast.DictComp | ast.GeneratorExp):
            rest += ast.iter_child_nodes(node)
    return frozenset(found)


def _as_loaded(target: ast.expr) -> ast.expr:
    if isinstance(target, ast.Name):
        return ast.copy_location(ast.Name(target.id, ast.Load()), target)
    if isinstance(target, ast.Subscript):
        return ast.copy_location(ast.Subscript(target.value, target.slice, ast.Load()), target)
    raise Refused(ast.unparse(target), "the state is never changed; make a new tensor")
