"""Entries of a block, and what they were resampled to, from plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.metrics import Replicates
from bench.results.aggregated_result import AggregatedResult, ResultKey, aggregated
from bench.results.rank_blocks import RankedBlock
from bench.results.resampling import Pass, Passes, compared
from bench.rows import Row, RunKey, SavedPredictions, samples_digest

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
    drawn = {model: made_up(value, value + rng.normal(0, noise, n_draws)) for model, value in values.items()}
    return RankedBlock(
        keys[names[0]].block,
        metric,
        lower_is_better,
        {keys[model]: replicates for model, replicates in drawn.items()},
        frozenset(keys[model] for model in names if model == "colour"),
        {keys[model]: why for model, why in (left_out or {}).items()},
    )


def made_up(value: float, draws: np.ndarray) -> Replicates:
    """Replicates of which ranks are made, which need no interval."""
    return Replicates(value, draws, centre=value, influence=np.empty(0))


Run = tuple[str, int, int]
"""Model, seed and fold."""


class MadeUpPasses(Passes):
    """Passes over made-up predictions, whose draws of each metric are the mean over their runs and its double.

    Parameters
    ----------
    samples : dict of RunKey -> list of str
        Names of the test samples of each run; a run that is not there has no predictions.
    """

    def __init__(self, entries: Sequence[AggregatedResult], samples: Mapping[RunKey, list[str]]) -> None:
        self.samples = samples
        super().__init__(lambda row: Path(row.predictions), entries)
        self.resample(compared)

    def _read(
        self, predictions_path: Callable[[Row], Path], entry: AggregatedResult
    ) -> Iterator[tuple[Row, SavedPredictions, str]]:
        for row in entry.successful:
            if row.key in self.samples:
                ids = np.array(self.samples[row.key])
                saved = SavedPredictions(ids, ids, np.zeros(len(ids)), np.zeros((len(ids), 1)), ["x"], row.kind)
                yield row, saved, samples_digest(saved, saved.classes)

    def _resample(self, passes: Sequence[Pass], metrics: Collection[str]) -> None:
        for one in passes:
            means = {metric: float(np.mean([row.value(metric) for row in one.rows])) for metric in metrics}
            found = {metric: made_up(mean, np.array([mean, 2 * mean])) for metric, mean in means.items()}
            self._found[one.key] = found


def runs(
    values: Mapping[Run, float | None],
    *,
    metric: str = METRIC,
    kind: str = "classes",
    samples: Mapping[Run, list[str]] | None = None,
    no_predictions: Sequence[Run] = (),
    undefined: Sequence[Run] = (),
) -> tuple[list[AggregatedResult], Passes]:
    """Entries of one block, a run a value (None for a failed one), and their passes.

    The test samples of a run are ten of its fold unless `samples` names them.
    """
    rows, tested = [], {}
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
        if run in undefined:
            row.metrics.clear()
        rows.append(row)
        if value is not None and run not in no_predictions:
            tested[row.key] = (samples or {}).get(run, [f"{fold}-{number}" for number in range(10)])
    entries = aggregated(rows)
    return entries, MadeUpPasses(entries, tested)
