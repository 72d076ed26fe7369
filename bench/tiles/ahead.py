"""An iterator that runs in a thread of its own, a bounded number of items ahead of its consumer."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Ahead(Generic[Item]):
    """Iterate over `items` in a thread; the consumer gets them in order, and an error where it occurred.

    Parameters
    ----------
    items : iterable
        Advanced and, if it is a generator, closed in the thread only.
    size : int
        Items that wait for the consumer at most: when they are so many the thread waits.
    name : str
        Of the thread, for a debugger.
    """

    def __init__(self, items: Iterable[Item], size: int, name: str):
        self._items, self._size = items, size
        self._ready: deque[Item] = deque()
        self._changed = threading.Condition()
        self._stopped = self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        iterator = iter(self._items)
        try:
            for item in iterator:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopped or len(self._ready) < self._size)
                    if self._stopped:
                        return
                    self._ready.append(item)
                    self._changed.notify_all()
        except BaseException as error:
            self._error = error
        finally:
            try:
                if (close := getattr(iterator, "close", None)) is not None:
                    close()
            except BaseException as error:
                self._error = self._error or error
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._ended or self._stopped)
            if self._ready:
                item = self._ready.popleft()
                self._changed.notify_all()
                return item
            if self._stopped:
                raise StopIteration
        self._thread.join()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        raise StopIteration

    def close(self) -> None:
        """Stop after the item that is being made, and wait for the thread; who waits for an item gets no more."""
        with self._changed:
            self._stopped = True
            self._ready.clear()
            self._changed.notify_all()
        self._thread.join()

    def __enter__(self) -> Ahead[Item]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, name: str
) -> Generator[Callable[[], Result], None, None]:
    """Call a function on each item in threads, two items a thread ahead of the consumer.

    Yields
    ------
    callable
        For each item in their order: waits for the call, and gives its result or raises its error.
    """
    with ThreadPoolExecutor(workers, thread_name_prefix=name) as pool:
        ahead: deque[Future[Result]] = deque()
        try:
            for item in items:
                ahead.append(pool.submit(function, item))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result
            while ahead:
                yield ahead.popleft().result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
