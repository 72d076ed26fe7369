"""What the benchmarks of the embedding stage share: tiles on the disk, stand-in models, and one timed run of the stage.

The tiles come from FOLDER (../shared/data if a command names none): the folders `pcam_sample/train` of JPEG files and
`nct_crc_sample` of TIFF files, and `slides/CMU-1-Small-Region.svs`, which `benchmarks/slides.py` describes. A `Source`
is plain values, so that a process which runs the code of another checkout (`benchmarks/trees.py`) can be told of it.
"""

from __future__ import annotations

import argparse
import csv
import functools
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image

import registry
from bench import tasks
from bench.data import SlideCohort
from bench.embedding import EmbeddingJob, EmbeddingSettings, FeatureKey, embed, shards_of
from bench.slides import open_slide
from bench.tiles import TileSource
from benchmarks.slides import write_pyramid

DATA = Path(__file__).resolve().parents[2] / "shared/data"
SIZE, SHARD_TILES = 256, 16_384
SMALL_SIDES = (1800, 2500)  # px at 0.5 mpp: 30 to 60 tiles with tissue
BACKGROUND = 700  # px at the upper left of the real SVS
TISSUE_SHARE = 0.7  # of the mirrored picture's tiles, about


@dataclass(frozen=True)
class Source:
    """Tiles on the disk, as plain values.

    Attributes
    ----------
    name : str
        As in the table.
    path : str
        Folder of image files, or manifest of slides.
    tiles : int
        Number of tiles, which repeat the files of the folder; 0 for slides, whose tissue decides.
    mpp : float
        Of the tiles of slides; 0 for image files.
    grids : str
        Folder in which the grids of slides stay from run to run; "" finds tissue and grids in every run.
    """

    name: str
    path: str
    tiles: int = 0
    mpp: float = 0.0
    grids: str = ""


@dataclass(frozen=True)
class Run:
    """One run of the stage: clock and processor seconds, tiles, and the features [N, D] of each model in order."""

    seconds: float
    processor: float
    tiles: int
    features: tuple[np.ndarray, ...] = ()


class FastDevice:
    """A stand-in for a model on a fast device: each batch costs a fixed time, and nothing of the processor's.

    Attributes
    ----------
    calls : int
        Batches so far.
    """

    device = torch.device("cpu")
    precision = "float32"
    weights = SimpleNamespace(commit="", notes=())

    def __init__(self, seconds: float = 1e-3, dim: int = 384) -> None:
        self.seconds, self.card, self.calls = seconds, SimpleNamespace(name="fast_device", dim=dim), 0

    def __call__(self, tiles: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        time.sleep(self.seconds)
        return torch.zeros(len(tiles), self.card.dim)


@functools.cache
def extractor(name: str, device: str = "cpu") -> Any:
    """A model of the registry, loaded once a process."""
    return registry.load(name, device=device)


def processor_seconds() -> float:
    """Of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def embed_once(source: Source, models: Sequence[Any], batch_size: int = 32, workers: int = 2) -> Run:
    """Features of all tiles by all models in one pass, from compressed tiles to written files, with a cold cache."""
    how = EmbeddingSettings(batch_size=batch_size, workers=workers, progress=False)
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name)
        jobs = [
            EmbeddingJob(feature_key(f"{number}-{model.card.name}"), cache, functools.partial(lambda own: own, model))
            for number, model in enumerate(models)
        ]
        clock, processor = time.perf_counter(), processor_seconds()
        if source.mpp:
            found = _slide_plan(source, Path(source.grids or cache)).run(jobs, how, label="")
        else:
            found = embed(shards_of(tile_source(source), SHARD_TILES), jobs, how)
        seconds, processor = time.perf_counter() - clock, processor_seconds() - processor
        for own in found.values():
            if own.error is not None:
                raise own.error
        features = tuple(found[job.key].features() for job in jobs)
    return Run(seconds, processor, len(features[0]), features)


def tile_source(source: Source) -> TileSource:
    """The image files of a source, over and over until there are enough."""
    files = [str(path) for path in image_files(Path(source.path))]
    paths = [files[number % len(files)] for number in range(source.tiles)]
    return TileSource([str(number) for number in range(source.tiles)], paths, [-1] * source.tiles)


def image_files(folder: Path) -> list[Path]:
    """All files below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _slide_plan(source: Source, cache: Path) -> Any:
    target = {"kind": "regression", "targets": ["number"], "tiling": {"size": SIZE, "mpp": source.mpp}}
    task = tasks.configured({"name": "slides", "reader": "slides", "unit": "slide", **target})
    cohort = SlideCohort(tasks.read(task, Path(source.path), cache), cache, None, "error", progress=False)
    card = registry.card("colour")
    [plan] = cohort.plans([SimpleNamespace(name=card.name, card=card, tile_card=card, sees_pixels=True)])
    return plan


def feature_key(model: str) -> FeatureKey:
    values = {"model": model, "options": "{}", "preprocess": "device", "precision": "float32"}
    return FeatureKey(**{field.name: values.get(field.name, "") for field in fields(FeatureKey)})


def files_source(name: str, data: Path, scratch: Path, tiles: int) -> Source:
    """``pcam``: JPEG files of 96 px as they are; ``nct``: the TIFF files of 224 px, written once more as JPEG."""
    if name == "pcam":
        return Source("files of 96 px (pcam)", str(data / "pcam_sample" / "train"), tiles)
    folder = scratch / "nct"
    folder.mkdir(exist_ok=True)
    for path in image_files(data / "nct_crc_sample"):
        Image.open(path).convert("RGB").save(folder / f"{path.stem}.jpg", quality=90)
    return Source("files of 224 px (nct as JPEG)", str(folder), tiles)


def pyramid_source(data: Path, scratch: Path, tiles: int, mpp: float) -> Source:
    """Four pyramids at 0.25 mpp with about so many tiles of 256 px at `mpp`; grids are laid once, in the first run."""
    side = max(3, round((tiles / TISSUE_SHARE / 4) ** 0.5)) * round(SIZE * mpp / 0.25)
    folder = scratch / f"pyramid-{mpp}"
    folder.mkdir()
    write_pyramid(folder / "0.tif", _tissue(data), side)
    for number in (1, 2, 3):
        shutil.copy(folder / "0.tif", folder / f"{number}.tif")
    how = "as they lie" if mpp == 0.25 else "resampled"
    return Source(f"pyramids at {mpp} mpp, {how}", _table(folder), mpp=mpp, grids=str(folder / "grids"))


def svs_source(data: Path, scratch: Path, tiles: int) -> Source:
    """Copies of the real SVS, of about 60 tiles each, with about so many tiles; grids as of the pyramid."""
    folder = scratch / "svs"
    folder.mkdir()
    for number in range(max(4, round(tiles / 60))):
        shutil.copy(data / "slides" / "CMU-1-Small-Region.svs", folder / f"{number}.svs")
    return Source("copies of a real SVS at 0.5 mpp", _table(folder), mpp=0.5, grids=str(folder / "grids"))


def small_slides_source(data: Path, scratch: Path, slides: int) -> Source:
    """Small slides at 0.5 mpp, each another part of the mirrored picture; tissue and grids are found in every run."""
    folder = scratch / "small"
    folder.mkdir()
    rng, tissue = np.random.default_rng(0), _tissue(data)
    for number in range(slides):
        part = np.roll(tissue, rng.integers(0, tissue.shape[:2]), (0, 1))
        write_pyramid(folder / f"{number}.tif", part, int(rng.integers(*SMALL_SIDES)), (1, 4), 0.5)
    return Source(f"{slides} small slides", _table(folder), mpp=0.5)


@functools.cache
def _tissue(data: Path) -> np.ndarray:
    """The picture of the real SVS, from where it shows tissue at the upper left."""
    with open_slide(data / "slides" / "CMU-1-Small-Region.svs") as slide:
        picture = slide.read_region(0, 0, 0, *slide.dimensions)
    return np.roll(picture, (-BACKGROUND, -BACKGROUND), (0, 1))


def _table(folder: Path) -> str:
    """A manifest of the slides of a folder; half of them are of the test."""
    table = folder / "slides.csv"
    with open(table, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["slide", "number", "split"])
        slides = sorted(path for path in folder.iterdir() if path != table)
        writer.writerows([path.name, number, ("train", "test")[number // 2 % 2]] for number, path in enumerate(slides))
    return str(table)


def spread(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def parser(doc: str | None, *, tiles: int, rounds: int = 5, slides: int = 0, tree: bool = False) -> Any:
    """The arguments that the benchmarks of the embedding stage have in common."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0] if doc else None)
    made.add_argument("folder", type=Path, nargs="?", default=DATA, help="real tiles and slides")
    made.add_argument("--rounds", type=int, default=rounds)
    made.add_argument("--tiles", type=int, default=tiles, help="about so many a source")
    made.add_argument("--batch-size", type=int, default=32)
    made.add_argument("--workers", type=int, default=2)
    if slides:
        made.add_argument("--slides", type=int, default=slides, help="number of small slides")
    if tree:
        made.add_argument("--tree", type=Path, default=None, help="another checkout, run in turn with this one")
    return made
