"""Damaged reward files by the thousand: none may crash, hang or eat the memory of who reads them.

`python -m video2reward.evals.fuzz_rewards [--seconds 60] [--seed 0]`. The escape suite's payloads and honest rewards
are cut, spliced, doubled, nested and sprinkled with signs, and read by everything that reads a reward file: the guard,
the motion, the terms' weights, and, where the guard lets one through, the compiler. Nothing of it is run. Right is a
list of problems or a refusal in the project's own words (V2RError); all else counts. Input K of a seed is always the
same.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from video2reward.memory.errors import V2RError

LEAST_INPUTS = 20_000
MAX_SECONDS = 5.0
MAX_MEMORY_MB = 1_000
_SPRINKLES = (
    "(", ")", "[", "]", "{", "}", ":", ",", ".", "=", "+=", "**", "//", "@", "->", ":=", "\\", "\n", "\n    ", "\t",
    "'", '"', '"""', "'''", "#", "f'{", "}'", "lambda: ", "not ", "-", "~", "*", "await ", "yield ", "in ", "is ",
    " if 1 else ", "for x in ", "\0", "\ufeff", "\r", "\f", "\u2028", "ℯ", "０", "_", "__class__", "1e999", "0x", "1_0",
    "9" * 400, "99999999999999999999", "MOTION", "s", "torch", "None", "...", "nan", "(" * 30, "[0" * 25, "x" * 900,
)  # fmt: skip


def mutated(corpus: list[str], seed: int, index: int) -> str:
    """Return input `index` of a seed."""
    pick = random.Random(f"{seed}/{index}")
    text = pick.choice(corpus)
    for _ in range(pick.choice((1, 1, 2, 3, 6))):
        text = _MUTATIONS[pick.randrange(len(_MUTATIONS))](text, corpus, pick)
    return text


def _spot(text: str, pick: random.Random) -> int:
    return pick.randrange(len(text) + 1)


def _sprinkle(text: str, corpus: list[str], pick: random.Random) -> str:
    at = _spot(text, pick)
    return text[:at] + pick.choice(_SPRINKLES) * pick.choice((1, 1, 1, 2, 40)) + text[at:]


def _cut(text: str, corpus: list[str], pick: random.Random) -> str:
    start, end = sorted((_spot(text, pick), _spot(text, pick)))
    return text[:start] + text[end:]


def _splice(text: str, corpus: list[str], pick: random.Random) -> str:
    other = pick.choice(corpus)
    return text[: _spot(text, pick)] + other[_spot(other, pick) :]


def _line_of_another(text: str, corpus: list[str], pick: random.Random) -> str:
    lines, others = text.split("\n"), pick.choice(corpus).split("\n")
    lines.insert(pick.randrange(len(lines) + 1), pick.choice(others))
    return "\n".join(lines)


def _double(text: str, corpus: list[str], pick: random.Random) -> str:
    start, end = sorted((_spot(text, pick), _spot(text, pick)))
    return text[:end] + text[start:end][:2_000] * pick.choice((1, 2, 9)) + text[end:]


def _swap_letter(text: str, corpus: list[str], pick: random.Random) -> str:
    at = _spot(text, pick)
    return text[:at] + chr(pick.choice((pick.randrange(128), pick.randrange(0xD7FF)))) + text[at + 1 :]


def _swap_words(text: str, corpus: list[str], pick: random.Random) -> str:
    words = text.split(" ")
    one, other = pick.randrange(len(words)), pick.randrange(len(words))
    words[one], words[other] = words[other], words[one]
    return " ".join(words)


def _nest(text: str, corpus: list[str], pick: random.Random) -> str:
    start, end = sorted((_spot(text, pick), _spot(text, pick)))
    opening, closing = pick.choice((("(", ")"), ("[", "]"), ("abs(", ")"), ("{0:", "}"), ("-", ""), ("x[", "]")))
    times = pick.choice((1, 5, 60, 300))
    return text[:start] + opening * times + text[start:end] + closing * times + text[end:]


_MUTATIONS = (_sprinkle, _sprinkle, _cut, _splice, _line_of_another, _double, _swap_letter, _swap_words, _nest)


def read_by_all(text: str, path: Path) -> bool:
    """Read a text as everything that reads reward files does; return whether the guard let it through.

    Raises whatever one of them raises besides a V2RError.
    """
    from video2reward.sim.config import GO1
    from video2reward.sim.contract import motion_of
    from video2reward.sim.guard import check_source
    from video2reward.sim.guard_names import allowed_names, ready_to_run
    from video2reward.sim.reward_text import parse
    from video2reward.tools.write_reward import terms_of

    path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
    for read in (lambda: motion_of(path, GO1), lambda: terms_of(path)):
        try:
            read()
        except V2RError:
            continue
    if check_source(text):
        return False
    tree = parse(text)
    allowed_names(tree)
    compile(ready_to_run(tree), "reward.py", "exec")
    return True


def _child(corpus: list[str], seed: int, first: int, seconds: float, tell: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="v2r-fuzz-") as folder:
        path, index = Path(folder) / "reward.py", first
        while time.monotonic() < deadline:
            tell.send(("reads", index))
            try:
                passed = read_by_all(mutated(corpus, seed, index), path)
            except BaseException:  # whatever it is, it is what is looked for
                tell.send(("raised", traceback.format_exc(limit=-6)))
                return
            tell.send(("passed" if passed else "refused", index))
            index += 1
    tell.send(("ended", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024))


def fuzz(seconds: float, seed: int, say=print) -> dict[str, int]:
    """Read mutated rewards for so many seconds; return what was counted."""
    from video2reward.evals.escapes.catalogue import honest, payloads

    corpus = [entry.source[:8_000] for entry in (*honest(), *payloads())]
    count = {"inputs": 0, "passed": 0, "refused": 0, "crashed": 0, "hung": 0, "raised": 0, "peak_mb": 0}
    context = multiprocessing.get_context("spawn")
    started, index = time.monotonic(), 0
    while (left := seconds - (time.monotonic() - started)) > 0:
        hear, tell = context.Pipe(duplex=False)
        child = context.Process(target=_child, args=(corpus, seed, index, left, tell))
        child.start()
        tell.close()
        what = ""
        while what not in ("ended", "raised"):
            # The first answer waits for the imports.
            if not hear.poll(MAX_SECONDS if what else 60.0):
                count["hung"] += 1
                say(f"input {index} of seed {seed} was still read after {MAX_SECONDS:.0f} s")
                break
            try:
                what, said = hear.recv()
            except EOFError:
                count["crashed"] += 1
                say(f"input {index} of seed {seed} ended the process")
                break
            if what == "reads":
                index = said
            elif what == "ended":
                count["peak_mb"] = max(count["peak_mb"], said)
                index += 1
            else:
                count["inputs"] += 1
                count[what] += 1
                if what == "raised":
                    say(f"input {index} of seed {seed}:\n{said}")
        child.kill()
        child.join()
        index += 1
    return count


def main(argv: list[str] | None = None) -> int:
    """Fuzz, print what was counted; exit 0 where enough was read and all of it well."""
    parser = argparse.ArgumentParser(prog="python -m video2reward.evals.fuzz_rewards", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    count = fuzz(arguments.seconds, arguments.seed)
    print(
        f"{count['inputs']} damaged rewards read in {arguments.seconds:.0f} s: {count['refused']} refused, "
        f"{count['passed']} let through and compiled; {count['crashed']} crashes, {count['hung']} hangs over "
        f"{MAX_SECONDS:.0f} s, {count['raised']} exceptions that are not ours; peak memory {count['peak_mb']} MB "
        f"(asked for: {LEAST_INPUTS} inputs or 60 s, under {MAX_MEMORY_MB} MB; load {os.getloadavg()[0]:.1f})"
    )
    bad = count["crashed"] + count["hung"] + count["raised"]
    enough = count["inputs"] >= LEAST_INPUTS or arguments.seconds >= 60.0
    return 0 if enough and not bad and count["peak_mb"] < MAX_MEMORY_MB else 1


if __name__ == "__main__":
    sys.exit(main())
