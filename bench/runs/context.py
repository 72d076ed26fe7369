"""What all parts of a run share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.config import BenchConfig
from bench.jobs import current_job


def to_stderr(line: str) -> None:
    """One line for the person at the terminal; tables alone go to stdout."""
    print(line, file=sys.stderr)


def of_this_job() -> dict[str, str]:
    """What `info` of a row says of the job of a sweep that made it; nothing outside of one."""
    job = current_job()
    return {"job": job} if job else {}


@dataclass(frozen=True)
class RunContext:
    """Settings of a run, its folders, and where its messages go.

    Attributes
    ----------
    config : BenchConfig
    device : str
        As for torch: "cpu", "cuda", "cuda:1", "mps".
    progress : bool
        Whether progress bars are shown.
    pictures : bool
        Whether previews of slides are drawn in the results folder.
    say : callable
        Takes each line about what is being done.
    unpacked : Path or None
        Where readers put what they unpack or make; None is the cache.
    """

    config: BenchConfig
    device: str
    progress: bool = True
    pictures: bool = True
    say: Callable[[str], None] = to_stderr

    unpacked: Path | None = None

    @property
    def results(self) -> Path:
        """Folder of rows, predictions and tables."""
        return Path(self.config.results)

    @property
    def cache(self) -> Path:
        """Folder of features, grids and tissue."""
        return Path(self.config.cache)
