"""The predictions of a run as Parquet, so that every score can be computed again and any two runs compared.

The metadata of a file name its run and hold a checksum of all its bytes, that of the file with zeros in its place. So a
changed bit is noticed wherever it is, as is a file that was swapped with that of another run. The pages have checksums
of their own, for whoever reads the file with another program.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
from jaxtyping import Float, Shaped

from bench import targets
from bench.files import atomic_write
from registry.errors import UserError

CHECKSUM = b"pfmbench-crc32:"
ZEROS = b"00000000"


class PredictionArrays(Protocol):
    """What is saved: ids and groups as strings [N], labels and scores by their kind as in `bench.metrics.resample`.

    `calibrated` is the scores after temperature scaling, or None.
    """

    @property
    def ids(self) -> np.ndarray: ...
    @property
    def groups(self) -> np.ndarray: ...
    @property
    def y_true(self) -> np.ndarray: ...
    @property
    def scores(self) -> np.ndarray: ...
    @property
    def kind(self) -> str: ...
    @property
    def calibrated(self) -> np.ndarray | None: ...


@dataclass(frozen=True)
class SavedPredictions:
    """Predictions as read back, ordered as they were written; `classes` names the columns of the scores."""

    ids: np.ndarray
    groups: np.ndarray
    y_true: Shaped[np.ndarray, "sample ..."]
    scores: Float[np.ndarray, "sample class"]
    classes: list[str]
    kind: str = "classes"
    calibrated: Float[np.ndarray, "sample class"] | None = None


def write_predictions(
    path: Path,
    predictions: PredictionArrays,
    classes: Sequence[str],
    slides: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Write columns id, group, y_true, score_0..score_{C-1}, scaled_0.. if calibrated, and `slides` of patients.

    Labels of several columns are y_true_0.. in place of y_true. The kind and the names of the scores' columns
    (``classes``) stand in the schema's metadata.

    Raises
    ------
    ValueError
        If the scores or the labels are not of the kind and classes.
    OSError
        If the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind, y_true = predictions.kind, np.asarray(predictions.y_true)
    scores = np.asarray(predictions.scores, np.float64)
    scaled = None if predictions.calibrated is None else np.asarray(predictions.calibrated, np.float64)
    if fault := _fault(kind, y_true, scores, scaled, len(classes)):
        raise ValueError(fault)
    target = targets.get(kind)
    labels: np.ndarray = np.atleast_2d(y_true.astype(target.label_dtype).T)
    columns = {
        "id": pa.array(np.asarray(predictions.ids).astype(str).tolist(), pa.string()),
        "group": pa.array(np.asarray(predictions.groups).astype(str).tolist(), pa.string()),
        **dict(zip(target.label_columns(len(classes)), map(pa.array, labels), strict=True)),
        **{f"score_{i}": pa.array(column, pa.float64()) for i, column in enumerate(scores.T)},
    }
    if slides:
        columns["slides"] = pa.array([list(slides[name]) for name in predictions.ids], pa.list_(pa.string()))
    if scaled is not None:
        columns |= {f"scaled_{i}": pa.array(column, pa.float64()) for i, column in enumerate(scaled.T)}
    metadata = {b"kind": kind.encode(), b"classes": json.dumps(list(classes)).encode()}
    table = pa.table(columns).replace_schema_metadata(metadata)
    file = io.BytesIO()
    with pq.ParquetWriter(file, table.schema, write_page_checksum=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"run": _run_of(path), "checksum": (CHECKSUM + ZEROS).decode()})
    with atomic_write(path) as temporary:
        temporary.write_bytes(_with_checksum(file.getvalue()))


def _run_of(path: Path) -> str:
    """What names the run of a file of predictions, wherever its results folder lies: task, cohort, model and head."""
    return "/".join(path.parts[-4:])


def _with_checksum(data: bytes) -> bytes:
    """A Parquet file whose checksum is zeros, with the one of its bytes."""
    start = data.rindex(CHECKSUM) + len(CHECKSUM)
    return data[:start] + b"%08x" % zlib.crc32(data) + data[start + len(ZEROS) :]


def _verified(path: Path) -> tuple[bytes, Mapping[bytes, bytes], int]:
    """The bytes of a file of predictions that are as they were written, its metadata, and its number of samples.

    Raises
    ------
    ValueError
        If a byte is changed, or it is of another run than its name says.
    OSError, pyarrow.ArrowException
        If it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():  # from a pipe or a device reading might never end
        raise FileNotFoundError(path)
    data = path.read_bytes()
    start = data.rfind(CHECKSUM) + len(CHECKSUM)
    stored, plain = data[start : start + len(ZEROS)], data[:start] + ZEROS + data[start + len(ZEROS) :]
    if start < len(CHECKSUM) or stored != b"%08x" % zlib.crc32(plain):
        raise ValueError("its checksum is missing or wrong")
    found = pq.read_metadata(pa.BufferReader(data))
    metadata = found.metadata or {}
    if metadata.get(b"run") != _run_of(path).encode():
        raise ValueError("it is of another run than its name says")
    return data, metadata, int(found.num_rows)


def has_complete_predictions(path: Path, n_test: int | None) -> bool:
    """Whether a file holds the predictions of so many samples, as they were written and of the run that its name says.

    Every byte is checked and none is decoded: that takes less than a tenth of the time of `read_predictions`.
    """
    import pyarrow as pa

    try:
        return _verified(path)[2] == n_test
    except (OSError, ValueError, pa.ArrowException):
        return False


def read_predictions(path: Path) -> SavedPredictions:
    """Read what `write_predictions` wrote.

    Raises
    ------
    UserError
        If the file is missing, incomplete, changed, of another run than its name says, or holds no predictions.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        data, metadata, _ = _verified(path)
        with pq.ParquetFile(pa.BufferReader(data)) as file:  # read_table takes three times as long of a small file
            table = file.read(use_threads=False)
        kind, classes = metadata[b"kind"].decode(), json.loads(metadata[b"classes"])
        target = targets.get(kind)
        labels = [table[name].to_numpy() for name in target.label_columns(len(classes))]
        saved = SavedPredictions(
            ids=np.array(table["id"].to_pylist(), str),
            groups=np.array(table["group"].to_pylist(), str),
            y_true=labels[0] if target.has_classes else _side_by_side(labels, table.num_rows),
            scores=np.stack([table[f"score_{i}"].to_numpy() for i in range(len(classes))], axis=1),
            classes=classes,
            kind=kind,
            calibrated=np.stack([table[f"scaled_{i}"].to_numpy() for i in range(len(classes))], axis=1)
            if "scaled_0" in table.column_names
            else None,
        )
    except (OSError, KeyError, TypeError, ValueError, RecursionError, UserError, pa.ArrowException) as error:
        why = f" ({error})" if type(error) is ValueError else ""
        raise UserError(f"{path} holds no complete predictions{why}: delete its row and run again.") from error
    if fault := _fault(kind, saved.y_true, saved.scores, saved.calibrated, len(classes)):
        raise UserError(f"{path} is damaged ({fault.rstrip('.')}): delete its row and run again.")
    return saved


def _side_by_side(columns: Sequence[np.ndarray], n_samples: int) -> Shaped[np.ndarray, "sample column"]:
    """The columns of labels as one array; what is measured and not predicted has none."""
    return np.stack(columns, axis=1) if columns else np.empty((n_samples, 0))


def _fault(kind: str, y_true: np.ndarray, scores: np.ndarray, scaled: np.ndarray | None, n_classes: int) -> str:
    """What is wrong with labels and scores of this kind, as a sentence; nothing if nothing is."""
    every = [values for values in (scores, scaled) if values is not None]
    if kind not in targets.names():
        return f"The kind {kind!r} is none of {', '.join(targets.names())}."
    if any(values.dtype.kind not in "biuf" for values in (y_true, *every)):
        return "Labels and scores are not all numbers."
    for values in every:
        if values.shape[1:] != (n_classes,):
            return f"Scores of shape {values.shape} do not fit {n_classes} classes."
    if not len(scores):
        return "There are 0 samples."
    try:
        for values in every:
            targets.get(kind).metrics.check(y_true, values)
    except ValueError as error:
        return str(error)
    return ""
