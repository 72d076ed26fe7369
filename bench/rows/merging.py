"""The rows of several results folders as those of one, in which a run has one row."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from bench.rows.info import RowInfo
from bench.rows.row import Row
from bench.rows.rows import (
    RowFiles,
    closed_folders,
    has_predictions,
    left_out,
    left_out_earlier,
    listed,
    read_row_files,
    read_rows,
)
from bench.rows.run_key import RunKey
from registry.errors import near_match

NOT_VALUES = {"tiles_per_s", "info", "notes", "predictions", "error", "stale_error", "run_hash", "version"}
"""Fields in which rows of one run may differ: times, the names of jobs and machines, what is told in words."""
ROUNDING = 1e-6
"""Numbers of metrics that differ by no more are those of one run on two machines; tables have six digits."""
VALUES = [field.name for field in fields(Row) if field.name not in NOT_VALUES]


@dataclass(frozen=True)
class SavedRows:
    """Rows of one or several results folders, one of each run.

    Attributes
    ----------
    rows : list of Row
        Ordered by their keys.
    folders : mapping of RunKey -> Path
        The results folder that the row is of, which has its predictions.
    sentences : list of str
        What is left out, and where folders differ.
    unusable : list of str
        A sentence for each folder that gave no row: it is not there, cannot be read, or has none.
    folder : Path or None
        The results folder where there is one.
    sources : sequence of Path
        The results folders that were read, with those of which no row is used.
    """

    rows: list[Row]
    folders: Mapping[RunKey, Path]
    sentences: list[str]
    unusable: list[str] = field(default_factory=list)
    folder: Path | None = None
    sources: Sequence[Path] = ()

    def predictions_path(self, row: Row) -> Path:
        """Where the predictions that a row names lie."""
        return self.folders[row.key] / row.predictions


class _Copy(NamedTuple):
    folder: Path
    row: Row


def rows_of(results: Path) -> SavedRows:
    """The rows of one results folder; what is not there has none."""
    rows, sentences = read_rows(results)
    return SavedRows(rows, {row.key: results for row in rows}, sentences, folder=results, sources=[results])


def merged_rows(folders: Sequence[Path]) -> SavedRows:
    """The rows of all folders; nothing is written.

    A run that several folders have is one row. One with scores is used before a failed one. Where the rows of a run
    differ in run hash or values, that of the folder named first is used, and a sentence says so; nothing is averaged.
    Where they agree, the order of the folders does not matter: used is one that is up to date and has its predictions.
    """
    usable: list[Path] = []
    found: list[RowFiles] = []
    sentences: list[str] = []
    unusable: list[str] = []
    for folder in folders:
        same = next((other for other in usable if _is_same(folder, other)), None)
        if same is not None:
            sentences.append(f"{folder} is the same folder as {same}: it is read once.")
            continue
        files = read_row_files(folder)
        if not (files.rows or files.faulty or files.other_schema or files.earlier):
            unusable.append(why_no_rows(folder))
            continue
        usable.append(folder)
        found.append(files)
        sentences += closed_folders(files.closed)
    sentences += _left_out(found)
    copies: dict[RunKey, list[_Copy]] = defaultdict(list)
    for folder, files in zip(usable, found, strict=True):
        for row in files.rows:
            copies[row.key].append(_Copy(folder, row))
    used = {key: _used(copies[key]) for key in sorted(copies)}
    sentences += _differences(copies)
    sentences += _other_versions(list(used.values()))
    sentences += _mixed_weights(list(used.values()))
    return SavedRows(
        rows=[row for _, row in used.values()],
        folders={key: folder for key, (folder, _) in used.items()},
        sentences=sentences,
        unusable=unusable,
        sources=usable,
    )


def _is_same(folder: Path, other: Path) -> bool:
    try:
        return os.path.samefile(folder, other)
    except OSError:
        return False


def _closed(folder: Path) -> list[str]:
    """What of the rows' folders cannot be listed, with the reason."""
    errors: list[OSError] = []
    for _ in os.walk(folder / "rows", onerror=errors.append):
        pass
    return [f"{e.filename} ({e.strerror})" for e in errors if not isinstance(e, FileNotFoundError | NotADirectoryError)]


def why_no_rows(folder: Path) -> str:
    """The sentence on a results folder that gives no row: it is not there, cannot be read, or has none."""
    if closed := _closed(folder):
        return f"The results folder {folder} cannot be read: {listed(closed)}."
    if not os.path.isdir(folder):
        beside: list[str] = []
        with contextlib.suppress(OSError):
            beside = os.listdir(folder.parent)
        return f"There is no results folder {folder}.{near_match(folder.name, beside)}"
    above = " Is the folder above it meant?" if folder.name == "rows" else ""
    return f"There are no rows in {folder / 'rows'}: name the folder that a run had as its results=DIR.{above}"


def _left_out(found: Sequence[RowFiles]) -> Iterator[str]:
    """A sentence for each reason why files of rows are not used."""
    yield from left_out([fault for files in found for fault in files.faulty])
    others = [f"{path} ({reason})" for files in found for path, reason in files.other_schema]
    if others:
        yield (
            "Left out of the tables, run again or make tables of them with the version that wrote them, as they are of "
            f"another schema: {listed(others)}."
        )
    yield from left_out_earlier([path for files in found for path in files.earlier])


def _successful(copies: Sequence[_Copy]) -> Sequence[_Copy]:
    return [copy for copy in copies if copy.row.ok]


def _used(copies: Sequence[_Copy]) -> _Copy:
    """The row of a run that stands in the tables."""
    if len(copies) == 1:
        return copies[0]
    successful = _successful(copies)
    if not successful:
        return min(copies, key=lambda copy: (copy.row.status != "failed", _text(copy.row)))
    alike = [copy for copy in successful if _agree(copy.row, successful[0].row)]
    return min(alike, key=_order)


def _order(copy: _Copy) -> tuple[object, ...]:
    """Of rows that agree, the one to use comes first, in whatever order their folders are named."""
    folder, row = copy
    complete = bool(row.predictions) and has_predictions(folder, row)
    return bool(row.stale_error), not complete, row.tiles_per_s is None, _text(row)


def _text(row: Row) -> str:
    return json.dumps(vars(row), sort_keys=True)


def _agree(a: Row, b: Row) -> bool:
    return a.run_hash == b.run_hash and _distance(a, b)[0] <= ROUNDING


def _distance(a: Row, b: Row) -> tuple[float, str]:
    """How far the values of two rows are apart, and in what.

    That is the largest difference of any number of a metric, divided by the number where it is above 1; infinite where
    something else differs.
    """
    for name in VALUES:
        if name != "metrics" and getattr(a, name) != getattr(b, name):
            return math.inf, f"{name} {getattr(b, name)!r} and not {getattr(a, name)!r}"
    if a.metrics == b.metrics:
        return 0.0, ""
    if a.metrics.keys() != b.metrics.keys():
        return math.inf, "other metrics"
    largest, what = 0.0, ""
    for metric in a.metrics:
        for name in ("value", "ci_low", "ci_high"):
            x, y = a.metrics[metric][name], b.metrics[metric][name]
            label = metric if name == "value" else f"{name} of {metric}"
            if (x is None) != (y is None) or a.interval_of(metric) != b.interval_of(metric):
                return math.inf, f"another {label}"
            if x is not None and (size := abs(x - y) / max(1, abs(x), abs(y))) > largest:
                largest, what = size, f"{label} differs by {abs(x - y):.2g}"
    return largest, what


def _differences(copies: Mapping[RunKey, Sequence[_Copy]]) -> Iterator[str]:
    """What rows of one run differ in, a sentence for each sort of difference."""
    values: list[tuple[float, str]] = []
    rounded: list[tuple[float, str]] = []
    hashes = []
    for key in sorted(key for key, own in copies.items() if len(own) > 1):
        first, *others = _successful(copies[key]) or copies[key]
        path = key.path(Path(), "rows", "json")
        successful = [other for other in others if other.row.ok]
        same = [other for other in successful if other.row.run_hash == first.row.run_hash]
        distances = [(*_distance(first.row, other.row), other.folder) for other in same]
        if unlike := [f"{folder} ({what})" for size, what, folder in distances if size > ROUNDING]:
            largest = max(size for size, *_ in distances)
            values.append((largest, f"{path} of {first.folder} (used), {', '.join(unlike)}"))
        elif any(size for size, *_ in distances):
            rounded.append(max((size, what) for size, what, _ in distances))
        if other_hashes := [str(other.folder) for other in successful if other not in same]:
            hashes.append(f"{path} of {first.folder} (used), {', '.join(other_hashes)}")
    if values:
        named = [text for _, text in sorted(values, key=lambda of: -of[0])]
        yield (
            "Rows with the same run hash have different values; that of the folder named first is used, and nothing is "
            f"averaged: {listed(named)}."
        )
    if rounded:
        yield (
            f"Rows with the same run hash differ by rounding in {len(rounded)} run{'s' * (len(rounded) > 1)}, of which "
            f"one row each is used: {max(rounded)[1]} at most."
        )
    if hashes:
        yield (
            "Rows of the same run have different run hashes, as weights, settings or versions differ; that of the "
            f"folder named first is used, and nothing is averaged: {listed(hashes)}."
        )


def _other_versions(used: Sequence[_Copy]) -> Iterator[str]:
    """Which rows another version of this package wrote."""
    own = version("pfmbench")
    found: dict[str, list[_Copy]] = defaultdict(list)
    for copy in used:
        if copy.row.version != own:
            found[copy.row.version].append(copy)
    named = [f"{len(found[name])} of {name or 'an unknown one'} ({_folders(found[name])})" for name in sorted(found)]
    if named:
        yield f"Rows of other versions of pfmbench than this one ({own}) are used as they are: {listed(named)}."


def _mixed_weights(used: Sequence[_Copy]) -> Iterator[str]:
    """Which means over seeds and folds are of runs in several folders with different weights."""

    def block(copy: _Copy) -> tuple[str, ...]:
        row = copy.row
        return row.task, row.cohort_hash, row.protocol, row.head_config_hash, row.model, row.frontend

    mixed = []
    for (task, _, protocol, _, model, frontend), group in itertools.groupby(sorted(used, key=block), key=block):
        own = _successful(list(group))
        weights = {RowInfo(copy.row).weights_sha256 for copy in own} - {""}
        if len({copy.folder for copy in own}) > 1 and len(weights) > 1:
            label = f"{model}+{frontend}" if frontend else model
            mixed.append(f"{label} on {task} with {protocol} ({_folders(own)})")
    if mixed:
        yield (
            "Means over seeds and folds are of different weights under one name of a model, so take rows of one out "
            f"(python -m bench remove): {listed(mixed)}."
        )


def _folders(copies: Sequence[_Copy]) -> str:
    return ", ".join(dict.fromkeys(str(copy.folder) for copy in copies))
