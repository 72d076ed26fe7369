"""scikit-learn's own logistic regression at one strength, as Patho-Bench and UNI's switch to scikit-learn fit it.

The head `linear` minimises the same objective to a gradient norm of 1e-6. scikit-learn ends at a largest derivative of
1e-4: on few samples of many features its predictions are then still those of a stronger penalty.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes, check_multilabel
from bench.protocols.held_out import held_out_info_of
from bench.protocols.selection import inner_cv_where_possible, pool
from bench.protocols.settings import FROM_ONE, POSITIVE, check_settings
from bench.protocols.temperature import scaled

KINDS = ("classes", "ordinal", "multilabel")


@dataclass
class Config:
    """Settings of scikit-learn's fit; the defaults are Patho-Bench's.

    Attributes
    ----------
    c
        Inverse strength; null is D K / 100 for D features and K classes, 2 for each label of a multi-label task.
    class_weight
        "balanced" weighs each class by N / (K N_k); null weighs all samples alike.
    combine_train_val
        Fit train and validation samples together; false fits those of train alone.
    max_iter
        Iterations of L-BFGS.
    """

    c: float | None = 1.0
    class_weight: str | None = None
    combine_train_val: bool = False
    max_iter: int = 10_000

    def __post_init__(self) -> None:
        check_settings("linear_sklearn", self, c=POSITIVE, class_weight=(None, "balanced"), max_iter=FROM_ONE)


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Fit the features as they are, on the CPU; labels that do not exclude each other each for itself.

    scikit-learn computes in float64 here, as it does with the authors, who give it tensors of torch and not arrays.
    The temperature of classes and grades comes from the validation side, or from inner folds where they can be made.

    Raises
    ------
    UserError
        Samples that cannot be classified.
    """
    samples = pool(train, val) if config.combine_train_val else pool(train, None)
    if train.kind == "multilabel":
        n_labels = check_multilabel(train, val, test)
        fits = [_fitted(samples, samples.labels[:, i], test, 2, config) for i in range(n_labels)]
        scores = np.stack([scores[:, 1] for scores, _ in fits], 1)
        each = [info for _, info in fits]
        info: dict[str, Any] = {name: [one[name] for one in each] for name in ("c", "iterations")}
        return Predictions.of(test, scores, info | {"notes": _notes(info["iterations"], config)})
    n_classes = check_classes(train, val, test)
    scores, info = _fitted(samples, samples.labels, test, n_classes, config)
    info["notes"] = _notes([info["iterations"]], config)
    held_out = held_out_info_of(
        inner_cv_where_possible(train, val, seed),
        n_classes,
        lambda fit, query: _fitted(fit, fit.labels, query, n_classes, config)[0],
    )
    calibrated = scaled(scores, held_out["temperature"]) if held_out else None
    return Predictions.of(test, scores, info | held_out, calibrated=calibrated)


def _fitted(
    samples: Samples, labels: Int[np.ndarray, " sample"], queries: Samples, n_classes: int, config: Config
) -> tuple[Float[np.ndarray, "query class"], dict[str, Any]]:
    """Probabilities of the queries by a fit to the labels of the samples, and how the fit went."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    c = config.c if config.c is not None else samples.dim * n_classes / 100
    model = LogisticRegression(C=c, class_weight=config.class_weight, max_iter=config.max_iter)
    with warnings.catch_warnings():  # of iterations, which `_notes` tells
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(samples.features.astype(np.float64), labels)
    scores = model.predict_proba(queries.features.astype(np.float64))
    return scores, {"c": float(c), "iterations": int(model.n_iter_[0])}


def _notes(iterations: list[int], config: Config) -> list[str]:
    """A note where a fit took all iterations."""
    if max(iterations) < config.max_iter:
        return []
    return [f"scikit-learn's logistic regression did not converge in max_iter={config.max_iter} iterations."]
