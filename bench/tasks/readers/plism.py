"""PLISM as published: an HDF5 file a slide with an array a tile, the same tiles in all slides.

``{staining}_{scanner}_to_GMH_S60.tif.h5`` holds 16,278 arrays, uint8 [H, W, 3], by the tile's name
``{prefix}_{level}_{x}_{y}``. https://huggingface.co/datasets/owkin/plism-dataset

Options
-------
tiles : int
    How many tiles of each slide are taken, evenly from all; nothing takes all.
subset : str
    A file of the authors' repository (``assets/tiles_subset_N.npy``), from the data folder, with the places of the
    tiles to take; it goes before `tiles`.
label : str
    What is predicted of a tile: its staining, or its scanner.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from bench.files import atomic_write, unwritable
from bench.hdf5 import own_array
from bench.tasks.config import TaskConfig
from bench.tasks.locate import locate
from bench.tasks.readers import Table
from bench.tasks.unpacked import folder_of
from bench.tiles import MAX_TILE_PX
from registry.errors import UserError

OPTIONS = ("tiles", "subset", "label")
LABELS = ("staining", "scanner")


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    label, tiles = task.options.get("label") or LABELS[0], task.options.get("tiles")
    if label not in LABELS:
        raise UserError(f"tasks.{task.name}.options.label is {label}: it must be {' or '.join(LABELS)}.")
    if tiles is not None and (not isinstance(tiles, int) or tiles < 2):
        raise UserError(f"tasks.{task.name}.options.tiles is {tiles}: it must be 2 or more, or nothing for all.")
    base = locate(task, root, lambda folder: [] if list(folder.glob("*.h5")) else ["*.tif.h5"])
    frames = []
    names: list[str] = []
    for file in sorted(base.glob("*.h5")):
        found = _names(file)
        names = names or found
        if found != names:
            raise UserError(f"The slide {file} does not hold the tiles of the others: download it again.")
        parts = file.name.split("_")
        if len(parts) < 2:
            raise UserError(f"The name of {file} does not begin with STAINING_SCANNER_, as those of PLISM do.")
        staining, scanner = parts[0], parts[1].split(".")[0]
        chosen = _chosen(names, tiles, base / task.options["subset"] if task.options.get("subset") else None)
        own = {"staining": staining, "centre": scanner, "label": staining if label == "staining" else scanner}
        slide = f"{staining}_{scanner}"
        frames.append(
            pd.DataFrame(
                {
                    "id": [f"{slide}/{name}" for name in chosen],
                    "path": str(_unpacked(file, chosen, cache)),
                    "index": np.arange(len(chosen)),
                    "group": chosen,
                    "region": chosen,
                    **own,
                }
            )
        )
    return Table(pd.concat(frames, ignore_index=True), str(base))


def _names(file: Path) -> list[str]:
    """The tiles of a slide, ordered by x and y as the authors order them, or else by name."""
    try:
        with h5py.File(file, "r") as opened:
            names = list(opened)
    except (OSError, RuntimeError) as error:
        raise UserError(f"The slide {file} is no HDF5 file, or is damaged: download it again.") from error
    if not names:
        raise UserError(f"The slide {file} holds no tiles: download it again.")
    try:
        places = {name: tuple(int(part) for part in name.split("_")[1:])[1:3] for name in names}
    except ValueError:
        return names
    return sorted(names, key=places.__getitem__)


def _chosen(names: Sequence[str], tiles: int | None, subset: Path | None) -> list[str]:
    if subset is None:
        count = min(tiles or len(names), len(names))
        return [names[place] for place in np.linspace(0, len(names) - 1, count).round().astype(int)]
    try:
        places = np.load(subset, allow_pickle=False)
        return [names[place] for place in np.sort(places)]
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise UserError(
            f"The file {subset} does not hold places of tiles from 0 to {len(names) - 1}: take one of the authors' "
            "repository."
        ) from error


def _unpacked(file: Path, chosen: Sequence[str], cache: Path) -> Path:
    """The tiles as one array [N, H, W, 3] in the cache."""
    target = folder_of(file, cache, *chosen) / file.name
    if target.is_file():
        return target
    try:
        with h5py.File(file, "r") as opened, atomic_write(target) as temporary:
            first = own_array(opened, chosen[0])
            if first.size > 3 * MAX_TILE_PX or first.ndim != 3 or first.shape[2] != 3 or first.dtype != np.uint8:
                raise UserError(f"The tile {chosen[0]} of {file} is no array uint8 [H, W, 3]: download it again.")
            with h5py.File(temporary, "w") as writer:
                tiles = writer.create_dataset("tiles", (len(chosen), *first.shape), np.uint8)
                for row, name in enumerate(chosen):
                    tiles[row] = own_array(opened, name)[:]
            time = file.stat().st_mtime_ns
            os.utime(temporary, ns=(time, time))
    except (TypeError, KeyError, ValueError, RuntimeError, MemoryError) as error:
        raise UserError(f"The slide {file} holds tiles of several sizes, or is damaged: download it again.") from error
    except OSError as error:
        raise unwritable(target, error, "cache=DIR") from error
    return target
