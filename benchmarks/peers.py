"""The loops of other harnesses, written plainly, against this one on the same tiles, weights and device.

    python -m benchmarks.peers [FOLDER]

The loops, each with the transforms of torchvision on PIL images in two worker processes of a torch DataLoader:

- slide: a `read_region` a tile, the features of each batch appended to resizable datasets (the way of CLAM; TRIDENT
  reads alike and writes once at the end);
- file a sample: image files through PIL, a `.pt` file for each tile (the way of kaiko-eva);
- dataset a sample: image files through PIL, an HDF5 dataset for each tile (the way of THUNDER);
- plain: image files through PIL, one array at the end.

Models are efficientnet_lite0 with its weights on this processor, and a stand-in for a fast device that costs 1 ms a
batch, for which the loops transform on the processor, as they do, and ours hands over the pixels. Both sides start from
files on the disk and end with files of features; ours with default settings. Prints how many times as long each loop
takes, and the largest difference of features; with `--parts` also where the processor time of a tile goes.
`benchmarks/embedding_cases.py` says what FOLDER holds.
"""

from __future__ import annotations

import copy
import csv
import functools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import openslide
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from bench.slides import find_tissue, open_slide, plan
from benchmarks.embedding import make_source
from benchmarks.embedding_cases import (
    SIZE,
    FastDevice,
    Source,
    embed_once,
    extractor,
    parser,
    processor_seconds,
    spread,
    tile_source,
)
from registry.extractor import pool

Loop = Callable[[Source, Any, Callable[[torch.Tensor], torch.Tensor], Path, int, int], np.ndarray]
Place = tuple[Path, np.ndarray, int, tuple[int, int]]  # a slide, level-0 px of its tiles, level and window in its px


def transform_of(model: Any) -> Any:
    """The recipe of the card on PIL images; of the stand-in that of efficientnet_lite0."""
    from torchvision import transforms

    recipe = (model if hasattr(model, "network") else extractor("efficientnet_lite0")).card.preprocessing
    resize = transforms.Resize(recipe.resize, interpolation=transforms.InterpolationMode(recipe.interpolation))
    steps = [resize, transforms.CenterCrop(recipe.size), transforms.ToTensor()]
    return transforms.Compose([*steps, transforms.Normalize(recipe.mean, recipe.std)])


def network_of(model: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    """From transformed tiles to features, in float32 and the layout of memory that a network is built in."""
    if not hasattr(model, "network"):
        return model
    network = copy.deepcopy(model.network).to(memory_format=torch.contiguous_format)
    return lambda batch: pool(network(batch), model.card.pooling)


class Regions(Dataset):
    """Regions of one slide, read when they are indexed; each worker process opens the slide once."""

    def __init__(self, path: Path, coords: np.ndarray, level: int, window: tuple[int, int], transform: Any) -> None:
        self.path, self.coords, self.level, self.window, self.transform = path, coords, level, window, transform
        self._slide: openslide.OpenSlide | None = None

    def __len__(self) -> int:
        return len(self.coords)

    def __getitem__(self, row: int) -> torch.Tensor:
        self._slide = self._slide or openslide.OpenSlide(str(self.path))
        x, y = self.coords[row].tolist()
        region = self._slide.read_region((x, y), self.level, self.window).convert("RGB")
        if self.window != (SIZE, SIZE):
            region = region.resize((SIZE, SIZE))
        return self.transform(region)


class Files(Dataset):
    """Image files, opened when they are indexed."""

    def __init__(self, paths: list[str], transform: Any) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> torch.Tensor:
        with Image.open(self.paths[row]) as image:
            return self.transform(image.convert("RGB"))


def batches(tiles: Dataset, network: Any, batch_size: int, workers: int) -> Iterator[np.ndarray]:
    """Features of each batch."""
    for batch in DataLoader(tiles, batch_size, num_workers=workers):
        with torch.inference_mode():
            yield network(batch).cpu().numpy().astype(np.float32)


def slide_loop(source: Source, transform: Any, network: Any, out: Path, batch_size: int, workers: int) -> np.ndarray:
    """A file a slide, opened, enlarged and closed for each batch."""
    found = []
    for path, coords, level, window in grids(source):
        first, file_path = 0, out / f"{path.stem}.h5"
        for features in batches(Regions(path, coords, level, window, transform), network, batch_size, workers):
            places = coords[first : first + len(features)]
            append(file_path, {"features": features, "coords": places})
            first += len(features)
            found.append(features)
    return np.concatenate(found)


def append(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Append rows to datasets that grow, with chunks of one row."""
    with h5py.File(path, "a") as file:
        for name, rows in arrays.items():
            if name not in file:
                shape = (None, *rows.shape[1:])
                file.create_dataset(name, data=rows, maxshape=shape, chunks=(1, *rows.shape[1:]))
                continue
            file[name].resize(len(file[name]) + len(rows), axis=0)
            file[name][-len(rows) :] = rows


def file_a_sample(source: Source, transform: Any, network: Any, out: Path, batch_size: int, workers: int) -> np.ndarray:
    """A tensor file for each tile, and a table of them."""
    paths, found = tile_source(source).paths, []
    with open(out / "manifest.csv", "w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        for features in batches(Files(paths, transform), network, batch_size, workers):
            for row in features:
                name = f"{len(found)}.pt"
                torch.save(torch.from_numpy(row.copy()), out / name)
                table.writerow([paths[len(found)], name])
                found.append(row)
    return np.stack(found)


def dataset_a_sample(source: Source, transform: Any, network: Any, out: Path, batch_size: int, workers: int) -> Any:
    """An HDF5 dataset for each tile."""
    found: list[np.ndarray] = []
    with h5py.File(out / "embeddings.h5", "w", libver="latest") as file:
        for features in batches(Files(tile_source(source).paths, transform), network, batch_size, workers):
            for row in features:
                file.create_dataset(str(len(found)), data=row)
                found.append(row)
    return np.stack(found)


def plain(source: Source, transform: Any, network: Any, out: Path, batch_size: int, workers: int) -> np.ndarray:
    """One array at the end."""
    made = list(batches(Files(tile_source(source).paths, transform), network, batch_size, workers))
    np.save(out / "features.npy", np.concatenate(made))
    return np.concatenate(made)


def grids(source: Source) -> Iterator[Place]:
    """The slides of a source in the order of the stage, and where their tiles lie; known if the stage knows them."""
    yield from _known(source) if source.grids else _found(source)


@functools.cache
def _known(source: Source) -> list[Place]:
    return list(_found(source))


def _found(source: Source) -> Iterator[Place]:
    with open(source.path, encoding="utf-8") as table:
        names = [row["slide"] for row in csv.DictReader(table)]
    for path in [Path(source.path).with_name(name) for name in names]:
        with open_slide(path) as slide:
            grid = plan(slide, SIZE, source.mpp, tissue=find_tissue(slide))
        yield path, grid.coords, grid.level, grid.window


LOOPS: dict[str, tuple[Loop, tuple[str, ...]]] = {
    "slide": (slide_loop, ("aligned", "resampled", "small")),
    "file a sample": (file_a_sample, ("pcam", "nct")),
    "dataset a sample": (dataset_a_sample, ("nct",)),
    "plain": (plain, ("nct",)),
}


def compare(loop: Loop, source: Source, model: Any, batch_size: int, workers: int) -> dict[str, float]:
    """Seconds of both sides, one after the other, and the largest difference of features."""
    own = embed_once(source, [model], batch_size, workers)
    with tempfile.TemporaryDirectory() as folder:
        transform, network = transform_of(model), network_of(model)
        clock, processor = time.perf_counter(), processor_seconds()
        theirs = loop(source, transform, network, Path(folder), batch_size, workers)
        clock, processor = time.perf_counter() - clock, processor_seconds() - processor
    return {
        "tiles": own.tiles,
        "rate": own.tiles / own.seconds,
        "clock": clock / own.seconds,
        "processor": processor / own.processor,
        "difference": float(np.abs(theirs - own.features[0]).max()) if len(theirs) == own.tiles else float("nan"),
    }


def parts(source: Source, model: Any, batch_size: int, workers: int) -> dict[str, float]:
    """Processor seconds a tile of reading with transforms, and of the forward, of a loop and of the stage."""
    transform, network = transform_of(model), network_of(model)
    if source.mpp:
        tiles: list[Dataset] = [Regions(*place, transform) for place in grids(source)]
    else:
        tiles = [Files(tile_source(source).paths, transform)]
    began = processor_seconds()
    read = [own[row] for own in tiles for row in range(len(own))]
    seconds = {"their reading": processor_seconds() - began}
    batches_read = [torch.stack(read[first : first + batch_size]) for first in range(0, len(read), batch_size)]
    began = processor_seconds()
    with torch.inference_mode():
        for batch in batches_read:
            network(batch)
    seconds["their forward"] = processor_seconds() - began
    seconds["our reading"] = embed_once(source, [FastDevice(0.0)], batch_size, workers).processor
    own = embed_once(source, [model], batch_size, workers)
    seconds["our forward, with preprocessing"] = own.processor - seconds["our reading"]
    return {name: value / len(read) for name, value in seconds.items()}


def print_parts(sources: dict[str, Source], options: Any) -> None:
    """Print where the processor time of efficientnet_lite0 goes, medians of the rounds in ms a tile."""
    model, lines = extractor("efficientnet_lite0"), []
    for source in sources.values():
        rounds = [parts(source, model, options.batch_size, options.workers) for _ in range(options.rounds + 1)][1:]
        names = list(rounds[0])
        found = [f"{1000 * statistics.median(one[name] for one in rounds):.2f}" for name in names]
        lines.append(" | ".join([source.name, *found]))
    print("\nprocessor time in ms a tile | " + " | ".join(names))
    print("\n".join(lines))


def main() -> None:
    """Print a row a loop, source and model."""
    arguments = parser(__doc__, tiles=512, slides=20)
    arguments.add_argument("--loops", nargs="+", choices=LOOPS, default=list(LOOPS))
    arguments.add_argument("--models", nargs="+", default=("device", "efficientnet_lite0"))
    arguments.add_argument("--parts", action="store_true", help="where the processor time goes, at the end")
    options = arguments.parse_args()
    print("loop | source | model | tiles | ours, tiles/s | the loop takes | by processor time | features differ by")
    with tempfile.TemporaryDirectory() as scratch:
        sources: dict[str, Source] = {}
        for case in options.loops:
            loop, names = LOOPS[case]
            for name in names:
                if name not in sources:
                    sources[name] = make_source(name, options.folder, Path(scratch), options.tiles, options.slides)
                for model_name in options.models:
                    model = FastDevice() if model_name == "device" else extractor(model_name)
                    embed_once(sources[name], [FastDevice(0.0)])  # lays the grids that are known, as the next line does
                    _ = list(grids(sources[name])) if sources[name].grids else None
                    runs = [
                        compare(loop, sources[name], model, options.batch_size, options.workers)
                        for _ in range(options.rounds)
                    ]
                    print(
                        f"{case} | {sources[name].name} | {model_name} | {runs[0]['tiles']} | "
                        f"{statistics.median(run['rate'] for run in runs):.0f} | "
                        f"{spread([run['clock'] for run in runs])} times as long | "
                        f"{spread([run['processor'] for run in runs])} | "
                        f"{max(run['difference'] for run in runs):.2g}",
                        flush=True,
                    )
        if options.parts:
            print_parts(sources, options)


if __name__ == "__main__":
    main()
