"""A task on slides: every slide becomes a bag of tiles at the resolution that a model's authors mean."""

from __future__ import annotations

import hashlib
import json
import os
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from tqdm import tqdm

from bench.embed import Embedding, Unit, read_features
from bench.files import whole_file
from bench.models import Model
from bench.slides import (
    Grid,
    SlideTiles,
    coords_attributes,
    find_tissue,
    open_slide,
    plan,
    read_coords,
    read_mask,
    write_contact_sheet,
    write_preview,
)
from bench.tasks import Manifest, Tiling
from bench.tile_data import Pass, Sides, sides
from bench.tiles import Batch, TileSource
from registry.errors import UserError

DEFAULT_MPP = 0.5  # for models whose authors mean none
SHOWN = 10  # sentences of unusable slides


@dataclass(frozen=True)
class Cut:
    """The tiles that a model wants: side in px, microns per px."""

    size: int
    mpp: float

    @classmethod
    def of(cls, model: Model, tiling: Tiling) -> Cut:
        wanted = model.card.preprocessing
        return cls(tiling.size or wanted.tile_size, tiling.mpp or wanted.mpp or DEFAULT_MPP)

    def __str__(self) -> str:
        return f"{self.size}px-{self.mpp:g}mpp"


class SlideData:
    """The slides of a manifest, of which every sample is one.

    Parameters
    ----------
    manifest : Manifest
        With the columns ``mpp`` (NaN where the slide is to say) and ``mask`` ("" where tissue is to be found).
    cache, results : Path
        Grids are kept in the one, previews for people written to the other.
    on_corrupt : {"error", "skip"}
        Whether a slide that cannot be read stops the run or is left out.
    coords : Path or None
        Folder of CLAM's or TRIDENT's coordinates, which are taken instead of a grid.
    """

    noun = "slides"

    def __init__(self, manifest: Manifest, cache: Path, results: Path, on_corrupt: str, coords: Path | None = None):
        frame = manifest.frame
        self.manifest = manifest
        self.notes: list[str] = []
        self.content = TileSource(frame["id"].tolist(), frame["path"].tolist(), frame["index"].tolist()).digest()
        self._cache, self._on_corrupt, self._coords = cache, on_corrupt, coords
        self._previews = results / "previews" / manifest.task.name
        self._row = {_file_name(name): row for row, name in enumerate(frame["id"])}

    def passes(self, models: list[Model]) -> list[Pass]:
        """One for each cut that the models want."""
        tiling = self.manifest.task.tiling
        by_cut: dict[Cut, list[Model]] = {}
        for model in models:
            by_cut.setdefault(Cut.of(model, tiling), []).append(model)
        return [Pass(wanting, self._key(cut), partial(self._units, cut)) for cut, wanting in by_cut.items()]

    def samples(self, embedding: Embedding) -> Sides:
        """Train, validation and test slides, each the mean of its tiles."""
        rows = np.array([self._row[file.stem] for file in embedding.files])
        means = [np.asarray(read_features(file)[0], np.float32).mean(axis=0) for file in embedding.files]
        return sides(self.manifest, rows, np.stack(means))

    def _key(self, cut: Cut) -> dict[str, str]:
        tiling = {**asdict(self.manifest.task.tiling), **asdict(cut), "coords": str(self._coords or "")}
        return {"task": self.manifest.task.name, "tiling": json.dumps(tiling, sort_keys=True)}

    def _units(self, cut: Cut) -> list[Unit]:
        units: list[Unit] = []
        unusable: list[tuple[str, str]] = []
        empty: list[str] = []
        previews: list[tuple[Path, str]] = []
        self.notes = []
        folder = self._cache / "grids" / self.manifest.task.name / _digest(self._key(cut))
        rows: list[Any] = list(self.manifest.frame.itertuples())
        for slide in tqdm(rows, desc=f"{self.manifest.task.name}: tissue", unit=" slides", dynamic_ncols=True):
            name = _file_name(slide.id)
            preview = self._previews / str(cut) / f"{name}.jpg"
            try:
                grid, attributes = self._grid(slide, cut, folder / f"{name}.h5", preview)
            except UserError as error:
                unusable.append((slide.id, str(error)))
                continue
            previews.append((preview, f"{slide.id}\n{slide.label}, {len(grid)} tiles"))
            if not len(grid):
                empty.append(slide.id)
                continue
            units.append(_unit(name, slide, grid, attributes))
        if previews:
            write_contact_sheet(self._previews / f"{cut}.jpg", previews)
        if unusable and self._on_corrupt == "error":
            more = [f"{len(unusable) - SHOWN} more slides cannot be used."] if len(unusable) > SHOWN else []
            raise UserError("\n".join([*(sentence for _, sentence in unusable[:SHOWN]), *more]))
        if not units:
            raise UserError(
                f"No tissue was found on any of the {len(rows)} slides of {self.manifest.task.name}: look at the "
                f"pictures in {self._previews / str(cut)}, give masks, or set a lower "
                f"tasks.{self.manifest.task.name}.tiling.min_tissue."
            )
        for why, names in (("without tissue", empty), ("that cannot be read", [name for name, _ in unusable])):
            if names:
                self.notes.append(f"{len(names)} slides {why} left out: {', '.join(names)}")
        return units

    def _grid(self, slide: Any, cut: Cut, path: Path, preview: Path) -> tuple[Grid, dict[str, Any]]:
        """The tiles of one slide, from the cache where it is still this slide, and what its coordinates mean."""
        source = f"{_stamp(slide.path)} {slide.mpp} {_stamp(slide.mask)}"
        known = _read_grid(path, source)
        if known and preview.is_file():
            return known
        tiling = self.manifest.task.tiling
        with open_slide(slide.path, None if np.isnan(slide.mpp) else slide.mpp) as opened:
            if self._coords:
                tissue, grid = None, read_coords(self._coords, slide.id, opened, cut.size)
            else:
                tissue = (
                    read_mask(slide.mask, opened) if slide.mask else find_tissue(opened, on_corrupt=self._on_corrupt)
                )
                grid = plan(
                    opened,
                    cut.size,
                    cut.mpp,
                    overlap=tiling.overlap,
                    tissue=tissue,
                    min_tissue=tiling.min_tissue,
                    max_tiles=tiling.max_tiles,
                    seed=tiling.seed,
                    upsample=tiling.upsample,
                )
            attributes = coords_attributes(opened, grid)
            write_preview(preview, opened, tissue, grid)
        _write_grid(path, source, grid, attributes)
        return grid, attributes


class _Lazily:
    """The tiles of a slide, opened when they are read: a cohort would hold thousands of files open."""

    def __init__(self, path: str, mpp: float, grid: Grid):
        self.path, self.mpp, self.grid = path, mpp, grid

    def __len__(self) -> int:
        return len(self.grid)

    def batches(
        self, batch_size: int, *, workers: int, pin: bool = False, skipped: list[int] | None = None
    ) -> Iterator[Batch]:
        with open_slide(self.path, None if np.isnan(self.mpp) else self.mpp) as slide:
            yield from SlideTiles(slide, self.grid).batches(batch_size, workers=workers, pin=pin, skipped=skipped)


def _unit(name: str, slide: Any, grid: Grid, attributes: Mapping[str, Any]) -> Unit:
    read = {"source": _stamp(slide.path), "grid": grid.digest(), "slide": slide.id}
    return Unit(name, _Lazily(slide.path, slide.mpp, grid), read, grid.coords, attributes)


def _write_grid(path: Path, source: str, grid: Grid, attributes: Mapping[str, Any]) -> None:
    with whole_file(path) as temporary, h5py.File(temporary, "w") as file:
        coords = file.create_dataset("coords", data=grid.coords, track_times=False)
        for name, value in attributes.items():
            coords.attrs[name] = value
        file.create_dataset("tissue", data=grid.tissue, track_times=False)
        rest = {k: v for k, v in asdict(grid).items() if k not in ("coords", "tissue")}
        file.attrs["grid"], file.attrs["source"] = json.dumps(rest), source


def _read_grid(path: Path, source: str) -> tuple[Grid, dict[str, Any]] | None:
    try:
        with h5py.File(path, "r") as file:
            if file.attrs["source"] != source:
                return None
            stored = json.loads(file.attrs["grid"])
            rest: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()}
            return Grid(coords=file["coords"][:], tissue=file["tissue"][:], **rest), dict(file["coords"].attrs)
    except (OSError, KeyError):
        return None


def _stamp(path: str) -> str:
    """Size and time of a file, as `bench.tiles` knows a file by."""
    if not path:
        return ""
    found = os.stat(path)
    return f"{found.st_size}-{found.st_mtime_ns}"


def _file_name(slide: str) -> str:
    return urllib.parse.quote(slide, safe=" ")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
