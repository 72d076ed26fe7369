"""The published figures: a CSV file a board, a line a figure, as its source prints it."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from registry.errors import UserError

REPO_FIGURES = Path(__file__).resolve().parents[2] / "results" / "published"  # a checkout
WHEEL_FIGURES = Path(__file__).resolve().parent / "figures"  # an installed wheel
COLUMNS = (
    *("board", "model", "published_as", "variant", "dim", "task", "dataset", "split", "side", "samples", "tile_size"),
    *("metric", "value", "scale", "spread", "spread_is", "runs", "protocol", "recipe", "source", "version", "date"),
    "differs",
)
NEEDED = ("board", "published_as", "dataset", "value", "scale", "source", "recipe")
SIDES = ("test", "val", "")


@dataclass(frozen=True)
class Figure:
    """One published value.

    Attributes
    ----------
    board : str
        The board that it is of, a name of `conf/board`.
    model : str
        The card's name in the registry; "" for a model without a card.
    published_as : str
        The model's name in the source.
    variant : str
        Which features of the model were taken, where the source says it.
    dim : int or None
        Their width, where it is known.
    task : str
        The task of `conf/task` that reads the dataset; "" where there is none.
    dataset, split : str
        As the source names them.
    side : str
        The side of our task that holds the scored samples, one of `SIDES`; "" where all samples are measured together
        or no task is named.
    samples : int or None
        How many were scored.
    tile_size : int or None
        Side of the stored tiles, or of those cut from slides, px.
    metric : str
        As our rows name it; "" where the source does not say it.
    printed : str
        The value as it is printed.
    scale : float
        What a perfect score is printed as: 1 or 100.
    spread : float or None
        On the scale from 0 to 1; `spread_is` says what it is of.
    runs : int or None
        Of which the value is the mean.
    protocol : str
        The name in `conf/protocol`; "" where there is none. `recipe` has it in words.
    source, version, date : str
        The citation.
    differs : str
        What differs from our run of that protocol on that task whatever is set; "" where nothing is known to.
    """

    board: str
    model: str
    published_as: str
    variant: str
    dim: int | None
    task: str
    dataset: str
    split: str
    side: str
    samples: int | None
    tile_size: int | None
    metric: str
    printed: str
    scale: float
    spread: float | None
    spread_is: str
    runs: int | None
    protocol: str
    recipe: str
    source: str
    version: str
    date: str
    differs: str

    @property
    def value(self) -> float:
        """The value on the scale of our rows."""
        return float(self.printed) / self.scale

    @property
    def rounding(self) -> float:
        """Half a unit of the last printed digit, on the scale of our rows."""
        _, _, decimals = self.printed.partition(".")
        return 0.5 * 10.0 ** -len(decimals) / self.scale

    @property
    def citation(self) -> str:
        """Source, version and date."""
        return ", ".join(part for part in (self.source, self.version, self.date) if part)


def figures_folder() -> Path:
    """The folder of the figures that come with this program."""
    return REPO_FIGURES if REPO_FIGURES.is_dir() else WHEEL_FIGURES


def read_figures(folder: Path) -> list[Figure]:
    """All figures of a folder, in the order of its files and their lines.

    Raises
    ------
    UserError
        If there is no file, or one lacks a column, has a value that is no number, or cannot be read.
    """
    files = sorted(folder.glob("*.csv")) if folder.is_dir() else []
    if not files:
        raise UserError(f"There are no published figures in {folder}: name a folder of CSV files with figures=DIR.")
    return [figure for file in files for figure in _of_file(file)]


def _of_file(file: Path) -> Iterator[Figure]:
    try:
        with open(file, newline="", encoding="utf-8") as handle:
            lines = csv.DictReader(handle, strict=True)
            missing = [name for name in COLUMNS if name not in (lines.fieldnames or ())]
            if missing:
                raise UserError(
                    f"The published file {file} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}: its "
                    f"first line must name {', '.join(COLUMNS)}."
                )
            for line in lines:
                yield _figure(line, f"line {lines.line_num} of the published file {file}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"The published file {file} cannot be read: {str(error).rstrip('.')}.") from error


def _figure(line: Mapping[str | None, str | None], place: str) -> Figure:
    if None in line or None in line.values():
        raise UserError(f"In {place} there are not as many cells as columns: quote cells that hold a comma.")
    text = {str(name): (value or "").strip() for name, value in line.items()}
    empty = [name for name in NEEDED if not text[name]]
    if empty:
        raise UserError(f"In {place} the column {empty[0]} is empty: every figure needs {', '.join(NEEDED)}.")
    if text["side"] not in SIDES:
        raise UserError(f"In {place} side is {text['side']!r}: it must be test, val or empty.")
    number = _number(text["value"], "value", place)
    scale = _number(text["scale"], "scale", place)
    if scale <= 0 or abs(number) > scale:
        raise UserError(f"In {place} the value {text['value']} is not between -{text['scale']} and {text['scale']}.")
    spread = _number(text["spread"], "spread", place) if text["spread"] else None
    if spread is not None and spread < 0:
        raise UserError(f"In {place} the spread {text['spread']} is negative.")
    return Figure(
        dim=_count(text["dim"], "dim", place),
        samples=_count(text["samples"], "samples", place),
        tile_size=_count(text["tile_size"], "tile_size", place),
        runs=_count(text["runs"], "runs", place),
        printed=text["value"],
        scale=scale,
        spread=None if spread is None else spread / scale,
        **{name: text[name] for name in COLUMNS if name in _TEXTS},
    )


_TEXTS = {name for name, kind in Figure.__annotations__.items() if kind == "str"} - {"printed"}


def _number(text: str, name: str, place: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise UserError(f"In {place} {name} is {text!r}, which is no number.")
    return found


def _count(text: str, name: str, place: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise UserError(f"In {place} {name} is {text!r}: it must be a whole number above 0, or empty.")
    return int(text)
