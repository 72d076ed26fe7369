"""The batch-embedding stage: one pass over the tiles for all models that want them, file by file."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
from jaxtyping import Int
from tqdm import tqdm

from bench.embed.embedding import Embedding, origin, timing_path, weights_of
from bench.embed.store import is_whole, read_features, sweep, write_features
from bench.files import whole_file
from bench.tiles import Batch, TileSource
from registry.errors import UserError

if TYPE_CHECKING:
    import torch

    from registry.extractor import FeatureExtractor

Network = TypeVar("Network", covariant=True)

BATCHES_IN_FLIGHT = 4  # on a GPU, so that page-locked batches do not pile up


class Tiles(Protocol):
    """Tiles in a fixed order, as `bench.tiles.TileSource` gives them."""

    def __len__(self) -> int: ...

    def batches(
        self, batch_size: int, *, workers: int, pin: bool = False, skipped: list[int] | None = None
    ) -> Iterator[Batch]: ...


@dataclass(frozen=True, eq=False)
class Unit:
    """What becomes one feature file: a shard of a tile dataset, or a slide.

    Attributes
    ----------
    name : str
        Of the file, without suffix.
    tiles : Tiles
    attributes : mapping
        Written to the file beside the job's; the file is current when it carries the same.
    coords : int64 [N, 2] or None
        Level-0 position of each tile of a slide, px.
    coords_attributes : mapping
        Written to the dataset `coords`: what its numbers mean.
    """

    name: str
    tiles: Tiles
    attributes: Mapping[str, str | int | float] = field(default_factory=dict)
    coords: Int[np.ndarray, "tile 2"] | None = None
    coords_attributes: Mapping[str, Any] = field(default_factory=dict)


def shards(source: TileSource, tiles: int) -> list[Unit]:
    """A tile dataset as units of at most `tiles` tiles."""
    ends = [(start, min(start + tiles, len(source))) for start in range(0, len(source), tiles)]
    return [Unit(f"{start:09d}-{stop:09d}", source.part(start, stop)) for start, stop in ends]


@dataclass(frozen=True, eq=False)
class Job(Generic[Network]):
    """One model's features of all units.

    Attributes
    ----------
    name : str
        The model, for messages.
    folder : Path
        Where its feature files lie, see `bench.embed.feature_folder`.
    attributes : mapping
        Written to every file; a file is current when it carries the same.
    load : callable
        Gives the network, on its device. Called only if a unit is missing.
    described : mapping
        Written too, of what can change and leave the features as they are.
    """

    name: str
    folder: Path
    attributes: Mapping[str, str | int | float]
    load: Callable[[], Network]
    described: Mapping[str, str | int | float] = field(default_factory=dict)


def embed(
    units: list[Unit],
    jobs: list[Job[FeatureExtractor]],
    *,
    batch_size: int,
    workers: int,
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
    on_corrupt : {"error", "skip"}
        What an unreadable tile does.
    label : str
        What the progress bar calls the dataset.

    Returns
    -------
    dict of str to Embedding
        By job name. A job that fails carries its error; the others go on.

    Raises
    ------
    UserError
        If a tile cannot be read and `on_corrupt` is "error"; whole files stay valid.
    """
    results = {job.name: Embedding() for job in jobs}
    plan = [
        (unit, [job for job in jobs if not is_whole(_path(job, unit), {**job.attributes, **unit.attributes})])
        for unit in units
    ]
    extractors: dict[str, FeatureExtractor] = {}
    for job in {job.name: job for _, missing in plan for job in missing}.values():
        sweep(job.folder)
        try:
            extractors[job.name] = job.load()
        except Exception as error:
            results[job.name].error = error
    total = sum(len(unit.tiles) for unit, missing in plan if any(job.name in extractors for job in missing))
    with tqdm(total=total, desc=label, unit=" tiles", disable=total == 0, mininterval=0.5, dynamic_ncols=True) as bar:
        for unit, missing in plan:
            makers = {job: _Maker(extractors[job.name]) for job in missing if results[job.name].error is None}
            if not makers:
                continue
            skipped: list[int] | None = [] if on_corrupt == "skip" else None
            pin = any(maker.extractor.device.type == "cuda" for maker in makers.values())
            waited, mark = 0.0, time.perf_counter()
            for batch in unit.tiles.batches(batch_size, workers=workers, pin=pin, skipped=skipped):
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
                    _finish(job, unit, maker, skipped or [], waited)
                except Exception as error:
                    results[job.name].error = _explained(job.name, error, batch_size)
    for job in jobs:
        if results[job.name].error is None:
            results[job.name] = _gather(job, units, on_corrupt)
    return results


class _Maker:
    """Collects one model's features of one unit on its device, and the time they took."""

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


def _finish(job: Job[FeatureExtractor], unit: Unit, maker: _Maker, skipped: list[int], waited: float) -> None:
    rows, features = maker.result()
    assert len(rows) + len(skipped) == len(unit.tiles)
    if not np.isfinite(features).all():
        bad = rows[~np.isfinite(features).all(axis=1)][0]
        raise UserError(
            f"{job.name} gives features that are not finite numbers (first at tile {bad} of {unit.name}): try "
            "precision=float32, and check the checkpoint."
        )
    path = _path(job, unit)
    attributes = {**job.attributes, **job.described, **unit.attributes, **origin(maker.extractor)}
    attributes["skipped"] = json.dumps(sorted(skipped))
    coords = None if unit.coords is None else unit.coords[rows]
    write_features(path, features, attributes, coords, unit.coords_attributes)
    with whole_file(timing_path(path)) as temporary:
        temporary.write_text(json.dumps({"tiles": len(rows), "seconds": round(maker.seconds + waited, 4)}) + "\n")


def _gather(job: Job[Any], units: list[Unit], on_corrupt: str) -> Embedding:
    whole = Embedding()
    rows, offset = [], 0
    for unit in units:
        path = _path(job, unit)
        attributes = read_features(path)[1]
        skipped = json.loads(attributes["skipped"])
        whole.weights = weights_of(attributes)
        if skipped and on_corrupt != "skip":
            first = f"position {offset + skipped[0]}"
            if unit.coords is not None:
                first = "level-0 pixel ({}, {})".format(*unit.coords[skipped[0]])
            whole.error = UserError(
                f"{len(skipped)} tile{'' if len(skipped) == 1 else 's'} of {unit.attributes.get('slide', unit.name)} "
                f"could not be read when they were embedded, the first at {first}: mend or remove them, or set "
                "on_corrupt=skip to leave such tiles out."
            )
            return whole
        if skipped:
            whole.skipped[unit.name] = len(skipped)
        rows.append(offset + np.setdiff1d(np.arange(len(unit.tiles)), skipped))
        offset += len(unit.tiles)
        whole.files.append(path)
    whole.rows = np.concatenate(rows)
    if not len(whole.rows):
        whole.error = UserError("None of the tiles can be read: check the data folder.")
    return whole


def _path(job: Job[Any], unit: Unit) -> Path:
    return job.folder / f"{unit.name}.h5"


def _explained(name: str, error: Exception, batch_size: int) -> Exception:
    if type(error).__name__ == "OutOfMemoryError":
        return UserError(f"{name} runs out of GPU memory at batch_size={batch_size}: set a smaller batch_size.")
    return error
