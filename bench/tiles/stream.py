"""One stream of batches over many sources of tiles: one pool of threads, batches that cross the borders of sources."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bench.tiles.ahead import Ahead
from bench.tiles.batch import Batch, DistantTiles, Exceptions, OpenTiles, Tiles
from registry.errors import UserError

if TYPE_CHECKING:
    import torch

BATCHES_AHEAD = 3  # that are read before they are wanted
OPEN_AHEAD = 8  # sources that are opened before they are wanted
RUN = 16  # neighbouring tiles that one thread reads at once: those of a slide share compressed tiles


@dataclass
class ReadingTime:
    """What the threads of a stream worked.

    Attributes
    ----------
    seconds : float
        Of all threads together.
    """

    seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __enter__(self) -> None:
        self._began.at = time.perf_counter()

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self.seconds += time.perf_counter() - self._began.at

    def __post_init__(self) -> None:
        self._began = threading.local()


def read_batches(
    sources: Iterable[Tiles],
    batch_size: int,
    *,
    workers: int,
    pin: bool = False,
    reading_time: ReadingTime | None = None,
) -> Generator[Batch, None, None]:
    """Read all tiles of all sources in their order.

    Sources are taken from their iterator, opened and read ahead of the consumer: at most `OPEN_AHEAD` of them are open
    beyond those whose tiles are being read, and at most `BATCHES_AHEAD` batches wait beyond the one that is being
    filled. Distant ones are fetched one after the other before they are opened. Closing the iterator ends all threads.

    Parameters
    ----------
    sources : iterable of Tiles
        It is advanced in a thread of its own, so that what takes long there delays nothing that is read already.
    batch_size : int
        Tiles a batch. Batches are smaller at the end of the stream, where the size of the tiles changes from one source
        to the next, and where tiles cannot be read.
    workers : int
        Threads that read and decode.
    pin : bool
        Whether batches lie in page-locked memory, for asynchronous copies to a GPU.
    reading_time : ReadingTime or None
        Counts the work of the threads.

    Yields
    ------
    Batch

    Raises
    ------
    Exception
        What the iterator, opening a source or reading it raises, after all tiles of the sources before it.
    """
    clock = reading_time or ReadingTime()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="read")
    taken: list[_Source] = []
    stopped = threading.Event()
    opening = Ahead(_opening(sources, pool, clock, taken, stopped), OPEN_AHEAD, "open")
    filling = Ahead(_filling(opening, batch_size, pool, pin, clock), BATCHES_AHEAD, "fill")
    try:
        for batch in filling:
            yield from batch.collected()
    finally:
        stopped.set()
        opening.close()
        filling.close()
        pool.shutdown(wait=True, cancel_futures=True)
        for source in taken:
            source.close()


class _Source:
    """A source, which is closed as soon as all its rows were collected, or when the stream ends."""

    def __init__(self, position: int, tiles: Tiles):
        self.position, self.tiles, self.left = position, tiles, len(tiles)
        self._stack = ExitStack()

    def fetch(self, stopped: threading.Event) -> None:
        if isinstance(self.tiles, DistantTiles):
            self._stack.callback(self.tiles.drop)
            self.tiles.fetch(stopped)

    def open(self, clock: ReadingTime) -> OpenTiles:
        with clock:
            return self._stack.enter_context(self.tiles.open())

    def collected(self, rows: int) -> None:
        self.left -= rows
        if not self.left:
            self.close()

    def close(self) -> None:
        self._stack.close()


def _opening(
    sources: Iterable[Tiles],
    pool: ThreadPoolExecutor,
    clock: ReadingTime,
    taken: list[_Source],
    stopped: threading.Event,
) -> Iterator[tuple[_Source, Future[OpenTiles]]]:
    """Each source that has tiles, while a thread opens it; `taken` gets all that may be open."""
    for position, tiles in enumerate(sources):
        source = _Source(position, tiles)
        if source.left:
            taken[:] = [*(other for other in taken if other.left), source]
            source.fetch(stopped)
            yield source, pool.submit(source.open, clock)


def _filling(
    opening: Iterator[tuple[_Source, Future[OpenTiles]]],
    batch_size: int,
    pool: ThreadPoolExecutor,
    pin: bool,
    clock: ReadingTime,
) -> Iterator[_Filling]:
    """Batches in their order, each as soon as the reading of its last tile waits for a thread."""
    filling: _Filling | None = None
    while True:
        try:
            source, future = next(opening)
            opened = future.result()
        except BaseException as error:  # what comes before it goes out first
            if filling is not None:
                yield filling
            if isinstance(error, StopIteration):
                return
            raise
        done = 0
        while done < len(source.tiles):
            if filling is not None and filling.shape != opened.shape:
                yield filling
                filling = None
            filling = filling or _Filling(batch_size, opened.shape, pin)
            rows = range(done, min(done + filling.room, len(source.tiles)))
            filling.add(source, opened, rows, pool, clock)
            done = rows.stop
            if not filling.room:
                yield filling
                filling = None


@dataclass
class _Part:
    """Rows of one source, which fill a part of a batch from its `first` tile on."""

    source: _Source
    rows: range
    first: int
    reading: list[Future[Exceptions]]


class _Filling:
    """A batch whose parts are being read."""

    def __init__(self, batch_size: int, shape: tuple[int, int], pin: bool):
        import torch

        self.shape, self.room = shape, batch_size
        self._parts: list[_Part] = []
        try:
            self._tiles = torch.empty((batch_size, *shape, 3), dtype=torch.uint8, pin_memory=pin)
        except (RuntimeError, MemoryError) as error:
            raise UserError(
                f"A batch of {batch_size} tiles of {shape[1]} x {shape[0]} px does not fit the memory: set a smaller "
                "batch_size, or a lower max_tile_px if tiles should not be so large."
            ) from error

    def add(
        self, source: _Source, opened: OpenTiles, rows: range, pool: ThreadPoolExecutor, clock: ReadingTime
    ) -> None:
        out, first = self._tiles.numpy(), len(self._tiles) - self.room

        def read(run: range) -> Exceptions:
            start = first + run.start - rows.start
            with clock:
                return opened.read_into(out[start : start + len(run)], run)

        runs = [rows[i : i + RUN] for i in range(0, len(rows), RUN)]
        self._parts.append(_Part(source, rows, first, [pool.submit(read, run) for run in runs]))
        self.room -= len(rows)

    def collected(self) -> Iterator[Batch]:
        """The batch, then those of its tiles that are of other sizes."""
        n = len(self._tiles) - self.room
        sources, rows, good = np.empty(n, np.int64), np.empty(n, np.int64), np.zeros(n, bool)
        unreadable = {}
        several: dict[int, int] = {}
        other_size: dict[tuple[int, ...], list[tuple[int, int, np.ndarray]]] = {}
        failed: BaseException | None = None
        for part in self._parts:
            try:
                exceptions = [future.result() for future in part.reading]
            except Exception as error:
                failed = error
                break
            place = slice(part.first, part.first + len(part.rows))
            sources[place], rows[place], good[place] = part.source.position, part.rows, True
            for found in exceptions:
                for row, reason in found.unreadable.items():
                    unreadable[part.source.position, row] = reason
                if found.several:
                    several[part.source.position] = several.get(part.source.position, 0) + len(found.several)
                for row, tile in found.other_size.items():
                    other_size.setdefault(tile.shape, []).append((part.source.position, row, tile))
                for row in (*found.unreadable, *found.other_size):
                    good[part.first + row - part.rows.start] = False
            part.source.collected(len(part.rows))
        tiles = self._tiles[:n]
        if not good.all():
            sources, rows, tiles = sources[good], rows[good], _chosen(tiles, good)
        yield Batch(sources, rows, tiles.permute(0, 3, 1, 2), unreadable, several=several)
        for members in other_size.values():
            positions, own_rows = (np.array([member[i] for member in members], np.int64) for i in (0, 1))
            yield Batch(positions, own_rows, _stacked([tile for _, _, tile in members]), other_size=True)
        if failed is not None:
            raise failed


def _chosen(tiles: torch.Tensor, good: np.ndarray) -> torch.Tensor:
    import torch

    chosen = torch.empty((int(good.sum()), *tiles.shape[1:]), dtype=torch.uint8, pin_memory=tiles.is_pinned())
    np.compress(good, tiles.numpy(), axis=0, out=chosen.numpy())
    return chosen


def _stacked(tiles: list[np.ndarray]) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2)
