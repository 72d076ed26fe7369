"""What figures are drawn of: the entries of each task and block, the best of them, and their predictions."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from bench import targets
from bench.metrics import Interval
from bench.results import AggregatedResult, LeaderboardData, protocol_names, robustness_tasks, task_names
from bench.rows import Row, RowInfo, SavedPredictions, file_name, read_predictions
from registry.errors import UserError

Choice = Literal["best", "all", "none"]
CHOICES: tuple[Choice, ...] = ("best", "all", "none")
BEST = 3
"""Models of a task and head whose predictions are drawn, unless all are wanted."""
PANELS = 6
"""Of one figure, a model each, where all are wanted."""
LONGEST = 34
"""Characters of a model's name in a figure."""
NAMES = {
    "auroc": "AUROC",
    "cosine": "cosine similarity",
    "top1": "top-1 retrieval",
    "auc_dynamic": "time-dependent AUC",
    "c_index": "concordance index (C)",
    "f1_macro": "macro F1",
    "mae": "mean absolute error",
    "pearson": "Pearson correlation",
    "quadratic_kappa": "quadratic kappa",
    "r2": "R²",
}


@dataclass(frozen=True)
class PooledPredictions:
    """The test samples of a model, each once: of all folds of the first seed, or of its one test set.

    Attributes
    ----------
    predictions : tuple of SavedPredictions
        One a fold, in the order of the folds.
    seed : int
    """

    predictions: tuple[SavedPredictions, ...]
    seed: int

    @property
    def y_true(self) -> np.ndarray:
        return np.concatenate([one.y_true for one in self.predictions])

    @property
    def scores(self) -> np.ndarray:
        return np.concatenate([one.scores for one in self.predictions])

    @property
    def groups(self) -> np.ndarray:
        return np.concatenate([one.groups for one in self.predictions])

    @property
    def calibrated(self) -> np.ndarray | None:
        """The scores after temperature scaling; None unless every fold has them."""
        parts = [one.calibrated for one in self.predictions if one.calibrated is not None]
        return np.concatenate(parts) if len(parts) == len(self.predictions) else None

    @property
    def of_what(self) -> str:
        """Which samples these are, in words."""
        n_folds, n_samples = len(self.predictions), len(self.y_true)
        return f"{n_samples:,} out-of-fold samples of {n_folds} folds" if n_folds > 1 else f"{n_samples:,} test samples"


class Source:
    """The results that figures are drawn of.

    Parameters
    ----------
    data : LeaderboardData
    results : Path
        The results folder, where the data does not say which folder a row is of.
    choice : "best" or "all"
        Of how many models of a task and head the predictions are drawn.
    """

    def __init__(self, data: LeaderboardData, results: Path, choice: Choice = "best") -> None:
        self.data, self.results, self.choice = data, results, choice
        self.task_names, self.protocol_names = task_names(data.entries), protocol_names(data.entries)

    @property
    def folders(self) -> list[Path]:
        """The results folders that the rows are of."""
        return sorted(set(self.data.folders.values())) or [self.results]

    @cached_property
    def tasks(self) -> dict[tuple[str, str], list[AggregatedResult]]:
        """By task and cohort the entries that have a score; without tasks of a track, which have plots of their own."""
        of_tracks = robustness_tasks(self.data.entries)
        found: dict[tuple[str, str], list[AggregatedResult]] = {}
        for entry in self.data.entries:
            place = entry.key.task, entry.key.cohort
            if place not in of_tracks and not _measured(entry) and self.interval(entry) is not None:
                found.setdefault(place, []).append(entry)
        return found

    @cached_property
    def blocks(self) -> list[list[AggregatedResult]]:
        """The entries of each task and head, without heads on a number of shots or a share of the labels."""
        own = (entry for entries in self.tasks.values() for entry in entries if amount_of(entry) is None)
        return [list(block) for _, block in itertools.groupby(own, key=lambda entry: entry.key.block)]

    def task_name(self, entry: AggregatedResult) -> str:
        return self.task_names[entry.key.task, entry.key.cohort]

    def protocol_name(self, entry: AggregatedResult) -> str:
        return self.protocol_names[entry.key.protocol, entry.key.head]

    def interval(self, entry: AggregatedResult) -> Interval | None:
        """The primary metric of an entry; without bounds where they are not known, None where it has no value."""
        metric = entry.rows[0].primary_metric
        found = self.data.intervals.get((entry.key, metric))
        value = self.data.value(entry, metric)
        if value is None or not math.isfinite(value):
            return None
        return found if found is not None else Interval(value, math.nan, math.nan)

    def ordered(self, entries: Sequence[AggregatedResult]) -> list[AggregatedResult]:
        """The best score first; of equal ones in the order of their names."""
        return sorted(entries, key=lambda entry: (-self.goodness(entry), entry.key))

    def goodness(self, entry: AggregatedResult) -> float:
        """The primary metric, its sign such that more is better; entries have one."""
        found = self.interval(entry)
        value = -math.inf if found is None else found.value
        return -value if lower_is_better(entry) else value

    def panels(self, block: Sequence[AggregatedResult]) -> list[list[AggregatedResult]]:
        """The entries whose predictions are drawn, figure by figure: the best models, or all with the baselines."""
        ordered = [entry for entry in self.ordered(block) if of_patients(entry)]
        if self.choice == "all":
            return [ordered[start : start + PANELS] for start in range(0, len(ordered), PANELS)]
        models = [entry for entry in ordered if not entry.rows[0].baseline] or ordered
        return [models[:BEST]] if models else []

    def all_tested(self, entries: Iterable[AggregatedResult]) -> list[tuple[AggregatedResult, PooledPredictions]]:
        """The entries whose predictions can be read, each with them."""
        return [(entry, tested) for entry in entries if (tested := self.tested(entry)) is not None]

    def tested(self, entry: AggregatedResult) -> PooledPredictions | None:
        """The predictions of the first seed, each test sample once; None where they cannot be read."""
        rows, seed = self._first(entry), entry.seeds[0]
        try:
            read = [read_predictions(self._path(row)) for row in rows]
        except UserError:  # which the tables name
            return None
        seen: set[str] = set()
        found: list[SavedPredictions] = []
        for row, one in zip(rows, read, strict=True):
            if (one.kind, one.classes) != (row.kind, row.classes):
                return None
            if not seen.isdisjoint(one.ids.tolist()):
                break  # the next repeat tests the same samples
            seen |= set(one.ids.tolist())
            found.append(one)
        return PooledPredictions(tuple(found), rows[0].seed if rows else seed) if found else None

    def digests(self, entries: Sequence[AggregatedResult]) -> list[list[str]]:
        """What tells these predictions from others: the digests of their files."""
        return [[entry.key.model, entry.key.frontend, *map(self._digest, self._first(entry))] for entry in entries]

    def _first(self, entry: AggregatedResult) -> list[Row]:
        """The rows of the first seed that have predictions, by fold."""
        rows = [row for row in entry.successful if row.predictions]
        return [row for row in rows if row.seed == rows[0].seed]

    def _path(self, row: Row) -> Path:
        return self.data.folders.get(row.key, self.results) / row.predictions

    def _digest(self, row: Row) -> str:
        try:
            return hashlib.sha256(self._path(row).read_bytes()).hexdigest()[:16]
        except OSError:
            return ""


def _measured(entry: AggregatedResult) -> bool:
    return isinstance(targets.get(entry.rows[0].kind), targets.Measurements)


def amount_of(entry: AggregatedResult) -> tuple[str, float] | None:
    """What of the labels a head was given, ("shots", n a class) or ("percent", share); None for all of them."""
    for name, suffix in (("shots", "shot"), ("percent", "pct")):
        for row in entry.successful:
            value = RowInfo(row).number(name)
            if value is not None and value > 0 and row.protocol.endswith(f"-{value:g}{suffix}"):
                return name, value
    return None


def of_patients(entry: AggregatedResult) -> bool:
    """Whether the scores are those of the predictions, and not means over draws of training samples."""
    return entry.interval_of(entry.rows[0].primary_metric) == "patients"


def lower_is_better(entry: AggregatedResult) -> bool:
    return targets.get(entry.rows[0].kind).metrics.lower_is_better(entry.rows[0].primary_metric)


def metric_name(metric: str) -> str:
    return NAMES.get(metric, metric.replace("_", " "))


def metric_label(entry: AggregatedResult) -> str:
    """The primary metric in words, with its range and which end is the better one; metrics have no unit."""
    metric = entry.rows[0].primary_metric
    of = targets.get(entry.rows[0].kind).metrics.every.get(metric)
    scale = None if of is None else of.scale
    bounded = scale is not None and math.isfinite(scale.low) and math.isfinite(scale.high)
    span = f"{scale.low:g} to {scale.high:g}, " if scale is not None and bounded else ""
    return f"{metric_name(metric)} ({span}{'lower' if lower_is_better(entry) else 'higher'} is better)"


def label_of(entry: AggregatedResult) -> str:
    """The model and what stands between tile and encoder, short enough for a figure."""
    key = entry.key
    return shortened(f"{key.model}+{key.frontend}" if key.frontend else key.model)


def shortened(name: str, longest: int = LONGEST) -> str:
    """A name on one line; of a long one the middle is left out."""
    name = "".join(character if character.isprintable() else "\ufffd" for character in name)
    head = (longest - 1) // 2
    return name if len(name) <= longest else f"{name[:head]}…{name[len(name) - (longest - 1 - head) :]}"


def place_of(*names: str) -> str:
    """The name of a plot's files."""
    return "-".join(file_name(name) for name in names)


def listed(parts: Sequence[str], most: int = 6) -> str:
    """Clauses joined by semicolons; of many the first ones and how many there are besides."""
    more = f"; and {len(parts) - most} more" if len(parts) > most else ""
    return "; ".join(parts[:most]) + more


def number(value: float) -> str:
    """A score with three digits behind the point."""
    return f"{value:.3f}"


def with_bounds(found: Interval) -> str:
    """A score and its 95 % interval in words."""
    if math.isnan(found.ci_low) or math.isnan(found.ci_high):
        return number(found.value)
    return f"{number(found.value)} ({number(found.ci_low)} to {number(found.ci_high)})"
