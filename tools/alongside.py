"""Do two things of one pass at once: decode ahead of what looks, and follow the background beside it.

Decoding, optical flow and the networks all release the interpreter's lock, so threads use a second core.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Full, Queue
from threading import Event, Thread
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")
_END = object()


def ahead(items: Iterator[T], depth: int = 6) -> Iterator[T]:
    """Yield the items in order while a thread makes the next ones, at most `depth` of them.

    What the items raise is raised here, in its place. Whoever stops half-way stops the thread.
    """
    queue: Queue[Any] = Queue(maxsize=depth)
    stopped = Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=0.1)
                return True
            except Full:
                continue
        return False

    def work() -> None:
        last: Any = _END
        try:
            for item in items:
                if not put(item):
                    break
            if stopped.is_set() and isinstance(items, Generator):
                items.close()
        except BaseException as error:  # whatever it is, it belongs to whoever asked for the items
            last = _Raised(error)
        put(last)

    thread = Thread(target=work, name="decode", daemon=True)
    thread.start()
    try:
        while (item := queue.get()) is not _END:
            if isinstance(item, _Raised):
                raise item.error
            yield item
    finally:
        stopped.set()
        thread.join()


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class Alongside(Generic[P]):
    """Call a function in order on a thread of its own, at most `depth` calls behind; leaving the block waits for them.

    What a call raises is raised by a later one, or on leaving.
    """

    def __init__(self, function: Callable[P, object], depth: int = 1) -> None:
        self._function = function
        self._depth = depth
        self._pool = ThreadPoolExecutor(1)
        self._waiting: deque[Future[object]] = deque()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        self._wait(self._depth - 1)
        self._waiting.append(self._pool.submit(self._function, *args, **kwargs))

    def __enter__(self) -> Alongside[P]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._wait(0)
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _wait(self, most: int) -> None:
        """Wait until at most so many calls are left."""
        while len(self._waiting) > most:
            self._waiting.popleft().result()
