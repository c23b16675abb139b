"""The allow-list on a reward's syntax tree: nodes, names and attributes, in all code, reached or not."""

from __future__ import annotations

import ast
import difflib
import functools
from collections.abc import Iterator

from video2reward.sim.dry.calls import DTYPES, HINTS, MATH, SUBMODULES, TYPING, UNKNOWN, read_contract
from video2reward.sim.dry.torch_table import OPS

MAX_NODES = 6_000
MAX_TEXT = 12_000
MAX_FINDINGS = 100
MAX_NAME = 80
MAX_SERVES = 200
MAX_LITERAL = 1e12

Finding = tuple[int, str, str]

_NODES = (
    ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.FunctionDef, ast.Lambda, ast.arguments, ast.arg, ast.Return,
    ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.If, ast.For, ast.IfExp, ast.Compare, ast.BoolOp, ast.BinOp,
    ast.UnaryOp, ast.Call, ast.keyword, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Constant, ast.Tuple,
    ast.List, ast.Dict, ast.ListComp, ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.Starred, ast.Load,
    ast.Store, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.Pass, ast.Continue, ast.Break,
)  # fmt: skip
_INSTEAD = {
    "While": "loop over a range or a literal",
    "Try": "nothing is caught; use torch.where or clamp to keep numbers defined",
    "TryStar": "nothing is caught",
    "Raise": "a reward raises nothing; return a number for every state",
    "Assert": "the trial looks at shapes and numbers; leave it out",
    "With": "a term opens nothing; write its statements alone",
    "Global": "a reward keeps nothing between steps; return what you compute",
    "Nonlocal": "a reward keeps nothing between steps; return what you compute",
    "ClassDef": "write functions",
    "Delete": "let names be",
    "NamedExpr": "assign on a line of its own",
    "Match": "write if and elif",
    "JoinedStr": "a reward needs no text",
    "FormattedValue": "a reward needs no text",
    "Await": "a reward waits for nothing",
    "AsyncFunctionDef": "write def",
    "AsyncFor": "write for",
    "AsyncWith": "a term opens nothing",
    "Yield": "return a tensor",
    "YieldFrom": "return a tensor",
    "Set": "write a tuple",
    "SetComp": "write a list",
    "LShift": "write a literal",
    "RShift": "write a literal",
}
_NAMES = {
    "getattr": "name the field: s.joint_pos",
    "hasattr": "the state has the fields of the contract, always",
    "print": "a reward says nothing; each term is logged",
    "map": "write a list: [f(x) for x in xs]",
    "filter": "write a list: [x for x in xs if …]",
    "set": "write a tuple",
    "str": "a reward needs no text",
    "np": "torch has what numpy has",
    "numpy": "torch has what numpy has",
    "F": "import torch.nn.functional as F",
    "open": "a reward reads and writes no files",
}
_ATTRIBUTES = (
    {part for name in OPS for part in name.split(".")}
    | {part for name in SUBMODULES for part in name.split(".")}
    | set(MATH)
    | set(DTYPES)
    | {"shape", "T", "mT", "ndim", "dtype", "device", "values", "indices", "append", "extend", "keys", "items", "get",
       "Tensor", "pi", "e", "inf", "nan"}
)  # fmt: skip


def syntax_problems(tree: ast.Module, protected: tuple[str, ...]) -> list[Finding]:
    """Return (line, construct, what to write instead) of all that the allow-list does not hold."""
    nodes = list(ast.walk(tree))
    if len(nodes) > MAX_NODES:
        return [(1, "size", f"a reward has at most {MAX_NODES} syntax nodes; write fewer or shorter terms")]
    found = [item for node in tree.body for item in _top_level(node)]
    inside = {id(node) for top in tree.body for node in ast.walk(top) if isinstance(node, ast.stmt) and node is not top}
    for node in nodes:
        if len(found) > MAX_FINDINGS:
            return found
        found += _node(node, nested=id(node) in inside)
    found += _names(tree, nodes, protected)
    if not any(isinstance(node, ast.FunctionDef) and node.decorator_list for node in tree.body):
        found.append((1, "no term", "mark each term's function with @term(weight=…, serves=…)"))
    return list(dict.fromkeys(found))


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 1)


def _top_level(node: ast.stmt) -> Iterator[Finding]:
    if not isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.FunctionDef):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            yield _line(node), _called(node), "a reward file holds imports, constants and functions only"
    if isinstance(node, ast.FunctionDef):
        for decorator in node.decorator_list:
            yield from _decorator(node, decorator)
        if len(node.decorator_list) > 1:
            yield node.lineno, f"@ on {node.name}", "a term is marked once"
    if isinstance(node, ast.ImportFrom) and node.level:
        yield node.lineno, "a relative import", "import from video2reward.sim.contract and video2reward.sim.terms"
    if isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield from _import(node, alias)


def _import(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> Iterator[Finding]:
    module = node.module if isinstance(node, ast.ImportFrom) else alias.name
    functional = "torch.nn.functional" in (module, f"{module}.{alias.name}")
    if alias.asname and not (functional and alias.asname == "F"):
        yield node.lineno, f"import … as {alias.asname}", "names of the contract keep their names; F alone is known"
    if alias.name == "*":
        yield node.lineno, f"from {module} import *", "name what you import"
        return
    contract = read_contract()
    known = {
        "torch": {"Tensor", "linalg", "nn"}, "torch.nn": {"functional"}, "torch.linalg": {"norm", "vector_norm"},
        "math": set(MATH), "typing": set(TYPING), "__future__": {"annotations"},
        "video2reward.sim.contract": {"RewardState", "Tensor", "term"},
        "video2reward.sim.terms": set(contract.ready_made),
    }  # fmt: skip
    if isinstance(node, ast.Import) and alias.name not in SUBMODULES:
        yield node.lineno, f"import {alias.name}", "only torch and math are known; torch has what numpy has"
    elif isinstance(node, ast.ImportFrom) and alias.name not in known.get(module or "", set()):
        yield (
            node.lineno,
            f"from {module} import {alias.name}",
            ("import torch, math, and by name from video2reward.sim.contract and video2reward.sim.terms"),
        )


def _decorator(node: ast.FunctionDef, decorator: ast.expr) -> Iterator[Finding]:
    line, what = decorator.lineno, f"@ on {node.name}"
    if not (isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "term"):
        yield line, what, "the only decorator is @term(weight=…, serves=…)"
        return
    given = {item.arg: item.value for item in decorator.keywords}
    if decorator.args or set(given) != {"weight", "serves"} or len(decorator.keywords) != 2:
        yield line, what, "@term takes weight= and serves="
        return
    for name, kinds in (("weight", (int, float)), ("serves", (str,))):
        try:
            value = ast.literal_eval(given[name])
        except (ValueError, TypeError, SyntaxError):
            value = None
        if not isinstance(value, kinds) or isinstance(value, bool):
            yield line, what, "weight is a literal number and serves a literal text"
        elif isinstance(value, str) and not (value.isprintable() and len(value) <= MAX_SERVES):
            yield line, what, f"serves is one line of at most {MAX_SERVES} characters"
    arguments = node.args
    if len([*arguments.posonlyargs, *arguments.args]) - len(arguments.defaults) != 1:
        yield node.lineno, f"def {node.name}", "a term takes the state alone: (s: RewardState)"


def _node(node: ast.AST, nested: bool) -> Iterator[Finding]:
    if not isinstance(node, _NODES) or isinstance(node, ast.LShift | ast.RShift):
        kind = type(node).__name__
        yield _line(node), _called(node), _INSTEAD.get(kind, "this construct is not known to be harmless")
    elif isinstance(node, ast.Import | ast.ImportFrom) and nested:
        yield node.lineno, "import", "imports stand at the top of the file"
    elif isinstance(node, ast.FunctionDef) and nested and node.decorator_list:
        yield node.lineno, f"@ on {node.name}", "terms stand at the top of the file"
    elif isinstance(node, ast.arguments) and (node.vararg or node.kwarg):
        named = node.vararg or node.kwarg
        yield named.lineno, f"*{named.arg}", "name every argument"
    elif isinstance(node, ast.For) and node.orelse:
        yield node.lineno, "for … else", "write the else after the loop"
    elif isinstance(node, ast.keyword) and node.arg is None:
        yield node.lineno, "**", "name every argument"
    elif isinstance(node, ast.Dict) and None in node.keys:
        yield node.lineno, "**", "write the dictionary out"
    elif isinstance(node, ast.comprehension) and node.is_async:
        yield node.target.lineno, "async", "write for"
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.Name):
        if node.id.startswith("_") and node.id != "_":
            yield node.lineno, node.id, "names do not begin with an underscore"
        elif not node.id.isascii():
            yield node.lineno, node.id, "names are written in ASCII"
    elif isinstance(node, ast.Attribute):
        yield from _attribute(node)
    elif isinstance(node, ast.Starred) and isinstance(node.ctx, ast.Store):
        yield node.lineno, "*", "bind each name by itself"
    elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if any(isinstance(part, ast.Attribute) and isinstance(part.ctx, ast.Store) for part in ast.walk(target)):
                yield node.lineno, ast.unparse(target), "the state is never changed; make a new tensor"
            if isinstance(node, ast.AugAssign) and isinstance(target, ast.Attribute):
                yield node.lineno, ast.unparse(target), "the state is never changed; make a new tensor"


def _constant(node: ast.Constant) -> Iterator[Finding]:
    value = node.value
    if isinstance(value, bytes | complex):
        yield node.lineno, repr(value)[:20], "numbers are real, and texts are texts"
    elif isinstance(value, str) and len(value) > MAX_TEXT:
        yield node.lineno, "a long text", f"a text has at most {MAX_TEXT} characters"
    elif isinstance(value, int | float) and not isinstance(value, bool) and not abs(value) <= MAX_LITERAL:
        yield node.lineno, "a number over 1e12", "numbers lie between -1e12 and 1e12; use math.inf for no bound"


def _attribute(node: ast.Attribute) -> Iterator[Finding]:
    name = node.attr
    if name.startswith("_") or name.endswith("_"):
        what = "private names are not part of the contract" if name.startswith("_") else f"write .{name.rstrip('_')}"
        yield node.lineno, f".{name}", what + "; tensors are never changed in place" * name.endswith("_")
    elif name not in _ATTRIBUTES and name not in read_contract().fields:
        near = _near(name[:MAX_NAME])
        perhaps = f"; did you mean .{near}?" if near else ""
        yield node.lineno, ast.unparse(node)[-40:], HINTS.get(name, UNKNOWN + perhaps)


@functools.lru_cache(maxsize=64)
def _near(name: str) -> str:
    return next(iter(difflib.get_close_matches(name, [*read_contract().fields, *sorted(_ATTRIBUTES)], 1)), "")


def _names(tree: ast.Module, nodes: list[ast.AST], protected: tuple[str, ...]) -> Iterator[Finding]:
    """Hold names against the contract's, which may not be given a new meaning, and against each other."""
    imported = {a.asname or a.name.partition(".")[0] for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)
                for a in n.names}  # fmt: skip
    fixed = {*protected, *imported, "torch", "math"} - set(TYPING)
    bound: list[tuple[str, int]] = [
        (n.id, n.lineno) for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    ]
    bound += [(n.arg, n.lineno) for n in nodes if isinstance(n, ast.arg)]
    functions = [n for n in nodes if isinstance(n, ast.FunctionDef)]
    bound += [(n.name, n.lineno) for n in functions]
    for name, line in bound:
        if name in fixed:
            yield line, name, "names of the contract and of Python keep their meaning; choose another"
        elif name.startswith("_") and name != "_":
            yield line, name, "names do not begin with an underscore"
        elif not name.isascii():
            yield line, name, "names are written in ASCII"
        elif len(name) > MAX_NAME:
            yield line, f"{name[:40]}…", f"a name has at most {MAX_NAME} characters"
    top = [n.name for n in tree.body if isinstance(n, ast.FunctionDef)]
    stored = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    for node in functions:
        if node.name in top and (top.count(node.name) > 1 or node.name in stored):
            yield node.lineno, node.name, "this name is given twice"
    if sum(isinstance(n, ast.Name) and n.id == "MOTION" and isinstance(n.ctx, ast.Store) for n in nodes) > 1:
        yield 1, "MOTION", "the motion is stated once"
    known = {name for name, _ in bound} | set(protected) | imported | {"str"}  # which annotations name
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in known:
            yield node.lineno, node.id, _NAMES.get(node.id, "this name is not known here")


def _called(node: ast.AST) -> str:
    return {"JoinedStr": "f-string", "NamedExpr": ":="}.get(type(node).__name__, type(node).__name__.lower())
