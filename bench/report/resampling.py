"""Every run resampled once, from its saved predictions, so that means and differences only add and subtract."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench import targets
from bench.files import digest
from bench.metrics import Replicates, resample
from bench.rows import Row, RunKey, SavedPredictions, read_predictions
from registry.errors import UserError

N_BOOT = 1000
"""Resamples of means and differences. The `bootstrap` of the rows is not used: runs of one mean may differ in it, and
then only as many draws as the fewest could be averaged."""


@dataclass(frozen=True)
class Resampled:
    """The metrics of a run on resamples of its test groups.

    Attributes
    ----------
    samples : str
        Digest of which samples, of which groups, labels and classes: runs that share it share their resamples.
    replicates : dict of metric -> Replicates
    """

    samples: str
    n_test: int
    n_groups: int
    replicates: dict[str, Replicates]


def resampled(
    results: Path, rows: Iterable[Row], metrics: Callable[[Row], Collection[str]]
) -> tuple[dict[RunKey, Resampled], list[str]]:
    """Resample the metrics that are wanted of each row of one task and protocol; by `Row.key`.

    Folds have other patients, so each is drawn with a seed of its own. Left out are metrics that predictions do not
    tell, and runs without predictions; the second value has a sentence for each file that cannot be read.
    """
    repeats: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in rows:
        repeats[row.seed, row.fold].append(row)
    found: dict[RunKey, Resampled] = {}
    faulty: list[str] = []
    for own in repeats.values():
        alike, problems = _read_alike(results, own, metrics)
        found.update(_repeat(alike, own[0].fold))
        faulty += problems
    return found, faulty


def compared(row: Row) -> set[str]:
    """The metrics of a row that models are compared by, without means over episodes or repeats."""
    return _of_predictions(row) & targets.get(row.kind).metrics.metrics.keys()


def recomputable(row: Row) -> set[str]:
    """The metrics of a row that its predictions tell."""
    return _of_predictions(row) & targets.get(row.kind).metrics.every.keys()


def _of_predictions(row: Row) -> set[str]:
    """The metrics that predictions tell: those over draws are means, of which the predictions are the votes."""
    return {metric for metric in row.metrics if row.interval_of(metric) == "patients"}


def mean_replicates(replicates: Sequence[Replicates]) -> Replicates:
    """The mean of several statistics, draw by draw; undefined where one of them is, without any if one has none."""
    value = float(np.mean([one.value for one in replicates]))
    if not all(len(one.draws) for one in replicates):  # a test side of one group cannot be resampled
        return Replicates(value, np.empty(0))
    return Replicates(value, np.mean([one.draws for one in replicates], axis=0))


Alike = dict[tuple[str, tuple[str, ...]], dict[RunKey, SavedPredictions]]
"""Predictions by digest of their samples and by the metrics that are wanted of them."""


def _read_alike(results: Path, rows: list[Row], metrics: Callable[[Row], Collection[str]]) -> tuple[Alike, list[str]]:
    """The predictions of the rows of one seed and fold, and a sentence for each file that cannot be read."""
    alike: Alike = defaultdict(dict)
    faulty = []
    for row in rows:
        wanted = tuple(sorted(metrics(row)))
        if not row.predictions or not wanted:
            continue
        try:
            saved = _by_id(read_predictions(results / row.predictions))
            if (saved.kind, saved.classes) != (row.kind, row.classes):
                raise UserError(
                    f"{row.predictions} is not of the kind and classes of its row: delete it and run again."
                )
        except UserError as error:
            faulty.append(str(error))
            continue
        alike[_samples(saved), wanted][row.key] = saved
    return alike, faulty


def _repeat(alike: Alike, seed: int) -> Iterator[tuple[RunKey, Resampled]]:
    """All runs that are on the same samples are resampled in one go."""
    for (samples, wanted), runs in alike.items():
        one = next(iter(runs.values()))
        replicates = resample(
            one.y_true,
            {run: saved.scores for run, saved in runs.items()},
            one.groups,
            scaled={run: saved.calibrated for run, saved in runs.items() if saved.calibrated is not None},
            kind=targets.get(one.kind).metrics,
            metrics=wanted,
            n_boot=N_BOOT,
            seed=seed,
        )
        for run in runs:
            yield run, Resampled(samples, len(one.ids), len(np.unique(one.groups)), replicates[run])


def _by_id(saved: SavedPredictions) -> SavedPredictions:
    order = np.argsort(saved.ids, kind="stable")
    return replace(
        saved,
        ids=saved.ids[order],
        groups=saved.groups[order],
        y_true=saved.y_true[order],
        scores=saved.scores[order],
        calibrated=None if saved.calibrated is None else saved.calibrated[order],
    )


def _samples(saved: SavedPredictions) -> str:
    record = [saved.kind, saved.ids.tolist(), saved.groups.tolist(), saved.y_true.tolist(), saved.classes]
    return digest(record)
