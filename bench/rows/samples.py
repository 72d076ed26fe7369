"""Which samples a row was computed on, and whether predictions are of these."""

from __future__ import annotations

import numpy as np

from bench import targets
from bench.files import digest
from bench.rows.info import RowInfo
from bench.rows.predictions import PredictionArrays, SavedPredictions
from bench.rows.row import Row

SAMPLES = "samples"
"""The name of the digest of the test samples in the `digests` of a row."""


def samples_digest(saved: PredictionArrays, classes: list[str]) -> str:
    """Digest of ids, groups and labels of the samples in the order of their ids, with the kind and the classes."""
    ids, groups = (np.asarray(values).astype(str) for values in (saved.ids, saved.groups))
    labels: np.ndarray = np.asarray(saved.y_true).astype(targets.get(saved.kind).label_dtype)
    order = np.argsort(ids, kind="stable")
    return digest([saved.kind, ids[order].tolist(), groups[order].tolist(), labels[order].tolist(), classes])


def mismatch(row: Row, saved: SavedPredictions, samples: str) -> str:
    """Why these cannot be the predictions of a row, as the end of a sentence; "" where they can be.

    Parameters
    ----------
    samples : str
        The `samples_digest` of the predictions.
    """
    if (saved.kind, saved.classes) != (row.kind, row.classes):
        return "is not of the kind and classes of its row"
    counted = {"samples": (len(saved.ids), row.n_test), "groups": (len(set(saved.groups.tolist())), row.n_groups)}
    for what, (found, expected) in counted.items():
        if expected is not None and found != expected:
            return f"has {found} {what} where its row has {expected}"
    if len(set(saved.ids.tolist())) < len(saved.ids):
        return "has samples twice"
    if (of_row := RowInfo(row).digests.get(SAMPLES)) and of_row != samples:
        return "has other samples than its row"
    return ""
