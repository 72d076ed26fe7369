"""The benchmark from Python: the functions that the command line calls, with data frames and arrays for answers."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from bench import report, rows
from bench.config import BenchConfig, Step
from bench.protocols import Bags, Samples
from bench.results import read_leaderboard
from bench.runs import (
    RunContext,
    Settings,
    devices_of,
    embed_cohort,
    evaluate_plan,
    keys_of,
    make_config,
    prepare,
    to_stderr,
)
from registry.errors import UserError

if TYPE_CHECKING:
    from bench.rows import RunKey

Names = str | Sequence[str]


@dataclass(frozen=True)
class Results:
    """The results of one evaluation: its own runs, whatever else is in the folder of results.

    Attributes
    ----------
    rows : DataFrame
        A line a run and metric: task, model, protocol, seed, fold, metric, value, ci_low, ci_high and what else
        ``leaderboard.csv`` has.
    leaderboard : DataFrame
        A line a model, protocol and metric: the mean over seeds and folds with its interval.
    differences : DataFrame
        A line a pair of models, protocol and metric: the paired difference with its interval.
    ranks : DataFrame
        A line a task, protocol and model, baselines too: the rank by the primary metric with its interval, or ``why``
        there is none.
    failures : list of str
        A sentence for each thing that failed.
    results : Path
        The folder of rows and predictions.
    """

    rows: pd.DataFrame
    leaderboard: pd.DataFrame
    differences: pd.DataFrame
    ranks: pd.DataFrame
    failures: list[str]
    results: Path
    _keys: list[RunKey] = field(default_factory=list, repr=False)

    def predictions(
        self, model: str, task: str | None = None, head: str | None = None, *, seed: int = 0, fold: int = 0
    ) -> pd.DataFrame:
        """Test predictions of one run as a data frame: id, group, y_true, score_0 ... and scaled_0 ... where scaled.

        Parameters
        ----------
        task, head
            May be left out where the evaluation had one.

        Raises
        ------
        UserError
            If no run, or more than one, is meant, or its predictions cannot be read.
        """
        keys = [
            key
            for key in self._keys
            if key.model == model
            and task in (None, key.task)
            and head in (None, key.protocol)
            and (key.seed, key.fold) == (seed, fold)
        ]
        if len(keys) != 1:
            known = sorted({f"{key.model} on {key.task} with {key.protocol}" for key in self._keys})
            raise UserError(
                f"{len(keys)} runs of this evaluation are of {model}, seed {seed}, fold {fold}: name the task and the "
                f"head; there are {', '.join(known)}."
            )
        row = rows.read_row(self.results, keys[0])
        if row is None or not row.predictions:
            raise UserError(f"{model} on {keys[0].task} with {keys[0].protocol} has no predictions: it failed.")
        rows.read_predictions(self.results / row.predictions)  # which checks every byte
        return pd.read_parquet(self.results / row.predictions)


@dataclass(frozen=True)
class Features:
    """The features of a cohort by one model.

    Attributes
    ----------
    ids, groups : str arrays [N]
    labels : array [N] or [N, T]
        As heads take them.
    classes : tuple of str
    vectors : float32 [N, D]
        One vector a sample; of slides the mean over their tiles, or what a slide encoder gives.
    bags : sequence of [T, D] or None
        Of slides, the features of the tiles of each sample, left on disk until they are indexed.
    tokens : sequence or None
        With ``features="tokens"`` the patch tokens of each sample, left on disk until they are indexed: [T, C] of a
        tile, [N, T, C] of the tiles of a slide in the order of its bag. Those of single tiles are also indexed several
        at a time, ``tokens[10:20]``.
    grid : (int, int) or None
        Rows and columns of patches of a tile, of which a tile's tokens are row by row.
    """

    ids: np.ndarray
    groups: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    vectors: Float[np.ndarray, "sample feature"]
    bags: Sequence[Any] | None = None
    tokens: Any = None
    grid: tuple[int, int] | None = None


def evaluate(
    models: Names,
    tasks: Settings,
    heads: Settings | None = None,
    *,
    data: str | Path | None = None,
    results: str | Path = "results",
    cache: str | Path = "cache",
    progress: bool = False,
    **settings: Any,
) -> Results:
    """Run every model on every task with every head; what is in `results` and `cache` already is not computed again.

    Parameters
    ----------
    models
        Names as in ``python -m registry``, ``timm:NAME`` or ``hf-hub:REPOSITORY``.
    tasks
        Names of tasks, or ``{name: {field: value}}`` to change fields of a task or to describe one that has no file.
    heads
        Names of protocols, or ``{name: {field: value}}`` likewise; the default heads if None.
    data
        The dataset, or the folder that holds the datasets.
    results, cache
        Folders of rows and of features.
    progress
        Whether progress bars and lines about the work go to stderr.
    settings
        Any other field of `bench.config.BenchConfig`: ``seeds=[0, 1]``, ``device="cuda"``, ``null="none"``, ...

    Raises
    ------
    UserError
        If a setting is wrong, or if nothing could be computed. What fails beside runs that succeed is a warning and is
        in `Results.failures`.
    """
    config = make_config(models, tasks, heads, data, results, cache, settings)
    if Step.plan in config.steps:
        raise UserError("steps=[plan] computes nothing that could be returned: leave steps out.")
    if not config.protocols:
        raise UserError("No head is named: leave heads out for the default ones, or call embed for features alone.")
    context = _context(config, progress)
    outcome = evaluate_plan(context)
    warned = list(outcome.failures)
    keys = keys_of(outcome.plan)
    found = read_leaderboard(context.results, keys, warned.append)
    if outcome.failures and not any(entry.successful for entry in found.entries):
        raise UserError("\n".join(outcome.failures))
    for sentence in warned:
        warnings.warn(sentence, stacklevel=2)
    return Results(
        rows=_frame(report.long_records(found.entries, found.audits)),
        leaderboard=_frame(report.mean_records(found)),
        differences=_frame(report.paired_records(found, config.margin)),
        ranks=_frame(report.rank_records(found.ranked, found.contaminated, found.audits)),
        failures=outcome.failures,
        results=context.results,
        _keys=[row.key for entry in found.entries for row in entry.rows],
    )


def embed(
    model: str,
    task: Settings,
    *,
    data: str | Path | None = None,
    cache: str | Path = "cache",
    progress: bool = False,
    **settings: Any,
) -> Features:
    """The features of a task's samples by one model, made where they are not in the cache.

    Parameters
    ----------
    model, task, data, cache, progress, settings
        As in `evaluate`, one of each; ``features="tokens"`` makes patch tokens too.

    Raises
    ------
    UserError
        If a setting is wrong, the data or weights are not there, or the features cannot be made.
    """
    return _features(model, task, data, cache, progress, [Step.embed], settings)


def open_features(
    model: str,
    task: Settings,
    *,
    data: str | Path | None = None,
    cache: str | Path = "cache",
    **settings: Any,
) -> Features:
    """The features of a task's samples by one model, read from the cache; nothing is computed.

    Parameters
    ----------
    model, task, data, cache, settings
        As in `embed`.

    Raises
    ------
    UserError
        As `embed`, or if some are not in the cache.
    """
    return _features(model, task, data, cache, False, [Step.fit], settings)


def leaderboard(results: str | Path | Sequence[str | Path] = "results", *, contaminated: str = "keep") -> pd.DataFrame:
    """All results of a folder: a line a task, model, protocol and metric, the mean over seeds and folds.

    Rows that cannot be read are left out with a warning.

    Parameters
    ----------
    results
        The folder, or several, whose rows are merged as ``python -m bench report results=[a,b]`` does; where they
        differ is a warning.
    contaminated
        ``"keep"``, or ``"leave_out"`` for a leaderboard without the models that saw a task's cohorts in pretraining, as
        ``python -m bench report contaminated=leave_out`` makes it; how many rows that are is a warning.

    Raises
    ------
    UserError
        If there is nothing, or no such choice.
    """
    folders = [Path(name).expanduser() for name in ([results] if isinstance(results, str | Path) else results)]
    saved = rows.rows_of(folders[0]) if len(folders) == 1 else rows.merged_rows(folders)
    warned = list(saved.unusable)
    data = read_leaderboard(saved, warn=warned.append, contaminated=contaminated)
    warned += data.left_out.sentences
    for sentence in warned:
        warnings.warn(sentence, stacklevel=2)
    if not data.entries:
        places = ", ".join(str(folder / "rows") for folder in folders)
        raise UserError(f"There are no rows in {places}: run a benchmark first, or name another folder.")
    return _frame(report.mean_records(data))


def _features(
    model: str,
    task: Settings,
    data: str | Path | None,
    cache: str | Path,
    progress: bool,
    steps: list[Step],
    settings: Mapping[str, Any],
) -> Features:
    config = make_config(model, task, {}, data, "results", cache, {"null": "none", **settings})
    config.steps = steps
    context = _context(config, progress, pictures=False)
    plan = prepare(context)
    if plan.failures:
        raise UserError("\n".join(plan.failures))
    n_models = sum(len(work) for task in plan.tasks for _, work in task.passes)
    if (len(plan.tasks), n_models) != (1, 1):
        raise UserError(f"Features are of one model on one task, not of {n_models} models on {len(plan.tasks)} tasks.")
    cohort, embedding = embed_cohort(context, plan)
    samples: Samples = cohort.samples(embedding)
    bags: Bags | None = cohort.bags(embedding) if cohort.noun != "tiles" else None
    tokens, grid = None, None
    if any(own.tiles.tokens for task in plan.tasks for _, work in task.passes for own in work):
        tokens, grid = cohort.tokens(embedding), embedding.grid
    return Features(
        ids=samples.ids,
        groups=samples.groups,
        labels=np.asarray(samples.labels),
        classes=samples.classes,
        vectors=np.asarray(samples.features, dtype=np.float32),
        bags=None if bags is None else bags.features,
        tokens=tokens,
        grid=grid,
    )


def _context(config: BenchConfig, progress: bool, *, pictures: bool = True) -> RunContext:
    say = to_stderr if progress else lambda line: None
    return RunContext(config, devices_of(config)[0], progress, pictures, say)


def _frame(records: Iterable[dict[str, str]]) -> pd.DataFrame:
    """The records of a table, numbers as numbers."""
    frame = pd.DataFrame(list(records))
    for column in frame.columns.difference(list(report.TEXT_COLUMNS)):
        frame[column] = pd.to_numeric(frame[column])
    return frame
