"""Reading the text of a reward file, whatever it is: size and depth are looked at before Python's own parser is.

The parser and everything behind it go down into nested code by recursion; text that nests too deeply would end in
errors of their own, or worse in another release of Python.
"""

from __future__ import annotations

import ast
import re
import threading
import warnings
from pathlib import Path

from video2reward.memory.errors import BadReward

MAX_CHARS = 40_000
MAX_DEPTH = 80
_MAX_RUN = 600
_TRIES = 5
_ONE_AT_A_TIME = threading.Lock()

_TOKEN = re.compile(
    r"""(?P<text>(?P<prefix>[A-Za-z]{0,2})(?:'''(?:\\.|[^\\])*?'''|\"\"\"(?:\\.|[^\\])*?\"\"\"
        |(?!''')'(?:\\.|[^'\\\n])*'|(?!\"\"\")"(?:\\.|[^"\\\n])*"))
    |(?P<unclosed>'''|\"\"\"|['"])|(?P<comment>\#[^\n]*)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<comma>,)
    |(?P<space>\\\n|[^\S\n]+)|(?P<line>\n)|(?P<word>\w+)|(?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
# What a terminal or an editor obeys instead of showing: a person who reads the file would read another.
_HIDDEN = re.compile("[\x01-\x08\x0b\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_COOKIE = re.compile(r"(?:[^\n]*\n)?[ \t\f]*#[^\n]*coding[:=](?![ \t]*utf-?8)", re.IGNORECASE)


def read_text(path: Path) -> str:
    """Return a reward file's text. Raises BadReward where it cannot be read as UTF-8 text of a sensible size."""
    try:
        with path.open("rb") as file:
            raw = file.read(4 * MAX_CHARS + 1)
    except FileNotFoundError:
        raise BadReward(f"{path} is not there.", "Name a reward file.") from None
    except OSError as error:
        raise BadReward(f"{path} cannot be read: {error.strerror or error}.") from None
    try:
        return raw.decode("utf-8") if len(raw) <= 4 * MAX_CHARS else " " * len(raw)
    except UnicodeDecodeError as error:
        raise BadReward(f"{path} cannot be read as text: {error}.", "Save it as UTF-8.") from None


def tree_of(text: str) -> ast.Module:
    """Return the syntax tree of Python text, in any thread. Raises what ast.parse raises.

    Before Python 3.11.8 and 3.12.2 (gh-106905) all threads count the depth of their trees on one counter, and end in a
    SystemError where the garbage collector lets another thread in between. So one of ours goes after the other; a
    library that parses in its own thread is only waited for, by trying again.
    """
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        # What Python only warns of, as of 1if x else y, is no fault of ours to print.
        warnings.simplefilter("ignore")
        for _ in range(_TRIES - 1):
            try:
                return ast.parse(text)
            except SystemError:
                continue
        return ast.parse(text)


def parse(text: str, name: str = "the reward", first_line: int = 1) -> ast.Module:
    """Return a reward's syntax tree. Raises BadReward for whatever is no Python or too much of it.

    `first_line` is what the text's first line is called in what is said.
    """
    if len(text) > MAX_CHARS:
        raise BadReward(f"{name} is too long: a reward file has at most {MAX_CHARS} characters.")
    if hidden := _HIDDEN.search(text):
        line = text.count("\n", 0, hidden.start()) + first_line
        raise BadReward(f"{name} line {line} holds the character U+{ord(hidden[0]):04X}, which hides what is written.")
    if _COOKIE.match(text):
        raise BadReward(f"{name} names an encoding of its own; it is read as UTF-8.")
    _scan(text, name)
    try:
        tree = tree_of(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = f" at line {line + first_line - 1}" if line else ""
        raise BadReward(f"{name} is not Python{where}: {getattr(error, 'msg', None) or error}.") from None
    except (RecursionError, MemoryError):
        raise _deep(name, None) from None
    level: list[tuple[ast.AST, int]] = [(tree, 1)]
    for depth in range(MAX_DEPTH + 1):
        if not level:
            return tree
        if depth == MAX_DEPTH:
            raise _deep(name, level[0][1])
        level = [
            (child, getattr(child, "lineno", line)) for node, line in level for child in ast.iter_child_nodes(node)
        ]
    return tree


def _scan(text: str, name: str) -> None:
    """Refuse text that could nest deeper than the parser bears, and formatted text, which is parsed by itself.

    Whatever stands between two commas or lines may nest in itself, and all that in the brackets around it; so the sum
    of words and signs since the last comma, over all open brackets, is never less than the depth of the syntax tree.
    """
    levels, total, line = [0], 0, 1
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "space" or kind == "comment":
            line += kind == "space" and token[0][0] == "\\"
            continue
        if kind == "word" or kind == "sign" or kind == "text":
            if kind == "text":
                if token["prefix"].lower() in ("f", "fr", "rf"):
                    raise BadReward(f"{name} line {line} formats text; a reward needs none.")
                line += token[0].count("\n")
            levels[-1] += 1
            total += 1
        elif kind == "unclosed":
            return  # the parser will say so: it sees nothing of what follows
        elif kind == "open":
            levels.append(1)
            total += 1
        elif kind == "close":
            if len(levels) > 1:
                total -= levels.pop()
            levels[-1] += 1
            total += 1
        elif kind == "comma":
            total -= levels[-1]
            levels[-1] = 0
        else:
            line += 1
            if len(levels) == 1:
                levels[0] = total = 0
        if total > _MAX_RUN or len(levels) > MAX_DEPTH:
            raise _deep(name, line)


def _deep(name: str, line: int | None) -> BadReward:
    where = f" line {line}" if line else ""
    return BadReward(f"{name}{where} nests too deeply: give parts of the expression names of their own.")
