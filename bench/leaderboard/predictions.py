"""The predictions of a run as Parquet, so that every score can be computed again and any two runs compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

from bench.files import whole_file
from registry.errors import UserError


class PredictionArrays(Protocol):
    """What is saved: ids and groups as strings [N], y_true as class indices [N], scores as float [N, C].

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
    def calibrated(self) -> np.ndarray | None: ...


@dataclass(frozen=True)
class SavedPredictions:
    """Predictions as read back, ordered as they were written, with the names of the classes."""

    ids: np.ndarray
    groups: np.ndarray
    y_true: Int[np.ndarray, " sample"]
    scores: Float[np.ndarray, "sample class"]
    classes: list[str]


def write_predictions(path: Path, predictions: PredictionArrays, classes: Sequence[str]) -> None:
    """Write columns id, group, y_true, score_0..score_{C-1}, and scaled_0.. where scores are calibrated.

    The class names stand in the schema's metadata.

    Raises
    ------
    ValueError
        If the scores do not have a column a class.
    OSError
        If the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    scores = np.asarray(predictions.scores, np.float64)
    if scores.ndim != 2 or scores.shape[1] != len(classes):
        raise ValueError(f"Scores of shape {scores.shape} do not fit {len(classes)} classes.")
    columns = {
        "id": pa.array(np.asarray(predictions.ids).astype(str).tolist(), pa.string()),
        "group": pa.array(np.asarray(predictions.groups).astype(str).tolist(), pa.string()),
        "y_true": pa.array(np.asarray(predictions.y_true), pa.int64()),
        **{f"score_{i}": pa.array(column, pa.float64()) for i, column in enumerate(scores.T)},
    }
    if predictions.calibrated is not None:
        scaled = np.asarray(predictions.calibrated, np.float64)
        columns |= {f"scaled_{i}": pa.array(column, pa.float64()) for i, column in enumerate(scaled.T)}
    metadata = {b"classes": json.dumps(list(classes)).encode()}
    with whole_file(path) as temporary:
        pq.write_table(pa.table(columns).replace_schema_metadata(metadata), temporary)


def read_predictions(path: Path) -> SavedPredictions:
    """Read what `write_predictions` wrote.

    Raises
    ------
    UserError
        If the file is missing, not whole, or holds no predictions.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        classes = json.loads((table.schema.metadata or {})[b"classes"])
        saved = SavedPredictions(
            ids=np.array(table["id"].to_pylist(), str),
            groups=np.array(table["group"].to_pylist(), str),
            y_true=table["y_true"].to_numpy(),
            scores=np.stack([table[f"score_{i}"].to_numpy() for i in range(len(classes))], axis=1),
            classes=classes,
        )
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise UserError(f"{path} holds no whole predictions: delete its row and run again.") from error
    if not (np.isfinite(saved.scores).all() and np.isin(saved.y_true, np.arange(len(classes))).all()):
        raise UserError(
            f"{path} has scores or labels that are no numbers of its classes: delete its row and run again."
        )
    return saved
