"""The batch-embedding stage: one pass over the tiles for all models that want them, shard by shard."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int
from tqdm import tqdm

from bench.embed.store import is_whole, read_features, sweep, write_features
from bench.files import whole_file
from bench.tiles import TileSource
from registry.errors import UserError

if TYPE_CHECKING:
    import torch
    from registry.extractor import FeatureExtractor

BATCHES_IN_FLIGHT = 4  # on a GPU, so that page-locked batches do not pile up


@dataclass(frozen=True, eq=False)
class Job:
    """One model's features of one source.

    Attributes
    ----------
    name : str
        The model, for messages.
    folder : Path
        Where its feature files lie, see `bench.embed.feature_folder`.
    attributes : mapping
        Written to every file; a file is current when it carries the same.
    load : callable
        Gives the extractor, on its device. Called only if a shard is missing.
    """

    name: str
    folder: Path
    attributes: Mapping[str, str | int | float]
    load: Callable[[], FeatureExtractor]


@dataclass
class Embedding:
    """What a job has come to.

    Attributes
    ----------
    shards : list of Path
        Feature files, in the order of the source.
    rows : int64 [N]
        Positions in the source of the tiles that could be read.
    error : Exception or None
        Why the features are not whole; files that were written before it stay valid.
    """

    shards: list[Path] = field(default_factory=list)
    rows: Int[np.ndarray, " tile"] = field(default_factory=lambda: np.zeros(0, np.int64))
    error: Exception | None = None

    def features(self) -> Float[np.ndarray, "tile feature"]:
        """All features as float32 [N, D]."""
        return np.concatenate([np.asarray(read_features(s)[0], dtype=np.float32) for s in self.shards])

    def tiles_per_s(self) -> float | None:
        """Rate at which the features were made, decoding included; None if nothing recorded it."""
        timings = [json.loads(t.read_text()) for s in self.shards if (t := _timing(s)).is_file()]
        seconds = sum(t["seconds"] for t in timings)
        return sum(t["tiles"] for t in timings) / seconds if seconds else None


def embed(
    source: TileSource,
    jobs: list[Job],
    *,
    batch_size: int,
    workers: int,
    shard_tiles: int,
    on_corrupt: str = "error",
    label: str = "",
) -> dict[str, Embedding]:
    """Make the features that are not yet in the store, decoding each tile once for all jobs.

    Parameters
    ----------
    batch_size : int
        Tiles a forward pass.
    workers : int
        Decoding threads.
    shard_tiles : int
        Tiles a feature file: what is lost at most when a run is killed.
    on_corrupt : {"error", "skip"}
        What an unreadable tile does.
    label : str
        What the progress bar calls the source.

    Returns
    -------
    dict of str to Embedding
        By job name. A job that fails carries its error; the others go on.

    Raises
    ------
    UserError
        If a tile cannot be read and `on_corrupt` is "error"; whole shards stay valid.
    """
    results = {job.name: Embedding() for job in jobs}
    shards = [(a, min(a + shard_tiles, len(source))) for a in range(0, len(source), shard_tiles)]
    plan = {shard: [job for job in jobs if not is_whole(_path(job, shard), job.attributes)] for shard in shards}
    extractors: dict[str, FeatureExtractor] = {}
    for job in {job.name: job for missing in plan.values() for job in missing}.values():
        sweep(job.folder)
        try:
            extractors[job.name] = job.load()
        except Exception as error:
            results[job.name].error = error
    total = sum(stop - start for (start, stop), missing in plan.items() if any(j.name in extractors for j in missing))
    with tqdm(total=total, desc=label, unit=" tiles", disable=total == 0, mininterval=0.5, dynamic_ncols=True) as bar:
        for (start, stop), missing in plan.items():
            alive = {job: extractors[job.name] for job in missing if results[job.name].error is None}
            if not alive:
                continue
            skipped: list[int] | None = [] if on_corrupt == "skip" else None
            pin = any(e.device.type == "cuda" for e in alive.values())
            batches = source.batches(start, stop, batch_size, workers=workers, pin=pin, skipped=skipped)
            makers = {job: _ShardMaker(extractor) for job, extractor in alive.items()}
            waited, mark = 0.0, time.perf_counter()
            for batch in batches:
                waited += time.perf_counter() - mark
                for job, maker in list(makers.items()):
                    try:
                        maker.add(batch.rows, batch.tiles)
                    except Exception as error:
                        results[job.name].error = _explained(job.name, error, batch_size)
                        del makers[job]
                bar.update(len(batch.rows))
                mark = time.perf_counter()
                if not makers:
                    break
            for job, maker in makers.items():
                try:
                    _finish(job, (start, stop), maker, skipped or [], waited)
                except Exception as error:
                    results[job.name].error = _explained(job.name, error, batch_size)
    for job in jobs:
        if results[job.name].error is None:
            results[job.name] = _gather(job, shards, source, on_corrupt)
    return results


class _ShardMaker:
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
            raise UserError("None of the tiles can be read: check the data folder.")
        rows = np.concatenate(self.rows)
        features = torch.cat(self.features).cpu().numpy()
        self.seconds += time.perf_counter() - began
        order = np.argsort(rows, kind="stable")
        return rows[order], features[order]


def _finish(job: Job, shard: tuple[int, int], maker: _ShardMaker, skipped: list[int], waited: float) -> None:
    rows, features = maker.result()
    if not np.isfinite(features).all():
        bad = rows[~np.isfinite(features).all(axis=1)][0]
        raise UserError(
            f"{job.name} gives features that are not finite numbers (first at tile {bad} of the source): try "
            "precision=float32, and check the checkpoint."
        )
    path = _path(job, shard)
    write_features(path, features, {**job.attributes, "skipped": json.dumps(sorted(skipped))})
    timing = {"tiles": len(rows), "seconds": round(maker.seconds + waited, 4)}
    with whole_file(_timing(path)) as temporary:
        temporary.write_text(json.dumps(timing) + "\n")


def _gather(job: Job, shards: list[tuple[int, int]], source: TileSource, on_corrupt: str) -> Embedding:
    whole = Embedding()
    rows = []
    for start, stop in shards:
        path = _path(job, (start, stop))
        skipped = json.loads(read_features(path)[1]["skipped"])
        if skipped and on_corrupt != "skip":
            whole.error = UserError(
                f"The tile {source.paths[skipped[0]]} could not be read when it was embedded: mend or remove it, or "
                "set on_corrupt=skip to leave such tiles out."
            )
            return whole
        rows.append(np.setdiff1d(np.arange(start, stop), skipped))
        whole.shards.append(path)
    whole.rows = np.concatenate(rows)
    return whole


def _path(job: Job, shard: tuple[int, int]) -> Path:
    return job.folder / f"{shard[0]:09d}-{shard[1]:09d}.h5"


def _timing(shard: Path) -> Path:
    """Beside the features, not in them: the same tiles give the same file, bit for bit, however long they took."""
    return shard.with_suffix(".timing.json")


def _explained(name: str, error: Exception, batch_size: int) -> Exception:
    if type(error).__name__ == "OutOfMemoryError":
        return UserError(f"{name} runs out of GPU memory at batch_size={batch_size}: set a smaller batch_size.")
    return error
