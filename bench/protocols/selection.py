"""How a head chooses its hyperparameter without the test set: on the validation side, or on inner folds by group."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from bench.metrics import METRIC_SETS, score
from bench.protocols.base import CLASSIFIED, Samples
from bench.protocols.checks import class_names, label_names
from registry.errors import UserError

INNER_FOLDS = 5
DRAWS = 20  # shuffles of the groups until the folds of a multi-label task can be fitted


@dataclass(frozen=True)
class InnerCV:
    """The folds on whose held-out samples a head chooses its hyperparameters.

    Attributes
    ----------
    samples : Samples
        Train and validation samples together, sorted by id so that their order of arrival does not matter.
    fit, held_out : bool [F, N]
        Rows that fold f fits on and rows it is scored on. With a validation side there is one fold.
    by : str
        "validation" or "K inner folds by group", as `Predictions.info` has it.
    """

    samples: Samples
    fit: Bool[np.ndarray, "fold sample"]
    held_out: Bool[np.ndarray, "fold sample"]
    by: str

    @classmethod
    def of(cls, samples: Samples, held_out: Bool[np.ndarray, "fold sample"]) -> InnerCV:
        """Folds of samples without a validation side."""
        return cls(samples, ~held_out, held_out, f"{len(held_out)} inner folds by group")

    @property
    def validation_mask(self) -> Bool[np.ndarray, " sample"]:
        """Rows that any fold is scored on."""
        return np.asarray(self.held_out.any(axis=0))


def inner_cv(train: Samples, val: Samples | None, seed: int) -> InnerCV:
    """Validation side or inner folds by group: five, or as many as the groups allow.

    Folds are stratified by class or grade, and those of survival by event, so that each part has some. Those of several
    labels a sample are drawn again until every part that is fitted has samples with and without each label. Those of
    regression are drawn by group alone.

    Raises
    ------
    UserError
        If there is no validation side and the groups are too few: all of one class, of the events, or of a label.
    """
    samples = pool(train, val)
    if val is not None:
        held_out = np.isin(samples.ids, val.ids)[None]
        return InnerCV(samples, ~held_out, held_out, "validation")
    if samples.kind in CLASSIFIED:
        return _by_class(samples, seed)
    groups = len(np.unique(samples.groups))
    if groups < 2:
        raise UserError(
            "All training samples come from one group, so nothing can be chosen by inner folds: "
            "give a validation split or more groups."
        )
    if samples.kind == "survival":
        return _by_event(samples, seed)
    if samples.kind == "multilabel":
        return _by_label(samples, seed)
    return InnerCV.of(samples, _folds(samples, min(INNER_FOLDS, groups), seed))


def inner_cv_where_possible(train: Samples, val: Samples | None, seed: int) -> InnerCV | None:
    """As `inner_cv`, but None where there is no validation side and folds cannot be made.

    This is for what a head can do without: a temperature where no setting is chosen.
    """
    try:
        return inner_cv(train, val, seed)
    except UserError:
        return None


def _by_class(samples: Samples, seed: int) -> InnerCV:
    """Folds that leave samples of every class in each part that is fitted."""
    y = samples.labels
    classes = np.unique(y)
    groups = np.array([len(np.unique(samples.groups[y == c])) for c in classes])
    if groups.min() < 2:
        raise UserError(
            f"All training samples of {class_names(samples, classes[groups < 2])} come from one group, so nothing can "
            "be chosen by inner folds: give a validation split or more groups, or leave such classes out."
        )
    for folds in range(min(INNER_FOLDS, groups.min()), 1, -1):
        held_out = _folds(samples, folds, seed, y)
        if all(len(np.unique(y[~rows])) == len(classes) and rows.any() for rows in held_out):
            return InnerCV.of(samples, held_out)
    raise UserError(
        "No inner folds by group leave every class in every training part: give a validation split or more groups."
    )


def _by_event(samples: Samples, seed: int) -> InnerCV:
    """Folds with an event in both the fitted and the held-out part."""
    event = samples.labels[:, 1] > 0
    for folds in range(min(INNER_FOLDS, len(np.unique(samples.groups[event]))), 1, -1):
        held_out = _folds(samples, folds, seed, event.astype(np.int64))
        if all(event[rows].any() and event[~rows].any() for rows in held_out):
            return InnerCV.of(samples, held_out)
    raise UserError(
        "The events of the training set are of too few groups for inner folds with an event in each: "
        "give a validation split or more samples with events."
    )


def _by_label(samples: Samples, seed: int) -> InnerCV:
    """Folds that leave samples with and without every label in each part that is fitted."""
    y = samples.labels > 0
    lone = [c for c in range(y.shape[1]) if min(len(np.unique(samples.groups[y[:, c] == v])) for v in (0, 1)) < 2]
    if lone:
        raise UserError(
            f"All training samples with, or all without, {label_names(samples, np.array(lone))} come from one group, "
            "so nothing can be chosen by inner folds: give a validation split or more groups, or leave such labels out."
        )
    for folds in range(min(INNER_FOLDS, len(np.unique(samples.groups))), 1, -1):
        for draw in range(DRAWS):
            held_out = _folds(samples, folds, seed + draw)
            if all((y[~rows].any(axis=0) & ~y[~rows].all(axis=0)).all() for rows in held_out):
                return InnerCV.of(samples, held_out)
    raise UserError(
        "No inner folds by group leave every label there and absent in every training part: "
        "give a validation split or more groups, or leave rare labels out."
    )


def _folds(
    samples: Samples, folds: int, seed: int, strata: Int[np.ndarray, " sample"] | None = None
) -> Bool[np.ndarray, "fold sample"]:
    """The rows that each fold holds out: whole groups, shuffled, stratified where there are strata."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    kind = GroupKFold if strata is None else StratifiedGroupKFold
    held_out = np.zeros((folds, len(samples)), dtype=bool)
    with warnings.catch_warnings():  # of strata with fewer samples than folds, which callers look at
        warnings.simplefilter("ignore", UserWarning)
        splits = list(kind(folds, shuffle=True, random_state=seed).split(samples.labels, strata, samples.groups))
    for fold, (_, rows) in enumerate(splits):
        held_out[fold, rows] = True
    return held_out


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
            acquisition={
                name: np.concatenate([of_train, val.acquisition[name]]) for name, of_train in train.acquisition.items()
            },
        )
    return both.take(np.argsort(both.ids, kind="stable"))


def candidate_scores(
    labels: Shaped[np.ndarray, "sample ..."],
    scores: Iterable[Float[np.ndarray, "sample column"]],
    *,
    kind: str,
    metric: str,
) -> Float[np.ndarray, " candidate"]:
    """The task's own metric on the held-out scores of each candidate; higher is better, NaN where it is undefined.

    Parameters
    ----------
    labels, scores, kind
        As in `bench.metrics.score`; one array of scores a candidate.
    metric : str
        What the task is ranked by; "" is the primary metric of the kind.
    """
    metrics = METRIC_SETS[kind]
    metric = metric or metrics.primary
    sign = -1.0 if metrics.lower_is_better(metric) else 1.0
    each_alone = np.arange(len(labels))
    return np.array(
        [sign * score(labels, own, each_alone, kind=kind, metrics=[metric], n_boot=0)[metric].value for own in scores]
    )


def notes_on_end(what: str, chosen: float, candidates: Sequence[float] | np.ndarray, mend: str) -> list[str]:
    """A note where the chosen setting is the first or last of those tried, so that one beyond may be better."""
    low, high = min(candidates), max(candidates)
    if low == high or low < chosen < high:
        return []
    return [f"{what}={chosen:g} was chosen at the end of those tried, {low:g} to {high:g}: {mend}"]


def note_on_groups(
    fitted: Shaped[np.ndarray, " sample"], every: Shaped[np.ndarray, " sample"], otherwise: str = ""
) -> str:
    """That a head is fitted on some of the training groups, as the others stopped its training.

    Parameters
    ----------
    fitted, every : str arrays
        The group of each sample that is fitted, and of each training sample.
    otherwise : str
        What may be done in place of giving a validation split.
    """
    learned, there = len(np.unique(fitted)), len(np.unique(every))
    return (
        f"the head learned from {learned} of the {there} training groups ({learned / there:.0%}), as the others chose "
        f"its epoch: give a validation split{otherwise}"
    )


def balanced_accuracy(
    y_true: Int[np.ndarray, " sample"], predicted: Int[np.ndarray, "candidate sample"]
) -> Float[np.ndarray, " candidate"]:
    """Mean recall over the classes that occur or are predicted, of each candidate.

    It is computed in float32, each recall divided by the number of classes before they are added, as torchmetrics does
    it for eva: scores that are equal but for rounding are then the same ones, and the same epoch is chosen among them.
    """
    import torch

    n_classes = int(max(y_true.max(), predicted.max())) + 1
    members = np.bincount(y_true, minlength=n_classes)
    scores = np.empty(len(predicted))
    for i, guess in enumerate(predicted):
        hits = np.bincount(y_true[guess == y_true], minlength=n_classes).astype(np.float32)
        recall = hits / np.maximum(members, 1).astype(np.float32)
        counted = np.float32(((members + np.bincount(guess, minlength=n_classes)) > 0).sum())
        scores[i] = torch.from_numpy(recall / counted).sum()
    return scores


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
