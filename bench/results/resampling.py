"""Predictions of the test samples of a task, read once and resampled once, so that means and differences only subtract.

A **pass** is one prediction for each test sample: a run on the one test set, or the runs on all folds of one seed (and
of one repeat). Passes over the same samples share the resamples and the jackknife's blocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from bench import targets
from bench.metrics import Replicates, resample
from bench.results.aggregated_result import AggregatedResult, ResultKey
from bench.rows import Row, SavedPredictions, mismatch, read_predictions, samples_digest
from registry.errors import UserError

N_BOOT = 1000
"""Resamples of means and differences of what models are compared by. The `bootstrap` of the rows is not used: runs of
one mean may differ in it, and then only as many draws as the fewest could be averaged."""


Number = tuple[int, int]
"""The seed and the repeat of a pass."""


@dataclass(frozen=True, eq=False)
class Pass:
    """The runs of one result that together predict each test sample once.

    Attributes
    ----------
    entry : ResultKey
    number : seed and repeat
        Of two results, passes of the same number are a pair.
    runs : dict of str -> (Row, SavedPredictions)
        By the digest of the samples that are tested, ordered by fold; one run where there is one test set.
    """

    entry: ResultKey
    number: Number
    runs: dict[str, tuple[Row, SavedPredictions]]

    @property
    def rows(self) -> list[Row]:
        return [row for row, _ in self.runs.values()]

    @cached_property
    def predictions(self) -> SavedPredictions:
        """Those of all folds, ordered by id."""
        return _joined([saved for _, saved in self.runs.values()])

    @cached_property
    def group(self) -> np.ndarray:
        """Of each sample of `predictions`, the place of its group in the order of their names; int [sample]."""
        return np.unique(self.predictions.groups, return_inverse=True)[1]

    @cached_property
    def n_groups(self) -> int:
        """Groups of the test samples."""
        return int(self.group.max()) + 1

    @cached_property
    def samples(self) -> str:
        """Digest of which samples, of which groups, labels and classes, all folds test."""
        return (
            next(iter(self.runs)) if len(self.runs) == 1 else samples_digest(self.predictions, self.predictions.classes)
        )

    def only(self, tested: Collection[str]) -> Pass:
        """The pass over the runs that test these samples; itself if they are all."""
        if self.runs.keys() <= set(tested):
            return self
        return Pass(self.entry, self.number, {samples: run for samples, run in self.runs.items() if samples in tested})

    @cached_property
    def key(self) -> Hashable:
        """What tells this pass from others."""
        return self.entry, self.number, *self.runs


class Passes:
    """The passes of all results of a task and protocol, and what they score on the resamples of their groups.

    Parameters
    ----------
    predictions_path : callable
        Gives where the predictions of a row lie.

    Attributes
    ----------
    of : dict of ResultKey -> dict of number -> Pass
        Ordered by seed and repeat; empty for results without predictions.
    faulty : list of str
        A sentence for each file that cannot be read.
    """

    def __init__(self, predictions_path: Callable[[Row], Path], entries: Iterable[AggregatedResult]) -> None:
        self.of: dict[ResultKey, dict[Number, Pass]] = {}
        self.faulty: list[str] = []
        self._primary: set[str] = set()
        for entry in entries:
            self._primary |= {row.primary_metric for row in entry.rows}
            self.of[entry.key] = {one.number: one for one in _passes(entry.key, self._read(predictions_path, entry))}
        self._found: dict[Hashable, dict[str, Replicates]] = {}

    def resample(self, metrics: Callable[[Row], Collection[str]]) -> None:
        """Resample all passes, those on the same samples together, for the metrics that all their rows are to have."""
        alike: dict[tuple[str, tuple[str, ...]], list[Pass]] = defaultdict(list)
        for one in (one for passes in self.of.values() for one in passes.values()):
            wanted = set.intersection(*(set(metrics(row)) for row in one.rows))
            alike[one.samples, tuple(sorted(wanted))].append(one)
        for (_, metric_names), passes in alike.items():
            self._resample(passes, metric_names)

    def replicates(self, one: Pass) -> dict[str, Replicates]:
        """What a pass scores; a part of a pass has the metrics of the pass."""
        if one.key not in self._found:
            self._resample([one], tuple(self._found[self.of[one.entry][one.number].key]))
        return self._found[one.key]

    def add(self, one: Pass, metric: str, replicates: Replicates) -> None:
        """What a pass scores by a metric that `resample` was not called for."""
        self._found.setdefault(one.key, {})[metric] = replicates

    def _resample(self, passes: Sequence[Pass], metrics: Sequence[str]) -> None:
        first = passes[0].predictions
        kind = targets.get(first.kind).metrics
        drawn = [name for name in metrics if name in kind.metrics or name in self._primary]
        others = [name for name in metrics if name not in drawn]  # of which the tables tell intervals alone
        self._found.update({one.key: {} for one in passes})
        for names, n_boot in ((drawn, N_BOOT), (others, 1)):
            if not names:
                continue
            found = resample(
                first.y_true,
                {one.key: one.predictions.scores for one in passes},
                first.groups,
                scaled={
                    one.key: one.predictions.calibrated for one in passes if one.predictions.calibrated is not None
                },
                kind=kind,
                metrics=names,
                n_boot=n_boot,
            )
            for one in passes:
                self._found[one.key].update(found[one.key])

    def _read(
        self, predictions_path: Callable[[Row], Path], entry: AggregatedResult
    ) -> Iterator[tuple[Row, SavedPredictions, str]]:
        """The runs of an entry whose predictions are theirs, with the digest of the samples."""
        for row in entry.successful:
            if not row.predictions:
                continue
            path = predictions_path(row)
            try:
                saved = read_predictions(path)
                samples = samples_digest(saved, saved.classes)
                if fault := mismatch(row, saved, samples):
                    raise UserError(f"{path} {fault}: delete its row and run again.")
            except UserError as error:
                self.faulty.append(str(error))
            else:
                yield row, saved, samples


def compared(row: Row) -> set[str]:
    """The metrics of a row that models are compared by, without means over episodes or repeats."""
    return _of_predictions(row) & targets.get(row.kind).metrics.metrics.keys()


def recomputable(row: Row) -> set[str]:
    """The metrics of a row that its predictions tell."""
    return _of_predictions(row) & targets.get(row.kind).metrics.every.keys()


def _of_predictions(row: Row) -> set[str]:
    """The metrics that predictions tell: those over draws are means, of which the predictions are the votes."""
    return {metric for metric in row.metrics if row.interval_of(metric) == "patients"}


def _passes(entry: ResultKey, runs: Iterable[tuple[Row, SavedPredictions, str]]) -> Iterator[Pass]:
    """Runs ordered by seed and fold, gathered: the folds of a repeat test other samples, the next repeat the same."""
    number: Number = (0, 0)
    gathered: dict[str, tuple[Row, SavedPredictions]] = {}
    tested: set[str] = set()
    for row, saved, samples in runs:
        repeat = number[1] if number[0] == row.seed else 0
        if gathered and (number[0] != row.seed or not tested.isdisjoint(saved.ids.tolist())):
            yield Pass(entry, number, gathered)
            repeat += number[0] == row.seed
            gathered, tested = {}, set()
        number = (row.seed, repeat)
        gathered[samples] = row, saved
        tested |= set(saved.ids.tolist())
    if gathered:
        yield Pass(entry, number, gathered)


def _joined(saved: Sequence[SavedPredictions]) -> SavedPredictions:
    """All samples, ordered by id."""
    ids = np.concatenate([one.ids for one in saved])
    order = np.argsort(ids, kind="stable")

    def of(name: str) -> np.ndarray:
        return np.asarray(np.concatenate([getattr(one, name) for one in saved])[order])

    calibrated = all(one.calibrated is not None for one in saved)
    return replace(
        saved[0],
        ids=ids[order],
        groups=of("groups"),
        y_true=of("y_true"),
        scores=of("scores"),
        calibrated=of("calibrated") if calibrated else None,
    )
