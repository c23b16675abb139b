"""Two things at once: what is handed on is in order and whole, and what goes wrong is heard of."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from video2reward.tools.alongside import Alongside, ahead


def test_items_made_ahead_come_in_order() -> None:
    assert list(ahead(iter(range(500)), depth=3)) == list(range(500))


def test_an_error_comes_after_the_items_before_it() -> None:
    def breaks() -> Iterator[int]:
        yield 1
        raise ValueError("damaged")

    items = ahead(breaks())
    assert next(items) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(items)


def test_stopping_half_way_ends_the_thread_and_closes_the_source() -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        number = 0
        try:
            while True:
                yield number
                number += 1
        finally:
            closed.set()

    source = endless()
    items = ahead(source)
    assert next(items) == 0
    items.close()  # type: ignore[attr-defined]
    assert closed.is_set()


def test_calls_alongside_are_made_in_order_and_all_are_made() -> None:
    heard: list[int] = []
    with Alongside(heard.append) as call:
        for number in range(100):
            call(number)
    assert heard == list(range(100))


def test_what_a_call_alongside_raises_is_raised() -> None:
    def refuse(number: int) -> None:
        raise RuntimeError(f"not {number}")

    with pytest.raises(RuntimeError, match="not 1"), Alongside(refuse) as call:
        call(1)


def test_calls_alongside_fall_behind_so_far_and_no_farther() -> None:
    go_on, heard = threading.Event(), []

    def late(number: int) -> None:
        go_on.wait(5)
        heard.append(number)

    with Alongside(late, depth=3) as call:
        for number in range(3):
            call(number)  # none of them waits
        assert heard == []
        go_on.set()
        call(3)
        assert heard[:1] == [0]
    assert heard == [0, 1, 2, 3]
