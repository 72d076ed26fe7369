"""Paired differences between runs, from their saved predictions: is one model better, or were its patients kinder?"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.leaderboard.floors import floors_of
from bench.leaderboard.predictions import SavedPredictions, read_predictions
from bench.leaderboard.rows import Row, Run, warn_once
from bench.metrics import METRICS, Interval, Replicates, resample
from registry.errors import UserError


@dataclass(frozen=True)
class Comparison:
    """The difference a - b of a metric on the same test samples, with its 95 % interval by paired cluster bootstrap."""

    a: Row
    b: Row
    metric: str
    difference: Interval
    n_test: int
    n_groups: int


def pairs(rows: list[Row]) -> Iterator[tuple[Row, Row]]:
    """Each model against each floor that applies to it, and any two models once, of one task, protocol and seed.

    Two models are compared behind the same frontend, and one model with itself behind two: never both at once.
    """
    models, floors = [row for row in rows if row.ok and not row.floor], [row for row in rows if row.floor]
    for row in models:
        yield from ((row, floor) for floor in floors_of(row, floors))
    for _, block in itertools.groupby(sorted(models, key=_block), key=_block):
        for a, b in itertools.combinations(block, 2):
            if a.frontend == b.frontend or a.model == b.model:
                yield a, b


def compare(
    results: Path, wanted: Iterable[tuple[Row, Row]], metrics: Collection[str] = tuple(METRICS)
) -> list[Comparison]:
    """The paired differences of the wanted pairs, in their order, metric by metric.

    Each run is resampled once, and all runs of a task, protocol and seed on the same resamples, so a further pair costs
    a subtraction. Left out are pairs whose runs were not tested on the same samples, metrics that a run does not have
    or that are undefined, and runs without predictions (those that cannot be read are named in one warning).
    """
    wanted = list(wanted)
    blocks: dict[tuple[str, str, int], dict[Run, Row]] = defaultdict(dict)
    for row in itertools.chain.from_iterable(wanted):
        blocks[_block(row)][row.run] = row
    found: dict[Run, _Resampled] = {}
    for block in blocks.values():
        found.update(_resampled(results, list(block.values()), metrics))
    return [
        Comparison(a, b, metric, difference.interval(), found[a.run].n_test, found[a.run].n_groups)
        for a, b in wanted
        if a.run in found and b.run in found and found[a.run].samples == found[b.run].samples
        for metric in metrics
        if metric in found[a.run].replicates and metric in found[b.run].replicates
        if not np.isnan((difference := found[a.run].replicates[metric] - found[b.run].replicates[metric]).value)
    ]


@dataclass(frozen=True)
class _Resampled:
    samples: str
    n_test: int
    n_groups: int
    replicates: dict[str, Replicates]


def _block(row: Row) -> tuple[str, str, int]:
    return row.task, row.protocol, row.seed


def _resampled(results: Path, rows: list[Row], metrics: Collection[str]) -> Iterator[tuple[Run, _Resampled]]:
    """The metrics that each row has, of all rows on the same samples in one go."""
    alike: dict[tuple[str, tuple[str, ...]], dict[Run, SavedPredictions]] = defaultdict(dict)
    unread = []
    for row in rows:
        if not row.predictions:
            continue
        try:
            saved = _by_id(read_predictions(results / row.predictions))
        except UserError as error:
            unread.append(str(error))
            continue
        own = tuple(metric for metric in metrics if metric in row.metrics and metric in METRICS)
        alike[_samples(saved), own][row.run] = saved
    if unread:
        warn_once("Left out of the paired comparisons: " + " ".join(unread))
    for (samples, own), runs in alike.items():
        one = next(iter(runs.values()))
        scores = {run: saved.scores for run, saved in runs.items()}
        for run, replicates in resample(one.y_true, scores, one.groups, metrics=own).items():
            yield run, _Resampled(samples, len(one.ids), len(np.unique(one.groups)), replicates)


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
    """Digest of which samples, of which groups and classes, the predictions are for."""
    record = [saved.ids.tolist(), saved.groups.tolist(), saved.y_true.tolist(), saved.classes]
    return hashlib.sha256(json.dumps(record).encode()).hexdigest()
