"""The guard: what a reward file may hold, found out without running it. What is not known to be harmless is refused.

First every node of the syntax tree, reached or not, is held against an allow-list; then the dry run follows what would
be run, with every loop as long and every tensor as large as it gets. What passed is run as the tree that was looked
at, with no import, no builtins and no part of torch but those in the tables. The guard is the first of four layers
and not a boundary by itself: the trial, the operating system and the watchdog follow.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from video2reward.memory.errors import BadReward
from video2reward.sim.config import ROBOTS, RobotConfig
from video2reward.sim.dry.calls import BUILTINS, CONTRACT, MATH, TYPING, read_contract
from video2reward.sim.dry.run import DryRun, RefusedAt
from video2reward.sim.dry.torch_table import METHODS, TORCH
from video2reward.sim.guard_syntax import syntax_problems
from video2reward.sim.reward_text import parse, read_text

if TYPE_CHECKING:
    from video2reward.sim.contract import Term


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
    plain = sorted(TORCH - {name for name in TORCH if "." in name})
    return (
        "A body may use assignments and += on its own names, `if` on numbers, `for` over at most 256 turns, lambda, "
        "comparisons, arithmetic, indexing and comprehensions; no while, try, class, f-string, star or in-place "
        "method, and no `if` on a tensor: write torch.where.\n"
        f"torch: {' '.join(plain)}; {' '.join(sorted(TORCH - set(plain)))}.\n"
        f"Methods and attributes of a tensor: {' '.join(sorted(METHODS))} shape T ndim dtype device.\n"
        f"math: {' '.join(MATH)}.\nBuilt-in: {' '.join(BUILTINS)}."
    )


def check_source(source: str, robot: RobotConfig | None = None) -> list[Problem]:
    """Return all that is refused in a reward's source; an empty list where nothing is.

    Without a robot, the reward must be harmless on all there are and fit one of them.
    """
    try:
        return _check(parse(source), robot)
    except BadReward as error:
        return [Problem(_line_in(str(error)), "text", str(error))]


def refuse_unsafe(text: str, name: str, robot: RobotConfig | None = None) -> None:
    """Raise BadReward with the guard's findings where a reward's text is not harmless."""
    _checked_tree(text, name, robot)


def load_guarded(path: Path, robot: RobotConfig | None = None) -> tuple[Term, ...]:
    """Refuse what the guard refuses, then run what was looked at, and return its terms."""
    return load_guarded_text(read_text(path), path.name, robot)


def load_guarded_text(text: str, name: str, robot: RobotConfig | None = None) -> tuple[Term, ...]:
    """Do the same with a reward's text."""
    from video2reward.sim.contract import run_reward
    from video2reward.sim.guard_names import allowed_names, ready_to_run

    tree = _checked_tree(text, name, robot)
    names = allowed_names(tree)
    return run_reward(compile(ready_to_run(tree), name, "exec"), names, name)


def _checked_tree(text: str, name: str, robot: RobotConfig | None) -> ast.Module:
    tree = parse(text, name)
    if problems := _check(tree, robot):
        shown = "; ".join(str(problem) for problem in problems[:3])
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise BadReward(f"the guard refuses {name}: {shown}{more}.")
    return tree


def _check(tree: ast.Module, robot: RobotConfig | None) -> list[Problem]:
    try:
        problems = [Problem(*found) for found in syntax_problems(tree, (*BUILTINS, *CONTRACT, *TYPING))]
        if not problems:
            problems = [Problem(found.line, found.construct, found.cure) for found in _followed(tree, robot)]
    except RecursionError:
        return [Problem(1, "depth", "calls and expressions go too deep; write fewer helpers that call helpers")]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # What cannot be followed is not known to be harmless.
        return [Problem(1, "this reward", f"it cannot be followed ({type(error).__name__}); write it more plainly")]
    return sorted(problems, key=lambda problem: problem.line)


def _followed(tree: ast.Module, robot: RobotConfig | None) -> list[RefusedAt]:
    """Follow the reward on the robot, or on all of them; what it does wrong on only some of those is no danger."""
    terms = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    shapes = {(one.num_joints, one.num_feet) for one in ([robot] if robot else ROBOTS.values())}
    findings = [list(DryRun(tree, read_contract(), *shape).follow(terms)) for shape in sorted(shapes)]
    refused = [finding for found in findings for finding in found if not finding.ends]
    if refused:
        return list({(finding.line, finding.construct): finding for finding in refused}.values())
    return min(findings, key=len)


def _line_in(text: str) -> int:
    words = text.replace(":", " ").split()
    return next(
        (int(after) for word, after in zip(words, words[1:], strict=False) if word == "line" and after.isdigit()), 1
    )
