"""PathoROB's average performance drop: what a classifier loses when class and centre go together in its training.

    APD = mean over repeats of (mean over splits s > 0 of accuracy_s / accuracy_0) - 1,

accuracy being the balanced accuracy on test samples that are the same for all splits: of the centres that train it
(in-domain) or of others (out-of-domain). 0 is no loss. Koemen et al. 2025, arXiv:2507.17845; the classifier and the
choice of its strength are those of github.com/bifold-pathomics/PathoROB.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from bench.metrics import Estimator, Scale
from bench.robustness.correlated_splits import CorrelatedSplits

STRENGTHS = 10 ** np.linspace(-8, 4, 15)
"""The values of C, of which the first of the best balanced accuracy on the validation samples is taken."""


@dataclass(frozen=True)
class Trial:
    """What the classifiers of one repeat say of one test set.

    Attributes
    ----------
    rows : int [T]
        The test samples.
    predicted : int [S, T]
        The class that the classifier of each split predicts.
    """

    rows: Int[np.ndarray, " test"]
    predicted: Int[np.ndarray, "split test"]


def trials(
    features: Float[np.ndarray, "sample feature"],
    labels: Int[np.ndarray, " sample"],
    splits: CorrelatedSplits,
    outside: Int[np.ndarray, " row"],
) -> dict[str, Trial]:
    """Train a classifier on each split and predict the test samples, "in", and those of other centres, "out".

    Parameters
    ----------
    outside
        Rows of the other centres; without any there is no "out".
    """
    tests = {"in": splits.test, "out": outside} if len(outside) else {"in": splits.test}
    predicted: dict[str, list[np.ndarray]] = {name: [] for name in tests}
    for train, validation in zip(splits.train, splits.validation, strict=True):
        inputs = [features[rows] for rows in (train, validation, *tests.values())]
        if len(train) < features.shape[1]:
            inputs = _in_their_span(inputs)
        found = best_predictions(inputs[0], labels[train], inputs[1], labels[validation], inputs[2:])
        for name, of_test in zip(tests, found, strict=True):
            predicted[name].append(of_test)
    return {name: Trial(rows, np.stack(predicted[name])) for name, rows in tests.items()}


def best_predictions(
    train_x: Float[np.ndarray, "train feature"],
    train_y: Int[np.ndarray, " train"],
    validation_x: Float[np.ndarray, "validation feature"],
    validation_y: Int[np.ndarray, " validation"],
    tests: Sequence[Float[np.ndarray, "test feature"]],
) -> list[Int[np.ndarray, " test"]]:
    """Predictions of the logistic regression whose C is the best on the validation samples; scikit-learn's defaults."""
    from sklearn.linear_model import LogisticRegression

    best, best_accuracy = None, -1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the authors stop at 100 iterations too, converged or not
        for strength in STRENGTHS:
            model = LogisticRegression(C=strength).fit(train_x, train_y)
            accuracy = balanced_accuracy(validation_y, model.predict(validation_x))
            if accuracy > best_accuracy:
                best, best_accuracy = model, accuracy
    assert best is not None
    return [np.asarray(best.predict(x)) for x in tests]


def balanced_accuracy(truth: Int[np.ndarray, " sample"], predicted: Int[np.ndarray, " sample"]) -> float:
    """The mean over the classes of the truth of the share that is predicted."""
    return float(np.mean([(predicted[truth == c] == c).mean() for c in np.unique(truth)]))


def average_performance_drop(accuracies: Float[np.ndarray, "split repeat"]) -> float:
    """The mean over repeats and splits of the accuracy against that of the first split of the repeat, minus one."""
    accuracies = np.asarray(accuracies, dtype=np.float64)
    return float(np.mean((accuracies[1:] / accuracies[0]).mean(axis=0) - 1))


def accuracies_of(repeats: Sequence[Trial], labels: Int[np.ndarray, " sample"]) -> list[Float[np.ndarray, " split"]]:
    """Balanced accuracy of each split, one array a repeat."""
    return [
        np.array([balanced_accuracy(labels[trial.rows], of_split) for of_split in trial.predicted]) for trial in repeats
    ]


def drop_estimator(
    repeats: Sequence[Trial], labels: Int[np.ndarray, " sample"], groups: Int[np.ndarray, " sample"], n_groups: int
) -> Estimator:
    """The average performance drop for `bench.metrics.replicate`: groups of test samples are drawn.

    The classifiers stay as they are; how far they vary is averaged over the repeats. A repeat whose first classifier
    has no test sample right, or whose test samples are not drawn, is left out of the mean.

    Parameters
    ----------
    groups : int [N]
        Group of each sample, 0..n_groups-1.
    """
    from scipy.sparse import csr_array

    n_classes = int(labels.max()) + 1
    parts: list[tuple[int, csr_array, csr_array]] = []
    for trial in repeats:
        truth, group = labels[trial.rows], groups[trial.rows]
        n_splits = len(trial.predicted)
        split, test = np.nonzero(trial.predicted == truth)
        right = csr_array(
            (np.ones(len(test)), (split * n_classes + truth[test], group[test])), (n_splits * n_classes, n_groups)
        )
        parts.append((n_splits, right, csr_array((np.ones(len(truth)), (truth, group)), (n_classes, n_groups))))

    def statistic(weights: Shaped[np.ndarray, "group resample"]) -> Float[np.ndarray, " resample"]:
        drops = []
        for n_splits, right, every in parts:
            of_class = every @ weights
            with np.errstate(divide="ignore", invalid="ignore"):
                recall = (right @ weights).reshape(n_splits, n_classes, -1) / of_class
                accuracy = np.nansum(recall, axis=1) / (of_class > 0).sum(axis=0)
                drops.append((accuracy[1:] / accuracy[0]).mean(axis=0) - 1)
        finite = np.isfinite(drops)
        total = np.where(finite, drops, 0.0).sum(axis=0)
        return np.divide(total, finite.sum(axis=0), out=np.full(total.shape, np.nan), where=finite.any(axis=0))

    return Estimator(statistic, Scale(low=-1.0))


def summary(
    found: Mapping[str, Sequence[Trial]], labels: Int[np.ndarray, " sample"], splits: Sequence[CorrelatedSplits]
) -> dict[str, object]:
    """What a reader of the drops must know, as JSON values: mean accuracy and Cramer's V of each split, and repeats."""
    mean = {name: np.mean(_of_common_splits(accuracies_of(of, labels)), axis=0).tolist() for name, of in found.items()}
    return {
        "apd_repeats": len(splits),
        "apd_cramers_v": np.mean(_of_common_splits([np.array(one.cramers_v) for one in splits]), axis=0).tolist(),
        "apd_accuracies": mean,
        "apd_training_samples": int(np.median([len(one.train[0]) for one in splits])),
    }


def _of_common_splits(values: Sequence[Float[np.ndarray, " split"]]) -> list[Float[np.ndarray, " split"]]:
    """The first splits, as many as every repeat has: repeats differ where groups have several classes."""
    fewest = min(len(of) for of in values)
    return [of[:fewest] for of in values]


def _in_their_span(inputs: Sequence[Float[np.ndarray, "sample feature"]]) -> list[Float[np.ndarray, "sample axis"]]:
    """All on axes that span the first: the penalised weights lie there, so the fit is the same at less cost."""
    axes = np.linalg.qr(inputs[0].astype(np.float64).T)[0]
    return [x @ axes for x in inputs]
