"""The guard: an allow-list on the syntax of a reward file. What is not known to be harmless is refused.

It is the first of four layers and not a boundary by itself: the trial, the operating system and the watchdog follow.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints

from video2reward.memory.errors import BadReward
from video2reward.sim import terms
from video2reward.sim.contract import RewardState, Term, load_reward

MAX_SOURCE_CHARS = 40_000
MAX_NODES = 6_000
MAX_LOOP = 64

_IMPORTS = {
    "torch": None,
    "math": None,
    "from torch": {"Tensor"},
    "from video2reward.sim.contract": {"RewardState", "Tensor", "term"},
    "from video2reward.sim.terms": None,  # any public name
    "from __future__": {"annotations"},
}
_TORCH = set(
    "abs acos all any arange asin atan2 cat ceil clamp clip cos cumsum deg2rad diff div dot eq exp expm1 flatten floor "
    "fmod full full_like ge gt isfinite le lerp linspace log log1p logical_and logical_not logical_or lt maximum max "
    "mean median min minimum mul nan_to_num ne norm ones ones_like pow prod rad2deg relu remainder round rsqrt "
    "sigmoid sign sin softmax sort sqrt square squeeze stack std sub sum tan tanh tensor transpose unsqueeze var where "
    "zeros zeros_like Tensor float32 bool long pi special linalg nn functional".split()
)
_TENSOR = set(
    "abs all amax amin any argmax argmin bool clamp clip clone cos cumsum detach diff dim div dtype device exp expand "
    "expand_as flatten float floor fmod gather ge gt int item le log long lt max mean median min mul ndim nan_to_num "
    "ne new_tensor norm numel permute pow prod relu remainder repeat reshape round rsqrt shape sigmoid sign sin size "
    "softmax sqrt square squeeze std sub sum tan tanh to transpose type type_as unbind unsqueeze var view where "
    "T".split()
)
_MATH = set(
    "acos asin atan atan2 ceil cos degrees e exp fabs floor hypot inf log pi pow radians sin sqrt tan tau tanh".split()
)
_BUILTINS = set("abs bool enumerate float int len list max min range round sum tuple zip isinstance".split())
_NODES = (
    ast.Module, ast.Import, ast.ImportFrom, ast.alias, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign,
    ast.AnnAssign, ast.AugAssign, ast.Expr, ast.If, ast.For, ast.IfExp, ast.Compare, ast.BoolOp, ast.BinOp,
    ast.UnaryOp, ast.Call, ast.keyword, ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Constant, ast.Tuple,
    ast.List, ast.Dict, ast.ListComp, ast.GeneratorExp, ast.comprehension, ast.Load, ast.Store, ast.operator,
    ast.unaryop, ast.boolop, ast.cmpop, ast.Pass, ast.Continue, ast.Break,
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """One thing the guard refuses: where, what, and what to write instead."""

    line: int
    construct: str
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.construct}: {self.message}"


def allowed_text() -> str:
    """Say what a term's body may use, for an author that must be told."""
    return (
        "A body may use assignments, `if`, `for` over at most 64 turns, comparisons, arithmetic, indexing and "
        "comprehensions; no while, try, lambda, class, f-string, star or in-place method.\n"
        f"torch: {' '.join(sorted(_TORCH))}.\n"
        f"Methods and attributes of a tensor: {' '.join(sorted(_TENSOR))}.\n"
        f"math: {' '.join(sorted(_MATH))}.\nBuilt-in: {' '.join(sorted(_BUILTINS))}."
    )


def check_source(source: str) -> list[Problem]:
    """Return all that is refused in a reward's source; an empty list where nothing is."""
    if len(source) > MAX_SOURCE_CHARS:
        return [Problem(1, "size", f"a reward file has at most {MAX_SOURCE_CHARS} characters")]
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [Problem(getattr(error, "lineno", None) or 1, "syntax", f"{error}")]
    checker = _Checker(tree)
    return sorted(checker.problems, key=lambda problem: problem.line)


def refuse_unsafe(path: Path) -> None:
    """Raise BadReward with the guard's findings where a reward file is not harmless by its syntax."""
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadReward(f"{path} is not there.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadReward(f"{path} cannot be read as text: {error}.") from None
    if problems := check_source(source):
        shown = "; ".join(str(problem) for problem in problems[:3])
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise BadReward(f"the guard refuses {path.name}: {shown}{more}.")


def load_guarded(path: Path) -> tuple[Term, ...]:
    """Refuse what the guard refuses, then run the reward file and return its terms."""
    refuse_unsafe(path)
    return load_reward(path)


class _Checker:
    def __init__(self, tree: ast.Module) -> None:
        self.problems: list[Problem] = []
        nodes = list(ast.walk(tree))
        if len(nodes) > MAX_NODES:
            self._refuse(tree, "size", f"a reward has at most {MAX_NODES} syntax nodes")
            return
        self.modules: set[str] = set()
        self.imported: set[str] = set()
        self.defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        for node in tree.body:
            self._top_level(node)
        stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
        self.known = self.defined | self.imported | self.modules | stored | arguments | _BUILTINS
        for name in (stored | arguments | self.defined) & (self.imported | self.modules | _BUILTINS):
            self._refuse(tree, name, "names of the contract and of Python may not be given a new meaning")
        self._no_recursion(tree)
        for node in nodes:
            self._node(node)

    def _refuse(self, node: ast.AST, construct: str, message: str) -> None:
        self.problems.append(Problem(getattr(node, "lineno", 1), construct, message))

    def _top_level(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name not in ("torch", "math") or alias.asname:
                    self._refuse(node, f"import {alias.name}", "only `import torch` and `import math` are known")
                self.modules.add(alias.name)
        elif isinstance(node, ast.ImportFrom):
            allowed = _IMPORTS.get(f"from {node.module}", ())
            for alias in node.names:
                public = allowed is None and not alias.name.startswith("_") and alias.name in _term_names()
                if alias.asname or not (public or (allowed and alias.name in allowed)):
                    self._refuse(node, f"from {node.module} import {alias.name}", "this is not part of the contract")
                self.imported.add(alias.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            value = node.value
            try:
                ast.literal_eval(value) if value is not None else None
            except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
                self._refuse(node, "assignment", "outside functions only literals are assigned")
        elif isinstance(node, ast.FunctionDef):
            self._function(node)
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            self._refuse(node, type(node).__name__, "a reward file holds imports, literals and functions only")

    def _function(self, node: ast.FunctionDef) -> None:
        for decorator in node.decorator_list:
            named = isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name)
            if not (named and decorator.func.id == "term" and not decorator.args):
                self._refuse(node, f"@ on {node.name}", "the only decorator is @term(weight=…, serves=…)")
                continue
            if {k.arg for k in decorator.keywords} != {"weight", "serves"}:
                self._refuse(node, f"@term on {node.name}", "@term takes weight= and serves=")
            for keyword in decorator.keywords:
                value = keyword.value.operand if isinstance(keyword.value, ast.UnaryOp) else keyword.value
                if not isinstance(value, ast.Constant):
                    self._refuse(node, f"@term on {node.name}", "weight and serves are literals")
        arguments = node.args
        if arguments.vararg or arguments.kwarg:
            self._refuse(node, f"def {node.name}", "* and ** arguments are not known")
        for default in [*arguments.defaults, *[d for d in arguments.kw_defaults if d]]:
            try:
                ast.literal_eval(default)
            except (ValueError, TypeError):
                self._refuse(node, f"def {node.name}", "defaults are literals")

    def _no_recursion(self, tree: ast.Module) -> None:
        """Let a function call only functions defined above it."""
        seen: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Name) and inner.id in self.defined - seen:
                        self._refuse(inner, inner.id, "a function may use only functions defined above it")
                    if isinstance(inner, ast.FunctionDef) and inner is not node:
                        self._refuse(inner, inner.name, "functions are not nested")
                seen.add(node.name)

    def _node(self, node: ast.AST) -> None:
        if not isinstance(node, _NODES):
            self._refuse(node, type(node).__name__, "this construct is not known to be harmless")
        elif isinstance(node, ast.Import | ast.ImportFrom) and node.col_offset > 0:
            self._refuse(node, "import", "imports stand at the top of the file")
        elif isinstance(node, ast.Name):
            if node.id.startswith("_") and node.id != "_":
                self._refuse(node, node.id, "names do not begin with an underscore")
            elif isinstance(node.ctx, ast.Load) and node.id not in self.known:
                self._refuse(node, node.id, "this name is not known here")
        elif isinstance(node, ast.Attribute):
            self._attribute(node)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                for part in ast.walk(target):
                    if isinstance(part, ast.Attribute | ast.Subscript):
                        self._refuse(node, ast.unparse(target), "the state is never changed; make a new tensor")
            if isinstance(node, ast.AugAssign):
                self._refuse(node, ast.unparse(node)[:40], "+= changes tensors in place; write x = x + y")
            if isinstance(node, ast.For):
                self._loop(node.iter)
        elif isinstance(node, ast.comprehension):
            self._loop(node.iter)
            if not isinstance(node.target, ast.Name | ast.Tuple):
                self._refuse(node.target, ast.unparse(node.target), "only names are bound")
        elif isinstance(node, ast.keyword) and node.arg in (None, "out", "requires_grad", "pin_memory", "device"):
            self._refuse(node.value, f"{node.arg or '**'}=", "this argument is not known to be harmless")
        elif isinstance(node, ast.Constant):
            big = isinstance(node.value, int | float) and abs(node.value) > 1e9
            if big or isinstance(node.value, bytes | complex):
                self._refuse(node, repr(node.value)[:20], "numbers lie between -1e9 and 1e9")
        elif isinstance(node, ast.BinOp):
            sides = (node.left, node.right)
            if any(_is_text(side) for side in sides):
                self._refuse(node, ast.unparse(node)[:40], "text is neither joined, multiplied nor formatted")
            elif any(isinstance(side, ast.List | ast.Tuple) for side in sides):
                counts = [side.value for side in sides if isinstance(side, ast.Constant)]
                if not (
                    isinstance(node.op, ast.Mult) and counts and isinstance(counts[0], int) and counts[0] <= MAX_LOOP
                ):
                    self._refuse(node, ast.unparse(node)[:40], f"lists are repeated by a literal up to {MAX_LOOP}")

    def _attribute(self, node: ast.Attribute) -> None:
        name, base = node.attr, node.value
        if name.startswith("_") or name.endswith("_"):
            self._refuse(node, f".{name}", "private names and operations in place are not part of the contract")
        elif isinstance(base, ast.Name) and base.id == "torch":
            if name not in _TORCH:
                self._refuse(node, f"torch.{name}", "this torch function is not known to be harmless and bounded")
        elif isinstance(base, ast.Name) and base.id == "math":
            if name not in _MATH:
                self._refuse(node, f"math.{name}", "this is not a plain function of numbers")
        elif isinstance(base, ast.Attribute) and ast.unparse(base) in ("torch.linalg", "torch.nn.functional"):
            if name not in (
                "norm",
                "vector_norm",
                "cross",
                "softplus",
                "relu",
                "softmax",
                "huber_loss",
                "smooth_l1_loss",
            ):
                self._refuse(node, ast.unparse(node), "this torch function is not known to be harmless and bounded")
        elif isinstance(base, ast.Attribute) and ast.unparse(base) == "torch.nn":
            if name != "functional":
                self._refuse(node, ast.unparse(node), "this torch function is not known to be harmless and bounded")
        elif name not in _TENSOR and name not in _state_fields():
            self._refuse(node, f".{name}", "this is neither a field of the state nor a known tensor method")

    def _loop(self, iterated: ast.expr) -> None:
        """Allow loops over short ranges, over literals, and over zip/enumerate of names."""
        if isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Name):
            if iterated.func.id == "range":
                bounds = [a.value for a in iterated.args if isinstance(a, ast.Constant) and isinstance(a.value, int)]
                if any(bound > MAX_LOOP for bound in bounds):
                    self._refuse(iterated, ast.unparse(iterated), f"loops have at most {MAX_LOOP} rounds")
                if len(bounds) < len(iterated.args) and not all(
                    isinstance(a, ast.Constant)
                    or ast.unparse(a).endswith((".shape[1]", ".shape[-1]", ".size(1)"))
                    or ast.unparse(a).startswith("len(")
                    for a in iterated.args
                ):
                    self._refuse(iterated, ast.unparse(iterated), "the bounds of a range are literals")
                return
            if iterated.func.id in ("zip", "enumerate"):
                for argument in iterated.args:
                    self._loop(argument)
                return
        if not isinstance(iterated, ast.Name | ast.Tuple | ast.List | ast.Subscript | ast.Attribute):
            self._refuse(iterated, ast.unparse(iterated)[:40], "loop over a range, a literal, or zip/enumerate of them")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _state_fields() -> set[str]:
    return set(get_type_hints(RewardState))


def _term_names() -> set[str]:
    return {name for name, value in vars(terms).items() if getattr(value, "__module__", "") == terms.__name__}


def main(argv: list[str] | None = None) -> int:
    """Print what the guard refuses in a reward file; exit 2 where it refuses anything."""
    try:
        refuse_unsafe(Path((sys.argv[1:] if argv is None else argv)[0]))
    except BadReward as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
