"""One JSON file a run: what was measured, or why nothing could be. A row is written once its predictions stand."""

from __future__ import annotations

import functools
import json
import math
import sys
import types
import typing
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from bench import targets
from bench.files import whole_file
from bench.rows.predictions import PredictionArrays, write_predictions
from bench.rows.run_key import RunKey

SCHEMA = 2  # raise it when a field of `Row` changes its name or meaning

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
    cohort_hash : str
        Digest of the samples, their answers, groups and sides (of all folds) and of the primary metric. Only rows that
        share it are compared or averaged.
    head_config_hash : str
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
    baseline : bool
        Whether this run says what a head does without a pretrained model.
    run_hash : str
        Digest of all that can change the metrics.
    stale_error : str
        Why a later run of the same key failed; empty where none did. The row is then of the earlier run.
    classes : list of str
        A name for each column of the scores: classes in the order of their indices, targets, labels.
    predictions : str
        Path of the Parquet file, relative to the results folder; empty when there is none.
    schema : int
        Version of these fields.
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
    cohort_hash: str = ""
    head_config_hash: str = ""
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
    baseline: bool = False
    run_hash: str = ""
    version: str = ""
    classes: list[str] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    predictions: str = ""
    stale_error: str = ""
    schema: int = SCHEMA

    @property
    def ok(self) -> bool:
        return self.status == "ok"

    @property
    def key(self) -> RunKey:
        """What tells this row from every other."""
        return RunKey(
            task=self.task,
            model=self.model,
            frontend=self.frontend,
            protocol=self.protocol,
            seed=self.seed,
            fold=self.fold,
            cohort=self.cohort_hash,
            head=self.head_config_hash,
        )

    @property
    def all_notes(self) -> list[str]:
        """The notes, and that a later run failed."""
        later = f"this row is of an earlier run; a later one failed: {self.stale_error}"
        return [*self.notes, later] if self.stale_error else self.notes

    def value(self, metric: str) -> float | None:
        """Point estimate of a metric; None for a failed row or where it is undefined."""
        return self.metrics.get(metric, {}).get("value") if self.ok else None


def row_path(results: Path, key: RunKey) -> Path:
    """Where the row of a run lies."""
    return key.path(results, "rows", "json")


def predictions_path(results: Path, key: RunKey) -> Path:
    """Where the predictions of a run lie."""
    return key.path(results, "predictions", "parquet")


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
        path = predictions_path(results, row.key)
        write_predictions(path, predictions, row.classes)
        row = replace(row, predictions=path.relative_to(results).as_posix())
    text = json.dumps(_json_value(asdict(row)), sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    with whole_file(row_path(results, row.key)) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return row


def read_row(results: Path, key: RunKey) -> Row | None:
    """The row of one run; None when there is none or it is not whole."""
    try:
        return _read(results, row_path(results, key))
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


def read_rows(results: Path) -> tuple[list[Row], list[str]]:
    """All rows, ordered by their keys, and a sentence for files that hold no row that can be read."""
    rows, unread = [], []
    folder = results / "rows"
    for path in sorted(folder.glob("*/*/*/*.json")):
        try:
            rows.append(_read(results, path))
        except (OSError, ValueError) as error:
            unread.append(f"{path} ({error})")
    sentences = []
    if unread:
        more = f"; and {len(unread) - MOST_NAMED} more" if len(unread) > MOST_NAMED else ""
        sentences.append(f"Left out of the tables, run again or delete: {'; '.join(unread[:MOST_NAMED])}{more}.")
    earlier = sum(1 for _ in folder.glob("*/*/*.json"))
    if earlier:
        sentences.append(
            f"Left out of the tables: {earlier} rows in {folder} of an earlier version of pfmbench, which kept other "
            "runs under the same name: run again, or delete them."
        )
    return sorted(rows, key=lambda row: row.key), sentences


@functools.cache
def warn_once(sentence: str) -> None:
    """Say it on stderr the first time; the jobs of a sweep build their tables from the same files."""
    print(f"pfmbench: {sentence}", file=sys.stderr)


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
    if record["schema"] != SCHEMA:
        raise ValueError(f"it is of schema {record['schema']}, and this version reads {SCHEMA}")
    row = Row(**record)
    if row_path(results, row.key) != path:
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
