"""The models of a task under several protocols: one metric, the same test samples, the same resamples everywhere."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from bench import targets
from bench.metrics import Interval
from bench.results.aggregated_result import AggregatedResult, aggregated
from bench.results.baselines import track_of
from bench.results.comparisons import paired_difference
from bench.results.estimates import definition, estimate
from bench.results.mean_of_votes import mean_over_episodes
from bench.results.rank_blocks import RankedBlock, ranked_block
from bench.results.resampling import Number, Passes, compared
from bench.rows import RowInfo, RunKey, SavedRows
from bench.statistics import Studentised, complete, pairs_of

OVER_DRAWS = ("episodes", "repeats")
NOT_KNOWN = "has a mean over draws of the training samples that its saved predictions do not tell"


@dataclass(frozen=True)
class AcrossProtocols:
    """Scores of models under several protocols on the same test samples.

    Attributes
    ----------
    task, cohort, metric : str
        The primary metric of the task, whatever metric the authors of a protocol report.
    lower_is_better : bool
    models, protocols : tuple of str
        The complete table: every model has a score under every protocol. Ordered by name; empty where there is none.
    intervals : dict of (protocol, model) -> Interval
        The score over all seeds and folds with its interval by patient.
    values : float [protocol, model]
        The same scores, as the means of these resamples have them.
    draws : float [protocol, model, resample]
        On the same resamples of the patients.
    runs : tuple of float [model, seed]
        Of each protocol the score of each seed and repeat.
    differences : dict of (protocol, first model, second model) -> Studentised
        First less second, patient by patient.
    seconds : dict of protocol -> tuple of float
        What fitting, predicting and scoring took, a number a run of any model.
    left_out : dict of str -> str
        Protocols, and models in protocols, that are not in the table, each with the reason as the end of a sentence.
    over_draws : tuple of str
        The protocols whose score is a mean over episodes.
    n_test, n_groups : int
        Test samples and their groups.
    """

    task: str
    cohort: str
    metric: str
    lower_is_better: bool
    models: tuple[str, ...]
    protocols: tuple[str, ...]
    intervals: dict[tuple[str, str], Interval]
    values: Float[np.ndarray, "protocol model"]
    draws: Float[np.ndarray, "protocol model resample"]
    runs: tuple[Float[np.ndarray, "model seed"], ...]
    differences: dict[tuple[str, str, str], Studentised]
    seconds: dict[str, tuple[float, ...]]
    left_out: dict[str, str] = field(default_factory=dict)
    over_draws: tuple[str, ...] = ()
    n_test: int = 0
    n_groups: int = 0


def across_protocols(saved: SavedRows, keys: Collection[RunKey]) -> list[AcrossProtocols]:
    """The scores of these runs by task and cohort; it follows from their rows and predictions alone.

    Parameters
    ----------
    saved : SavedRows
        Of one or several results folders.
    keys : collection of RunKey
        The runs that count; of a protocol they have one setting of its head. Those that are not there are left out.
    """
    entries = [entry for entry in aggregated(row for row in saved.rows if row.key in keys) if not track_of(entry)]
    by_task = itertools.groupby(entries, key=lambda entry: entry.key[:2])
    return [_of_task(saved, list(own)) for _, own in by_task]


def _of_task(saved: SavedRows, entries: Sequence[AggregatedResult]) -> AcrossProtocols:
    passes = Passes(saved.predictions_path, entries)
    row = next((row for entry in entries for row in entry.successful), entries[0].rows[0])
    metric = row.primary_metric
    passes.resample(lambda row: compared(row) & {metric})
    means = [entry for entry in entries if entry.interval_of(metric) in OVER_DRAWS]
    resampled = [_add_means(entry, metric, passes) for entry in means]
    by_protocol = itertools.groupby(entries, key=lambda entry: entry.key.protocol)
    own = {protocol: list(of) for protocol, of in by_protocol}
    blocks = {protocol: ranked_block(of, passes) for protocol, of in own.items()}
    left_out = _reasons(blocks)
    not_known = [entry.key.protocol for entry, found in zip(means, resampled, strict=True) if not found]
    left_out |= {protocol: NOT_KNOWN for protocol in not_known if protocol in left_out}
    _leave_out_other_samples(blocks, passes, left_out)
    protocols, models = _complete(blocks, left_out)
    of_cell = {
        (protocol, _model(entry.key.model, entry.key.frontend)): entry
        for protocol in protocols
        for entry in own[protocol]
    }
    cells = [[of_cell[protocol, model] for model in models] for protocol in protocols]
    numbers = [_numbers(line, metric, passes) for line in cells]
    replicates = [[blocks[p].replicates[entry.key] for entry in line] for p, line in zip(protocols, cells, strict=True)]
    n_draws = min((len(one.draws) for line in replicates for one in line), default=0)
    first = next(iter(passes.of[cells[0][0].key].values())) if cells and cells[0] else None
    return AcrossProtocols(
        task=row.task,
        cohort=row.cohort_hash,
        metric=metric,
        lower_is_better=targets.get(row.kind).metrics.lower_is_better(metric),
        models=models,
        protocols=protocols,
        intervals={
            (protocol, model): estimate(entry, metric, passes) or Interval(math.nan, math.nan, math.nan)
            for (protocol, model), entry in of_cell.items()
            if model in models
        },
        values=np.array([[one.value for one in line] for line in replicates], float).reshape(
            len(protocols), len(models)
        ),
        draws=np.array([[one.draws[:n_draws] for one in line] for line in replicates], float).reshape(
            len(protocols), len(models), n_draws
        ),
        runs=tuple(_runs(line, own_numbers, metric, passes) for line, own_numbers in zip(cells, numbers, strict=True)),
        differences=_differences(protocols, models, cells, numbers, metric, passes),
        seconds={protocol: _seconds(of) for protocol, of in own.items()},
        left_out=left_out,
        over_draws=tuple(sorted({entry.key.protocol for entry in means} & set(protocols))),
        n_test=len(first.predictions.ids) if first else 0,
        n_groups=first.n_groups if first else 0,
    )


def _model(model: str, frontend: str) -> str:
    return f"{model}+{frontend}" if frontend else model


def _reasons(blocks: dict[str, RankedBlock]) -> dict[str, str]:
    """Why entries are not ranked; of a protocol without any that is, one reason for all of them."""
    found = {}
    for protocol, block in blocks.items():
        if not block.replicates:
            found[protocol] = next(iter(block.left_out.values()))
        else:
            found |= {f"{_model(key.model, key.frontend)} under {protocol}": why for key, why in block.left_out.items()}
    return found


def _add_means(entry: AggregatedResult, metric: str, passes: Passes) -> bool:
    """Resample the scores of an entry that are means over draws of the training samples; whether that can be done."""
    found = {one: mean_over_episodes(one, metric) for one in passes.of[entry.key].values()}
    for one, replicates in found.items():
        if replicates is not None:
            passes.add(one, metric, replicates)
    return None not in found.values()


def _leave_out_other_samples(blocks: dict[str, RankedBlock], passes: Passes, left_out: dict[str, str]) -> None:
    """Drop the protocols that were tested on other samples than most."""
    samples = {
        protocol: next(iter(passes.of[key].values())).samples
        for protocol, block in blocks.items()
        for key in list(block.replicates)[:1]
    }
    most = max(samples.values(), key=lambda one: (list(samples.values()).count(one), one), default="")
    for protocol, digest in samples.items():
        if digest != most:
            del blocks[protocol]
            left_out[protocol] = "was tested on other samples than most protocols"


def _complete(blocks: dict[str, RankedBlock], left_out: dict[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The largest complete table: without protocols that lack a model, or without models that lack a protocol."""
    there = {p: {_model(key.model, key.frontend) for key in block.replicates} for p, block in blocks.items()}
    protocols = sorted(protocol for protocol, models in there.items() if models)
    models = sorted(set().union(*there.values()))
    table = np.array([[0.0 if model in there[p] else np.nan for model in models] for p in protocols])
    table = table.reshape(len(protocols), len(models))
    parts = [complete(table, drop="tasks"), complete(table, drop="models")]
    best = max(parts, key=lambda part: (len(part.models) > 1, len(part.tasks) * len(part.models)))
    for place, protocol in enumerate(protocols):
        if place not in best.tasks:
            lacking = [model for model in models if model not in there[protocol]]
            left_out.setdefault(protocol, f"has no score of {', '.join(lacking)}")
    for place, model in enumerate(models):
        if place not in best.models:
            lacking = [protocol for protocol in protocols if model not in there[protocol]]
            left_out.setdefault(model, f"has no score under {', '.join(lacking)}")
    return tuple(protocols[i] for i in best.tasks), tuple(models[i] for i in best.models)


def _numbers(line: Sequence[AggregatedResult], metric: str, passes: Passes) -> list[Number]:
    """The seeds and repeats of which all entries of a protocol have a score."""
    count = Counter(
        number
        for entry in line
        for number, one in passes.of[entry.key].items()
        if (found := passes.replicates(one).get(metric)) is not None and not math.isnan(found.value)
    )
    return sorted(number for number, n in count.items() if n == len(line))


def _runs(line: Sequence[AggregatedResult], numbers: Sequence[Number], metric: str, passes: Passes) -> np.ndarray:
    return np.array(
        [[passes.replicates(passes.of[entry.key][number])[metric].value for number in numbers] for entry in line], float
    ).reshape(len(line), len(numbers))


def _differences(
    protocols: Sequence[str],
    models: Sequence[str],
    cells: Sequence[Sequence[AggregatedResult]],
    numbers: Sequence[Sequence[Number]],
    metric: str,
    passes: Passes,
) -> dict[tuple[str, str, str], Studentised]:
    found = {}
    for protocol, line, own in zip(protocols, cells, numbers, strict=True):
        for a, b in pairs_of(len(models)).tolist():
            both = [(passes.of[line[a].key][number], passes.of[line[b].key][number]) for number in own]
            paired = paired_difference(metric, definition(line[a], metric), both, passes)
            if paired is not None:
                found[protocol, models[a], models[b]] = paired[0]
    return found


def _seconds(entries: Sequence[AggregatedResult]) -> tuple[float, ...]:
    """Of each run that says it."""
    found = [RowInfo(row).seconds.get("fit") for entry in entries for row in entry.successful]
    return tuple(one for one in found if one is not None)
