"""The thread that collects features shard by shard and writes each file as soon as it is complete."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from bench.embedding.embedding import origin
from bench.embedding.forward import Computed
from bench.embedding.job import EmbeddingJob, Shard
from bench.embedding.odd_tiles import SEEN
from bench.embedding.store import write_features
from bench.embedding.times import StageTimes
from bench.embedding.times_log import write_times
from bench.embedding.token_store import TokenWriter
from registry.errors import UserError

if TYPE_CHECKING:
    from registry.extractor import FeatureExtractor

WAITING = 4  # batches whose features wait for the thread at most, so that a full disk or a slow one holds the device


@dataclass(frozen=True, eq=False)
class Target:
    """One model's features of one shard, which become one file."""

    job: EmbeddingJob[FeatureExtractor]
    shard: Shard
    extractor: FeatureExtractor


@dataclass
class _File:
    """What is known of a file so far."""

    target: Target
    left: int
    features: np.ndarray | None = None
    good: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    times: StageTimes = field(default_factory=StageTimes)
    tokens: TokenWriter | None = None
    seen: dict[str, int] = field(default_factory=dict)

    def put(self, rows: Int[np.ndarray, " tile"], features: Float[np.ndarray, "tile feature"]) -> None:
        if self.features is None:
            self.features = np.empty((len(self.good), features.shape[1]), np.float32)
        self.features[rows] = features
        self.good[rows] = True
        self.left -= len(rows)


@dataclass(frozen=True, eq=False)
class Piece:
    """Features of some tiles of one model, for the files that they belong to.

    Attributes
    ----------
    computed : Computed
    places : list of (Target, rows)
        For each file, the rows of its shard that come next among the features.
    times : StageTimes
        Of these tiles, the forward pass excepted.
    """

    computed: Computed
    places: list[tuple[Target, Int[np.ndarray, " tile"]]]
    times: StageTimes


class Writer:
    """Takes features in any order of shards; a shard's file is written when all its tiles are there.

    An error of a model's features or files ends this model: `failed` is told, and the rest of it is ignored.

    Parameters
    ----------
    failed : callable
        Takes the job and its error, in the writer's thread.
    written : callable
        Takes what was written, in this thread too.
    """

    def __init__(
        self,
        failed: Callable[[EmbeddingJob[FeatureExtractor], Exception], None],
        written: Callable[[Target], None],
    ):
        self._failed, self._written = failed, written
        self._ended: set[EmbeddingJob[FeatureExtractor]] = set()
        self._files: dict[tuple[EmbeddingJob[FeatureExtractor], str], _File] = {}
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(WAITING)
        self.seconds = 0.0
        self.by_model: dict[str, float] = {}
        self._thread = threading.Thread(target=self._run, name="write", daemon=True)
        self._thread.start()

    def put(self, piece: Piece) -> None:
        """Hand over features; waits while too much is waiting."""
        job = piece.places[0][0].job
        self._queue.put(partial(self._guarded, job, partial(self._take, piece)))

    def leave_out(self, target: Target, tiles: int) -> None:
        """Tiles of a shard that cannot be read, by their number; 0 for a shard that has none."""
        self._queue.put(partial(self._guarded, target.job, partial(self._leave_out, target, tiles)))

    def observe(self, target: Target, what: str, tiles: int) -> None:
        """Count what was seen of tiles of a shard of image files, before their features come."""
        if target.shard.coords is None:
            self._queue.put(partial(self._guarded, target.job, partial(self._observe, target, what, tiles)))

    def close(self) -> None:
        """Write what is complete, and wait for it; shards that are not complete leave no file."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        while self._files:
            self._abandon(self._files.popitem()[1])

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()

    def _guarded(self, job: EmbeddingJob[FeatureExtractor], work: Callable[[], None]) -> None:
        if job in self._ended:
            return
        try:
            work()
        except Exception as error:
            self._ended.add(job)
            for key in [key for key in self._files if key[0] is job]:
                self._abandon(self._files.pop(key))
            self._failed(job, error)

    def _abandon(self, file: _File) -> None:
        if file.tokens is not None:
            file.tokens.abandon()

    def _take(self, piece: Piece) -> None:
        features, tokens, seconds = piece.computed.wait()
        name = piece.places[0][0].job.key.model
        self.by_model[name] = self.by_model.get(name, 0.0) + seconds
        times = replace(piece.times, forward=seconds, halved=piece.computed.halved)
        start = 0
        for target, rows in piece.places:
            file = self._file(target)
            file.put(rows, features[start : start + len(rows)])
            if file.tokens is not None and tokens is not None:
                began = time.perf_counter()
                file.tokens.put(rows, tokens[start : start + len(rows)], piece.computed.grid)
                self.seconds += time.perf_counter() - began
            file.times += times.share(len(rows))
            start += len(rows)
            self._write_if_complete(file)

    def _leave_out(self, target: Target, tiles: int) -> None:
        file = self._file(target)
        file.left -= tiles
        self._write_if_complete(file)

    def _observe(self, target: Target, what: str, tiles: int) -> None:
        seen = self._file(target).seen
        seen[what] = seen.get(what, 0) + tiles

    def _file(self, target: Target) -> _File:
        job, shard = target.job, target.shard
        if (job, shard.name) not in self._files:
            n = len(shard.tiles)
            tokens = TokenWriter(job.tokens_path(shard.name), n) if job.tokens else None
            self._files[job, shard.name] = _File(target, n, good=np.zeros(n, bool), tokens=tokens)
        return self._files[job, shard.name]

    def _write_if_complete(self, file: _File) -> None:
        if file.left:
            return
        began = time.perf_counter()
        try:
            _write(file, began)
        finally:
            self.seconds += time.perf_counter() - began
        del self._files[file.target.job, file.target.shard.name]
        self._written(file.target)


def _write(file: _File, began: float) -> None:
    job, shard, extractor = file.target.job, file.target.shard, file.target.extractor
    rows = np.flatnonzero(file.good)
    features = file.features if file.features is not None else np.zeros((0, extractor.card.dim), np.float32)
    if len(rows) < len(features):
        features = features[rows]
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise UserError(
            f"{job.key.model} gives features that are not finite numbers (first at tile {rows[~finite][0]} of "
            f"{shard.name}): try precision=float32, and check the checkpoint."
        )
    path = job.path(shard.name)
    attributes = {**job.attributes_of(shard), **job.described, **origin(extractor)}
    attributes["skipped"] = json.dumps(np.flatnonzero(~file.good).tolist())
    if file.seen:
        attributes[SEEN] = json.dumps(file.seen, sort_keys=True)
    if file.tokens is not None:
        file.tokens.finish(attributes)
    coords = None if shard.coords is None else shard.coords[rows]
    write_features(path, features, attributes, coords, shard.coords_attributes)
    file.times.write = time.perf_counter() - began
    write_times(path, file.times)
