"""Cluster bootstrap from group weights against resampled label arrays through scikit-learn, interleaved.

    python -m benchmarks.bootstrap

Prints how many times longer scikit-learn takes for a resample of accuracy, balanced accuracy, macro F1 and AUROC, and
how long the further scores take that rows have.
"""

from __future__ import annotations

import statistics
import time
import warnings

import numpy as np
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score

from bench.metrics import METRIC_SETS, score

ROUNDS, RESAMPLES, SKLEARN_RESAMPLES = 5, 1000, 10
CASES = {  # name: samples, classes, groups
    "pcam: 32,768 tiles, each its own group, 2 classes": (32768, 2, 32768),
    "crc-val-he-7k: 7,180 tiles, each its own group, 9 classes": (7180, 9, 7180),
    "7,180 tiles of 50 patients, 9 classes": (7180, 9, 50),
}


def through_sklearn(y: np.ndarray, scores: np.ndarray, groups: np.ndarray, n_boot: int) -> None:
    """Draw groups, gather the samples, and score the arrays."""
    rng = np.random.default_rng(0)
    order = np.argsort(groups, kind="stable")
    members = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    for _ in range(n_boot):
        drawn = np.concatenate([members[g] for g in rng.integers(0, len(members), len(members))])
        y_drawn, scores_drawn = y[drawn], scores[drawn]
        predicted = scores_drawn.argmax(axis=1)
        accuracy_score(y_drawn, predicted)
        balanced_accuracy_score(y_drawn, predicted)
        f1_score(y_drawn, predicted, average="macro")
        if scores.shape[1] == 2:
            roc_auc_score(y_drawn, scores_drawn[:, 1])
        else:
            roc_auc_score(y_drawn, scores_drawn, multi_class="ovr")


def main() -> None:
    """Time both in turn; the ratio of each round is of times that passed side by side."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    for name, (n, n_classes, n_groups) in CASES.items():
        y = rng.integers(0, n_classes, n)
        scores = rng.dirichlet(np.ones(n_classes), n)
        scores[np.arange(n), y] += 0.5
        scores /= scores.sum(axis=1, keepdims=True)
        groups = np.arange(n) % n_groups
        ours, ratios, further = [], [], []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            score(y, scores, groups, n_boot=RESAMPLES)
            between = time.perf_counter()
            through_sklearn(y, scores, groups, SKLEARN_RESAMPLES)
            end = time.perf_counter()
            score(y, scores, groups, metrics=METRIC_SETS["classes"].reported, n_boot=RESAMPLES)
            further.append(time.perf_counter() - end)
            ours.append((between - start) / RESAMPLES)
            ratios.append((end - between) / SKLEARN_RESAMPLES / ours[-1])
        print(
            f"{name}: {statistics.median(ratios):.0f} times ({min(ratios):.0f} to {max(ratios):.0f}); "
            f"{RESAMPLES} resamples in {statistics.median(ours) * RESAMPLES:.2f} s; "
            f"{' and '.join(METRIC_SETS['classes'].reported)} in {statistics.median(further):.2f} s"
        )


if __name__ == "__main__":
    main()
