"""From slides to shards of embedding: tissue, grid and preview of each slide, made once and cached."""

from __future__ import annotations

import contextlib
import json
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bench.data.cohort import ALL, Known, Part, in_part
from bench.data.grid_cache import read_grid, slide_content, write_grid
from bench.data.tissue_cache import load_or_segment_tissue
from bench.embedding import Shard
from bench.files import digest, stamp, unwritable
from bench.slides import (
    FINER_TOLERANCE,
    Grid,
    Resample,
    SlideTiles,
    block_of,
    coords_attributes,
    open_slide,
    plan,
    read_coords,
    read_mask,
    write_contact_sheet,
    write_preview,
)
from bench.tasks import Manifest
from bench.tiles import Batch
from registry.errors import UserError

SHOWN = 10  # sentences of unusable slides
MPP_TOLERANCE = 0.1  # relative; beyond it the rows say the scale of the tiles


@dataclass(frozen=True)
class TileSpec:
    """The tiles that a model wants: side in px, microns per px."""

    size: int
    mpp: float

    def __str__(self) -> str:
        return f"{self.size}px-{self.mpp:g}mpp"


class SlideUnits:
    """The slides of a manifest, tiled one way.

    Parameters
    ----------
    manifest : Manifest
        Its `slides` have ``mpp`` (NaN where the slide's own is used) and ``mask`` ("" where tissue is to be found).
    spec : TileSpec
    cache : Path
        Folder of the grids and of what tissue was found.
    previews : Path or None
        Folder of the pictures for people; None draws none.
    on_corrupt : {"error", "skip"}
        Whether a slide that cannot be read stops the run or is left out.
    coords : Path or None
        Folder of CLAM's or TRIDENT's coordinates, which are taken instead of a grid.

    Attributes
    ----------
    source : str
        All of how tiles are laid that can change a feature; with the task's name, which keeps cohorts apart.
    pictures : Path or None
        Folder of the previews, one ``NAME.jpg`` a slide.
    """

    def __init__(
        self,
        manifest: Manifest,
        spec: TileSpec,
        cache: Path,
        previews: Path | None,
        on_corrupt: str,
        coords: Path | None,
        progress: bool = True,
    ) -> None:
        self.manifest, self.spec = manifest, spec
        coords_folder = str(coords.expanduser().absolute()) if coords else ""
        tiling = {**asdict(manifest.task.tiling), **asdict(spec), "coords": coords_folder}
        del tiling["resample"]
        laid = json.dumps({"task": manifest.task.name, "tiling": tiling}, sort_keys=True)
        self._resample: Resample = "fast" if manifest.task.tiling.resample.value == "fast" else "exact"
        # The default leaves no trace, so that features from before there was a choice stay valid.
        tiling |= {} if self._resample == "exact" else {"resample": self._resample}
        self.source = json.dumps({"task": manifest.task.name, "tiling": tiling}, sort_keys=True)
        self.pictures = previews / (f"{spec}-coords" if coords else str(spec)) if previews else None
        self._grids = cache / "grids" / manifest.task.name / digest(laid)
        self._tissue = cache / "tissue" / manifest.task.name
        self._on_corrupt, self._coords, self._progress = on_corrupt, coords, progress

    def make(self, part: Part = ALL) -> tuple[list[Shard], list[str]]:
        """The shards of the usable slides, and notes for the rows on the others and on the scale.

        Parameters
        ----------
        part : (int, int)
            The slides of other parts are not opened. Their pictures may be missing, so that no contact sheet is drawn,
            and a part without any tile is no error, as other parts may have some.

        Raises
        ------
        UserError
            If a slide cannot be read and `on_corrupt` is "error", if a mask, the resolution or the tiling is wrong, or
            if no slide of the cohort gives a tile.
        """
        shards: list[Shard] = []
        scales: list[_Scale] = []
        corrupt: dict[str, str] = {}
        wrong: list[str] = []
        over_edge = 0
        empty: dict[str, list[str]] = {}
        sheet: list[tuple[Path, str]] = []
        task = self.manifest.task.name
        rows: Sequence[Any] = in_part(list(self.manifest.slides.itertuples()), part)
        answers = dict(zip(self.manifest.frame["id"], self.manifest.answers, strict=True))
        for slide in tqdm(rows, desc=f"{task}: tissue", unit=" slides", dynamic_ncols=True, disable=not self._progress):
            name = file_name(slide.id)
            preview = self.pictures / f"{name}.jpg" if self.pictures else None
            try:
                grid, attributes = self._grid(slide, self._grids / f"{name}.h5", preview)
            except _NotCorrupt as error:
                if str(error) in wrong:
                    break  # it is not of one slide but of a setting
                wrong.append(str(error))
                continue
            except UserError as error:
                corrupt[slide.id] = str(error).replace(slide.path, Path(slide.path).name)
                if self._on_corrupt == "error":
                    wrong.append(str(error))
                continue
            except OSError as error:  # reading fails in a sentence, so this was writing
                place = Path(error.filename or preview or self._grids)
                raise unwritable(place, error, "cache=DIR or results=DIR") from error
            if preview:
                sheet.append((preview, f"{slide.id}\n{answers[slide.sample]}, {len(grid)} tiles"))
            if len(grid):
                shards.append(self._shard(slide, grid, attributes))
                over_edge += grid.candidates - len(grid) if self._coords else 0
                scales.append(_Scale(grid, max(attributes["level0_mpp_x"], attributes["level0_mpp_y"]), self._resample))
            else:
                empty.setdefault(self._why_empty(grid), []).append(slide.id)
        if sheet and self.pictures and part == ALL:
            name = f"{self.pictures.name}-{self.manifest.cohort_hash}.jpg"
            _write_sheet(self.pictures.with_name(name), sheet)
        if wrong:
            more = [f"{len(wrong) - SHOWN} more slides cannot be used."] if len(wrong) > SHOWN else []
            raise UserError("\n".join([*wrong[:SHOWN], *more]))
        notes = [f"{counted(len(names), 'slide')} {why} left out: {', '.join(names)}" for why, names in empty.items()]
        if corrupt:
            reason = next(iter(corrupt.values())).splitlines()[0].rsplit(": ", 1)[0]
            empty["that cannot be read"] = list(corrupt)
            first = "" if len(corrupt) == 1 else "the first: "
            notes.append(
                f"{counted(len(corrupt), 'slide')} that cannot be read left out: {', '.join(corrupt)} ({first}{reason})"
            )
        if over_edge:
            notes.append(f"{counted(over_edge, 'tile')} of the coordinates left out, over the edge of a slide")
        if not shards and part == ALL:
            counts = ", ".join(f"{len(names)} {why}" for why, names in empty.items())
            look = f"look at the pictures in {self.pictures}, " if self.pictures else ""
            mend = (
                f"look at the files in {self._coords}"
                if self._coords
                else f"{look}give masks, or set a lower tasks.{task}.tiling.min_tissue or tiling.size"
            )
            raise UserError(f"None of the {len(rows)} slides of {task} gives a tile ({counts}): {mend}.")
        return shards, [*notes, *_scale_notes(scales, self.spec.mpp)]

    def known(self) -> Known:
        """The shards of the slides whose grids are in the cache; writes nothing."""
        shards, unknown = [], 0
        slides: list[Any] = list(self.manifest.slides.itertuples())
        for slide in slides:
            cached = read_grid(self._grids / f"{file_name(slide.id)}.h5", slide_content(slide, self._coords))
            if cached is None:
                unknown += 1
            elif len(cached[0]):
                shards.append(self._shard(slide, *cached))
        return Known(shards, unknown)

    def _shard(self, slide: Any, grid: Grid, coords_attributes: Mapping[str, Any]) -> Shard:
        read = {"file": stamp(slide.path), "grid": grid.digest(), "slide": slide.id}
        tiles = _OpenedWhenRead(slide.path, slide.mpp, grid, self._resample)
        return Shard(file_name(slide.id), tiles, read, grid.coords, coords_attributes)

    def _why_empty(self, grid: Grid) -> str:
        if self._coords:
            return f"whose {'tiles all hang over the edge' if grid.candidates else 'coordinates list no tile'}"
        return "without tissue" if grid.candidates else f"smaller than a tile of {self.spec}"

    def _grid(self, slide: Any, path: Path, preview: Path | None) -> tuple[Grid, dict[str, Any]]:
        """The tiles of one slide, and what its coordinates mean; from the cache where they are there."""
        source = slide_content(slide, self._coords)
        cached = read_grid(path, source)
        if cached and (preview is None or preview.is_file()):
            return cached
        tiling = self.manifest.task.tiling
        with open_slide(slide.path, None if np.isnan(slide.mpp) else slide.mpp) as opened:
            if self._coords:
                tissue, grid = None, read_coords(self._coords, slide.id, opened, self.spec.size)
            else:
                found = self._tissue / f"{path.stem}.npz"
                tissue = (
                    None if slide.mask else load_or_segment_tissue(found, source, opened, on_corrupt=self._on_corrupt)
                )
                with _not_corrupt():
                    tissue = tissue or read_mask(slide.mask, opened)
                    grid = plan(
                        opened,
                        self.spec.size,
                        self.spec.mpp,
                        overlap=tiling.overlap,
                        tissue=tissue,
                        min_tissue=tiling.min_tissue,
                        max_tiles=tiling.max_tiles,
                        seed=tiling.seed,
                        upsample=tiling.upsample,
                    )
            attributes = coords_attributes(opened, grid)
            if preview:
                write_preview(preview, opened, tissue, grid)
        if not cached:
            write_grid(path, source, grid, attributes)
        return grid, attributes


def _write_sheet(path: Path, previews: list[tuple[Path, str]]) -> None:
    try:
        write_contact_sheet(path, previews)
    except OSError as error:
        raise unwritable(path, error, "results=DIR") from error


class _NotCorrupt(UserError):
    """An error of a readable slide: of its mask, resolution or tiling, which on_corrupt=skip does not leave out."""


@contextlib.contextmanager
def _not_corrupt() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise _NotCorrupt(str(error)) from error


class _Scale:
    """Microns per px of a slide's tiles, and of its level 0, and how the tiles came to theirs."""

    def __init__(self, grid: Grid, level0: float, resample: Resample):
        self.tile, self.level0 = max(grid.mpp_true), level0
        self.averaged = resample == "fast" and block_of(grid.window, grid.size) > 1
        self.enlarged = min(grid.factor) < 1 / (1 + FINER_TOLERANCE)


def _scale_notes(scales: list[_Scale], requested: float) -> Iterator[str]:
    other = [scale.tile for scale in scales if abs(scale.tile / requested - 1) > MPP_TOLERANCE]
    if other:
        yield f"tiles of {counted(len(other), 'slide')} are {_range(other)} um/px where {requested:g} is requested"
    enlarged = [scale for scale in scales if scale.enlarged]
    if enlarged:
        yield (
            f"tiles of {counted(len(enlarged), 'slide')} are enlarged from {_range([s.level0 for s in enlarged])} to "
            f"{_range([s.tile for s in enlarged])} um/px: their detail is made up"
        )
    averaged = sum(scale.averaged for scale in scales)
    if averaged:
        yield f"tiles of {counted(averaged, 'slide')} are brought to scale by averages of blocks (tiling.resample=fast)"


def _range(values: list[float]) -> str:
    ends = dict.fromkeys(f"{end:.3g}" for end in (min(values), max(values)))
    return " to ".join(ends)


class _OpenedWhenRead:
    """The tiles of a slide, opened when they are read: a cohort would hold thousands of files open."""

    def __init__(self, path: str, mpp: float, grid: Grid, resample: Resample):
        self.path, self.mpp, self.grid, self.resample = path, mpp, grid, resample

    def __len__(self) -> int:
        return len(self.grid)

    def batches(self, batch_size: int, *, workers: int, pin: bool = False) -> Iterator[Batch]:
        with open_slide(self.path, None if np.isnan(self.mpp) else self.mpp) as slide:
            yield from SlideTiles(slide, self.grid, self.resample).batches(batch_size, workers=workers, pin=pin)


def file_name(slide: str) -> str:
    """A slide's id as the stem of a file."""
    return urllib.parse.quote(slide, safe=" ")


def counted(number: int, noun: str) -> str:
    """As in "1 slide" and "2 slides"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
