"""How a head chooses its hyperparameter without the test set: on the validation side, or on inner folds by group."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.protocols.base import Samples
from bench.protocols.checks import class_names
from registry.errors import UserError

INNER_FOLDS = 5


@dataclass(frozen=True)
class Inner:
    """The samples that may be fitted, and which of them judge the hyperparameters.

    Attributes
    ----------
    samples : train and validation samples together, sorted by id so that their order of arrival does not matter
    fit, held_out : bool [F, N]
        Rows that fold f fits on and rows it is judged on. With a validation side there is one fold.
    by : "validation" or "K inner folds by group", for the record
    """

    samples: Samples
    fit: Bool[np.ndarray, "fold sample"]
    held_out: Bool[np.ndarray, "fold sample"]
    by: str

    @property
    def judged(self) -> Bool[np.ndarray, " sample"]:
        """Rows that any fold is judged on."""
        return np.asarray(self.held_out.any(axis=0))


def inner(train: Samples, val: Samples | None, seed: int) -> Inner:
    """Validation side or inner folds (stratified, by group; five, or as many as the rarest class has groups).

    Raises
    ------
    UserError
        If there is no validation side and a class has samples of one group only.
    """
    samples = pool(train, val)
    if val is not None:
        held_out = np.isin(samples.ids, val.ids)[None]
        return Inner(samples, ~held_out, held_out, "validation")
    if samples.labels.ndim > 1 or not np.issubdtype(samples.labels.dtype, np.integer):
        return _plain_folds(samples, seed)
    from sklearn.model_selection import StratifiedGroupKFold

    y = samples.labels
    classes = np.unique(y)
    groups = np.array([len(np.unique(samples.groups[y == c])) for c in classes])
    if groups.min() < 2:
        raise UserError(
            f"All training samples of {class_names(samples, classes[groups < 2])} come from one group, so nothing can "
            "be chosen by inner folds: give a validation split or more groups, or leave such classes out."
        )
    for folds in range(min(INNER_FOLDS, groups.min()), 1, -1):
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        held_out = np.zeros((folds, len(y)), dtype=bool)
        for fold, (_, rows) in enumerate(splitter.split(np.zeros(len(y)), y, samples.groups)):
            held_out[fold, rows] = True
        if all(len(np.unique(y[~rows])) == len(classes) and rows.any() for rows in held_out):
            return Inner(samples, ~held_out, held_out, f"{folds} inner folds by group")
    raise UserError(
        "No inner folds by group leave every class in every training part: give a validation split or more groups."
    )


def _plain_folds(samples: Samples, seed: int) -> Inner:
    """Folds by group for targets that are no classes."""
    from sklearn.model_selection import GroupKFold

    folds = min(INNER_FOLDS, len(np.unique(samples.groups)))
    if folds < 2:
        raise UserError(
            "All training samples come from one group, so nothing can be chosen by inner folds: "
            "give a validation split or more groups."
        )
    held_out = np.zeros((folds, len(samples)), dtype=bool)
    splitter = GroupKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, rows) in enumerate(splitter.split(samples.features, groups=samples.groups)):
        held_out[fold, rows] = True
    return Inner(samples, ~held_out, held_out, f"{folds} inner folds by group")


def pool(train: Samples, val: Samples | None) -> Samples:
    """Train and validation samples together, in the order of their ids."""
    both = train
    if val is not None:
        both = replace(
            train,
            ids=np.concatenate([train.ids, val.ids]),
            groups=np.concatenate([train.groups, val.groups]),
            features=np.concatenate([train.features, val.features]),
            labels=np.concatenate([train.labels, val.labels]),
        )
    return both.take(np.argsort(both.ids, kind="stable"))


def balanced_accuracy(
    y_true: Int[np.ndarray, " sample"], predicted: Int[np.ndarray, "candidate sample"]
) -> Float[np.ndarray, " candidate"]:
    """Mean recall over the classes that occur, of each candidate."""
    hits = predicted == y_true
    return np.asarray(np.mean([hits[:, y_true == c].mean(axis=1) for c in np.unique(y_true)], axis=0))


def f1_macro(
    y_true: Int[np.ndarray, " sample"], predicted: Int[np.ndarray, "candidate sample"]
) -> Float[np.ndarray, " candidate"]:
    """Mean F1 over the classes that occur or are predicted, of each candidate."""
    scores = np.empty(len(predicted))
    for i, guess in enumerate(predicted):
        classes = np.union1d(y_true, guess)
        sizes = np.array([(y_true == c).sum() + (guess == c).sum() for c in classes])
        scores[i] = np.mean([2 * ((y_true == c) & (guess == c)).sum() for c in classes] / sizes)
    return scores
