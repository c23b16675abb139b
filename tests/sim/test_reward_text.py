"""Reading reward text, where several threads do it at once."""

import gc
import threading

import pytest
from video2reward.sim.reward_text import tree_of

TEXT = "\n".join(f"x{i} = {'(' * 20}a + {i}{' + a)' * 20}" for i in range(200))


@pytest.fixture
def collector_calls():
    """Have the garbage collector call a function of ours, as a library's or a finalizer's would be, very often."""
    before, calls = gc.get_threshold(), []

    def called(phase, info):
        for call in calls:
            call()

    gc.callbacks.append(called)
    gc.set_threshold(20)
    yield calls
    gc.set_threshold(*before)
    gc.callbacks.remove(called)


def test_a_thread_that_parses_while_another_does_gets_its_tree(collector_calls):
    first_waits, first_is_done = threading.Event(), threading.Event()
    first = threading.current_thread()
    failures = []

    def second_parses():
        first_waits.wait(5)
        try:
            tree_of(TEXT)
        except SystemError as error:
            failures.append(error)

    second = threading.Thread(target=second_parses)
    between = threading.Event()

    def switch():
        # Only once each: the first lets the second in while its own tree is half made, and is let on by it.
        if threading.current_thread() is first and not first_waits.is_set():
            first_waits.set()
            between.wait(0.5)
        elif threading.current_thread() is second and not between.is_set():
            between.set()
            first_is_done.wait(0.5)

    second.start()
    collector_calls.append(switch)
    try:
        tree = tree_of(TEXT)
    finally:
        first_is_done.set()
        collector_calls.clear()
        second.join()
    assert len(tree.body) == 200
    assert not failures
