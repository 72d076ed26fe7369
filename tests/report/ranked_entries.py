"""Entries of a block, and what they were resampled to, from plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.metrics import Replicates
from bench.report.rank_blocks import RankedBlock
from bench.report.resampling import Resampled
from bench.report.results import AggregatedResult, ResultKey, aggregated
from bench.rows import Row, RunKey

HEAD = "1f2e3d4c"
METRIC = "balanced_accuracy"


def key(model: str, task: str = "t1", protocol: str = "linear", cohort: str = "c", frontend: str = "") -> ResultKey:
    return ResultKey(task, cohort, protocol, HEAD, model, frontend)


def ranked(
    values: Mapping[str, float],
    task: str = "t1",
    *,
    noise: float = 0.02,
    n_draws: int = 200,
    metric: str = METRIC,
    lower_is_better: bool = False,
    cohort: str = "c",
    protocol: str = "linear",
    left_out: Mapping[str, str] | None = None,
) -> RankedBlock:
    """A block with these values and normal draws around them; `colour` is its baseline."""
    names = [*values, *(left_out or {})]
    keys = {model: key(model, task, protocol, cohort) for model in names}
    rng = np.random.default_rng(sum(task.encode()))
    drawn = {model: Replicates(value, value + rng.normal(0, noise, n_draws)) for model, value in values.items()}
    return RankedBlock(
        keys[names[0]].block,
        metric,
        lower_is_better,
        {keys[model]: replicates for model, replicates in drawn.items()},
        frozenset(keys[model] for model in names if model == "colour"),
        {keys[model]: why for model, why in (left_out or {}).items()},
    )


Run = tuple[str, int, int]
"""Model, seed and fold."""


def runs(
    values: Mapping[Run, float | None],
    *,
    metric: str = METRIC,
    kind: str = "classes",
    samples: Mapping[Run, str] | None = None,
    no_predictions: Sequence[Run] = (),
) -> tuple[list[AggregatedResult], dict[RunKey, Resampled]]:
    """Entries of one block, a run a value (None for a failed one), and their draws: the value and its double."""
    rows, resampled = [], {}
    for run, value in values.items():
        model, seed, fold = run
        row = Row(
            task="t1",
            model=model,
            frontend="",
            protocol="linear",
            seed=seed,
            fold=fold,
            status="failed" if value is None else "ok",
            primary_metric=metric,
            kind=kind,
            cohort_hash="c",
            head_config_hash=HEAD,
            metrics={} if value is None else {metric: {"value": value, "ci_low": None, "ci_high": None}},
            baseline=model == "colour",
        )
        rows.append(row)
        if value is not None and run not in no_predictions:
            replicates = {metric: Replicates(value, np.array([value, 2 * value]))}
            resampled[row.key] = Resampled((samples or {}).get(run, f"fold {fold}"), 10, 5, replicates)
    return aggregated(rows), resampled
