"""Which shards a pass takes up, as other processes take up others, and when."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.embedding.claims import Claims
from bench.embedding.job import EmbeddingJob, Shard


class Turns:
    """The shards of one pass of which the features are made here.

    Parameters
    ----------
    claims : Claims
    """

    def __init__(self, claims: Claims):
        self._claims = claims
        self._aside: list[tuple[int, Shard]] = []
        self._begun: set[Path] = set()

    def claim(self, numbered: tuple[int, Shard], jobs: Iterable[EmbeddingJob[Any]]) -> list[EmbeddingJob[Any]]:
        """Those of the jobs whose features of a shard are made here: they are missing, and nobody else makes them."""
        shard, taken, aside = numbered[1], [], False
        for job in jobs:
            path = job.path(shard.name)
            if self._claims.take(path, partial(job.is_cached, shard)):
                taken.append(job)
            aside |= self._claims.is_aside(path)
        if aside:
            self._aside.append(numbered)
        return taken

    def begin(self, numbered: tuple[int, Shard], jobs: Iterable[EmbeddingJob[Any]]) -> list[EmbeddingJob[Any]]:
        """Likewise, each job once a shard: those that were begun may still be on their way when it comes again."""
        path_of = {job: job.path(numbered[1].name) for job in jobs}
        found = self.claim(numbered, [job for job, path in path_of.items() if path not in self._begun])
        self._begun.update(path_of[job] for job in found)
        return found

    def twice(self, shards: Iterable[tuple[int, Shard]]) -> Iterator[tuple[int, Shard]]:
        """The shards and, once more, those that were left to other processes, which may have ended meanwhile."""
        yield from shards
        yield from list(self._aside)


class TilesAhead:
    """Holds the taking up of shards back while many tiles wait for the device.

    A shard that is taken up is no other process's work any more, and one of a tile dataset takes minutes.

    Parameters
    ----------
    most : int
        A shard is taken up while fewer tiles than these wait. It must be more than a batch, which may be of several
        shards: otherwise the batch waits for the shard and the shard for the batch.
    """

    def __init__(self, most: int):
        self._most, self._waiting, self._closed = most, 0, False
        self._changed = threading.Condition()

    def wait(self) -> bool:
        """Wait until the next shard may be taken up; False if none is to be any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting < self._most)
            return not self._closed

    def add(self, tiles: int) -> None:
        """Count the tiles of a shard that was taken up or, as a negative number, those that reached the device."""
        with self._changed:
            self._waiting += tiles
            self._changed.notify_all()

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
