"""Scores that are means over episodes, from the shares of the episodes that chose each class.

A few-shot head saves no predictions of single episodes but, of each test sample, the share of the episodes that chose
each class. The mean accuracy over episodes is the mean share of the true class, and that of the balanced accuracy the
mean over classes of it: both are sums over samples, so the test patients can be resampled without the episodes.
"""

from __future__ import annotations

import math

import numpy as np

from bench.metrics import Estimator, Replicates, Scale, replicate
from bench.results.resampling import N_BOOT, Pass

METRICS = ("accuracy", "balanced_accuracy")
SAME = 1e-6
"""The saved shares tell a score where they give it to this digit; other scores that heads save do not."""


def mean_over_episodes(one: Pass, metric: str) -> Replicates | None:
    """The mean of a metric over the episodes of one run, on the resamples of the test patients.

    None where the saved shares do not tell it: for other metrics, runs on folds, and heads whose saved scores are not
    shares of the episodes that their row's score is the mean of.
    """
    if metric not in METRICS or len(one.runs) != 1:
        return None
    saved, value = one.predictions, one.rows[0].value(metric)
    if saved.kind != "classes" or value is None:
        return None
    labels, shares = np.asarray(saved.y_true), saved.scores
    right = shares[np.arange(len(labels)), labels]
    of_class = np.unique(labels, return_inverse=True)[1] if metric == "balanced_accuracy" else np.zeros_like(labels)
    n_classes, cell = int(of_class.max()) + 1, of_class * one.n_groups + one.group
    hits = np.bincount(cell, right, n_classes * one.n_groups).reshape(n_classes, -1)
    sizes = np.bincount(cell, minlength=n_classes * one.n_groups).reshape(n_classes, -1)

    def statistic(weights: np.ndarray) -> np.ndarray:
        hit, size = hits @ weights, sizes @ weights
        recall = np.divide(hit, size, out=np.zeros_like(hit), where=size > 0)
        return np.asarray(recall.sum(axis=0) / (size > 0).sum(axis=0))

    estimators = {"": Estimator(statistic, Scale(0.0, 1.0))}
    found = replicate(estimators, one.n_groups, len(labels), n_boot=N_BOOT, seed=0)[""]
    return found if math.isclose(found.value, value, abs_tol=SAME) else None
