"""Rows of a robustness task to make pages of, and what is read from them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.passport.evidence import Evidence
from bench.passport.reading import encoder_of
from bench.rows import Row, write
from bench.targets import get

TILES = ["test/normal/a.png", "test/normal/b.png", "test/tumour/c.png", "test/tumour/d.png"]


def of(value, low=None, high=None):
    return {"value": value, "ci_low": low, "ci_high": high}


def head_row(model, frontend, score, *, protocol="linear", info=None, **fields):
    """A row of a head whose balanced accuracy is `score`; other metrics are `fields` in metrics=."""
    metrics = {"balanced_accuracy": of(score, score - 0.05, score + 0.05)}
    metrics |= {name: of(value) for name, value in fields.pop("metrics", {}).items()}
    return Row(
        **{
            "task": "robustness",
            "model": model,
            "frontend": frontend,
            "protocol": protocol,
            "seed": 0,
            "status": "ok",
            "primary_metric": "balanced_accuracy",
            "cohort_hash": "c0c0c0c0",
            "head_config_hash": f"head {protocol}",
            "metrics": metrics,
            "n_test": 4,
            "n_groups": 2,
            "params_m": 3.5,
            "tiles_per_s": 120.0,
            "version": "1",
            "info": info or {},
            "classes": ["normal", "tumour"],
        }
        | fields
    )


def feature_row(model, frontend, cosine=1.0, top1=1.0, **fields):
    """A row of how near features are to those of clean tiles."""
    return Row(
        **{
            "task": "robustness",
            "model": model,
            "frontend": frontend,
            "protocol": "similarity",
            "seed": 0,
            "status": "ok",
            "kind": "feature_similarity",
            "primary_metric": "cosine",
            "cohort_hash": "c0c0c0c0",
            "head_config_hash": "features",
            "metrics": {"cosine": of(cosine), "top1": of(top1)},
            "n_test": 4,
            "n_groups": 2,
            "version": "1",
            "classes": list(get("feature_similarity").class_names(None, None)),
        }
        | fields
    )


def scores(values, model="uni", **fields):
    """Rows of a head from front-end to score, and one row of features, without which there is no robustness task."""
    return [feature_row(model, ""), *(head_row(model, frontend, score, **fields) for frontend, score in values.items())]


def evidence_of(rows, model="uni") -> Evidence:
    return encoder_of(rows, model).evidence[0]


@dataclass(frozen=True)
class Saved:
    """Predictions to write beside a row."""

    scores: np.ndarray
    y_true: np.ndarray
    kind: str
    ids: np.ndarray
    groups: np.ndarray
    calibrated: np.ndarray | None = None


def write_rows(results: Path, rows, cosines=None):
    """Write the rows; those of features with predictions, whose cosines are `cosines` by front-end."""
    for row in rows:
        saved = None
        if row.kind == "feature_similarity":
            values = np.full((len(TILES), len(row.classes)), 0.5)
            values[:, row.classes.index("cosine")] = (cosines or {}).get(row.frontend, [0.9, 0.8, 0.7, 0.6])
            ids, groups = np.array(TILES), np.array(["a", "a", "b", "b"])
            saved = Saved(values, np.empty((len(TILES), 0)), row.kind, ids, groups)
        write(results, row, saved)
