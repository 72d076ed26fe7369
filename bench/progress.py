"""How far a long piece of work is: a moving bar on a terminal, and whole lines in a log.

A bar redraws itself with carriage returns, which make one endless line of a log file. Where stderr is no terminal there
is instead one line at most every `EVERY_S` seconds, and one at the end:

    pcam: 12,288 of 98,304 tiles, 410 tiles/s, 3 min 30 s left
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

EVERY_S = 30.0  # between two lines of a log
LINES = 10  # the rate in a log is that since so many lines before
PREFIXES = ("", "Ki", "Mi", "Gi", "Ti")


class Bar(Protocol):
    """The progress of one piece of work, counted in units such as tiles.

    Attributes
    ----------
    n : float
        Units that are done.
    total : float or None
        All units, None where their number is not known; may be set while the work goes on.
    """

    n: float
    total: float | None

    def update(self, n: float = 1) -> object:
        """Count units that are done since the last call."""

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Set words that are shown behind the counts."""

    def __enter__(self) -> Bar: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> object: ...


def progress_bar(
    name: str, unit: str, total: float | None = None, *, shown: bool = True, initial: float = 0, leave: bool = True
) -> Bar:
    """A bar on stderr where that is a terminal, otherwise lines for a log.

    Parameters
    ----------
    name : str
        What the work is called, such as the dataset.
    unit : str
        What is counted, in the plural, such as ``tiles``. ``B`` are bytes, shown in KiB, MiB and so on.
    total : float or None
        All units, None where their number is not known.
    shown : bool
        False shows nothing.
    initial : float
        Units that were done before.
    leave : bool
        Whether the bar stays on the terminal when the work ends. In a log, work that is not left and is done within
        `EVERY_S` seconds gives no line.

    Returns
    -------
    Bar
        To be used in a ``with`` block.
    """
    if shown and sys.stderr is not None and sys.stderr.isatty():
        from tqdm import tqdm

        in_bytes = unit == "B"
        return tqdm(
            total=total,
            desc=name,
            unit=unit if in_bytes else f" {unit}",
            unit_scale=in_bytes,
            unit_divisor=1024,
            initial=initial,
            leave=leave,
            mininterval=0.5,
            dynamic_ncols=True,
        )
    return LogLines(name, unit, total, shown=shown, initial=initial, leave=leave)


class LogLines:
    """A `Bar` that writes lines to stderr.

    Parameters
    ----------
    name, unit, total, shown, initial, leave
        As for `progress_bar`.
    clock : callable
        Gives seconds that never run backwards.
    """

    def __init__(
        self,
        name: str,
        unit: str,
        total: float | None = None,
        *,
        shown: bool = True,
        initial: float = 0,
        leave: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.n, self.total = initial, total
        self._name, self._unit, self._shown, self._leave, self._clock = name, unit, shown, leave, clock
        self._postfix = ""
        self._began = clock(), initial
        self._lines: deque[tuple[float, float]] = deque([self._began], maxlen=LINES)
        self._written = False

    def update(self, n: float = 1) -> None:
        """Count units, and write a line if the last one was written `EVERY_S` seconds ago."""
        self.n += n
        now = self._clock()
        if self._shown and now - self._lines[-1][0] >= EVERY_S:
            self._write(_line(self, *self._lines[0], now, self._unit, self._postfix))
            self._lines.append((now, self.n))

    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None:
        """Set words that are shown behind the counts."""
        self._postfix = s

    def __enter__(self) -> LogLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the last line; work that ends without a single unit gives none."""
        if self._shown and (self._written or self._leave) and self.n > self._began[1]:
            now = self._clock()
            self._write(_line(self, *self._began, now, self._unit, self._postfix, ended=True))

    def _write(self, line: str) -> None:
        self._written = True
        print(f"{self._name}: {line}" if self._name else line, file=sys.stderr, flush=True)


def _line(bar: Bar, began: float, done: float, now: float, unit: str, postfix: str, *, ended: bool = False) -> str:
    """The counts, the rate since `done` units stood at the time `began`, and how long it takes from `now` on."""
    of_total = f" of {_count(bar.total, unit)}" if bar.total else ""
    parts = [f"{_count(bar.n, unit)}{of_total}{'' if unit == 'B' else f' {unit}'}", *([postfix] if postfix else [])]
    seconds, units = now - began, bar.n - done
    if seconds > 0 and units > 0:
        parts.append(_rate(units / seconds, unit))
    if ended:
        parts.append(f"after {duration(seconds)}")
    elif seconds > 0 and units > 0 and bar.total and bar.total >= bar.n:
        parts.append(f"{duration((bar.total - bar.n) * seconds / units)} left")
    return ", ".join(parts)


def _count(number: float, unit: str) -> str:
    if unit != "B":
        return f"{round(number):,}"
    power = 0
    while number >= 1024 and power < len(PREFIXES) - 1:
        number, power = number / 1024, power + 1
    return f"{number:.1f} {PREFIXES[power]}B" if power else f"{number:.0f} B"


def _rate(per_second: float, unit: str) -> str:
    if unit == "B":
        return f"{_count(per_second, unit)}/s"
    if per_second >= 10:
        return f"{per_second:,.0f} {unit}/s"
    return f"{per_second:.1f} {unit}/s" if per_second >= 0.1 else f"{per_second * 3600:.0f} {unit}/h"


def duration(seconds: float) -> str:
    """Seconds in the two largest units that a person reads, such as ``3 min 30 s``; those below 0 are 0 s."""
    total = round(max(0.0, seconds))
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    if total < 86400:
        return f"{total // 3600} h {total % 3600 // 60} min"
    return f"{total // 86400} d {total % 86400 // 3600} h"
