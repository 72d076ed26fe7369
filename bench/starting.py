"""How a command starts: imports and composing settings leave no garbage, and Python looks for it all the time."""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def collected_later() -> Iterator[Callable[[], None]]:
    """Have no garbage collected until the function that the block gets is called, at the latest when the block ends.

    What is in memory then are modules and settings, which stay: from the first call of a process on, a collection no
    longer looks at them. Collection is off for good where it was off before.
    """
    was_on = gc.isenabled()
    gc.disable()

    def collect() -> None:
        if was_on and not gc.isenabled():
            _set_aside()
            gc.enable()

    try:
        yield collect
    finally:
        collect()


@functools.cache
def _set_aside() -> None:
    """Once a process: in a process of many commands each would leave its garbage there."""
    gc.freeze()
