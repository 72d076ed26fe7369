"""The batch-embedding stage: one pass over the tiles for all models that fit the device together, file by file."""

from __future__ import annotations

import json
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from bench.embedding.embedding import Embedding, origin, timing_path, weights_of
from bench.embedding.feature_key import FeatureKey
from bench.embedding.job import EmbeddingJob, Shard
from bench.embedding.store import is_cached, read_features, sweep, write_features
from bench.files import atomic_write
from registry.errors import UserError

if TYPE_CHECKING:
    import torch

    from registry.extractor import FeatureExtractor

FEWER_MODELS = "when it is loaded: set memory_gib lower, so that fewer models are loaded at once, or device=cpu"
BATCHES_IN_FLIGHT = 4  # on a GPU, so that page-locked batches do not pile up


@dataclass(frozen=True)
class EmbeddingSettings:
    """How tiles are embedded; nothing here changes a feature.

    Attributes
    ----------
    batch_size : int
        Tiles a forward pass.
    workers : int
        Decoding threads.
    on_corrupt : {"error", "skip"}
        What an unreadable tile does.
    memory_bytes : int or None
        What the networks of one pass may take together; None is unlimited.
    progress : bool
        Whether a progress bar is shown.
    """

    batch_size: int
    workers: int
    on_corrupt: str = "error"
    memory_bytes: int | None = None
    progress: bool = True


def missing_shards(job: EmbeddingJob[Any], shards: Sequence[Shard]) -> list[Shard]:
    """The shards whose features are not in the store."""
    return [shard for shard in shards if not is_cached(job.path(shard.name), job.attributes_of(shard))]


def embed(
    shards: Sequence[Shard],
    jobs: Sequence[EmbeddingJob[FeatureExtractor]],
    how: EmbeddingSettings,
    *,
    label: str = "",
) -> dict[FeatureKey, Embedding]:
    """Make the features that are not yet in the store, decoding each tile once for all jobs of a pass.

    Models are loaded for the pass that needs them; where not all fit the device together there are several passes.

    Parameters
    ----------
    label : str
        What the progress bar calls the dataset.

    Returns
    -------
    dict of FeatureKey to Embedding
        A job that fails carries its error; the others go on.

    Raises
    ------
    UserError
        If a tile cannot be read and `on_corrupt` is "error"; the files that are complete stay valid.
    """
    jobs = list({job.key: job for job in jobs}.values())
    results = {job.key: Embedding() for job in jobs}
    missing = {job.key: missing_shards(job, shards) for job in jobs}
    for wave in waves([job for job in jobs if missing[job.key]], how.memory_bytes):
        wanted = {job.key: {shard.name for shard in missing[job.key]} for job in wave}
        todo = [(shard, [job for job in wave if shard.name in wanted[job.key]]) for shard in shards]
        _one_pass([(shard, own) for shard, own in todo if own], wave, how, label, results)
        for job in wave:
            _free_frames(results[job.key].error)
    for job in jobs:
        if results[job.key].error is None:
            results[job.key] = _gather(job, shards, how.on_corrupt)
    return results


def waves(
    jobs: Sequence[EmbeddingJob[FeatureExtractor]], memory_bytes: int | None
) -> Iterator[list[EmbeddingJob[FeatureExtractor]]]:
    """The jobs in their order, as many at a time as fit the memory together; one that never fits goes alone."""
    wave: list[EmbeddingJob[FeatureExtractor]] = []
    for job in jobs:
        if wave and memory_bytes is not None and sum(j.memory_bytes for j in [*wave, job]) > memory_bytes:
            yield wave
            wave = []
        wave.append(job)
    if wave:
        yield wave


def _one_pass(
    todo: list[tuple[Shard, list[EmbeddingJob[FeatureExtractor]]]],
    wave: list[EmbeddingJob[FeatureExtractor]],
    how: EmbeddingSettings,
    label: str,
    results: dict[FeatureKey, Embedding],
) -> None:
    """Load the models of a wave and write their features of these shards; an error of a model goes to its result."""
    extractors: dict[FeatureKey, FeatureExtractor] = {}
    for job in wave:
        sweep(job.folder)
        try:
            extractors[job.key] = job.load()
        except Exception as error:
            results[job.key].error = explained(job.key.model, error, FEWER_MODELS)
    smaller_batch = f"at batch_size={how.batch_size}: set a smaller batch_size"
    total = sum(len(shard.tiles) for shard, own in todo if any(job.key in extractors for job in own))
    with tqdm(
        total=total,
        desc=label,
        unit=" tiles",
        disable=total == 0 or not how.progress,
        mininterval=0.5,
        dynamic_ncols=True,
    ) as bar:
        for shard, own in todo:
            makers = {job: _Maker(extractors[job.key]) for job in own if results[job.key].error is None}
            if not makers:
                continue
            unreadable: list[int] = []
            pin = any(maker.extractor.device.type == "cuda" for maker in makers.values())
            waited, mark = 0.0, time.perf_counter()
            for batch in shard.tiles.batches(how.batch_size, workers=how.workers, pin=pin):
                waited += time.perf_counter() - mark
                if batch.unreadable and how.on_corrupt != "skip":
                    raise batch.unreadable[min(batch.unreadable)]
                unreadable += batch.unreadable
                for job, maker in list(makers.items()) if len(batch.rows) else ():
                    try:
                        maker.add(batch.rows, batch.tiles)
                    except Exception as error:
                        results[job.key].error = explained(job.key.model, error, smaller_batch)
                        del makers[job]
                bar.update(len(batch.rows))
                mark = time.perf_counter()
                if not makers:
                    break
            for job, maker in makers.items():
                try:
                    _finish(job, shard, maker, unreadable, waited)
                except Exception as error:
                    results[job.key].error = explained(job.key.model, error, smaller_batch)


class _Maker:
    """Collects one model's features of one shard on its device, and the time they took."""

    def __init__(self, extractor: FeatureExtractor):
        self.extractor = extractor
        self.rows: list[np.ndarray] = []
        self.features: list[torch.Tensor] = []
        self.seconds = 0.0
        self.in_flight: deque[torch.cuda.Event] = deque()

    def add(self, rows: np.ndarray, tiles: torch.Tensor) -> None:
        import torch

        began = time.perf_counter()
        with torch.inference_mode():
            self.features.append(self.extractor(tiles))
        if self.extractor.device.type == "cuda":
            event = torch.cuda.Event()
            event.record()
            self.in_flight.append(event)
            if len(self.in_flight) > BATCHES_IN_FLIGHT:
                self.in_flight.popleft().synchronize()
        self.rows.append(rows)
        self.seconds += time.perf_counter() - began

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        import torch

        began = time.perf_counter()
        if not self.rows:
            return np.zeros(0, np.int64), np.zeros((0, self.extractor.card.dim), np.float32)
        rows = np.concatenate(self.rows)
        features = torch.cat(self.features).cpu().numpy()
        self.seconds += time.perf_counter() - began
        order = np.argsort(rows, kind="stable")
        return rows[order], features[order]


def _finish(
    job: EmbeddingJob[FeatureExtractor], shard: Shard, maker: _Maker, unreadable: list[int], waited: float
) -> None:
    rows, features = maker.result()
    assert len(rows) + len(unreadable) == len(shard.tiles)
    if not np.isfinite(features).all():
        bad = rows[~np.isfinite(features).all(axis=1)][0]
        raise UserError(
            f"{job.key.model} gives features that are not finite numbers (first at tile {bad} of {shard.name}): try "
            "precision=float32, and check the checkpoint."
        )
    path = job.path(shard.name)
    attributes = {**job.attributes_of(shard), **job.described, **origin(maker.extractor)}
    attributes["skipped"] = json.dumps(sorted(unreadable))
    coords = None if shard.coords is None else shard.coords[rows]
    write_features(path, features, attributes, coords, shard.coords_attributes)
    with atomic_write(timing_path(path)) as temporary:
        temporary.write_text(
            json.dumps({"tiles": len(rows), "seconds": round(maker.seconds + waited, 4)}) + "\n", "utf-8"
        )


def _gather(job: EmbeddingJob[Any], shards: Sequence[Shard], on_corrupt: str) -> Embedding:
    found = Embedding()
    rows, offset = [found.rows], 0
    for shard in shards:
        path = job.path(shard.name)
        attributes = read_features(path)[1]
        skipped = json.loads(attributes["skipped"])
        found.weights = weights_of(attributes)
        if skipped and on_corrupt != "skip":
            first = f"position {offset + skipped[0]}"
            if shard.coords is not None:
                first = "level-0 pixel ({}, {})".format(*shard.coords[skipped[0]])
            found.error = UserError(
                f"{len(skipped)} tile{'' if len(skipped) == 1 else 's'} of {shard.attributes.get('slide', shard.name)} "
                f"could not be read when they were embedded, the first at {first}: mend or remove them, or set "
                "on_corrupt=skip to leave such tiles out."
            )
            return found
        if skipped:
            found.skipped[shard.name] = len(skipped)
        rows.append(offset + np.setdiff1d(np.arange(len(shard.tiles)), skipped))
        offset += len(shard.tiles)
        found.files.append(path)
    found.rows = np.concatenate(rows)
    if shards and not len(found.rows):
        found.error = UserError("None of the tiles can be read: check the data folder.")
    return found


def _free_frames(error: BaseException | None) -> None:
    """Let go of the networks that the frames of an error hold on the device; its lines stay for who debugs."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def explained(model: str, error: Exception, mend: str) -> Exception:
    """An error of a model; memory that runs out becomes a sentence that says when, and what to do."""
    if type(error).__name__ == "OutOfMemoryError":
        return UserError(f"{model} runs out of GPU memory {mend}.")
    return error
