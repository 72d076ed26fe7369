"""One JSON file a run: what was measured, or why nothing could be. A row is written once its predictions stand."""

from __future__ import annotations

import functools
import json
import math
import re
import sys
import types
import typing
import urllib.parse
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from bench import targets
from bench.files import whole_file
from bench.leaderboard.predictions import PredictionArrays, write_predictions

Run = tuple[str, str, str, str, int, int]
"""Task, model, frontend, protocol, seed, fold."""

MOST_NAMED = 20  # files in one warning


@dataclass(frozen=True)
class Row:
    """One result of one run: a task, a model, a protocol, a seed and a fold. `None` stands for not known.

    Attributes
    ----------
    frontend : str
        What stood between tile and encoder; empty for nothing.
    status : str
        "ok" or "failed"; a failed row says why in `error`, in one sentence.
    kind : str
        Of the task's target: a name of `bench.targets`.
    fold : int
        Which fold of a cross-validation was tested on, 1 and up; 0 for the one split of a task.
    asked : str
        Digest of the samples, their answers, groups and sides (of all folds) and of the primary metric. Only rows that
        share it are compared or averaged.
    settings : str
        Digest of the head's settings; likewise.
    metrics : dict
        name -> {"value", "ci_low", "ci_high"}, each a float or None where undefined.
    n_train, n_val, n_test, n_skipped : int
        Samples on each side, and those left out as unreadable.
    n_groups : int
        Groups (patients) of the test side.
    params_m : float
        Millions of parameters.
    tiles_per_s : float
        Of the embedding; None when the features stood in the cache.
    floor : bool
        Whether this run says what a head does without a pretrained model.
    config_digest : str
        Digest of all that can change the metrics.
    classes : list of str
        A name for each column of the scores: classes in the order of their indices, targets, labels.
    predictions : str
        Path of the Parquet file, relative to the results folder; empty when there is none.
    """

    task: str
    model: str
    frontend: str
    protocol: str
    seed: int
    status: str
    primary_metric: str
    kind: str = "classes"
    fold: int = 0
    asked: str = ""
    settings: str = ""
    error: str = ""
    metrics: dict[str, dict[str, float | None]] = field(default_factory=dict)
    n_train: int | None = None
    n_val: int | None = None
    n_test: int | None = None
    n_groups: int | None = None
    n_skipped: int | None = None
    feature_dim: int | None = None
    params_m: float | None = None
    tiles_per_s: float | None = None
    floor: bool = False
    config_digest: str = ""
    version: str = ""
    classes: list[str] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    predictions: str = ""

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def run(self) -> Run:
        """What tells this row from every other."""
        return self.task, self.model, self.frontend, self.protocol, self.seed, self.fold

    def value(self, metric: str) -> float | None:
        """Point estimate of a metric; None for a failed row or where it is undefined."""
        return self.metrics.get(metric, {}).get("value") if self.ok else None


def row_path(results: Path, task: str, model: str, frontend: str, protocol: str, seed: int, fold: int = 0) -> Path:
    """``results/rows/TASK/MODEL[+FRONTEND]/PROTOCOL-SEED[-foldFOLD].json``, percent-encoded where a name needs it."""
    return results / "rows" / _folder(task, model, frontend) / f"{_stem(protocol, seed, fold)}.json"


def predictions_path(
    results: Path, task: str, model: str, frontend: str, protocol: str, seed: int, fold: int = 0
) -> Path:
    """``results/predictions/TASK/MODEL[+FRONTEND]/PROTOCOL-SEED[-foldFOLD].parquet``."""
    return results / "predictions" / _folder(task, model, frontend) / f"{_stem(protocol, seed, fold)}.parquet"


def write(results: Path, row: Row, predictions: PredictionArrays | None) -> Row:
    """Write the predictions, if any, then the row that names them; gives the row as written.

    Raises
    ------
    ValueError
        If the predictions are not of the row's kind and classes.
    OSError
        If the folder cannot be written or the disk is full. A row that stood there before stands still.
    """
    if predictions is not None:
        if predictions.kind != row.kind:
            raise ValueError(f"Predictions of {predictions.kind} are not those of a row of {row.kind}.")
        path = predictions_path(results, *row.run)
        write_predictions(path, predictions, row.classes)
        row = replace(row, predictions=path.relative_to(results).as_posix())
    text = json.dumps(_json_value(asdict(row)), sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    with whole_file(row_path(results, *row.run)) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return row


def read_row(
    results: Path, task: str, model: str, frontend: str, protocol: str, seed: int, fold: int = 0
) -> Row | None:
    """The row of one run; None when there is none or it is not whole."""
    try:
        return _read(results, row_path(results, task, model, frontend, protocol, seed, fold))
    except (OSError, ValueError):
        return None


def has_predictions(results: Path, row: Row) -> bool:
    """Whether the predictions that a row names are there, and whole as far as their end tells."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(results / row.predictions).num_rows == row.n_test
    except (OSError, pa.ArrowException):
        return False


def discard_other_folds(
    results: Path, task: str, model: str, frontend: str, protocol: str, seed: int, n_folds: int
) -> None:
    """Remove the rows of a run, and all that is saved beside its predictions, that belong to another number of folds.

    Parameters
    ----------
    n_folds : int
        How many folds the task has now; 0 for one split.

    Raises
    ------
    OSError
        If a file cannot be removed.
    """
    stem = re.compile(re.escape(_stem(protocol, seed, 0)) + r"(?:-fold([1-9][0-9]*))?\.")
    for kind in ("rows", "predictions"):  # rows first: none is left that names predictions that are gone
        for path in (results / kind / _folder(task, model, frontend)).glob("*"):
            found = stem.match(path.name)
            if found and int(found[1] or 0) not in (range(1, n_folds + 1) if n_folds else (0,)):
                path.unlink(missing_ok=True)


def read_rows(results: Path) -> list[Row]:
    """All rows, ordered by run. Files that hold no whole row are left out, with one warning that names them."""
    rows, unread = [], []
    for path in sorted((results / "rows").glob("*/*/*.json")):
        try:
            rows.append(_read(results, path))
        except (OSError, ValueError) as error:
            unread.append(f"{path} ({error})")
    if unread:
        more = f"; and {len(unread) - MOST_NAMED} more" if len(unread) > MOST_NAMED else ""
        warn_once(f"Left out of the tables, run again or delete: {'; '.join(unread[:MOST_NAMED])}{more}.")
    return sorted(rows, key=lambda row: row.run)


@functools.cache
def warn_once(sentence: str) -> None:
    """Say it on stderr the first time; the jobs of a sweep build their tables from the same files."""
    print(f"pfmbench: {sentence}", file=sys.stderr)


def _folder(task: str, model: str, frontend: str) -> Path:
    return Path(_file_name(task), _file_name(model) + (f"+{_file_name(frontend)}" if frontend else ""))


def _stem(protocol: str, seed: int, fold: int) -> str:
    return f"{_file_name(protocol)}-{seed}" + (f"-fold{fold}" if fold else "")


def _file_name(name: str) -> str:
    quoted = urllib.parse.quote(name, safe="@")
    return "%2E" + quoted[1:] if quoted.startswith(".") else quoted


def _read(results: Path, path: Path) -> Row:
    """Read a row file; ValueError with the reason if it holds no whole row of the run that its name says."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError("it is not whole JSON") from error
    if not isinstance(record, dict):
        raise ValueError("it is not a record")
    faults = list(_faults(record))
    if faults:
        raise ValueError(", ".join(faults))
    row = Row(**record)
    if row_path(results, *row.run) != path:
        raise ValueError("it holds the row of another run than its name says")
    return row


def _faults(record: dict[str, Any]) -> Iterator[str]:
    hints = _hints()
    yield from (f"{f.name} is missing" for f in fields(Row) if f.name not in record)
    yield from (f"{name} is unknown" for name in record if name not in hints)
    for name, value in record.items():
        if name in hints and not _fits(value, hints[name]):
            yield f"{name} is {value!r}"
    if record.get("status") not in ("ok", "failed"):
        yield "status is neither ok nor failed"
    if record.get("kind") not in targets.names():
        yield f"kind is none of {', '.join(targets.names())}"
    if isinstance(metrics := record.get("metrics"), dict):
        for name, interval in metrics.items():
            if not isinstance(interval, dict) or set(interval) != {"value", "ci_low", "ci_high"}:
                yield f"metric {name} is not a value with its interval"
            elif not all(_fits(bound, float | None) for bound in interval.values()):
                yield f"metric {name} is not a number"


@functools.cache
def _hints() -> dict[str, Any]:
    return typing.get_type_hints(Row)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value is of the annotated kind; the items of containers are not looked at."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kinds = tuple(typing.get_origin(kind) or kind for kind in kinds)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, (*kinds, int) if float in kinds else kinds)


def _json_value(value: Any) -> Any:
    """Plain JSON: numpy scalars and arrays become Python's, numbers that are not finite become null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
