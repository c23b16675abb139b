"""The payloads and the honest rewards of the suite, read from the text files beside this one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOM = Path(__file__).parent

HEAD = """import math
import torch
from video2reward.sim.contract import RewardState, Tensor, term
from video2reward.sim.terms import footfall_match, forward_progress, speed_tracking, action_rate

MOTION = {
    "gait": "trot",
    "speed_m_s": 1.0,
    "stride_frequency_hz": 2.0,
    "phase_offsets": (0.0, 0.5, 0.5, 0.0),
    "duty_factor": (0.5, 0.5, 0.5, 0.5),
}

"""
_WALK = {
    '"trot"': '"walk"',
    "(0.0, 0.5, 0.5, 0.0)": "(0.0, 0.5)",
    "(0.5, 0.5, 0.5, 0.5)": "(0.62, 0.62)",
    '"speed_m_s": 1.0': '"speed_m_s": 0.8',
    '"stride_frequency_hz": 2.0': '"stride_frequency_hz": 1.2',
}


@dataclass(frozen=True)
class Entry:
    """A reward of the catalogue: what it is called, what it is about, and its whole text."""

    name: str
    about: str
    source: str


def payloads() -> list[Entry]:
    """Return what a hostile author could write; the names in braces are still to be put in."""
    return _read(ROOM / "payloads.txt") + [Entry(name, "parser", text) for name, text in _generated().items()]


def honest() -> list[Entry]:
    """Return rewards as language models write them, for a trot of the Go1 (`go1`) or a walk of the G1 (`g1`)."""
    return _read(ROOM / "honest.txt")


def _read(path: Path) -> list[Entry]:
    found: list[Entry] = []
    for part in path.read_text(encoding="utf-8").split("\n== ")[1:]:
        first, _, code = part.partition("\n")
        name, about, *rest = [word.strip() for word in first.split("|")]
        head = HEAD
        for trot, walk in _WALK.items() if about == "g1" else ():
            head = head.replace(trot, walk)
        found.append(Entry(name, about, head + (code if rest else _term(code)) + "\n"))
    return found


def _term(code: str) -> str:
    body = "".join(f"    {line}\n" for line in code.splitlines())
    return f'@term(weight=1.0, serves="speed")\ndef probe(s: RewardState) -> Tensor:\n{body}'


def _generated() -> dict[str, str]:
    """Return texts that are only long: they go for the parser and for what walks its tree."""
    deep = {
        "deep brackets": "(" * 5_000 + "1" + ")" * 5_000,
        "deep lists": "[" * 190 + "]" * 190,
        "deep calls": "f(" * 150 + ")" * 150,
        "deep minus": "-" * 20_000 + "1",
        "deep not": "not " * 9_000 + "1",
        "long sum": "1" + "+1" * 15_000,
        "long attribute": "s" + ".T" * 15_000,
        "long subscript": "s" + "[0]" * 10_000,
        "long call": "f" + "()" * 15_000,
        "long power": "2" + "**2" * 10_000,
        "long comparison": "1" + "<1" * 15_000,
        "deep lambda": "lambda:" * 5_000 + "1",
        "deep conditional": "1 if 1 else " * 3_000 + "1",
        "long integer": "9" * 30_000,
        "long hexadecimal": "0x" + "f" * 30_000,
        "number without end": "1e999999999",
        "long text": "'" + "x" * 30_000 + "'",
        "unclosed text": "'''" + "\\'''" * 5_000,
        "deep f-string": "f'{" + "-" * 20_000 + "1}'",
        "nested f-string": 'f"{f\'{f"""{1}"""}\'}"',
        "long list": "[" + "0," * 15_000 + "]",
    }
    texts = {name: HEAD + _term(f"x = {text}\nreturn s.gait_phase") for name, text in deep.items()}
    texts["deep indentation"] = "def f():\n" + "".join(" " * (i + 1) + "if 1:\n" for i in range(99)) + " " * 100 + "1\n"
    texts["long elif"] = HEAD + _term("if 1:\n  pass\n" + "elif 1:\n  pass\n" * 1_500 + "return s.gait_phase")
    texts["null byte"] = HEAD + _term("return s.gait_phase\0")
    texts["byte order marks"] = "\ufeff\ufeff" + HEAD + _term("return s.gait_phase")
    texts["lone surrogate"] = HEAD + _term("return s.gait_phase  # '\\ud800'\nx = '\ud800'")
    texts["carriage returns"] = HEAD + _term("# harmless\r    import os\n    return s.gait_phase")
    texts["form feeds"] = HEAD + _term("x = 1\n\f\fimport os\nreturn s.gait_phase")
    texts["many terms"] = HEAD + "".join(
        f"@term(weight=1.0, serves='x')\ndef t{i}(s):\n    return s.gait_phase\n\n" for i in range(600)
    )
    names = "=".join(f"a{i}" for i in range(2_000))
    texts["names kept apart for many ways"] = HEAD + _term(
        f"{names}=0\nfor i in range(256):\n" + "  if s.step_s > 0:\n    pass\n" * 40 + "return s.gait_phase"
    )
    texts["near misses of names"] = HEAD + _term("\n".join(f"s.base_lin_vexb{i}" for i in range(900)))
    texts["unclosed text of quotes"] = HEAD + _term("x = '" + "\\'" * 18_000)
    texts["text that is turned round"] = HEAD + _term("# \u202e } return s.gait_phase \u2066\nreturn s.gait_phase")
    texts["text that a terminal obeys"] = HEAD + _term("# \x1b[2K\x1b[1A\nreturn s.gait_phase")
    texts["null byte in a comment"] = HEAD + _term("# quiet\0\nreturn s.gait_phase")
    marked = '@term(weight=1.0, serves="{}")\ndef {}(s: RewardState) -> Tensor:\n    return s.gait_phase\n'
    texts["a page in what it serves"] = HEAD + marked.format("x" * 5_000, "probe")
    texts["a page for a name"] = HEAD + marked.format("speed", "x" * 5_000)
    texts["too long"] = HEAD + "# filler\n" * 20_000
    texts["nothing"] = ""
    texts["no reward"] = "print"
    return texts
