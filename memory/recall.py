"""The memory: which rewards made something that moves like this? An index over run folders, by motion.

Run folders are the truth. The index (chroma, embedded) can be deleted at any time; `runs.jsonl` beside it remembers
where the run folders are, and from them it is rebuilt. One process at a time owns the index, for as long as one call
lasts: embedded chroma is not made for several.
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
from typing import Any, TypeVar

import numpy as np
from video2reward.memory import runs
from video2reward.memory.motion import NEAR, VERSION, MotionPoint, distance, explain, motion_point
from video2reward.memory.records import Attempt, GaitDescriptor, MotionTarget, Recollection

T = TypeVar("T")

_OVERFETCH = 8
# Set when a collection is made: chroma takes no change of them afterwards. Wide enough for exact neighbours to be among
# the candidates of 100 000 attempts; the ranking itself is exact.
_HNSW = {"space": "l2", "ef_construction": 200, "ef_search": 400, "max_neighbors": 48}
_OWNER_WAIT_S = 10.0
_BATCH = 2000


def memory_home() -> Path:
    """Return the folder of the memory: $V2R_HOME, else video2reward in the user's data folder."""
    if home := os.environ.get("V2R_HOME"):
        return Path(home).expanduser()
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "video2reward"


class Memory:
    """Remembers attempts and finds those that are nearest in motion. It is never the reason for a run to fail."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or memory_home()
        self.trouble: list[str] = []

    def remember(self, attempt: Attempt, folder: Path) -> None:
        """Index one attempt; an attempt that is known already is brought up to date."""
        run = folder.resolve().parent.parent

        def add(index: _Index) -> None:
            index.add([(attempt, folder.resolve())])

        self._note_run(run)
        self._with_index(add, None)

    def recall(self, motion: MotionTarget | GaitDescriptor, robot: str | None = None, k: int = 5) -> list[Recollection]:
        """Return the `k` nearest remembered attempts, one per run, nearest first; the better of equals first."""
        wanted = motion_point(motion)
        found: list[Recollection] = self._with_index(lambda index: index.nearest(wanted, robot, k), [])
        return found

    def rebuild(self, *more: Path) -> int:
        """Make the index anew from the run folders that are known and from `more`; return its number of attempts."""
        for run in more:
            self._note_run(run.resolve())

        def refill(index: _Index) -> int:
            return index.count()

        shutil.rmtree(self.home / "index", ignore_errors=True)
        return self._with_index(refill, 0)

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

    def _with_index(self, use: Callable[[_Index], T], otherwise: T) -> T:
        """Open the index, use it, close it. A damaged one is thrown away and rebuilt, once."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            with _owner(self.home):
                for damaged in (False, True):
                    try:
                        with _opened(self._generation(fresh=damaged)) as index:
                            if index.new:
                                self._refill(index)
                            return use(index)
                    except (KeyboardInterrupt, SystemExit):
                        raise
                    except BaseException as error:  # chroma's core panics with exceptions that are no Exception
                        self.trouble.append(f"the index was unusable ({type(error).__name__}: {error}).")
        except (OSError, TimeoutError) as error:
            self.trouble.append(f"the memory at {self.home} cannot be used: {error}.")
        return otherwise

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

    def _refill(self, index: _Index) -> None:
        for run in self.known_runs():
            index.add([(attempt, (run / "attempts" / attempt.id).resolve()) for attempt in runs.attempts(run)])


class _Index:
    """One open chroma client."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.new = not client.list_collections()

    def add(self, items: list[tuple[Attempt, Path]]) -> None:
        by_kind: dict[str, list[tuple[str, MotionPoint, dict[str, Any]]]] = {}
        for attempt, folder in items:
            point = motion_point(attempt.target)
            by_kind.setdefault(point.kind, []).append((str(folder), point, _metadata(attempt, folder, point)))
        for kind, rows in by_kind.items():
            collection = self._collection(kind)
            for start in range(0, len(rows), _BATCH):
                part = rows[start : start + _BATCH]
                collection.upsert(
                    ids=[row[0] for row in part],
                    embeddings=np.stack([row[1].vector for row in part]),
                    metadatas=[row[2] for row in part],
                )

    def nearest(self, wanted: MotionPoint, robot: str | None, k: int) -> list[Recollection]:
        collection = self._collection(wanted.kind)
        total = collection.count()
        if not total or k < 1:
            return []
        fetch, hits = min(total, max(_OVERFETCH * k, 64)), list[Recollection]()
        while True:
            found = collection.query(
                query_embeddings=wanted.vector[None],
                n_results=fetch,
                where={"robot": robot} if robot else None,
                include=["metadatas", "embeddings"],
            )
            hits = _ranked(wanted, found["metadatas"][0], found["embeddings"][0])
            # One run may fill the whole answer with its attempts; then more is fetched.
            if len(hits) >= k or fetch >= total or len(found["ids"][0]) < fetch:
                return hits[:k]
            fetch = min(total, fetch * 4)

    def count(self) -> int:
        return sum(self._collection(kind).count() for kind in ("quadruped", "biped"))

    def _collection(self, kind: str) -> Any:
        return self._client.get_or_create_collection(
            f"motions-{kind}-v{VERSION}", embedding_function=None, configuration={"hnsw": _HNSW}
        )


def _ranked(wanted: MotionPoint, metadatas: list[dict[str, Any]], vectors: Any) -> list[Recollection]:
    """Rank hits exactly, drop those whose folder is gone, and keep the best of each run."""
    rows = [
        (distance(wanted, np.asarray(vector, dtype=np.float32), data["gait"]), data)
        for data, vector in zip(metadatas, vectors, strict=True)
    ]
    rows.sort(key=lambda row: (round(row[0], 3), not row[1]["passed"], -row[1]["gsi"], row[1]["id"]))
    hits: list[Recollection] = []
    seen: set[str] = set()
    for far, data in rows:
        folder = Path(data["folder"])
        if data["run"] in seen or not (folder / "reward.py").is_file():
            continue
        seen.add(data["run"])
        sentence = explain(
            wanted, data["gait"], data["stride_frequency"], data["froude"], far, data["passed"], data["gsi"]
        )
        hits.append(
            Recollection(
                attempt=data["id"],
                robot=data["robot"],
                gait=data["gait"],
                distance=round(far, 4),
                near=far <= NEAR,
                passed=data["passed"],
                gsi=data["gsi"],
                folder=folder,
                sentence=sentence,
            )
        )
    return hits


def _metadata(attempt: Attempt, folder: Path, point: MotionPoint) -> dict[str, Any]:
    run = folder.parent.parent
    return {
        "id": f"{run.name}/{attempt.id}",
        "run": str(run),
        "folder": str(folder),
        "robot": attempt.target.robot,
        "gait": attempt.target.gait,
        "stride_frequency": point.stride_frequency,
        "froude": point.froude,
        "passed": attempt.passed,
        "gsi": attempt.gsi,
    }


@contextmanager
def _opened(folder: Path) -> Iterator[_Index]:
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    try:
        yield _Index(client)
    finally:
        client.close()


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
