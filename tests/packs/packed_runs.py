"""Made-up rows with predictions, to pack: models of some skill on tasks of some samples, scored as runs score them."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench import rows, runs, targets
from bench.protocols import Predictions
from bench.rows import Row, RunKey

CLASSES = ("normal", "stroma", "tumour")
COHORT = "c0ffee00"


@functools.cache
def head_digest(protocol: str = "linear") -> str:
    """Of the published preset."""
    return runs.preset_digest(protocol) or ""


def predictions(task: str, model: str, n: int = 60, n_groups: int = 12) -> Predictions:
    """Of one test side a task, whatever the model."""
    side = np.random.default_rng(sum(map(ord, task)))
    y_true = side.integers(0, len(CLASSES), n)
    logits = np.random.default_rng(sum(map(ord, task + model))).normal(size=(n, len(CLASSES)))
    logits[np.arange(n), y_true] += 1
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    groups = np.array([f"patient-{i % n_groups}" for i in range(n)])
    return Predictions(np.array([f"{task}/tile-{i:03d}" for i in range(n)]), groups, y_true, scores)


def add_run(
    results: Path, predicted: Predictions, model: str, task: str = "mine", protocol: str = "linear", **changes: object
) -> Row:
    """Score predictions as a run does and write row and predictions."""
    found = runs.scored(predicted, None, targets.get(predicted.kind), 20)
    row = Row(
        **{"task": task, "model": model, "frontend": "", "protocol": protocol, "seed": 0, "status": "ok"},
        kind=predicted.kind,
        primary_metric=targets.get(predicted.kind).metrics.primary,
        cohort_hash=COHORT,
        head_config_hash=head_digest(protocol),
        metrics=found.metrics,
        n_test=len(predicted.ids),
        n_groups=len(np.unique(predicted.groups)),
        classes=list(CLASSES),
        info=found.info,
        version="0.1.0",
    )
    return rows.write(results, dataclasses.replace(row, **changes), predicted)


def fill(results: Path, models: Sequence[str] = ("uni", "gpfm", "colour"), tasks: Sequence[str] = ("mine",)) -> Path:
    """A results folder of all models on all tasks."""
    for task in tasks:
        for model in models:
            add_run(results, predictions(task, model), model, task)
    return results


def row_of(results: Path, model: str) -> Row:
    """The row of a model on the task ``mine``."""
    found = rows.read_row(results, RunKey("mine", model, "", "linear", 0, 0, COHORT, head_digest()))
    assert found is not None
    return found


def rewrite(results: Path, row: Row) -> None:
    """Write a row in the place of the one that was there; its predictions stay."""
    rows.write(results, row, None)
