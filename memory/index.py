"""The index over remembered attempts: chroma collections of motions and of words, over-fetched and ranked exactly.

Embedded (a folder) it has one owner at a time; behind a URL (`chroma run`, for teams) the server looks after that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from video2reward.memory import runs
from video2reward.memory.errors import BadInput, MissingPart, V2RError
from video2reward.memory.motion import NEAR, VERSION, MotionPoint, distance, explain, motion_point
from video2reward.memory.records import Attempt, Recollection, RunRequest
from video2reward.memory.words import TextSpace, checked, words_of

_OVERFETCH = 4
_KEPT = 2
_LEAST_FETCHED = 64
# Set when a collection is made: chroma takes no change of them afterwards. Wide enough for exact neighbours to be among
# the candidates of 100 000 attempts; the ranking itself is exact.
HNSW = {"space": "l2", "ef_construction": 200, "ef_search": 400, "max_neighbors": 48}
_BATCH = 2000
# Of the points' space, and of how entries are laid out: what was laid out otherwise is filled anew.
_LAYOUT = f"-v{VERSION}.2"


@dataclass(frozen=True)
class Candidate:
    """One entry as the exact ranking sees it."""

    distance: float
    data: dict[str, Any]


class Index:
    """One open chroma client."""

    def __init__(self, client: Any, space: TextSpace) -> None:
        self._client, self._space = client, space
        self._open: dict[str, Any] = {}
        self.new = not [name for name in self._names() if name.startswith("motions-") and name.endswith(_LAYOUT)]
        self.trouble: list[str] = []

    def add(self, items: Sequence[tuple[Attempt, Path]]) -> None:
        """Add attempts with their folders; one that is there already is brought up to date."""
        by_kind: dict[str, list[tuple[str, MotionPoint, dict[str, Any]]]] = {}
        for attempt, folder in items:
            point = motion_point(attempt.target)
            by_kind.setdefault(point.kind, []).append((str(folder), point, metadata(attempt, folder, point)))
        for kind, rows in by_kind.items():
            self.add_points(kind, rows)
        if items:
            self._add_words(items)

    def add_points(self, kind: str, rows: Sequence[tuple[str, MotionPoint, dict[str, Any]]]) -> None:
        collection = self._motions(kind)
        for start in range(0, len(rows), _BATCH):
            part = rows[start : start + _BATCH]
            collection.upsert(
                ids=[f"{row[1].gait}:{row[0]}" for row in part],
                embeddings=np.stack([row[1].vector for row in part]),
                metadatas=[row[2] for row in part],
            )

    def nearest(self, wanted: MotionPoint, robot: str | None, k: int) -> list[Recollection]:
        """Return the `k` nearest attempts whose folders are there, the best of each run, nearest first."""
        if k < 1:
            return []
        keep = _KEPT * k
        while True:
            found = self.candidates(wanted, robot, keep)
            hits = _one_of_each_run(wanted, found)
            # One run may fill the whole answer with its attempts; then more is fetched.
            if len(hits) >= k or len(found) < keep:
                return hits[:k]
            keep *= 4

    def candidates(self, wanted: MotionPoint, robot: str | None, keep: int) -> list[Candidate]:
        """Return the `keep` entries at the least exact distance of many more that are near; the better of equals first.

        What an entry tells is read from the disk, slowly, and only of those that are kept; its gait stands in its id.
        """
        collection = self._motions(wanted.kind)
        found = collection.query(
            query_embeddings=wanted.vector[None],
            n_results=max(_OVERFETCH * keep, _LEAST_FETCHED),
            where={"robot": robot} if robot else None,
            include=["embeddings"],
        )
        far_by_id = {
            entry: distance(wanted, np.asarray(vector, dtype=np.float32), entry.partition(":")[0])
            for entry, vector in zip(found["ids"][0], found["embeddings"][0], strict=True)
        }
        kept = sorted(far_by_id, key=lambda entry: (far_by_id[entry], entry))[:keep]
        if not kept:
            return []
        told = collection.get(ids=kept, include=["metadatas"])
        rows = [Candidate(far_by_id[entry], data) for entry, data in zip(told["ids"], told["metadatas"], strict=True)]
        rows.sort(key=lambda row: (round(row.distance, 3), not row.data["passed"], -row.data["gsi"], row.data["id"]))
        return rows

    def by_words(self, text: str, robot: str | None, k: int) -> list[Recollection]:
        """Return the attempts whose words are nearest to a text, the best of each run; `distance` is 1 - cosine."""
        collection = self._words()
        total = collection.count()
        if not total or k < 1:
            return []
        found = collection.query(
            query_embeddings=checked(self._space, self._space.embed([text])),
            n_results=min(total, max(_OVERFETCH * k, _LEAST_FETCHED)),
            where={"robot": robot} if robot else None,
            include=["metadatas", "documents", "distances"],
        )
        rows = sorted(
            zip(found["distances"][0], found["metadatas"][0], found["documents"][0], strict=True),
            key=lambda row: (round(row[0], 3), not row[1]["passed"], -row[1]["gsi"], row[1]["id"]),
        )
        hits, seen = [], set[str]()
        for far, data, said in rows:
            if data["run"] not in seen and (Path(data["folder"]) / "reward.py").is_file():
                seen.add(data["run"])
                hits.append(_recollection(data, far, near=far < 0.5, sentence=said))
        return hits[:k]

    def counts(self) -> dict[str, int]:
        """Return the number of entries by collection; a collection of words bears its space's name and size."""
        return {name: self._client.get_collection(name, embedding_function=None).count() for name in self._names()}

    def count(self) -> int:
        return sum(
            count for name, count in self.counts().items() if name.startswith("motions-") and name.endswith(_LAYOUT)
        )

    def has_words(self) -> bool:
        return self._words_name() in self._names()

    def clear(self) -> None:
        for name in self._names():
            self._client.delete_collection(name)
        self._open.clear()

    def add_words(self, items: Sequence[tuple[Attempt, Path]]) -> None:
        """Fill a space of words that is new; the motions are there already."""
        self._words()
        self._add_words(items)

    def _add_words(self, items: Sequence[tuple[Attempt, Path]]) -> None:
        texts, rows = [], []
        for attempt, folder in items:
            texts.append(words_of(attempt, _request_of(folder)))
            rows.append((str(folder), metadata(attempt, folder, motion_point(attempt.target))))
        try:
            vectors = checked(self._space, self._space.embed(texts))
        except V2RError as error:
            # Without words an attempt is still found by its motion; `memory rebuild` makes up for it.
            self.trouble.append(f"the words of {len(texts)} attempts were not indexed: {error}")
            return
        collection = self._words()
        for start in range(0, len(rows), _BATCH):
            part = slice(start, start + _BATCH)
            collection.upsert(
                ids=[row[0] for row in rows[part]],
                embeddings=vectors[part],
                metadatas=[row[1] for row in rows[part]],
                documents=texts[part],
            )

    def _motions(self, kind: str) -> Any:
        if kind not in self._open:
            self._open[kind] = self._client.get_or_create_collection(
                f"motions-{kind}{_LAYOUT}", embedding_function=None, configuration={"hnsw": HNSW}
            )
        return self._open[kind]

    def _words(self) -> Any:
        return self._client.get_or_create_collection(
            self._words_name(),
            embedding_function=None,
            configuration={"hnsw": {"space": "cosine", "ef_search": 200}},
            metadata={"space": self._space.name, "size": self._space.size},
        )

    def _words_name(self) -> str:
        plain = "".join(letter if letter.isalnum() else "-" for letter in self._space.name)[:40].strip("-")
        return f"words-{plain}-{self._space.size}"

    def _names(self) -> list[str]:
        return sorted(
            collection.name
            for collection in self._client.list_collections()
            if collection.name.startswith(("motions-", "words-"))
        )


@contextmanager
def opened(folder: Path, space: TextSpace) -> Iterator[Index]:
    """Open the index in a folder, as its one owner."""
    import chromadb
    from chromadb.config import Settings

    client = chromadb.PersistentClient(str(folder), settings=Settings(anonymized_telemetry=False))
    try:
        yield Index(client, space)
    finally:
        client.close()


@contextmanager
def served(url: str, space: TextSpace) -> Iterator[Index]:
    """Open the index of a chroma server. Raises MissingPart where none answers, BadInput for a URL that is none."""
    import chromadb
    from chromadb.config import Settings

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"V2R_CHROMA_URL is {url!r}.", "Write it like http://127.0.0.1:8000.")
    secure = parts.scheme == "https"
    try:
        client = chromadb.HttpClient(
            host=parts.hostname,
            port=parts.port or (443 if secure else 8000),
            ssl=secure,
            settings=Settings(anonymized_telemetry=False),
        )
    except Exception as error:  # chroma has an exception for each way in which a server cannot be reached
        said = " ".join(str(error).split())[:200]
        raise MissingPart(f"the memory server {url} does not answer: {said}", "Start it: chroma run.") from None
    try:
        yield Index(client, space)
    finally:
        # chroma leaves the connections of its two sessions, its own and its administrator's, open.
        halves = (client, getattr(client, "_admin_client", None))
        sessions = [getattr(getattr(half, "_server", None), "_session", None) for half in halves]
        client.close()
        for session in sessions:
            if session is not None:
                session.close()


def metadata(attempt: Attempt, folder: Path, point: MotionPoint) -> dict[str, Any]:
    """Return what an entry tells without its run folder."""
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


def _one_of_each_run(wanted: MotionPoint, found: Sequence[Candidate]) -> list[Recollection]:
    """Drop entries whose folder is gone, and keep the first of each run."""
    hits: list[Recollection] = []
    seen: set[str] = set()
    for row in found:
        data = row.data
        if data["run"] in seen or not (Path(data["folder"]) / "reward.py").is_file():
            continue
        seen.add(data["run"])
        sentence = explain(
            wanted, data["gait"], data["stride_frequency"], data["froude"], row.distance, data["passed"], data["gsi"]
        )
        hits.append(_recollection(data, row.distance, near=row.distance <= NEAR, sentence=sentence))
    return hits


def _recollection(data: dict[str, Any], far: float, *, near: bool, sentence: str) -> Recollection:
    return Recollection(
        attempt=data["id"],
        robot=data["robot"],
        gait=data["gait"],
        distance=round(far, 4),
        near=near,
        passed=data["passed"],
        gsi=data["gsi"],
        folder=Path(data["folder"]),
        sentence=sentence,
    )


def _request_of(folder: Path) -> RunRequest | None:
    try:
        return runs.load(RunRequest, folder.parent.parent / "request.json")
    except BadInput:
        return None
