"""The code in a model's answer, brought to the form of a term's body.

Models write what was asked for in their own manner: a whole `def`, another name for the state, a fence, an import, a
lambda, one function for the whole reward, or a file. What that means is plain, and nothing of it is worth a rejection.
What a body does is for the guard and the trial to judge; here nothing is run.
"""

from __future__ import annotations

import ast
import re
import textwrap
from typing import Any, NamedTuple

from video2reward.memory.errors import BadReward
from video2reward.sim.reward_text import parse, tree_of

_FENCE = re.compile(r"```[\w+-]*[^\S\n]*\n(.*?)```", re.DOTALL)
_HEADED = re.compile(
    r"^[^\S\n]*(?:[#*\-\d.]+[^\S\n]*)?[*`_]*([A-Za-z_][\w ]*?)[*`_]*[^\n\w]+weight[*`_]*[^\S\n]*[:=]?[^\S\n]*"
    r"(-?\d+(?:\.\d+)?)(.*?)```[\w+-]*[^\S\n]*\n(.*?)```",
    re.DOTALL | re.MULTILINE | re.IGNORECASE,
)
_MOTION_NAMES = ("MOTION", "motion", "target", "motion_target")


class CodedTerm(NamedTuple):
    """A term as it was found in code."""

    name: str
    weight: float
    serves: str
    doc: str
    body: str


def plain_body(body: str) -> str:
    """Return the statements of a body, without the fence, the `def` line, imports or the uneven indent around them."""
    if fence := _FENCE.search(body):
        body = fence[1]
    body = body.replace("\t", "    ").strip("\n").rstrip()
    if "\n" not in body and "\\n" in body and _tree(_wrapped(body)) is None:
        body = body.replace("\\n", "\n")
    if "def " in body and (function := _only_function(body)):
        return statements(function)
    lines = body.split("\n")
    if len(lines) > 1 and not lines[0].startswith(" ") and all(line.startswith("  ") or not line for line in lines[1:]):
        # The first line lost its indent and the others kept theirs, unless it opens a block of its own.
        if not lines[0].rstrip().endswith((":", "(", "[", "{", ",", "\\")):
            body = lines[0] + "\n" + textwrap.dedent("\n".join(lines[1:]))
    body = textwrap.dedent(body)
    tree = _tree(_wrapped(body))
    if tree is None or len(tree.body) != 1 or not isinstance(function := tree.body[0], ast.FunctionDef):
        return body
    mended = _Mended()
    mended.visit(function)
    if len(function.body) == 1 and isinstance(only := function.body[0], ast.Expr):
        if isinstance(only.value, ast.Lambda):
            return f"return {ast.unparse(_renamed(only.value.body, only.value.args))}"
        return f"return {ast.unparse(only.value) if mended.changed else body.strip()}"
    return "\n".join(ast.unparse(statement) for statement in function.body) if mended.changed else body


def terms_in_code(text: str) -> list[CodedTerm]:
    """Return the terms of a reward that was written as code: a file, one function, or a block under each heading."""
    headed = [
        CodedTerm(re.sub(r"\W+", "_", name.strip()), float(weight), "not said", doc.strip(" \n)*:_"), code)
        for name, weight, doc, code in _HEADED.findall(text)
    ]
    if len(headed) > 1:
        return headed
    for code in _FENCE.findall(text) or [text]:
        if (tree := _tree(textwrap.dedent(code))) and (terms := _terms_of(tree)):
            return terms
    return []


def statements(function: ast.FunctionDef) -> str:
    """Return a function's statements; its first argument, the state, is called `s` in them."""
    _renamed(function, function.args)
    _Mended().visit(function)
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return "\n".join(ast.unparse(statement) for statement in body)


class _Mended(ast.NodeTransformer):
    """Leaves out what a term neither needs nor may have, where leaving it out changes nothing."""

    def __init__(self) -> None:
        self.changed = False

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.changed = True

    visit_ImportFrom = visit_Import

    def visit_Assert(self, node: ast.Assert) -> None:
        self.changed = True

    def visit_With(self, node: ast.With) -> Any:
        self.generic_visit(node)
        if all(ast.unparse(item) == "torch.no_grad()" for item in node.items):
            self.changed = True
            return node.body
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        self.generic_visit(node)
        inner = node.body[1:] if ast.get_docstring(node) is not None and len(node.body) > 1 else node.body
        if node.name == "body" or len(inner) != 1 or not isinstance(inner[0], ast.Return) or inner[0].value is None:
            return node
        # A helper of one expression is a lambda by another name.
        self.changed = True
        for argument in node.args.args:
            argument.annotation = None
        return ast.Assign([ast.Name(node.name, ast.Store())], ast.Lambda(node.args, inner[0].value), lineno=node.lineno)

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id == "F":
            self.changed = True
            return tree_of("torch.nn.functional").body[0].value
        return node


def _terms_of(tree: ast.Module) -> list[CodedTerm]:
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    decorated = [term for function in functions if (term := _decorated(function))]
    if decorated:
        return decorated
    weights = _weights(tree)
    named = [
        CodedTerm(node.name, weights[node.name], "not said", ast.get_docstring(node) or "", statements(node))
        for node in functions
        if node.name in weights
    ]
    if named:
        return named
    return _whole_reward(functions[0]) if len(functions) == 1 else []


def _decorated(node: ast.FunctionDef) -> CodedTerm | None:
    for call in node.decorator_list:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "term":
            try:
                given = {item.arg: ast.literal_eval(item.value) for item in call.keywords}
                weight, serves = float(given["weight"]), str(given.get("serves", "not said"))
            except (KeyError, TypeError, ValueError):
                return None
            return CodedTerm(node.name, weight, serves, ast.get_docstring(node) or "", statements(node))
    return None


def _weights(tree: ast.Module) -> dict[str, float]:
    """Return the numbers of a file's literal dictionaries by name."""
    found: dict[str, float] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            try:
                literal = ast.literal_eval(node.value)
            except (ValueError, TypeError):
                continue
            found |= {name: float(value) for name, value in literal.items() if isinstance(value, int | float)}
    return found


def _whole_reward(function: ast.FunctionDef) -> list[CodedTerm]:
    """Return the one function of a reward as terms: its parts where it returns them by name, else one term.

    A function with arguments that are neither the state nor the motion is none.
    """
    others = [argument.arg for argument in function.args.args[1:]]
    returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
    if not function.args.args or any(name not in _MOTION_NAMES for name in others) or len(returns) != 1:
        return []
    value, doc = returns[0].value, ast.get_docstring(function) or ""
    if returns[0] is function.body[-1] and isinstance(value, ast.Tuple) and len(value.elts) == 2:
        total, parts = value.elts
        if isinstance(parts, ast.Dict) and (names := _summed(function, total, parts)):
            return [CodedTerm(name, 1.0, "not said", "", _needed_for(function, part)) for name, part in names.items()]
        returns[0].value = total
    return [CodedTerm("whole_reward", 1.0, "not said", doc, statements(function))]


def _summed(function: ast.FunctionDef, total: ast.expr, parts: ast.Dict) -> dict[str, str]:
    """Return the variable by part's name where the total is the plain sum of just those variables, else nothing."""
    if isinstance(total, ast.Name):
        assigned = [
            node.value
            for node in function.body
            if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == [total.id]
        ]
        if len(assigned) != 1:
            return {}
        total = assigned[0]
    left, summands = total, []
    while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Add):
        summands.append(left.right)
        left = left.left
    summands.append(left)
    names = {
        key.value: value.id
        for key, value in zip(parts.keys, parts.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and isinstance(value, ast.Name)
    }
    alike = sorted(ast.unparse(summand) for summand in summands) == sorted(names.values())
    return names if alike and len(names) == len(parts.keys) else {}


def _needed_for(function: ast.FunctionDef, name: str) -> str:
    """Return those statements of a function that a variable's value needs, and its return."""
    needed, kept = {name}, []
    for node in reversed(function.body[:-1]):
        names = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
        if {inner.id for inner in names if isinstance(inner.ctx, ast.Store)} & needed:
            needed |= {inner.id for inner in names if isinstance(inner.ctx, ast.Load)}
            kept.append(node)
    body = [*reversed(kept), ast.Return(ast.Name(name, ast.Load()))]
    return statements(ast.FunctionDef(function.name, function.args, body, [], lineno=function.lineno, col_offset=0))


def _renamed(node: Any, arguments: ast.arguments) -> Any:
    """Call the first argument `s` and one that is the motion MOTION, wherever they stand."""
    new = {argument.arg: "MOTION" for argument in arguments.args[1:] if argument.arg in _MOTION_NAMES}
    if arguments.args:
        new[arguments.args[0].arg] = "s"
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id in new:
            inner.id = new[inner.id]
    return node


def _only_function(code: str) -> ast.FunctionDef | None:
    tree = _tree(textwrap.dedent(code))
    if tree is None:
        return None
    rest = [node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return rest[0] if len(rest) == 1 and isinstance(rest[0], ast.FunctionDef) else None


def _wrapped(body: str) -> str:
    return "def body(s):\n" + textwrap.indent(body, "    ")


def _tree(code: str) -> ast.Module | None:
    try:
        return parse(code)
    except BadReward:
        return None
