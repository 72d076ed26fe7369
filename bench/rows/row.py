"""The fields of a row: what was measured in one run, or why nothing could be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from bench.rows.run_key import RunKey

INTERVALS = ("patients", "repeats", "episodes")
STATUSES = ("ok", "failed", "lost")
SCHEMA = 3  # raise it when a field of `Row` changes its name or meaning


@dataclass(frozen=True)
class Row:
    """One result of one run: a task, a model, a protocol, a seed and a fold. `None` stands for not known.

    Attributes
    ----------
    frontend : str
        What stood between tile and encoder; empty for nothing.
    status : str
        One of `STATUSES`. A failed row says why in `error`, in one sentence; a lost one, whose job was killed before it
        could write anything, which job that was.
    kind : str
        Of the task's target: a name of `bench.targets`.
    fold : int
        Which fold of a cross-validation was tested on, 1 and up; 0 for the one split of a task.
    cohort_hash : str
        Digest of the samples, their labels, groups and sides (of all folds) and of the primary metric. Only rows that
        share it are compared or averaged.
    head_config_hash : str
        Digest of the head's settings; likewise.
    metrics : dict
        name -> {"value", "ci_low", "ci_high"}, each a float or None where undefined. "interval" says what the interval
        is over, one of `INTERVALS`; without it, it is over patients (groups). The value is then the mean over draws of
        training samples, which the predictions do not tell.
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
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
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

    def interval_of(self, metric: str) -> str:
        """What the interval of a metric is over, one of `INTERVALS`; empty where the row has no such metric."""
        return str(self.metrics[metric].get("interval", INTERVALS[0])) if metric in self.metrics else ""

    def value(self, metric: str) -> float | None:
        """Point estimate of a metric; None for a failed or lost row or where it is undefined."""
        return self.metrics.get(metric, {}).get("value") if self.ok else None
