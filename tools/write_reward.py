"""The second tool: turn an author's draft into a reward file, guard it, try it in a process of its own, and say so.

What a draft does wrong is a RewardProgram with the status `rejected` and a reason that an author can act on.
"""

from __future__ import annotations

import ast
import json
import keyword
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from video2reward.memory import runs
from video2reward.memory.errors import BadReward
from video2reward.memory.records import MotionTarget, RewardDraft, RewardProgram, RewardTerm, TrialReport
from video2reward.sim.config import RobotConfig, robot_config, robot_title
from video2reward.sim.guard_syntax import MAX_SERVES
from video2reward.sim.reward_text import parse, read_text, tree_of

if TYPE_CHECKING:
    from video2reward.sim.guard import Problem

_LINE = 116


def write_reward(draft: RewardDraft, target: MotionTarget, folder: Path, *, attempt: str) -> RewardProgram:
    """Write `reward.py`, `draft.json`, `target.json` and `program.json` into an attempt's folder.

    A folder that holds a program already keeps it, so that a second entry changes nothing.
    """
    if (folder / "program.json").exists():
        return runs.load(RewardProgram, folder / "program.json")
    folder.mkdir(parents=True, exist_ok=True)
    runs.save(target, folder / "target.json")
    runs.save(draft, folder / "draft.json")
    try:
        source = compose(draft, target)
        tried = examine(source, target)
    except BadReward as error:
        source, tried = _unusable(draft), TrialReport(problem=str(error))
    runs.write_atomic(folder / "reward.py", source)
    program = RewardProgram(
        id=attempt,
        path="reward.py",
        sha256=runs.sha256_of(folder / "reward.py"),
        terms={term.name: term.weight for term in draft.terms},
        serves={term.name: term.serves for term in draft.terms},
        author=draft.author,
        rationale=draft.rationale,
        parent=draft.parent,
        edits=draft.edits,
        status="rejected" if tried.problem else "ok",
        reason=tried.problem,
        remarks=tried.remarks,
    )
    runs.save(program, folder / "program.json")
    return program


def adopt_reward(path: Path, target: MotionTarget, folder: Path, *, attempt: str) -> RewardProgram:
    """Take a reward file that a person wrote into an attempt's folder, guarded and tried like any other."""
    terms = terms_of(path)
    folder.mkdir(parents=True, exist_ok=True)
    runs.save(target, folder / "target.json")
    source = read_text(path)
    runs.write_atomic(folder / "reward.py", source)
    tried = examine(source, target)
    program = RewardProgram(
        id=attempt,
        path="reward.py",
        sha256=runs.sha256_of(folder / "reward.py"),
        terms={name: weight for name, (weight, _) in terms.items()},
        serves={name: serves for name, (_, serves) in terms.items()},
        author="a person",
        rationale=f"written by hand: {path.name}",
        status="rejected" if tried.problem else "ok",
        reason=tried.problem,
        remarks=tried.remarks,
    )
    runs.save(program, folder / "program.json")
    return program


def compose(draft: RewardDraft, target: MotionTarget) -> str:
    """Write a draft as the text of a reward file. Raises BadReward where a term is no function body."""
    from video2reward.sim.contract import motion_literal

    library = _library_names()
    taken: set[str] = set()
    functions, used = [], set()
    for term in draft.terms:
        body = _checked_body(term)
        names = {node.id for node in ast.walk(tree_of(body)) if isinstance(node, ast.Name)}
        used |= names
        # A term may not bear the name of the ready-made function that it calls.
        name = f"{term.name}_term" if term.name in library or term.name in names else term.name
        if name in taken:
            raise BadReward(f"two terms are called {name}.")
        taken.add(name)
        functions.append(_function(term, name, body))
    head = [f'"""{_prose(_about(draft, target), width=_LINE)}\n"""', ""]
    head += [f"import {module}" for module in ("math", "torch") if module in used]
    head += ["from video2reward.sim.contract import RewardState, Tensor, term"]
    if chosen := sorted(used & library):
        head += (
            textwrap.wrap(f"from video2reward.sim.terms import {', '.join(chosen)}", _LINE)
            if (len(chosen) < 5)
            else ["from video2reward.sim.terms import (", *(f"    {name}," for name in chosen), ")"]
        )
    return "\n".join(head) + "\n\n" + motion_literal(target) + "\n\n" + "\n\n\n".join(functions) + "\n"


def contract_text() -> str:
    """Return the reward contract as the code states it, for an author that must be told."""
    from video2reward.sim import contract

    return contract.contract_text()


def allowed_text() -> str:
    """Return what the guard lets a term use, for an author that must be told."""
    from video2reward.sim import guard

    return guard.allowed_text()


def motion_text(target: MotionTarget) -> str:
    """Return a target as the `MOTION = {…}` of a reward file."""
    from video2reward.sim.contract import motion_literal

    return motion_literal(target)


def motion_of(reward: Path, robot: str) -> MotionTarget | None:
    """Return the motion that a reward file states, None where it states none. Raises BadReward."""
    from video2reward.sim import contract

    return contract.motion_of(reward, robot_config(robot))


def guard_problems(path: Path, robot: RobotConfig | None) -> list[Problem]:
    """Return what the guard refuses in a reward file. Raises BadReward where it cannot be read."""
    from video2reward.sim.guard import check_source

    return check_source(read_text(path), robot)


def term_names(wanted: Sequence[str]) -> list[str]:
    """Return names that terms can have, as near to the wanted ones as can be: words, no library's, none twice."""
    library = _library_names()
    taken, names = set(library), []
    for name in wanted:
        plain = re.sub(r"\W+", "_", name.strip(), flags=re.ASCII).strip("_").lower() or "term"
        plain = f"term_{plain}" if plain[0].isdigit() or keyword.iskeyword(plain) else plain
        plain = f"{plain}_term" if plain in library else plain
        choices = (plain if number == 1 else f"{plain}_{number}" for number in range(1, len(wanted) + 2))
        names.append(next(choice for choice in choices if choice not in taken))
        taken.add(names[-1])
    return names


def is_cost(body: str) -> bool:
    """Tell whether a body returns one of the ready-made costs as it is, which only a negative weight makes sense of."""
    from video2reward.sim import terms

    called = re.fullmatch(r"\s*return (\w+)\([^()]*(?:\([^()]*\)[^()]*)*\)\s*", body)
    function = vars(terms).get(called[1]) if called and called[1] in _library_names() else None
    return (getattr(function, "__doc__", "") or "").startswith(("Cost", "Count"))


def examine(source: str, target: MotionTarget) -> TrialReport:
    """Return what is wrong with a reward's text and what is remarkable: first the guard, here, then the trial.

    The trial calls every term on scripted states behind the operating system's layer; what a robot could earn without
    moving is refused there.
    """
    from video2reward.sim.guard import refuse_unsafe
    from video2reward.tools.trials import try_confined

    try:
        refuse_unsafe(source, "reward.py", robot_config(target.robot))
    except BadReward as error:
        return TrialReport(problem=str(error))
    return try_confined(source, target)


def _checked_body(term: RewardTerm) -> str:
    """Return a term's statements without their common indent, where they are one function's body and no more."""
    if not term.name.isidentifier() or keyword.iskeyword(term.name) or term.name.startswith("_"):
        raise BadReward(f"{term.name!r} is not a name for a term; use words_with_underscores.")
    body = textwrap.dedent(term.body.replace("\t", "    ")).strip("\n").rstrip()
    # One line above the body, so that its lines are counted from one.
    module = parse("def body(s):\n" + textwrap.indent(body, "    "), f"the body of {term.name}", first_line=0)
    function = module.body[0]
    if len(module.body) != 1 or not isinstance(function, ast.FunctionDef):
        raise BadReward(f"the body of {term.name} holds more than the statements of one function.")
    if not any(isinstance(node, ast.Return) and node.value is not None for node in ast.walk(function)):
        raise BadReward(f"the body of {term.name} returns nothing; end it with `return <tensor of (num_envs,)>`.")
    return body


def _function(term: RewardTerm, name: str, body: str) -> str:
    doc = _prose(term.doc or term.serves, width=_LINE - 8, indent="    ")
    serves = "".join(letter if letter.isprintable() else " " for letter in term.serves)[:MAX_SERVES]
    return (
        f"@term(weight={float(term.weight)!r}, serves={json.dumps(serves, ensure_ascii=False)})\n"
        f"def {name}(s: RewardState) -> Tensor:\n"
        f'    """{doc}"""\n{textwrap.indent(body, "    ")}'
    )


def _about(draft: RewardDraft, target: MotionTarget) -> str:
    lines = [f"A {target.gait} for {robot_title(target.robot)}, written by {draft.author}. {draft.rationale}"]
    if draft.parent:
        lines.append(f"Made from {draft.parent}: {' '.join(draft.edits) or 'unchanged.'}")
    return "\n\n".join(lines)


def _prose(text: str, *, width: int, indent: str = "") -> str:
    """Wrap foreign text so that it can stand between triple quotes and nowhere else."""
    harmless = text.replace("\\", "/").replace('"', "'")
    paragraphs = [" ".join(part.split()) for part in harmless.split("\n\n")]
    wrapped = ("\n".join(textwrap.wrap(part, width, subsequent_indent=indent)) for part in paragraphs)
    return ("\n\n" + indent).join(part for part in wrapped if part)


def _unusable(draft: RewardDraft) -> str:
    """Keep what was proposed where no file can be made of it, every line a comment, so that it can be read."""
    parts = [f"{term.name}, weight {term.weight}:\n{term.body}" for term in draft.terms]
    text = "This could not be written as a reward.\n\n" + "\n\n".join(parts)
    return "".join(f"# {line}\n" for line in text.splitlines())


def _library_names() -> set[str]:
    import inspect

    from video2reward.sim import terms

    return {
        name
        for name, value in vars(terms).items()
        if inspect.isfunction(value) and value.__module__ == terms.__name__ and not name.startswith("_")
    }


def terms_of(path: Path) -> dict[str, tuple[float, str]]:
    """Read (weight, serves) by term from a file's text, without running it. Raises BadReward."""
    tree = parse(read_text(path), path.name)
    found: dict[str, tuple[float, str]] = {}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "term":
                given = {item.arg: item.value for item in call.keywords}
                try:
                    weight, serves = ast.literal_eval(given["weight"]), ast.literal_eval(given["serves"])
                    found[node.name] = (float(weight), str(serves))
                    found[node.name][1].encode()
                except (KeyError, TypeError, ValueError, OverflowError):
                    raise BadReward(
                        f"{path.name} line {node.lineno}: @term takes a literal weight= and serves=."
                    ) from None
    if not found:
        raise BadReward(f"{path.name} holds no term.", "Mark each term's function with @term(weight=…, serves=…).")
    return found
