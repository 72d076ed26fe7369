"""Ranks of models within a task, with bootstrap intervals, and their means across tasks.

Ranks with intervals: Goldstein & Spiegelhalter 1996, J. R. Statist. Soc. A 159, 385-443; Marshall & Spiegelhalter 1998,
BMJ 316, 1701-1704. A rank is not a smooth function of the data, so the bootstrap of it is not consistent where models
are tied in the population, and pulls ranks towards the middle: Hall & Miller 2009, Ann. Statist. 37, 3929-3959; Xie,
Singh & Zhang 2009, J. Am. Statist. Assoc. 104, 775-788. Its intervals describe how firm an order is; they are no test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

TIED = 1e-12
"""Values are tied where they differ by at most this share of the largest of them: the same score, summed in another
order, differs in its last bits."""
COVERED = (0.025, 0.975)
N_DRAWS = 1000


@dataclass(frozen=True)
class Bounds:
    """Lower and upper bounds of an interval for each model; NaN where there is none."""

    low: Float[np.ndarray, " model"]
    high: Float[np.ndarray, " model"]


@dataclass(frozen=True)
class TaskRanks:
    """The ranks of models on one task, 1 for the best, mid-ranks for ties; NaN for models without a value.

    Attributes
    ----------
    ranks : float [model]
        Of the values on all test samples, in 1..K where K models have a value; NaN for all where K is below 2.
    interval : Bounds
        The 2.5 and 97.5 % points of the ranks in the resamples. They may exclude the rank itself, as resamples are
        noisier than the sample and noise pulls ranks towards the middle.
    p_best : float [model]
        The share of resamples in which the model ranks first, halved where two do, and so on: they sum to 1. This is a
        frequency under resampling of patients and no posterior probability.
    draws : float [model, resample]
        Ranks in each resample in which all models with a value are defined; the other resamples are left out.
    """

    ranks: Float[np.ndarray, " model"]
    interval: Bounds
    p_best: Float[np.ndarray, " model"]
    draws: Float[np.ndarray, "model resample"]


@dataclass(frozen=True)
class Complete:
    """The part of a table [task, model] without missing cells.

    Attributes
    ----------
    tasks, models : int
        The indices that remain, ascending; both empty where nothing does.
    """

    tasks: Int[np.ndarray, " task"]
    models: Int[np.ndarray, " model"]


@dataclass(frozen=True)
class MeanRanks:
    """Mean ranks of models over tasks that all of them have.

    Attributes
    ----------
    mean : float [model]
    of_tasks : Bounds
        95 % interval for the mean rank over many more tasks of the same sort with as many patients each: Student's t
        over the tasks, never narrower than 1.96 standard deviations of the mean rank when the patients are resampled,
        as ranks that agree on a few tasks have no spread of their own. NaN where there is one task, and for a model on
        which all tasks agree while patients cannot be resampled.
    of_patients : Bounds
        The 2.5 and 97.5 % points of the mean rank when each task's patients are resampled by themselves; the choice of
        tasks is taken as it is. Resampling adds noise, noise pulls ranks towards the middle, and the mean over many
        tasks has the pull without the spread: it describes how firm the order is, and as a 95 % interval of the true
        ranks it fails (`benchmarks/rank_intervals.py`). NaN where a task has no resamples.
    """

    mean: Float[np.ndarray, " model"]
    of_tasks: Bounds
    of_patients: Bounds


def best_first_ranks(values: Float[np.ndarray, "model ..."], *, lower_is_better: bool) -> np.ndarray:
    """Mid-ranks along the first axis, 1 for the best; they sum to K (K + 1) / 2. No value may be NaN."""
    finite = np.abs(values[np.isfinite(values)])
    tied = TIED * (finite.max() if finite.size else 0.0)
    order = np.argsort(values if lower_is_better else -values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    with np.errstate(invalid="ignore"):  # of two infinite values, which `==` compares
        alike = (np.abs(np.diff(ordered, axis=0)) <= tied) | (ordered[1:] == ordered[:-1])
    places = np.arange(1.0, len(values) + 1).reshape(-1, *[1] * (values.ndim - 1))
    first, last = np.broadcast_to(places, values.shape).copy(), np.broadcast_to(places, values.shape).copy()
    first[1:][alike] = 0.0
    last[:-1][alike] = np.inf
    middle = (np.maximum.accumulate(first, axis=0) + np.minimum.accumulate(last[::-1], axis=0)[::-1]) / 2
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, middle, axis=0)
    return ranks


def task_ranks(
    values: Float[np.ndarray, " model"], draws: Float[np.ndarray, "model resample"], *, lower_is_better: bool
) -> TaskRanks:
    """The ranks of the models on one task, from resamples that they share.

    Parameters
    ----------
    values : float [model]
        Of one metric, on the same test samples; NaN for a model without a value, which is not ranked.
    draws : float [model, resample]
        The metric on the same resamples for all models (column by column); NaN where undefined. No columns where the
        test samples cannot be resampled, and a row of NaN for a model of which no draws are known: the ranks then have
        no intervals.

    Raises
    ------
    ValueError
        If the shapes do not agree.
    """
    if values.ndim != 1 or draws.ndim != 2 or len(draws) != len(values):
        raise ValueError(f"Values of shape {values.shape} and draws of shape {draws.shape} are not of the same models.")
    ranked = ~np.isnan(values)
    ranks, low, high, p_best = (np.full(len(values), np.nan) for _ in range(4))
    own = draws[ranked]
    own = own[:, ~np.isnan(own).any(axis=0)]
    found = np.full((len(values), own.shape[1]), np.nan)
    if ranked.sum() < 2:
        return TaskRanks(ranks, Bounds(low, high), p_best, found[:, :0])
    ranks[ranked] = best_first_ranks(values[ranked], lower_is_better=lower_is_better)
    if own.shape[1]:
        found[ranked] = best_first_ranks(own, lower_is_better=lower_is_better)
        low[ranked], high[ranked] = _quantiles(found[ranked])
        first = found[ranked] == found[ranked].min(axis=0)
        p_best[ranked] = (first / first.sum(axis=0)).mean(axis=1)
    return TaskRanks(ranks, Bounds(low, high), p_best, found)


def complete(values: Float[np.ndarray, "task model"], *, drop: Literal["tasks", "models"]) -> Complete:
    """The largest part without missing cells that keeps all models (`drop` tasks) or all tasks (`drop` models).

    Tasks and models without any value are left out first, and nothing is ever filled in.
    """
    there = ~np.isnan(values)
    tasks, models = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    part = there[np.ix_(tasks, models)]
    if drop == "tasks":
        tasks = tasks[part.all(axis=1)]
    else:
        models = models[part.all(axis=0)]
    if not len(tasks) or not len(models):
        return Complete(tasks[:0], models[:0])
    return Complete(tasks, models)


def mean_ranks(tasks: Sequence[TaskRanks], *, n_draws: int = N_DRAWS, seed: int = 0) -> MeanRanks:
    """The mean rank of each model over the tasks, with two intervals that answer two questions (`MeanRanks`).

    Parameters
    ----------
    tasks : sequence of TaskRanks
        Of the same models in the same order, all of them ranked in every task: take the ranks of a `complete` table.
    n_draws : int
        Resamples of the patients; those of a task are used again where there are fewer.

    Raises
    ------
    ValueError
        If there is no task, or a model is not ranked in one.
    """
    from scipy.special import stdtrit

    if not tasks or any(np.isnan(task.ranks).any() for task in tasks):
        raise ValueError("Mean ranks need a task at least, and a rank of every model in every task.")
    ranks = np.stack([task.ranks for task in tasks])
    n_tasks, n_models = ranks.shape
    mean, spread = ranks.mean(axis=0), np.full(n_models, np.nan)
    of_patients = Bounds(np.full(n_models, np.nan), np.full(n_models, np.nan))
    if all(task.draws.shape[1] for task in tasks):
        # Resamples of two tasks with as many groups are drawn with the same seed: shuffled, they are independent.
        rng = np.random.default_rng(seed)
        shuffled = [
            task.draws[:, rng.permutation(np.resize(np.arange(task.draws.shape[1]), n_draws))] for task in tasks
        ]
        resampled = np.mean(shuffled, axis=0)
        of_patients = Bounds(*_quantiles(resampled))
        spread = 1.96 * resampled.std(axis=1)
    if n_tasks > 1:
        t = stdtrit(n_tasks - 1, COVERED[1]) * ranks.std(axis=0, ddof=1) / np.sqrt(n_tasks)
        spread = np.fmax(np.where(t > 0, t, np.nan), spread)
    else:
        spread[:] = np.nan
    bounds = Bounds(np.maximum(mean - spread, 1.0), np.minimum(mean + spread, n_models))
    return MeanRanks(mean, bounds, of_patients)


def _quantiles(draws: Float[np.ndarray, "model draw"]) -> tuple[np.ndarray, np.ndarray]:
    """Bounds that are values of the draws themselves, so that the bounds of a rank are ranks."""
    low, high = np.quantile(draws, COVERED, axis=1, method="inverted_cdf")
    return low, high
