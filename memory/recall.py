"""The memory: which rewards made something that moves like this? An index over run folders, by motion and by words.

Run folders are the truth. The index (chroma, embedded) can be deleted at any time; `runs.jsonl` beside it remembers
where the run folders are, and from them it is rebuilt. One process at a time owns the index, for as long as one call
lasts: embedded chroma is not made for several. With V2R_CHROMA_URL the index is a server's, which many may ask.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from video2reward.memory import runs
from video2reward.memory.errors import V2RError
from video2reward.memory.index import Index, opened, served
from video2reward.memory.motion import motion_point
from video2reward.memory.records import Attempt, GaitDescriptor, MotionTarget, Recollection
from video2reward.memory.words import HashingSpace, TextSpace

T = TypeVar("T")

_OWNER_WAIT_S = 10.0


def memory_home() -> Path:
    """Return the folder of the memory: $V2R_HOME, else video2reward in the user's data folder."""
    if home := os.environ.get("V2R_HOME"):
        return Path(home).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "video2reward"


class Memory:
    """Remembers attempts, finds those nearest in motion or words. It is never the reason for a run to fail."""

    def __init__(self, home: Path | None = None, *, space: TextSpace | None = None, url: str | None = None) -> None:
        self.home = home or memory_home()
        self.space = space or HashingSpace()
        self.url = url or os.environ.get("V2R_CHROMA_URL") or None
        self.trouble: list[str] = []

    def remember(self, attempt: Attempt, folder: Path) -> None:
        """Index one attempt; an attempt that is known already is brought up to date."""
        run = folder.resolve().parent.parent

        def add(index: Index) -> None:
            index.add([(attempt, folder.resolve())])

        self._note_run(run)
        self._with_index(add, None)

    def recall(self, motion: MotionTarget | GaitDescriptor, robot: str | None = None, k: int = 5) -> list[Recollection]:
        """Return the `k` nearest remembered attempts, one per run, nearest first; the better of equals first."""
        wanted = motion_point(motion)
        found: list[Recollection] = self._with_index(lambda index: index.nearest(wanted, robot, k), [])
        return found

    def recall_words(self, text: str, robot: str | None = None, k: int = 5) -> list[Recollection]:
        """Return the `k` remembered attempts that the words fit best, one per run."""

        def find(index: Index) -> list[Recollection]:
            if not index.has_words():  # another space than before: its collection is filled from the run folders
                index.add_words(list(self._known_attempts()))
            return index.by_words(text, robot, k)

        found: list[Recollection] = self._with_index(find, [])
        return found

    def rebuild(self, *more: Path) -> int:
        """Make the index anew from the run folders that are known and from `more`; return its number of attempts."""
        for run in more:
            self._note_run(run.resolve())

        def refill(index: Index) -> int:
            if not index.new:  # a server's index has no folder that could have been removed
                index.clear()
                self._refill(index)
            return index.count()

        if not self.url:
            shutil.rmtree(self.home / "index", ignore_errors=True)
        return self._with_index(refill, 0)

    def counts(self) -> dict[str, int]:
        """Return the number of entries by collection."""
        none: dict[str, int] = {}
        return self._with_index(lambda index: index.counts(), none)

    def known_runs(self) -> list[Path]:
        """Return the run folders that were ever remembered from and are still there."""
        try:
            lines = (self.home / "runs.jsonl").read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        paths = []
        for line in lines:
            try:
                paths.append(Path(json.loads(line)["run"]))
            except (KeyError, TypeError, ValueError):
                continue
        return [path for path in dict.fromkeys(paths) if path.is_dir()]

    def _note_run(self, run: Path) -> None:
        if run in self.known_runs():
            return
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            with (self.home / "runs.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps({"run": str(run)}) + "\n")
        except OSError as error:
            self.trouble.append(f"the memory at {self.home} cannot be written: {error.strerror}.")

    def _with_index(self, use: Callable[[Index], T], otherwise: T) -> T:
        """Open the index, use it, close it. A damaged one of our own is thrown away and rebuilt, once."""
        if self.url:
            try:
                with served(self.url, self.space) as index:
                    return self._used(index, use)
            except Exception as error:  # whatever a server does, a run goes on
                said = error if isinstance(error, V2RError) else f"{type(error).__name__}: {error}"
                self.trouble.append(f"the memory server could not be used: {said}")
            return otherwise
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            with _owner(self.home):
                for damaged in (False, True):
                    try:
                        with opened(self._generation(fresh=damaged), self.space) as index:
                            return self._used(index, use)
                    except (KeyboardInterrupt, SystemExit):
                        raise
                    except BaseException as error:  # chroma's core panics with exceptions that are no Exception
                        self.trouble.append(f"the index was unusable ({type(error).__name__}: {error}).")
        except (OSError, TimeoutError) as error:
            self.trouble.append(f"the memory at {self.home} cannot be used: {error}.")
        return otherwise

    def _used(self, index: Index, use: Callable[[Index], T]) -> T:
        if index.new:
            self._refill(index)
        given = use(index)
        self.trouble += index.trouble
        return given

    def _generation(self, *, fresh: bool) -> Path:
        """Return the folder of the index. A fresh one bears a new name: chroma keeps open what it had open."""
        folder = self.home / "index"
        kept = sorted(folder.glob("*")) if folder.is_dir() else []
        if kept and not fresh:
            return kept[-1]
        for old in kept:
            shutil.rmtree(old, ignore_errors=True)
        new = folder / f"{time.time_ns():020d}"
        new.mkdir(parents=True)
        return new

    def _refill(self, index: Index) -> None:
        index.add(list(self._known_attempts()))

    def _known_attempts(self) -> Iterator[tuple[Attempt, Path]]:
        for run in self.known_runs():
            for attempt in runs.attempts(run):
                yield attempt, (run / "attempts" / attempt.id).resolve()


@contextmanager
def _owner(home: Path) -> Iterator[None]:
    """Own the index for a moment; wait for another owner, but not for ever."""
    with (home / "index.lock").open("a") as file:
        deadline = time.monotonic() + _OWNER_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process has held it for {_OWNER_WAIT_S:.0f} s") from None
                time.sleep(0.05)
        yield
