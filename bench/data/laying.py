"""The slides of a cohort one after the other: what is wrong with them, their grids, and notes on what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.data.cohort import ALL, Part
from bench.data.slide_units import NotCorrupt, SlideUnits, counted
from bench.embedding import Shard
from bench.files import unwritable
from bench.progress import progress_bar
from bench.slides import FINER_TOLERANCE, Grid, Resample, block_of, write_contact_sheet
from bench.tiles import in_order
from registry.errors import UserError

SHOWN = 10  # sentences of unusable slides
LAID_AT_ONCE = 2  # slides; the tissue of each is found by several threads
OPENED_AT_ONCE = 8  # slides, while the cohort is checked: opening waits for the disk
MPP_TOLERANCE = 0.1  # relative; beyond it the rows say the scale of the tiles


class Laying:
    """The shards of the usable slides, made while they are iterated over.

    All slides without a grid in the cache are opened before the first shard comes, so that a slide that cannot be used
    is known before anything is embedded. What only its pixels tell ends the iteration after the other slides were
    looked at too.

    Parameters
    ----------
    units : SlideUnits
    part : (int, int)
        The slides of other parts are not opened. Their pictures may be missing, so that no contact sheet is drawn,
        and a part without any tile is no error, as other parts may have some.
    progress : bool
        Whether a progress bar is shown while the slides are opened.

    Attributes
    ----------
    notes : list of str
        For the rows, on the slides that are left out and on the scale; complete when the iteration is.

    Raises
    ------
    UserError
        While it is iterated over: if a slide cannot be read and `on_corrupt` is "error", if a mask, the resolution or
        the tiling is wrong, or if no slide of the cohort gives a tile.
    """

    def __init__(self, units: SlideUnits, part: Part = ALL, *, progress: bool = False):
        self._units, self._part, self._progress = units, part, progress
        self._slides = units.slides(part)
        self.notes: list[str] = []

    def __length_hint__(self) -> int:
        return len(self._slides)

    def __iter__(self) -> Iterator[Shard]:
        units = self._units
        self._check()
        problems = _Problems(units.on_corrupt)
        scales: list[_Scale] = []
        empty: dict[str, list[str]] = {}
        sheet: list[tuple[Path, str]] = []
        over_edge = 0
        with closing(in_order(units.lay, self._slides, workers=LAID_AT_ONCE, name="grid")) as laid:
            for slide, result in zip(self._slides, laid, strict=True):
                try:
                    grid, attributes = result()
                except (UserError, OSError) as error:
                    if problems.found(slide, error, units):
                        break
                    continue
                if preview := units.preview(slide):
                    sheet.append((preview, units.caption(slide, grid)))
                if not len(grid):
                    empty.setdefault(units.why_empty(grid), []).append(slide.id)
                    continue
                over_edge += grid.candidates - len(grid) if units.given_coords else 0
                level0 = max(attributes["level0_mpp_x"], attributes["level0_mpp_y"])
                scales.append(_Scale(grid, level0, units.resample))
                if not problems.wrong:
                    yield units.shard(slide, grid, attributes)
        if sheet and self._part == ALL:
            _write_sheet(units.sheet, sheet)
        problems.raise_wrong()
        self.notes += [
            f"{counted(len(names), 'slide')} {why} left out: {', '.join(names)}" for why, names in empty.items()
        ]
        if problems.corrupt:
            empty["that cannot be read"] = list(problems.corrupt)
            self.notes.append(problems.note())
        if over_edge:
            self.notes.append(f"{counted(over_edge, 'tile')} of the coordinates left out, over the edge of a slide")
        if not scales and self._part == ALL:
            counts = ", ".join(f"{len(names)} {why}" for why, names in empty.items())
            raise UserError(
                f"None of the {len(self._slides)} slides of {units.task} gives a tile ({counts}): {units.mend_empty()}."
            )
        self.notes += _scale_notes(scales, units.spec.mpp)

    def _check(self) -> None:
        """Open the slides that have no grid yet."""
        units, problems = self._units, _Problems(self._units.on_corrupt)
        unknown = [slide for slide in self._slides if not units.has_grid(slide)]
        with (
            ThreadPoolExecutor(OPENED_AT_ONCE, thread_name_prefix="check") as pool,
            progress_bar(
                f"{units.task}: opening", "slides", len(unknown), shown=self._progress and bool(unknown), leave=False
            ) as bar,
        ):
            for slide, checking in [(slide, pool.submit(units.check, slide)) for slide in unknown]:
                try:
                    checking.result()
                except (UserError, OSError) as error:
                    if problems.found(slide, error, units):
                        pool.shutdown(cancel_futures=True)
                        break
                bar.update()
        problems.raise_wrong()


class _Problems:
    """What is wrong with slides: sentences that end the run, and slides that are left out."""

    def __init__(self, on_corrupt: str):
        self._on_corrupt = on_corrupt
        self.wrong: list[str] = []
        self.corrupt: dict[str, str] = {}

    def found(self, slide: Any, error: UserError | OSError, units: SlideUnits) -> bool:
        """Take in the error of a slide; True if it is of a setting and will be that of every other slide too."""
        if isinstance(error, OSError):  # reading fails in a sentence, so this was writing
            place = Path(error.filename or units.preview(slide) or units.grids)
            raise unwritable(place, error, "cache=DIR or results=DIR") from error
        sentence = str(error)
        if isinstance(error, NotCorrupt):
            again = sentence in self.wrong
            self.wrong += [] if again else [sentence]
            return again
        self.corrupt[slide.id] = sentence.replace(slide.path, Path(slide.path).name)
        if self._on_corrupt == "error":
            self.wrong.append(sentence)
        return False

    def raise_wrong(self) -> None:
        if self.wrong:
            more = [f"{len(self.wrong) - SHOWN} more slides cannot be used."] if len(self.wrong) > SHOWN else []
            raise UserError("\n".join([*self.wrong[:SHOWN], *more]))

    def note(self) -> str:
        reason = next(iter(self.corrupt.values())).splitlines()[0].rsplit(": ", 1)[0]
        first = "" if len(self.corrupt) == 1 else "the first: "
        return (
            f"{counted(len(self.corrupt), 'slide')} that cannot be read left out: {', '.join(self.corrupt)} "
            f"({first}{reason})"
        )


def _write_sheet(path: Path, previews: Sequence[tuple[Path, str]]) -> None:
    try:
        write_contact_sheet(path, list(previews))
    except OSError as error:
        raise unwritable(path, error, "results=DIR") from error


class _Scale:
    """Microns per px of a slide's tiles, and of its level 0, and how the tiles came to theirs."""

    def __init__(self, grid: Grid, level0: float, resample: Resample):
        self.averaged = resample == "fast" and block_of(grid.window, grid.size) > 1
        self.tile, self.level0 = max(grid.mpp_true), level0
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
