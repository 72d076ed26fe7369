"""From slides to shards of embedding: tissue, grid and preview of each slide, made once and cached."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import files
from bench.data.cohort import ALL, Known, Part, in_part
from bench.data.grid_cache import read_grid, slide_content, write_grid
from bench.data.tissue_cache import load_or_segment_tissue
from bench.embedding import Shard
from bench.files import digest, stamp
from bench.slides import (
    Grid,
    NoResolution,
    Resample,
    Scratch,
    Slide,
    SlideFileTiles,
    Tissue,
    coords_attributes,
    open_slide,
    plan,
    read_coords,
    read_mask,
    unreadable_slide,
    write_preview,
)
from bench.tasks import Manifest
from registry.errors import UserError

MPP_DEFAULT = "mpp_default"
"""What `mpp_source` of a slide's coordinates is where its resolution is the default of its task."""
LONGEST_NAME = 200  # characters of a slide's id in the names of its files, which may have 255 with their endings


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
    scratch : Scratch or None
        Where slides are copied before their tiles are read.

    Attributes
    ----------
    source : str
        All of how tiles are laid that can change a feature; with the task's name, which keeps cohorts apart.
    pictures : Path or None
        Folder of the previews, one ``NAME.jpg`` a slide.
    task : str
    given_coords : Path or None
        As `coords`.
    grids : Path
        Folder of the grids.
    resample : {"exact", "fast"}
        How windows that are not of the tile's size are brought to it.
    """

    def __init__(
        self,
        manifest: Manifest,
        spec: TileSpec,
        cache: Path,
        previews: Path | None,
        on_corrupt: str,
        coords: Path | None,
        scratch: Scratch | None = None,
    ) -> None:
        self.manifest, self.spec = manifest, spec
        coords_folder = str(coords.expanduser().absolute()) if coords else ""
        tiling = {**asdict(manifest.task.tiling), **asdict(spec), "coords": coords_folder}
        del tiling["resample"]
        laid = json.dumps({"task": manifest.task.name, "tiling": tiling}, sort_keys=True)
        self.resample: Resample = "fast" if manifest.task.tiling.resample.value == "fast" else "exact"
        # The default leaves no trace, so that features from before there was a choice stay valid.
        tiling |= {} if self.resample == "exact" else {"resample": self.resample}
        self.source = json.dumps({"task": manifest.task.name, "tiling": tiling}, sort_keys=True)
        self.pictures = previews / (f"{spec}-coords" if coords else str(spec)) if previews else None
        self.task, self._scratch = manifest.task.name, scratch
        self.on_corrupt, self.given_coords = on_corrupt, coords
        self.grids = cache / "grids" / files.file_name(self.task) / digest(laid)
        self._tissue = cache / "tissue" / files.file_name(self.task)
        self._answers = dict(zip(manifest.frame["id"], manifest.answers, strict=True))

    def known(self) -> Known:
        """The shards of the slides whose grids are in the cache; writes nothing."""
        shards, unknown = [], 0
        for slide in self.slides():
            cached = self._cached(slide)
            if cached is None:
                unknown += 1
            elif len(cached[0]):
                shards.append(self.shard(slide, *cached))
        return Known(shards, unknown)

    def slides(self, part: Part = ALL) -> Sequence[Any]:
        """The rows of the manifest's slides that belong to a part; a file's size stands for its tiles."""
        return in_part(list(self.manifest.slides.itertuples()), part, lambda slide: _bytes(slide.path))

    def preview(self, slide: Any) -> Path | None:
        """Where the picture of a slide is, if pictures are drawn."""
        return self.pictures / f"{file_name(slide.id)}.jpg" if self.pictures else None

    @property
    def sheet(self) -> Path:
        """Where the contact sheet of the previews is."""
        assert self.pictures is not None
        return self.pictures.with_name(f"{self.pictures.name}-{self.manifest.cohort_hash}.jpg")

    def caption(self, slide: Any, grid: Grid) -> str:
        """What the contact sheet says of a slide."""
        return f"{slide.id}\n{self._answers[slide.sample]}, {len(grid)} tiles"

    def why_empty(self, grid: Grid) -> str:
        """Why a grid has no tile."""
        if self.given_coords:
            return f"whose {'tiles all hang over the edge' if grid.candidates else 'coordinates list no tile'}"
        return "without tissue" if grid.candidates else f"smaller than a tile of {self.spec}"

    def mend_empty(self) -> str:
        """What to do where no slide has a tile."""
        if self.given_coords:
            return f"look at the files in {self.given_coords}"
        look = f"look at the pictures in {self.pictures}, " if self.pictures else ""
        return f"{look}give masks, or set a lower tasks.{self.task}.tiling.min_tissue or tiling.size"

    def shard(self, slide: Any, grid: Grid, coords_attributes: Mapping[str, Any]) -> Shard:
        """The tiles of a slide, which is opened when they are read."""
        read = {"file": stamp(slide.path), "grid": grid.digest(), "slide": slide.id}
        default = coords_attributes.get("mpp_source") == MPP_DEFAULT
        mpp = self.manifest.task.mpp_default if default else _mpp(slide)
        tiles = SlideFileTiles(slide.path, mpp, grid, self.resample, self._scratch)
        return Shard(file_name(slide.id), tiles, read, grid.coords, coords_attributes)

    def has_grid(self, slide: Any) -> bool:
        """Whether the grid of a slide is in the cache."""
        return self._cached(slide) is not None

    def check(self, slide: Any) -> None:
        """Open a slide and lay its grid without looking for tissue.

        Raises
        ------
        UserError
            If it cannot be opened; `NotCorrupt` if its mask, resolution or tiling is wrong.
        """
        with _named(slide), self._open(slide, direct=False) as opened:  # no pixels are read
            if self.given_coords:
                read_coords(self.given_coords, slide.id, opened, self.spec.size)
                return
            with _not_corrupt():
                self._plan(opened, read_mask(slide.mask, opened) if slide.mask else None)

    def lay(self, slide: Any) -> tuple[Grid, dict[str, Any]]:
        """The tiles of one slide, and what its coordinates mean; from the cache where they are there.

        Raises
        ------
        UserError
            As `check`, and if a pixel of its overview cannot be read.
        """
        cached, preview = self._cached(slide), self.preview(slide)
        if cached and (preview is None or preview.is_file()):
            return cached
        content = self._content(slide)
        with _named(slide), self._open(slide) as opened:
            tissue: Tissue | None = None
            if self.given_coords:
                grid = read_coords(self.given_coords, slide.id, opened, self.spec.size)
            elif slide.mask:
                with _not_corrupt():
                    tissue = read_mask(slide.mask, opened)
                    grid = self._plan(opened, tissue)
            else:
                place = self._tissue / f"{file_name(slide.id)}.npz"
                tissue = load_or_segment_tissue(place, f"{slide.id} {content}", opened, on_corrupt=self.on_corrupt)
                with _not_corrupt():
                    grid = self._plan(opened, tissue)
            attributes = coords_attributes(opened, grid)
            if preview:
                write_preview(preview, opened, tissue, grid)
        if not cached:
            write_grid(self._grid_path(slide), slide.id, content, grid, attributes)
        return grid, attributes

    def _plan(self, opened: Slide, tissue: Tissue | None) -> Grid:
        tiling = self.manifest.task.tiling
        return plan(
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

    def _open(self, slide: Any, *, direct: bool = True) -> Slide:
        """The slide, at the task's default resolution where neither it nor the manifest says another."""
        task = self.manifest.task
        try:
            return open_slide(slide.path, _mpp(slide), direct=direct)
        except NoResolution as error:
            if task.mpp_default is None:
                more = f"for all slides without one, with tasks.{task.name}.mpp_default=MPP."
                raise NoResolution(f"{str(error).rstrip('.')}, or {more}") from error
        opened = open_slide(slide.path, task.mpp_default, direct=direct)
        opened.mpp_source = MPP_DEFAULT
        return opened

    def _content(self, slide: Any) -> str:
        return slide_content(slide, self.given_coords, self.manifest.task.mpp_default)

    def _grid_path(self, slide: Any) -> Path:
        return self.grids / f"{file_name(slide.id)}.h5"

    def _cached(self, slide: Any) -> tuple[Grid, dict[str, Any]] | None:
        return read_grid(self._grid_path(slide), slide.id, self._content(slide))


class NotCorrupt(UserError):
    """An error of a readable slide: of its mask, resolution or tiling, which on_corrupt=skip does not leave out."""


@contextlib.contextmanager
def _not_corrupt() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise NotCorrupt(str(error)) from error


@contextlib.contextmanager
def _named(slide: Any) -> Iterator[None]:
    """Errors that no library documents become one of the slide; those of writing stay what they are."""
    try:
        yield
    except (UserError, OSError):
        raise
    except Exception as error:
        raise unreadable_slide(slide.path, error) from error


def _mpp(slide: Any) -> float | None:
    """Microns per level-0 pixel where the manifest says them."""
    return None if np.isnan(slide.mpp) else slide.mpp


def _bytes(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def file_name(slide: str) -> str:
    """A slide's id as the stem of a file."""
    return files.file_name(slide, safe=" ", longest=LONGEST_NAME)


def counted(number: int, noun: str) -> str:
    """As in "1 slide" and "2 slides"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
