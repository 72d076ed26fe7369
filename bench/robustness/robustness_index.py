"""PathoROB's robustness index, and its variant that weighs near neighbours more.

The index is the share of SO among the SO and OS neighbours within the first k, over all samples together:

    RI = SO / (SO + OS)

0.5 says that class and centre draw alike, 1 that only the class does. Koemen et al. 2025, arXiv:2507.17845, and
github.com/bifold-pathomics/PathoROB. MaRI weighs each neighbour by exp(-distance / tau), tau being the median distance
of the SO and OS neighbours: Grisi et al. 2026, arXiv:2607.25497, the package croma.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Shaped

from bench.metrics import Estimator, Scale
from bench.robustness.typed_neighbours import TypedNeighbours, drawn_first, types_of

PUBLISHED_K = {"camelyon": 11, "tcga": 61, "tolkach_esca": 46}
"""The k that PathoROB fixed for its datasets: the median over its 20 models of the best k of each."""
MOST = 600  # neighbours among which the authors look for the best k, of their smallest dataset
_TAU = 0.2  # where no distance gives a scale; MaRI is then the plain index, or undefined, whatever it is


def candidate_ks(most: int) -> list[int]:
    """The values of k that the authors try, as far as there are so many neighbours: 1, 3, 5, 7, 9, 11, 21, 31, ..."""
    return [k for k in (1, 3, 5, 7, 9, *range(11, MOST, 10)) if k <= most]


def votes_accuracy(
    rows: Int[np.ndarray, "sample neighbour"], labels: Int[np.ndarray, " sample"], ks: Sequence[int]
) -> Float[np.ndarray, " k"]:
    """Balanced accuracy of the majority of the first k neighbours, for each k; of equal votes the lower class wins."""
    n_classes = int(labels.max()) + 1
    own = labels[rows]
    votes = np.zeros((len(rows), n_classes), np.int32)
    accuracies, done = [], 0
    for k in ks:
        for place in range(done, k):
            votes[np.arange(len(rows)), own[:, place]] += rows[:, place] >= 0
        done = k
        right = votes.argmax(axis=1) == labels
        accuracies.append(np.mean([right[labels == c].mean() for c in np.unique(labels)]))
    return np.array(accuracies)


def chosen_k(near: TypedNeighbours, labels: Int[np.ndarray, " sample"]) -> tuple[int, dict[int, float]]:
    """The k of the best balanced accuracy of the class, of equals the smallest, and the accuracy of each k.

    So the authors find the k of one model; for a dataset they take the median over models.
    """
    ks = candidate_ks(near.fewest)
    accuracies = votes_accuracy(near.rows, labels, ks)
    return ks[int(accuracies.argmax())], dict(zip(ks, accuracies.tolist(), strict=True))


def robustness_index(so: Shaped[np.ndarray, "sample neighbour"], os: Shaped[np.ndarray, "sample neighbour"]) -> float:
    """SO / (SO + OS) of counts or of weights; NaN where there is neither.

    Parameters
    ----------
    so, os : bool or float [N, k]
        As `types_of` gives them, or `margin_weights`. Samples of several subsets, of which each has neighbours in its
        own only (PathoROB's pairs of classes and centres), come one below the other.
    """
    total = float(so.sum() + os.sum())
    return float(so.sum()) / total if total > 0 else float("nan")


def margin_weights(
    near: TypedNeighbours, labels: Int[np.ndarray, " sample"], centres: Int[np.ndarray, " sample"], k: int
) -> tuple[Float[np.ndarray, "sample neighbour"], Float[np.ndarray, "sample neighbour"]]:
    """The SO and OS neighbours as exp(-distance / tau), 0 for other types; tau is of those within the first k."""
    so, os = types_of(near.rows, labels, centres)
    typed = near.distances[:, :k][(so | os)[:, :k]]
    tau = float(np.median(typed)) if len(typed) else 0.0
    weights = np.exp(-near.distances / (tau if tau > 0 else _TAU))
    return np.where(so, weights, 0.0), np.where(os, weights, 0.0)


def index_estimator(
    rows: Int[np.ndarray, "sample neighbour"],
    so: Shaped[np.ndarray, "sample neighbour"],
    os: Shaped[np.ndarray, "sample neighbour"],
    groups: Int[np.ndarray, " sample"],
    k: int,
) -> Estimator:
    """The index within the first k for `bench.metrics.replicate`.

    A group that is left out is gone as a neighbour too, and those that follow take its place, so `rows` needs some to
    spare. PathoROB draws samples with the neighbours that they have, which makes intervals too narrow.
    """

    def statistic(weights: Shaped[np.ndarray, "group resample"]) -> Float[np.ndarray, " resample"]:
        found = np.full(weights.shape[1], np.nan)
        for resample, column in enumerate(weights.T):
            counts = column[groups]
            used = drawn_first(rows, counts, k)
            of_so, of_os = (float(counts @ (used * of).sum(axis=1)) for of in (so, os))
            if of_so + of_os > 0:
                found[resample] = of_so / (of_so + of_os)
        return found

    return Estimator(statistic, Scale(0.0, 1.0))
