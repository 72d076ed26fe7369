"""What a handler of signals raises reaches the scheduler's code, whatever the job is doing when the signal comes."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from registry.errors import Interruption

OF_SCHEDULERS = (signal.SIGUSR1, signal.SIGUSR2)


class _Interruption(Interruption):
    """Carries an exception past code that catches `Exception` and `SystemExit` of plugins and heads."""

    def __init__(self, problem: BaseException):
        super().__init__(problem)
        self.problem = problem


@contextlib.contextmanager
def uncaught_signals() -> Iterator[None]:
    """Inside, no code but `finally` sees what the handlers of SIGUSR1 and SIGUSR2 raise; it is raised at the end.

    submitit's handler requeues the job and raises ``SystemExit``, or an exception where the job has no requeues left.
    A plugin that is being loaded would be blamed for the first, and the harness for the second.
    """
    handlers: dict[signal.Signals, Callable[[int, FrameType | None], Any]] = {}
    if threading.current_thread() is threading.main_thread():
        for number in OF_SCHEDULERS:
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler
                signal.signal(number, _carried(handler))
    try:
        yield
    except _Interruption as interruption:
        raise interruption.problem from None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _carried(handler: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        try:
            handler(number, frame)
        except BaseException as problem:
            raise _Interruption(problem) from problem

    return handle
