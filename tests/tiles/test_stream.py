"""One stream of batches over many sources: what is in them, and what is open and running meanwhile."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.tiles import Exceptions, ReadingTime, read_batches
from bench.tiles.stream import OPEN_AHEAD
from registry.errors import UserError


class Made:
    """A source of tiles whose pixels say which they are: the number of the source, then the row."""

    opened: ClassVar[set[int]] = set()
    most_open = 0

    def __init__(self, number, n, shape=(2, 3), *, unreadable=(), other_size=(), fails=None, at=0):
        self.number, self.n, self.shape = number, n, shape
        self.unreadable, self.other_size, self.fails, self.at = unreadable, other_size, fails, at

    def __len__(self):
        return self.n

    @contextmanager
    def open(self):
        if self.fails == "opening":
            raise UserError(f"source {self.number} is not there")
        Made.opened.add(self.number)
        Made.most_open = max(Made.most_open, len(Made.opened))
        try:
            yield self
        finally:
            Made.opened.discard(self.number)

    def read_into(self, out, rows):
        assert len(out) == len(rows)
        if self.fails == "reading" and self.at in rows:
            raise OSError(f"source {self.number} is gone")
        unreadable, other = {}, {}
        for place, row in enumerate(rows):
            if row in self.unreadable:
                unreadable[row] = UserError(f"{self.number} {row}")
            elif row in self.other_size:
                other[row] = np.full((1, 1, 3), row, np.uint8)
            else:
                out[place, ..., 0], out[place, ..., 1], out[place, ..., 2] = self.number, row, 0
        return Exceptions(unreadable, other)


@pytest.fixture(autouse=True)
def _nothing_is_left():
    Made.opened, Made.most_open = set(), 0
    yield
    assert not Made.opened
    assert not [t.name for t in threading.enumerate() if t.name.startswith(("read", "open", "fill"))]


def numbers(batches):
    return [(int(s), int(r)) for batch in batches for s, r in zip(batch.sources, batch.rows, strict=True)]


@given(sizes=st.lists(st.integers(0, 20), max_size=8), batch_size=st.integers(1, 17), workers=st.integers(1, 3))
def test_every_tile_once_in_order_in_full_batches(sizes, batch_size, workers):
    batches = list(read_batches([Made(i, n) for i, n in enumerate(sizes)], batch_size, workers=workers))
    assert numbers(batches) == [(i, row) for i, n in enumerate(sizes) for row in range(n)]
    assert all(len(batch) == batch_size for batch in batches[:-1])
    for batch in batches:
        pixels = batch.tiles.permute(0, 2, 3, 1).numpy()
        assert pixels.shape == (len(batch), 2, 3, 3)
        np.testing.assert_array_equal(pixels[:, 0, 0, 0], batch.sources)
        np.testing.assert_array_equal(pixels[:, -1, -1, 1], batch.rows)


def test_a_batch_holds_tiles_of_one_size():
    sources = [Made(0, 5), Made(1, 3, (4, 4)), Made(2, 3, (4, 4)), Made(3, 2)]
    batches = list(read_batches(sources, 8, workers=2))
    assert [(sorted(set(b.sources.tolist())), tuple(b.tiles.shape)) for b in batches] == [
        ([0], (5, 3, 2, 3)),
        ([1, 2], (6, 3, 4, 4)),
        ([3], (2, 3, 2, 3)),
    ]


def test_exceptions_are_told_by_source_and_row():
    sources = [Made(0, 6, unreadable={1}, other_size={4, 5}), Made(1, 6, unreadable={0}, other_size={2})]
    batches = list(read_batches(sources, 12, workers=2))
    assert numbers(batches[:1]) == [(0, 0), (0, 2), (0, 3), (1, 1), (1, 3), (1, 4), (1, 5)]
    assert batches[0].unreadable.keys() == {(0, 1), (1, 0)}
    assert numbers(batches[1:]) == [(0, 4), (0, 5), (1, 2)]
    assert [batch.other_size for batch in batches] == [False, True]


@pytest.mark.parametrize("fails", ["opening", "reading"])
def test_what_comes_before_a_failing_source_is_not_lost(fails):
    sources = [Made(0, 5), Made(1, 30, fails=fails, at=20), Made(2, 5)]
    found = []
    with pytest.raises((UserError, OSError), match="source 1"):
        found.extend(read_batches(sources, 12, workers=2))
    assert {pair for pair in numbers(found) if pair[0] == 0} == {(0, row) for row in range(5)}
    assert all(source < 2 for source, _ in numbers(found))


def test_an_error_of_the_iterator_comes_after_the_sources_before_it():
    def sources():
        yield Made(0, 5)
        raise UserError("no more slides")

    found = []
    with pytest.raises(UserError, match="no more slides"):
        found.extend(read_batches(sources(), 3, workers=1))
    assert numbers(found) == [(0, row) for row in range(5)]


def test_few_sources_are_open_at_once():
    list(read_batches((Made(i % 256, 3) for i in range(200)), 4, workers=2))
    assert 1 <= Made.most_open <= OPEN_AHEAD + 2 + 3 * 4, "those being opened, and those of the batches that wait"


@pytest.mark.parametrize("consumed", [0, 1, 3])
def test_stopping_early_closes_everything(consumed):
    batches = read_batches((Made(i % 256, 7) for i in range(10_000)), 4, workers=3)
    for _ in range(consumed):
        next(batches)
    batches.close()


def test_a_slow_iterator_does_not_hold_what_is_read():
    go_on = threading.Event()

    def sources():
        yield Made(0, 8)
        assert go_on.wait(120)
        yield Made(1, 8)

    batches = read_batches(sources(), 4, workers=1)
    assert numbers([next(batches), next(batches)]) == [(0, row) for row in range(8)]
    go_on.set()
    assert numbers(batches) == [(1, row) for row in range(8)]


def test_the_time_of_all_threads_is_counted():
    class Slow(Made):
        def read_into(self, out, rows):
            time.sleep(0.02)
            return super().read_into(out, rows)

    clock, began = ReadingTime(), time.perf_counter()
    list(read_batches([Slow(0, 64)], 16, workers=4, reading_time=clock))
    assert 4 * 0.02 <= clock.seconds <= 4 * (time.perf_counter() - began), "no thread works longer than that"
