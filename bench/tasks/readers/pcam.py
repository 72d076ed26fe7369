"""PatchCamelyon as published: six HDF5 files, gzipped or not, and three tables that name the slides.

``camelyonpatch_level_2_split_{train,valid,test}_{x,y}.h5[.gz]`` hold ``x`` uint8 [N, 96, 96, 3] and ``y`` uint8
[N, 1, 1, 1]; ``..._meta.csv`` (optional) has a row a tile with the slide in the column ``wsi``.
https://github.com/basveeling/pcam
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from bench.files import atomic_write, unwritable
from bench.hdf5 import own_array
from bench.progress import progress_bar
from bench.tasks.config import TaskConfig
from bench.tasks.locate import locate
from bench.tasks.readers import Table
from registry.errors import UserError

OPTIONS: tuple[str, ...] = ()
STEM = "camelyonpatch_level_2_split_{split}_{part}"
SPLITS = {"train": "train", "valid": "val", "test": "test"}
CHUNK = 1 << 20
MOST_TILES = 10_000_000  # of a file; PatchCamelyon has 262,144
LARGE = 50_000_000  # bytes from which unpacking shows its progress


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    if len(task.classes) != 2:
        raise UserError(f"tasks.{task.name}.classes must name two classes, those of the labels 0 and 1.")
    names = [STEM.format(split=split, part=part) + ".h5" for split in SPLITS for part in "xy"]
    base = locate(task, root, lambda folder: [f"{n}[.gz]" for n in names if _packed(folder, n) is None])
    frames = [_part(task, base, split, cache) for split in SPLITS]
    notes = []
    if not all("group" in frame for frame in frames):
        frames = [frame.drop(columns="group", errors="ignore") for frame in frames]
        notes.append("slides are not known without the three _meta.csv files; train and test share none by design")
    return Table(pd.concat(frames, ignore_index=True), str(base), notes)


def _part(task: TaskConfig, base: Path, split: str, cache: Path) -> pd.DataFrame:
    images, labels = (_unpacked(base, STEM.format(split=split, part=part) + ".h5", cache) for part in "xy")
    (n, _), (_, y) = _read(images, "x"), _read(labels, "y")
    if n != len(y):
        raise UserError(f"{images} holds {n} tiles and {labels} {len(y)} labels: download both again.")
    if not np.isin(y, (0, 1)).all():
        raise UserError(f"{labels} holds labels other than 0 and 1: download it again.")
    rows = np.arange(n)
    frame = pd.DataFrame(
        {
            "id": [f"{SPLITS[split]}/{row}" for row in rows],
            "path": str(images),
            "index": rows,
            "label": np.asarray(task.classes, dtype=object)[y.astype(int)],  # 1: tumour in the central 32 px
            "split": SPLITS[split],
        }
    )
    meta = base / (STEM.format(split=split, part="meta") + ".csv")
    if meta.is_file():
        try:
            slides = pd.read_csv(meta, dtype=str)
        except ValueError:
            slides = pd.DataFrame()
        if "wsi" not in slides or len(slides) != n:
            raise UserError(f"{meta} must have a column wsi and {n} rows, one a tile: download or remove it.")
        frame["group"] = slides["wsi"].to_numpy()
    return frame


def _packed(folder: Path, name: str) -> Path | None:
    return next((folder / n for n in (name, f"{name}.gz") if (folder / n).is_file()), None)


def _unpacked(base: Path, name: str, cache: Path) -> Path:
    """The HDF5 file itself, unpacked once into the cache where only the gzipped one is there."""
    source = _packed(base, name)
    assert source is not None
    if source.suffix != ".gz":
        return source
    stat = source.stat()
    key = hashlib.sha256(f"{source.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}".encode()).hexdigest()[:16]
    target = (cache / "unpacked" / key / name).absolute()
    if target.is_file():
        return target
    try:
        with (
            open(source, "rb") as raw,
            gzip.open(raw) as packed,
            atomic_write(target) as temporary,
            open(temporary, "wb") as handle,
            progress_bar(source.name, "B", stat.st_size, shown=stat.st_size >= LARGE) as bar,
        ):
            while chunk := packed.read(CHUNK):
                handle.write(chunk)
                bar.update(raw.tell() - bar.n)
            handle.flush()
            os.utime(temporary, ns=(stat.st_mtime_ns, stat.st_mtime_ns))  # features stay valid if unpacked anew
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{source} is damaged ({error}): download it again.") from error
    except OSError as error:
        raise unwritable(target, error, "cache=DIR") from error
    return target


def _read(file: Path, name: str) -> tuple[int, np.ndarray]:
    """Length of an HDF5 array and, for labels, its values."""
    try:
        with h5py.File(file, "r") as opened:
            array = own_array(opened, name)
            if not array.ndim or len(array) > MOST_TILES:
                raise UserError(f"{file} says that `{name}` has the shape {array.shape}: download it again.")
            if name == "y" and array.size != len(array):
                raise UserError(f"{file} has labels of the shape {array.shape}, not one a tile: download it again.")
            return len(array), array[:].reshape(-1) if name == "y" else np.empty(0)
    except ValueError as error:
        raise UserError(f"{file} cannot be read ({error}): download it again.") from error
    except (OSError, KeyError, RuntimeError, MemoryError) as error:
        raise UserError(f"{file} is no HDF5 file with the array {name}, or is damaged: download it again.") from error
