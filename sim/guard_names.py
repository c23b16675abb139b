"""What a guarded reward finds when it runs: the tree that was looked at, and the names in the guard's tables alone."""

from __future__ import annotations

import ast
import builtins
import math
from types import SimpleNamespace

import torch
from torch import Tensor
from video2reward.sim import contract, terms
from video2reward.sim.dry.calls import BUILTINS, DTYPES, MATH, read_contract
from video2reward.sim.dry.torch_table import TORCH


def allowed_names(tree: ast.Module) -> dict[str, object]:
    """Return the namespace that a reward's tree asks for with its imports, and nothing besides."""
    known = _modules()
    names: dict[str, object] = {
        "__builtins__": {name: getattr(builtins, name) for name in BUILTINS},
        "__name__": "reward",
    }
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = known[alias.name if alias.asname else top]
        elif isinstance(node, ast.ImportFrom) and node.module not in ("typing", "__future__"):
            for alias in node.names:
                names[alias.asname or alias.name] = getattr(known[node.module or ""], alias.name)
    return names


def ready_to_run(tree: ast.Module) -> ast.Module:
    """Return the tree without imports and annotations, and with `x += y` as `x = x + y`, which changes no tensor."""
    return ast.fix_missing_locations(_Plain().visit(tree))


class _Plain(ast.NodeTransformer):
    def visit_Import(self, node: ast.Import) -> ast.stmt:
        return ast.copy_location(ast.Pass(), node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        return ast.copy_location(ast.Pass(), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        self.generic_visit(node)
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        self.generic_visit(node)
        if isinstance(node.target, ast.Name):
            old: ast.expr = ast.Name(node.target.id, ast.Load())
        else:
            old = ast.Subscript(node.target.value, node.target.slice, ast.Load())
        return ast.copy_location(ast.Assign([node.target], ast.BinOp(old, node.op, node.value)), node)


def _modules() -> dict[str, SimpleNamespace]:
    """Return torch, math and the contract cut down to what the tables hold."""
    plain = {name: getattr(torch, name) for name in TORCH if "." not in name and hasattr(torch, name)}
    plain |= {name: getattr(torch, name) for name in DTYPES} | {"Tensor": Tensor}
    plain |= {name: getattr(math, name) for name in ("pi", "e", "inf", "nan")}
    rooms = {
        room: SimpleNamespace(**{
            name.removeprefix(f"{room}."): getattr(module, name.removeprefix(f"{room}."))
            for name in TORCH
            if name.startswith(f"{room}.")
        })
        for room, module in (("linalg", torch.linalg), ("special", torch.special),
                             ("nn.functional", torch.nn.functional))
    }  # fmt: skip
    nn = SimpleNamespace(functional=rooms["nn.functional"])
    top = SimpleNamespace(**plain, linalg=rooms["linalg"], special=rooms["special"], nn=nn)
    ready = {name: getattr(terms, name) for name in read_contract().ready_made}
    return {
        "torch": top,
        "torch.nn": nn,
        "torch.nn.functional": rooms["nn.functional"],
        "torch.linalg": rooms["linalg"],
        "torch.special": rooms["special"],
        "math": SimpleNamespace(**{name: getattr(math, name) for name in MATH}),
        "video2reward.sim.contract": SimpleNamespace(
            RewardState=contract.RewardState, Tensor=Tensor, term=contract.term
        ),
        "video2reward.sim.terms": SimpleNamespace(**ready),
    }
