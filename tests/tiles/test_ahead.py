"""What runs ahead of its consumer: the order, how far, and that it ends."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pytest

from bench.tiles import Ahead, in_order

SECONDS = 120  # that a thread may take to get somewhere on a busy machine


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_items_come_in_order_and_then_the_error():
    def items():
        yield from range(100)
        raise KeyError("the end")

    ahead = Ahead(items(), 3, "test")
    assert [next(ahead) for _ in range(100)] == list(range(100))
    with pytest.raises(KeyError, match="the end"):
        next(ahead)


def test_it_is_no_further_ahead_than_it_may_be():
    made = []
    with Ahead((made.append(i) for i in range(100)), 3, "test") as ahead:
        for consumed in range(1, 10):
            next(ahead)
            wait_until(lambda consumed=consumed: len(made) == consumed + 4)  # three wait, and one more is in the hand
            time.sleep(0.01)
            assert len(made) == consumed + 4


def test_closing_ends_the_thread_and_the_generator_wherever_they_are():
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield None
        finally:
            closed.set()

    ahead = Ahead(endless(), 2, "to be ended")
    next(ahead)
    ahead.close()
    assert closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "to be ended"]
    with pytest.raises(StopIteration):
        next(ahead)


def test_who_waits_for_an_item_is_let_go_when_it_is_closed():
    go_on, ended = threading.Event(), threading.Event()

    def slow():
        go_on.wait(SECONDS)
        yield 1

    ahead = Ahead(slow(), 1, "test")
    waiting = threading.Thread(target=lambda: (list(ahead), ended.set()))
    waiting.start()
    closing_thread = threading.Thread(target=ahead.close)
    closing_thread.start()
    assert ended.wait(SECONDS), "the consumer does not wait for the item that is being made"
    go_on.set()
    for thread in (waiting, closing_thread):
        thread.join(SECONDS)
        assert not thread.is_alive()


@pytest.mark.parametrize("workers", [1, 3])
def test_calls_are_answered_in_the_order_of_the_items(workers):
    def slower_first(i):
        time.sleep(0.02 / (1 + i))
        if i == 5:
            raise ValueError("the fifth")
        return i

    answers = []
    with closing(in_order(slower_first, range(8), workers=workers, name="test")) as results:
        for result in results:
            try:
                answers.append(result())
            except ValueError as error:
                answers.append(str(error))
    assert answers == [0, 1, 2, 3, 4, "the fifth", 6, 7]


def test_calls_are_not_made_far_ahead():
    made = []
    with closing(in_order(made.append, range(100), workers=2, name="test")) as results:
        next(results)()
        time.sleep(0.05)
        assert len(made) <= 5
