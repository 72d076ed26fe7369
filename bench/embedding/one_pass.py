"""One pass over the tiles for the models that fit the device together: a pipeline of overlapping stages.

    shards (laid, opened)  ->  batches (read, decoded)  ->  device (copied, forward of every model)  ->  files
    threads of the plan        threads of the stream        the calling thread                         the writer

Each stage waits for the next one when it is too far ahead of it, so that memory is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.embedding.claims import Claims
from bench.embedding.embedding import Embedding
from bench.embedding.errors import explained
from bench.embedding.feature_key import FeatureKey
from bench.embedding.forward import Copier, Forward
from bench.embedding.host_memory import reuse_freed_memory
from bench.embedding.job import EmbeddingJob, Shard, Shards
from bench.embedding.networks import FEWER_MODELS, SMALLER_BATCH, Networks, shape_of
from bench.embedding.odd_tiles import SEVERAL
from bench.embedding.settings import EmbeddingSettings
from bench.embedding.store import sweep
from bench.embedding.times import PassTimes, StageTimes
from bench.embedding.turns import TilesAhead, Turns
from bench.embedding.writer import Piece, Target, Writer
from bench.frontends import Loaded
from bench.progress import Bar, progress_bar
from bench.tiles import Ahead, Batch, ReadingTime, Tiles, read_batches

if TYPE_CHECKING:
    import torch

    from registry.extractor import FeatureExtractor

SHARDS_AHEAD = 16  # that are known before they are opened
BATCHES_CLAIMED = 16  # of tiles that wait for the device: no more shards are kept from other processes


class Pass:
    """One pass over the shards for the models of a wave; an error of a model goes to its result."""

    def __init__(
        self,
        shards: Shards,
        wave: Sequence[EmbeddingJob[FeatureExtractor]],
        how: EmbeddingSettings,
        label: str,
        results: dict[FeatureKey, Embedding],
        claims: Claims,
    ):
        self._shards, self._wave, self._how, self._label, self._results = shards, wave, how, label, results
        self._claims, self._turns = claims, Turns(claims)
        self._models: dict[EmbeddingJob[FeatureExtractor], Forward] = {}
        self._networks = Networks(how)
        self._frontends: Loaded | None = None
        self._frontend_seconds = 0.0
        self._seeds: list[torch.Tensor | None] = []  # of the tiles of each source of the stream
        self._targets: list[dict[EmbeddingJob[FeatureExtractor], Target]] = []  # of each source of the stream
        self._numbers: list[int] = []  # of their shards, from 1 on
        self._planned, self._all_planned = 0, False  # tiles of the sources so far, and whether no more will come

    def run(self) -> list[EmbeddingJob[FeatureExtractor]]:
        """Load the models at the first shard that they lack, embed, and say where the time went.

        Shards of which another process makes the features are left to it.

        Returns
        -------
        list of EmbeddingJob
            Those that this pass was for: that were loaded, or cannot be, or that lack no shard.
        """
        with closing(Ahead(self._shards, SHARDS_AHEAD, "shards")) as shards:
            numbered = enumerate(shards, 1)
            first = next((item for item in numbered if self._turns.claim(item, self._wave)), None)
            if first is None:
                return list(self._wave)
            taken = [job for job in self._wave if self._shards.complete or not job.is_cached(first[1])]
            first[1].tiles.prepare()
            for job in taken:
                self._load(job, first[1])
            try:
                times = self._embed(chain([first], numbered)) if self._models else None
            finally:  # so that the device is free, whatever still refers to this pass
                self._models.clear()
                self._networks.clear()
                self._frontends = None
                self._targets.clear()
        if times and (line := times.line(self._label)):
            self._how.say(line)
        return taken

    def _load(self, job: EmbeddingJob[FeatureExtractor], shard: Shard) -> None:
        sweep(job.folder)
        try:
            if job.frontend.parts and (shape := shape_of(shard)):
                job.frontend.check(*shape)
            forward = self._networks.of(job, shard)
            if job.frontend.parts:
                self._frontends = self._frontends or Loaded(forward.extractor.device)
                self._frontends.load(job.frontend)
            self._models[job] = forward
        except Exception as error:
            self._fail(job, explained(job.key.model, error, FEWER_MODELS))

    def _embed(self, shards: Iterable[tuple[int, Shard]]) -> PassTimes:
        device = next(iter(self._models.values())).extractor.device
        copier, reading = Copier(device), ReadingTime()
        times, began = PassTimes(self._how.workers), time.perf_counter()
        memory = reuse_freed_memory() if device.type == "cpu" else nullcontext()
        batch_size = max(forward.batch_size for forward in self._models.values())
        with memory, closing(Writer(self._fail, self._written)) as writer, self._bar() as bar:
            ahead = TilesAhead(BATCHES_CLAIMED * batch_size)
            batches = read_batches(
                self._sources(shards, writer, ahead),
                batch_size,
                workers=self._how.workers,
                pin=device.type == "cuda",
                reading_time=reading,
            )
            with closing(batches), closing(ahead):
                mark, read, done = began, 0.0, 0
                each = len(self._models) if self._frontends else 1  # a batch behind many front-ends takes minutes
                for batch in batches:
                    ahead.add(-len(batch) - len(batch.unreadable))
                    cost = StageTimes(len(batch), read=reading.seconds - read, wait=time.perf_counter() - mark)
                    read += cost.read
                    times.data += cost.wait
                    times.tiles += len(batch)
                    bar.total = self._expected() * each
                    step = partial(bar.update, len(batch)) if each > 1 else None
                    self._observe(batch, writer)
                    times.files += self._forward(batch, copier.put(batch.tiles), cost, writer, step)
                    self._leave_out(batch, writer)
                    bar.total = self._expected() * each
                    if self._shards.number > 1 and len(batch):
                        number = self._numbers[batch.sources[-1]]
                        bar.set_postfix_str(f"file {number} of {self._shards.number}", refresh=False)
                    done += len(batch) + len(batch.unreadable)
                    bar.update(done * each - bar.n)
                    if not self._models:
                        break
                    mark = time.perf_counter()
            writer.close()
        times.wall, times.read = time.perf_counter() - began, reading.seconds
        in_front = {"front-ends": self._frontend_seconds} if self._frontends else {}
        times.write, times.by_model = writer.seconds, in_front | writer.by_model
        return times

    def _sources(self, shards: Iterable[tuple[int, Shard]], writer: Writer, ahead: TilesAhead) -> Iterator[Tiles]:
        """The tiles of the shards that a model lacks; runs in a thread of the stream."""
        for number, shard in self._turns.twice(shards):
            if not ahead.wait():
                return
            models = {job: model for job, model in list(self._models.items()) if self._results[job.key].error is None}
            begun = self._turns.begin((number, shard), models)
            for job in begun:
                if self._results[job.key].error is not None:  # it failed meanwhile: its claims were let go
                    self._claims.give_up(job.folder)
            own = {job: Target(job, shard, models[job].extractor) for job in begun}
            if own and len(shard.tiles):
                self._targets.append(own)
                self._seeds.append(_seeds_of(shard) if self._frontends else None)
                self._numbers.append(number)
                self._planned += len(shard.tiles)
                ahead.add(len(shard.tiles))
                yield shard.tiles
            for target in own.values() if not len(shard.tiles) else ():
                writer.leave_out(target, 0)
        self._all_planned = True

    def _expected(self) -> int:
        """Tiles of the pass: those that are known, and as many in the mean for each shard that may follow."""
        taken = len(self._numbers)
        if self._all_planned or not taken:
            return self._planned
        return self._planned + round(max(0, self._shards.number - max(self._numbers)) * self._planned / taken)

    def _written(self, target: Target) -> None:
        self._claims.release(target.job.path(target.shard.name))

    def _forward(
        self,
        batch: Batch,
        tiles: torch.Tensor,
        cost: StageTimes,
        writer: Writer,
        step: Callable[[], object] | None = None,
    ) -> float:
        """Run every model on those tiles of a batch that it lacks; gives the seconds that the writer was waited for.

        `step` is called after each model.
        """
        waited = 0.0
        behind = self._frontends.on(tiles, self._seeds_of(batch).to(tiles.device)) if self._frontends else None
        for job, forward in list(self._models.items()) if len(batch) else ():
            if self._results[job.key].error is not None:
                del self._models[job]
                continue
            places, chosen = self._places(job, batch)
            if not places:
                continue
            try:
                if batch.other_size:
                    job.frontend.check(*tiles.shape[-2:])
                mark = time.perf_counter()
                own = tiles if behind is None else behind(job.frontend)
                self._frontend_seconds += time.perf_counter() - mark
                own = own if chosen is None else own.permute(0, 2, 3, 1)[chosen].permute(0, 3, 1, 2)
                computed = forward(own, fill=not batch.other_size)
            except Exception as error:
                self._fail(job, explained(job.key.model, error, SMALLER_BATCH))
                del self._models[job]
                continue
            mark = time.perf_counter()
            writer.put(Piece(computed, places, cost.share(len(batch) if chosen is None else len(chosen))))
            waited += time.perf_counter() - mark
            if step is not None:
                step()
        return waited

    def _seeds_of(self, batch: Batch) -> torch.Tensor:
        """int64 [B], of the tiles of a batch."""
        import torch

        found = torch.empty(len(batch), dtype=torch.int64)
        for source in np.unique(batch.sources):
            own = torch.from_numpy(batch.sources == source)
            seeds = self._seeds[source]
            assert seeds is not None
            found[own] = seeds[torch.from_numpy(batch.rows)[own]]
        return found

    def _places(
        self, job: EmbeddingJob[FeatureExtractor], batch: Batch
    ) -> tuple[list[tuple[Target, np.ndarray]], np.ndarray | None]:
        """The files that a model's features of a batch belong to, with their rows, and the tiles of the batch, None for
        all."""
        borders = np.flatnonzero(np.diff(batch.sources)) + 1
        runs = np.split(np.arange(len(batch)), borders)
        own = [(target, run) for run in runs if (target := self._targets[batch.sources[run[0]]].get(job))]
        chosen = None if len(own) == len(runs) else np.concatenate([np.zeros(0, np.int64), *(run for _, run in own)])
        return [(target, batch.rows[run]) for target, run in own], chosen

    def _observe(self, batch: Batch, writer: Writer) -> None:
        """Tell the files of a batch the sizes of their tiles, and which are the first of several pictures."""
        height, width = batch.tiles.shape[-2:]
        sources, counts = np.unique(batch.sources, return_counts=True)
        for source, count in zip(sources.tolist(), counts.tolist(), strict=True):
            for target in self._targets[source].values():
                writer.observe(target, f"{width} x {height} px", count)
        for source, count in batch.several.items():
            for target in self._targets[source].values():
                writer.observe(target, SEVERAL, count)

    def _leave_out(self, batch: Batch, writer: Writer) -> None:
        if batch.unreadable and self._how.on_corrupt != "skip":
            raise batch.unreadable[min(batch.unreadable)]
        for source, _ in batch.unreadable:
            for target in self._targets[source].values():
                writer.leave_out(target, 1)

    def _fail(self, job: EmbeddingJob[Any], error: Exception) -> None:
        self._results[job.key].error = error
        self._claims.give_up(job.folder)

    def _bar(self) -> Bar:
        return progress_bar(self._label, "tiles", 0, shown=self._how.progress)


def _seeds_of(shard: Shard) -> torch.Tensor:
    import torch

    return torch.from_numpy(shard.seeds())
