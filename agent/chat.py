"""`video2reward chat`: talk to the agent. A language model understands anything; without one a small grammar does.

The conversation is kept from session to session. Ctrl-C stops what is being said, never a run: runs live in processes
of their own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.markup import escape
from video2reward.agent.about import known_robots
from video2reward.agent.desk import Desk
from video2reward.agent.grammar import CAN_DO, Intent, read
from video2reward.memory.errors import V2RError
from video2reward.memory.records import Steering

_REMEMBERED_TURNS = 20


class Brain(Protocol):
    """Whoever understands what is said."""

    name: str

    def answer(self, text: str, history: Sequence[tuple[str, str]]) -> Iterator[str]:
        """Yield the answer part by part. Raises V2RError; what was not understood sets `understood` to False."""
        ...

    understood: bool


class GrammarBrain:
    """Understands fixed intents; says what it does not understand and what it can do."""

    name = "offline"

    def __init__(self, desk: Desk) -> None:
        self.desk, self.understood, self._told = desk, True, False

    def answer(self, text: str, history: Sequence[tuple[str, str]]) -> Iterator[str]:
        intent = read(text, known_robots())
        self.understood = intent.kind != "unknown"
        if intent.kind == "unknown":
            yield from self._lost(intent)
            return
        yield from self._do(intent)
        if intent.unread:
            self.understood = False
            yield "\nI did not understand: " + "; ".join(repr(part) for part in intent.unread) + "."

    def _do(self, intent: Intent) -> Iterator[str]:
        desk, clip = self.desk, intent.clips[0] if intent.clips else None
        which = intent.tries[0] if intent.tries else None
        robot = intent.robots[0] if intent.robots else None
        run = desk.use(intent.run) if intent.run else None
        if intent.kind == "start":
            yield desk.start(
                clip, robot=robot, keypoints=intent.keypoints, minutes=intent.minutes, usd=intent.usd,
                steering=intent.steering,
            )  # fmt: skip
        elif intent.kind == "overnight":
            yield desk.overnight(intent.clips, intent.folders, robots=intent.robots, until=intent.until, usd=intent.usd)
        elif intent.kind == "recall":
            yield desk.recall(clip, intent.keypoints, robot)
        elif intent.kind == "describe":
            yield desk.describe(clip, intent.keypoints)
        elif intent.kind == "steer":
            wish = intent.steering or Steering(said=intent.said)
            yield desk.steer(wish, run, speed_m_s=intent.speed_m_s)
        elif intent.kind == "explain":
            yield desk.explain(which)
        elif intent.kind == "show":
            yield desk.show(which or "best")
        elif intent.kind == "compare":
            first, second = (*intent.tries, 1, 2)[:2] if len(intent.tries) != 1 else (intent.tries[0], "best")
            yield desk.compare(first, second)
        elif intent.kind == "watch":
            for line in desk.watch():
                yield line + "\n"
        elif intent.kind == "help":
            yield _what_i_can_do()
        elif intent.kind == "thanks":
            yield "Say `status`, or what shall be different; `help` lists what I can do."
        elif intent.kind == "use":
            yield desk.status(run)
        else:
            actions = {"status": desk.status, "stop": desk.stop, "go_on": desk.go_on, "list": desk.listing}
            yield actions[intent.kind]()

    def _lost(self, intent: Intent) -> Iterator[str]:
        part = "; ".join(repr(text) for text in intent.unread)
        # All of it once is help, and all of it each time is noise.
        can = "`help` says what I can do." if self._told else _what_i_can_do()
        yield f"I do not understand {part or 'that'}. {can}"
        self._told = True


class History:
    """What was said, kept in a file; a line that was cut by a crash is passed over."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, who: str, text: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"time": round(time.time(), 1), "who": who, "text": text}) + "\n")

    def turns(self) -> list[tuple[str, str]]:
        """Return the last turns as (who, text), the oldest first."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        found = []
        for line in lines[-4 * _REMEMBERED_TURNS :]:
            try:
                turn = json.loads(line)
                found.append((str(turn["who"]), str(turn["text"])))
            except (ValueError, KeyError, TypeError):
                continue
        return found[-_REMEMBERED_TURNS:]


class Chat:
    """The terminal's side of a conversation."""

    def __init__(self, brain: Brain, history: History, console: Console) -> None:
        self.brain, self.history, self.console = brain, history, console

    def say(self, text: str) -> bool:
        """Answer one message, printing as it comes; return whether it was understood and could be done."""
        before = self.history.turns()
        self.history.add("you", text)
        said: list[str] = []
        fine = True
        try:
            for part in self.brain.answer(text, before):
                said.append(part)
                self._print(part)
            fine = self.brain.understood
        except KeyboardInterrupt:
            said.append(" (interrupted; what runs goes on)")
            self._print(said[-1])
        except (V2RError, OSError) as error:  # a run's files may vanish while they are read
            said.append(f"That cannot be done: {error}")
            self._print(said[-1])
            fine = False
        self._print("\n")
        self.history.add("agent", "".join(said).strip())
        return fine

    def talk(self) -> None:
        """Read messages until the end of input or `bye`."""
        import readline  # noqa: F401  (gives input() its line editing)

        self.console.print(f"video2reward chat ({escape(self.brain.name)}). `help` says what I can do, `bye` ends.")
        while True:
            try:
                text = input("> ").strip()
            except EOFError:
                break
            except KeyboardInterrupt:
                self.console.print()
                continue
            if text.lower() in ("bye", "exit", "quit"):
                break
            if text:
                self.say(text)
        if spent := getattr(self.brain, "spent", ""):
            self._print(f"This conversation has used {spent}.\n")

    def _print(self, text: str) -> None:
        self.console.print(text, end="", markup=False, highlight=False, soft_wrap=True)
        self.console.file.flush()


def asker(always: bool, console: Console) -> Callable[[str], bool]:
    """Return how a question before a cost is put: to the person at the terminal; without one the answer is no."""

    def ask(question: str) -> bool:
        if always:
            console.print(f"{question} yes (--yes)", markup=False, soft_wrap=True)
            return True
        if not sys.stdin.isatty():
            console.print(f"{question} Nobody is here to ask; give --yes to allow it.", markup=False, soft_wrap=True)
            return False
        try:
            return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            return False

    return ask


def _what_i_can_do() -> str:
    return "I can:\n" + "\n".join(f"- {line}" for line in CAN_DO)
