"""A run to save: its row, and predictions to go with it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.rows import Row, RunKey

KEY = RunKey("demo", "uni", "", "linear", 0, 0, cohort="c0ffee", head="1f2e")
CLASSES = ["normal", "stroma", "tumour"]
FIELDS = {"cohort": "cohort_hash", "head": "head_config_hash"}  # of a row, where a key calls them otherwise


@dataclass(frozen=True)
class Predicted:
    ids: np.ndarray
    groups: np.ndarray
    y_true: np.ndarray
    scores: np.ndarray
    calibrated: np.ndarray | None = None
    kind: str = "classes"


def predicted(seed: int = 0, n: int = 12) -> Predicted:
    rng = np.random.default_rng(seed)
    return Predicted(
        ids=np.array([f"tile-{i}" for i in range(n)]),
        groups=np.array([f"patient-{i % 4}" for i in range(n)]),
        y_true=rng.integers(0, 3, n),
        scores=rng.random((n, 3)),
    )


def row_of(key: RunKey = KEY, **changes: Any) -> Row:
    """The row of a run that went well."""
    fields = {FIELDS.get(name, name): value for name, value in vars(key).items()}
    known = {
        "status": "ok",
        "primary_metric": "auroc",
        "classes": CLASSES,
        "metrics": {"auroc": {"value": 0.9, "ci_low": 0.8, "ci_high": None}},
        "n_test": 12,
    }
    return Row(**{**fields, **known, **changes})
