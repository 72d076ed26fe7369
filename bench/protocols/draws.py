"""The metrics of many fits at once: those that models are ranked by, for every episode or repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.metrics import METRIC_SETS, score

AT_ONCE = 2**22  # scores that are sorted together, so that the working arrays stay at some 100 MiB

Confusions = Float[np.ndarray, "draw true predicted"]


def metrics_of_draws(
    labels: Int[np.ndarray, " sample"],
    predicted: Int[np.ndarray, "draw sample"],
    scores: Float[np.ndarray, "draw sample class"],
    kind: str,
) -> dict[str, Float[np.ndarray, " draw"]]:
    """Every metric that models of this kind of target are ranked by, of each draw; NaN where it is undefined.

    Parameters
    ----------
    labels : int [N]
        Class indices or grades, 0..C-1.
    predicted : int [E, N]
        The predicted class; where several have the highest score it need not be the first.
    scores : float [E, N, C]
        Class probabilities.
    kind : "classes" or "ordinal"
    """
    confusions = _confusions(labels, predicted, scores.shape[2])
    found = {}
    for name in METRIC_SETS[kind].metrics:
        if name in OF_CONFUSIONS:
            found[name] = OF_CONFUSIONS[name](confusions)
        elif name == "auroc":
            found[name] = _auroc(labels, scores)
        else:
            found[name] = np.array(list(_one_by_one(labels, scores, kind, name)))
    return found


def _confusions(
    labels: Int[np.ndarray, " sample"], predicted: Int[np.ndarray, "draw sample"], classes: int
) -> Confusions:
    """Samples of each true class (second axis) predicted as each class (third), of each draw."""
    counts = np.empty((len(predicted), classes, classes))
    for true in range(classes):
        own = predicted[:, labels == true]
        for guess in range(classes):
            counts[:, true, guess] = np.count_nonzero(own == guess, axis=1)
    return counts


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
    draws, samples, classes = scores.shape
    found = np.full(draws, np.nan)
    if len(np.unique(labels)) < classes:
        return found
    step = max(1, AT_ONCE // samples)
    for start in range(0, draws, step):
        part = scores[start : start + step]
        columns = [1] if classes == 2 else range(classes)
        found[start : start + step] = np.mean([_area(labels == c, part[:, :, c]) for c in columns], axis=0)
    return found


def _area(positive: Bool[np.ndarray, " sample"], score: Float[np.ndarray, "draw sample"]) -> Float[np.ndarray, " draw"]:
    """Pairs of a positive and a negative in which the positive has the higher score, as a share; equal ones are half.

    The bits of floats from 0 to 1 are in their order, so that one sort of integers with the label as the last bit
    orders scores and labels. Draws in which a positive and a negative have equal scores are sorted once with the
    positive last and once with it first; the mean of the two is that of midranks.
    """
    samples, positives = len(positive), int(positive.sum())

    def wins(draws: Bool[np.ndarray, " draw"], last: Bool[np.ndarray, " sample"]) -> tuple[np.ndarray, np.ndarray]:
        keys = (bits[draws] << 1) | last
        keys.sort(axis=1)
        ranks = ((keys & 1) == last[positive][0]) @ np.arange(1.0, samples + 1)
        return ranks - positives * (positives + 1) / 2, ((keys[:, 1:] ^ keys[:, :-1]) == 1).any(axis=1)

    bits = np.ascontiguousarray(score, dtype=np.float64).view(np.int64)
    above, tied = wins(np.ones(len(score), dtype=bool), positive)
    if tied.any():
        above[tied] = (above[tied] + wins(tied, ~positive)[0]) / 2
    return np.asarray(above / (positives * (samples - positives)))


def _one_by_one(
    labels: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "draw sample class"], kind: str, metric: str
) -> Iterator[float]:
    """A metric that has no form for many draws above."""
    together = np.zeros(len(labels), dtype=np.int64)
    for own in scores:
        yield score(labels, own, together, kind=kind, metrics=[metric], n_boot=0)[metric].value
