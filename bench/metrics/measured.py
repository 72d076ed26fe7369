"""What is measured of each sample and not predicted of it: every column of the scores is a measurement, each a metric.

A metric is the mean of its column over the samples of a resample, so that groups weigh by their samples as in every
other metric. A column that is not defined for every sample holds NaN there, and its mean is over the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from jaxtyping import Float, Int, Shaped

from bench.metrics.bootstrap import Statistic, Weights, undefined
from bench.metrics.intervals import UNBOUNDED, Scale
from bench.metrics.metric_sets import CORRELATION, POSITIVE, SHARE, Metric, MetricSet
from bench.metrics.smoothing import Added


def mean_of_column(
    y_true: Shaped[np.ndarray, "sample 0"],
    scores: Float[np.ndarray, "sample column"],
    groups: Int[np.ndarray, " sample"],
    *,
    column: int,
) -> Statistic:
    """The mean of one column over the samples where it is defined; a resample without any of them is undefined."""
    values = scores[:, column]
    defined = ~np.isnan(values)
    if not defined.any():
        return undefined
    sums, sizes = np.bincount(groups, np.where(defined, values, 0.0)), np.bincount(groups, defined)

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        total, samples = sums @ weights, sizes @ weights
        return np.asarray(np.divide(total, samples, out=np.full(total.shape, np.nan), where=samples > 0))

    return statistic


def recovery(
    y_true: Shaped[np.ndarray, "sample 0"],
    scores: Float[np.ndarray, "sample column"],
    groups: Int[np.ndarray, " sample"],
    *,
    restored: int,
    unrestored: int,
) -> Statistic:
    """``1 - sum(1 - restored) / sum(1 - unrestored)`` of two columns of cosines; negative where restoring did harm.

    A ratio of sums and not a mean of ratios, as a tile that the corruption left alone has nothing to recover. Undefined
    where no tile has both, or nothing was lost.
    """
    lost, left = 1.0 - scores[:, unrestored], 1.0 - scores[:, restored]
    defined = ~np.isnan(lost) & ~np.isnan(left)
    if not defined.any():
        return undefined
    of_lost, of_left = (np.bincount(groups, np.where(defined, values, 0.0)) for values in (lost, left))

    def statistic(weights: Weights) -> Float[np.ndarray, " resample"]:
        before, after = of_lost @ weights, of_left @ weights
        return np.asarray(1.0 - np.divide(after, before, out=np.full(before.shape, np.nan), where=before > 0))

    return statistic


def of_shares(y_true: Shaped[np.ndarray, "sample 0"], scores: Float[np.ndarray, "sample column"]) -> Added:
    """Half a success and half a failure, of columns that are 1 or 0 for each sample (`bench.metrics.smoothing`)."""
    return Added(np.empty((2, 0)), np.array([[1.0], [0.0]]).repeat(scores.shape[1], axis=1), np.array([0, 1]), 0.5)


def _measured(
    name: str,
    scales: Mapping[str, Scale],
    *,
    shares: tuple[str, ...] = (),
    lower_is_better: tuple[str, ...] = (),
    partly: tuple[str, ...] = (),
    more: Mapping[str, Metric] | None = None,
    columns: tuple[str, ...] = (),
) -> MetricSet:
    """The mean of each column in `scales`, and `more` metrics of these and of further `columns`.

    The columns in `partly` may be NaN.
    """
    names = (*scales, *columns)
    may_be_nan = np.isin(names, partly)

    def check(y_true: Shaped[np.ndarray, "sample 0"], scores: Float[np.ndarray, "sample column"]) -> None:
        if scores.ndim != 2 or scores.shape[1] != len(names):
            raise ValueError(
                f"Measurements of {name} must have the columns {', '.join(names)}, not shape {scores.shape}."
            )
        if y_true.shape != (len(scores), 0):
            raise ValueError(
                f"Measurements have no labels: those of {len(scores)} samples must be of shape "
                f"{(len(scores), 0)}, not {y_true.shape}."
            )
        wrong = ~np.isfinite(scores) & ~(np.isnan(scores) & may_be_nan)
        if wrong.any():
            raise ValueError(
                f"{wrong.any(axis=1).sum()} of {len(scores)} samples have a measurement that is not finite."
            )

    metrics = {
        metric: Metric(
            partial(mean_of_column, column=column),
            lower_is_better=metric in lower_is_better,
            scale=scale,
            smoothed=metric in shares,
        )
        for column, (metric, scale) in enumerate(scales.items())
    }
    metrics |= more or {}
    return MetricSet(name, metrics, next(iter(metrics)), check, added=of_shares if shares else None)


MEASURED = {
    of.name: of
    for of in (
        _measured(
            "image_quality",
            {"psnr": UNBOUNDED, "ssim": CORRELATION, "lpips": POSITIVE},
            lower_is_better=("lpips",),
            partly=("lpips",),
        ),
        _measured(
            "feature_similarity",
            {"cosine": CORRELATION, "top1": SHARE, "top10": SHARE},
            shares=("top1", "top10"),
            partly=("cosine", "top1", "top10", "cosine_unrestored"),
            more={"recovery": Metric(partial(recovery, restored=0, unrestored=3), scale=Scale(high=1.0))},
            columns=("cosine_unrestored",),
        ),
    )
}
"""The forms of measurements; a further column is an entry here."""
