"""The metrics of many fits at once: those that models are ranked by, for every episode or repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int

from bench.metrics import METRIC_SETS, score

AT_ONCE = 2**22  # scores that are ranked together, so that the working arrays stay at some 100 MiB

Confusions = Float[np.ndarray, "draw true predicted"]


def metrics_of_draws(
    labels: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "draw sample class"], kind: str
) -> dict[str, Float[np.ndarray, " draw"]]:
    """Every metric that models of this kind of target are ranked by, of each draw; NaN where it is undefined.

    Parameters
    ----------
    labels : int [N]
        Class indices or grades, 0..C-1.
    scores : float [E, N, C]
        Class probabilities; the class of the highest is predicted, of equals the first.
    kind : "classes" or "ordinal"
    """
    confusions = _confusions(labels, scores)
    found = {}
    for name in METRIC_SETS[kind].metrics:
        if name in OF_CONFUSIONS:
            found[name] = OF_CONFUSIONS[name](confusions)
        elif name == "auroc":
            found[name] = _auroc(labels, scores)
        else:
            found[name] = np.array(list(_one_by_one(labels, scores, kind, name)))
    return found


def _confusions(labels: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "draw sample class"]) -> Confusions:
    draws, _, classes = scores.shape
    cells = labels * classes + scores.argmax(axis=2) + np.arange(draws)[:, None] * classes**2
    return np.bincount(cells.ravel(), minlength=draws * classes**2).reshape(draws, classes, classes).astype(np.float64)


def _accuracy(confusions: Confusions) -> Float[np.ndarray, " draw"]:
    return np.asarray(np.trace(confusions, axis1=1, axis2=2) / confusions.sum(axis=(1, 2)))


def _balanced_accuracy(confusions: Confusions) -> Float[np.ndarray, " draw"]:
    return _mean_ratio(_hits(confusions), confusions.sum(axis=2))


def _f1_macro(confusions: Confusions) -> Float[np.ndarray, " draw"]:
    return _mean_ratio(2 * _hits(confusions), confusions.sum(axis=2) + confusions.sum(axis=1))


def _quadratic_kappa(confusions: Confusions) -> Float[np.ndarray, " draw"]:
    grades = np.arange(confusions.shape[1])
    distance = (grades[:, None] - grades) ** 2
    expected = confusions.sum(axis=2)[:, :, None] * confusions.sum(axis=1)[:, None]
    by_chance, observed = (expected * distance).sum(axis=(1, 2)), (confusions * distance).sum(axis=(1, 2))
    samples = confusions.sum(axis=(1, 2))
    return 1 - np.divide(samples * observed, by_chance, out=np.full_like(observed, np.nan), where=by_chance > 0)


OF_CONFUSIONS: dict[str, Callable[[Confusions], Float[np.ndarray, " draw"]]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1_macro": _f1_macro,
    "quadratic_kappa": _quadratic_kappa,
}


def _hits(confusions: Confusions) -> Float[np.ndarray, "draw class"]:
    return np.diagonal(confusions, axis1=1, axis2=2)


def _mean_ratio(
    numerator: Float[np.ndarray, "draw class"], denominator: Float[np.ndarray, "draw class"]
) -> Float[np.ndarray, " draw"]:
    """Mean over the classes whose denominator is not zero."""
    defined = denominator > 0
    ratio = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=defined)
    return np.asarray(ratio.sum(axis=1) / defined.sum(axis=1))


def _auroc(
    labels: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "draw sample class"]
) -> Float[np.ndarray, " draw"]:
    """Mann-Whitney statistic from midranks: of class 1 of two, else the mean over one class against the rest."""
    from scipy.stats import rankdata

    draws, samples, classes = scores.shape
    found = np.full(draws, np.nan)
    if len(np.unique(labels)) < classes:
        return found
    step = max(1, AT_ONCE // samples)
    for start in range(0, draws, step):
        part = scores[start : start + step]
        areas = []
        for column in [1] if classes == 2 else range(classes):
            own = labels == column
            wins = rankdata(part[:, :, column], axis=1)[:, own].sum(axis=1) - own.sum() * (own.sum() + 1) / 2
            areas.append(wins / (own.sum() * (~own).sum()))
        found[start : start + step] = np.mean(areas, axis=0)
    return found


def _one_by_one(
    labels: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "draw sample class"], kind: str, metric: str
) -> Iterator[float]:
    """A metric that has no form for many draws above."""
    together = np.zeros(len(labels), dtype=np.int64)
    for own in scores:
        yield score(labels, own, together, kind=kind, metrics=[metric], n_boot=0)[metric].value
