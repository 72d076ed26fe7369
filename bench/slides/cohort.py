"""The slide manifest: a CSV with one row a slide."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.slides.resolution import PLAUSIBLE
from registry.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

OPTIONAL = ("id", "patient", "split", "fold", "mpp", "mask", "centre")
OURS = ("slide", *OPTIONAL, "path", "group")  # what a target would be mistaken for
SEPARATORS = (",", ";", "\t")


def read_cohort(
    path: Path, root: Path | None = None, *, targets: Sequence[str] = ("label",), check_files: bool = True
) -> pd.DataFrame:
    """Read and check a slide manifest.

    Parameters
    ----------
    path : Path
        CSV in UTF-8, separated by comma, semicolon or tab, with the columns ``slide`` (path) and those of `targets`,
        and where known ``patient``, ``split`` or ``fold``, ``mpp`` (microns per level-0 px, for slides that do not say
        or say it wrong), ``mask`` (GeoJSON or image of the tissue), ``centre`` and ``id``. Several slides may be of one
        patient. Capitals do not matter.
    root : Path or None
        Folder that relative paths start from; None is the manifest's own.
    targets : names of columns
        The columns of the labels.
    check_files : bool
        Whether the files of slides and masks must exist; False where precomputed features are used.

    Returns
    -------
    DataFrame
        ``id`` (the file's name without its ending, if the manifest does not say), ``path``, the targets, ``group``
        (the patient, or the slide where none is known), ``mpp`` (float, NaN where the manifest has none), ``mask`` (""
        likewise), and ``split``, ``fold`` and ``centre`` where the manifest has them.

    Raises
    ------
    UserError
        For a column that is missing or occurs twice, an empty cell, an id or a slide twice, an mpp that is none,
        a missing file.
    """
    import pandas as pd

    try:
        text = path.read_text(encoding="utf-8-sig")
        # the header is read as a row, so that pandas renames no column and refuses rows that are longer
        table = pd.read_csv(
            io.StringIO(text),
            sep=_separator(text),
            header=None,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
        )
    except FileNotFoundError:
        raise UserError(f"The slide manifest {path} does not exist: check data=FILE.") from None
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise UserError(
            f"The slide manifest {path} is no CSV that can be read ({reason}): save it as CSV in UTF-8."
        ) from error
    table = table.apply(lambda column: column.str.strip())
    header, table = table.iloc[0].tolist(), table.iloc[1:]
    _check_header(header, targets, path)
    table.columns = [name.lower() for name in header]
    table = table[(table != "").any(axis=1)].reset_index(drop=True)
    table = table.rename(columns={name.lower(): name for name in targets})
    for column in ("slide", *targets):
        if column not in table:
            raise UserError(
                f"The slide manifest {path} has no column {column}: it needs slide and {' and '.join(targets)}, and "
                f"may have {', '.join(OPTIONAL)}; its columns are {', '.join(table.columns)}."
            )
        empty = table.index[table[column] == ""]
        if len(empty):
            raise UserError(
                f"Row {empty[0] + 1} below the header of the slide manifest {path} has no {column}: fill it in."
            )
    if table.empty:
        raise UserError(f"The slide manifest {path} lists no slide.")
    base = (root or path.parent).expanduser().resolve()
    frame = table[list(targets)].copy()
    frame.insert(0, "path", [str(base / os.path.expanduser(p)) for p in table["slide"]])
    stems = pd.Series([Path(p).stem for p in table["slide"]])
    frame.insert(0, "id", table["id"].where(table["id"] != "", stems) if "id" in table else stems)
    frame["group"] = table["patient"].where(table["patient"] != "", frame["id"]) if "patient" in table else frame["id"]
    frame["mpp"] = _numbers(table["mpp"], path) if "mpp" in table else float("nan")
    frame["mask"] = [str(base / os.path.expanduser(m)) if m else "" for m in table["mask"]] if "mask" in table else ""
    for column in ("split", "fold", "centre"):
        if column in table:
            frame[column] = table[column]
    _check(frame, path)
    if check_files:
        _check_files(frame, path)
    return frame


def _separator(text: str) -> str:
    """The likeliest of the header's separators."""
    header = text.lstrip().partition("\n")[0]
    return max(SEPARATORS, key=header.count)


def _check_header(header: Sequence[str], targets: Sequence[str], path: Path) -> None:
    for name in targets:
        if name.lower() in OURS:
            raise UserError(
                f"The column {name} of the slide manifest {path} cannot be a target, for it has a meaning of its own: "
                "give its values in a column of another name."
            )
    for name in ("slide", *targets, *OPTIONAL):
        found = [column for column in header if column.lower() == name.lower()]
        if len(found) > 1:
            raise UserError(
                f"The slide manifest {path} has more than one column {name} ({', '.join(found)}; capitals do not "
                "matter): keep one, or rename the others."
            )


def _numbers(column: pd.Series, path: Path) -> pd.Series:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    wrong = column.index[(column != "") & ~numbers.between(*PLAUSIBLE)]
    if len(wrong):
        raise UserError(
            f"Row {wrong[0] + 1} below the header of the slide manifest {path} has the mpp {column[wrong[0]]!r}: give "
            f"microns per level-0 pixel, between {PLAUSIBLE[0]} and {PLAUSIBLE[1]:g}, such as 0.25 (with a decimal "
            "point), or nothing."
        )
    return numbers.astype(float)


def _check(frame: pd.DataFrame, path: Path) -> None:
    twice = frame[frame["id"].duplicated(keep=False)]
    if len(twice):
        name = twice["id"].iloc[0]
        rows = ", ".join(str(i + 1) for i in twice.index[twice["id"] == name])
        raise UserError(
            f"Two slides of the manifest {path} have the id {name} (rows {rows} below the header): remove one, or give "
            "each its own in a column `id`."
        )
    files = frame["path"].map(os.path.realpath)
    again = files[files.duplicated()]
    if len(again):
        same = frame["path"][files == again.iloc[0]]
        named = " and as ".join(dict.fromkeys(same))
        rows = ", ".join(str(i + 1) for i in same.index)
        raise UserError(
            f"The slide {named} is listed twice in the manifest {path} (rows {rows} below the header): keep one row of "
            "it."
        )


def _check_files(frame: pd.DataFrame, path: Path) -> None:
    for column, name in (("path", "slide"), ("mask", "mask")):
        missing = [p for p in frame[column] if p and not os.path.exists(p)]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(frame)} {name} files of the manifest {path} are not there, the first is "
                f"{missing[0]}: mend the column `{name}`."
            )
