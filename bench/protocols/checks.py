"""What samples must satisfy before a head is fitted, by the kind of their labels, in sentences for the user."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from bench.protocols.base import KINDS, Samples
from registry.errors import UserError, first_few


def wrong_kind(target: str, head: str, taken: Sequence[str], others: Sequence[str]) -> str:
    """The sentence for a head that takes other kinds of target (`taken`), while `others` take this one."""
    choice = f"one of the heads {', '.join(others)}" if others else f"a kind of target among {', '.join(KINDS)}"
    return (
        f"The head {head}, as it is set, takes targets of the kind {', '.join(taken)}, but the task's are of the kind "
        f"{target}: choose {choice}."
    )


def lacks_columns(head: str, columns: Sequence[str]) -> str:
    """The sentence for a head whose data do not say where or how the samples were made."""
    named = " and ".join(columns)
    return (
        f"The head {head} compares samples by their {named}, and the data have no column {named}: add it to the "
        "manifest, or name yours in options.columns of the task, or choose another protocol."
    )


def check_classes(train: Samples, val: Samples | None, test: Samples) -> int:
    """Check features and labels of all splits, and return the number of classes.

    Raises
    ------
    UserError
        If a split is empty, features are not finite or all the same, or a class is absent from train or test.
    """
    check_features(train, val, test)
    return check_labels(train, val, test)


def check_labels(train: Samples, val: Samples | None, test: Samples) -> int:
    """Check class indices only, and return the number of classes. Raises as `check_classes`."""
    splits = named_splits(train, val, test)
    if any(y.ndim != 1 or not np.issubdtype(y.dtype, np.integer) or y.min() < 0 for y in (s.labels for s, _ in splits)):
        raise UserError(
            "This head predicts classes, but the task's labels are not class indices: choose a head of its kind."
        )
    n_classes = max(len(train.classes), *(int(side.labels.max()) + 1 for side, _ in splits))
    for side, name in ((train, "training"), (test, "test")):
        absent = np.setdiff1d(np.arange(n_classes), side.labels)
        if n_classes - len(absent) < 2:
            raise UserError(f"The {name} set has samples of one class only: a classification needs two or more.")
        if len(absent):
            raise UserError(
                f"The {name} set has no sample of {class_names(train, absent)}: "
                "leave such classes out of the task, or split the data so that each side has some."
            )
    return n_classes


def check_multilabel(train: Samples, val: Samples | None, test: Samples) -> int:
    """Check features and labels of all splits, and return the number of labels.

    Raises
    ------
    UserError
        As `check_features`, or as `check_label_columns`.
    """
    check_features(train, val, test)
    return check_label_columns(train, val, test)


def check_label_columns(train: Samples, val: Samples | None, test: Samples) -> int:
    """Check labels of 0 and 1 only, and return their number.

    Raises
    ------
    UserError
        If a split is empty, labels are not columns of 0 and 1, or a label is the same in all samples of train or test.
    """
    splits = named_splits(train, val, test)
    if any(side.labels.ndim != 2 or side.labels.shape[1:] != train.labels.shape[1:] for side, _ in splits):
        raise UserError("This head predicts several labels a sample, but the task's labels are not a column for each.")
    for side, name in splits:
        bad = ~np.isin(side.labels, (0, 1)).all(axis=1)
        if bad.any():
            raise UserError(
                f"{bad.sum()} {name} samples have labels that are not 0 or 1 ({first_few(side.ids[bad])}): mend them."
            )
    for side, name in ((train, "training"), (test, "test")):
        for value, words in ((0, "no"), (1, "every")):
            same = np.flatnonzero((side.labels == value).all(axis=0))
            if len(same):
                raise UserError(
                    f"In the {name} set {words} sample has {label_names(train, same)}: "
                    "leave such labels out of the task, or split the data so that each side has some with and without."
                )
    return int(train.labels.shape[1])


def check_features(train: Samples, val: Samples | None, test: Samples) -> None:
    """Check that each split has finite features of one width, and that the training features are not all the same.

    Raises
    ------
    UserError
        The sentence names the first samples concerned.
    """
    for side, name in named_splits(train, val, test):
        if side.features.shape[1] != train.features.shape[1]:
            raise UserError(
                f"The {name} features have {side.features.shape[1]} columns and the training features "
                f"{train.features.shape[1]}: embed all splits with the same model."
            )
        bad = ~np.isfinite(side.features).all(axis=1)
        if bad.any():
            raise UserError(
                f"The features of {bad.sum()} of {len(side)} {name} samples are not finite "
                f"({first_few(side.ids[bad])}): look at these inputs, or embed again in float32."
            )
    if len(train) > 1 and (train.features == train.features[0]).all():
        raise UserError(
            f"The features of all {len(train)} training samples are the same ({first_few(train.ids)}): "
            "the model does not see the input; check its weights and the tiles."
        )


def check_targets(train: Samples, val: Samples | None, test: Samples) -> None:
    """Check features, and targets as `check_values`. Raises as these."""
    check_features(train, val, test)
    check_values(train, val, test)


def check_values(train: Samples, val: Samples | None, test: Samples) -> None:
    """Check targets only: finite numbers that vary over the training set.

    Raises
    ------
    UserError
        The sentence names the first samples or the targets concerned.
    """
    for side, name in named_splits(train, val, test):
        values = side.labels.reshape(len(side), -1)
        if not np.issubdtype(values.dtype, np.number):
            raise UserError("This head predicts numbers, but the task's labels are not: choose a head of their kind.")
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            raise UserError(
                f"The targets of {bad.sum()} {name} samples are not finite ({first_few(side.ids[bad])}): mend them."
            )
    values = train.labels.reshape(len(train), -1)
    same = np.flatnonzero((values == values[0]).all(axis=0))
    if len(same):
        raise UserError(
            f"All training samples have the same value of {_named(train, same, 'the target ', 'the targets ')}: "
            "leave it out."
        )


def class_names(samples: Samples, classes: Int[np.ndarray, " class"]) -> str:
    """The classes in words: by name where names are known."""
    return _named(samples, classes, "class ", "the classes ")


def label_names(samples: Samples, labels: Int[np.ndarray, " label"]) -> str:
    """The labels in words: by name where names are known."""
    return _named(samples, labels, "the label ", "the labels ")


def _named(samples: Samples, columns: np.ndarray, one: str, more: str) -> str:
    named = [repr(samples.classes[c]) if c < len(samples.classes) else str(c) for c in columns]
    return (one if len(named) == 1 else more) + ", ".join(named)


def named_splits(train: Samples, val: Samples | None, test: Samples) -> list[tuple[Samples, str]]:
    """The splits that there are, with their names in sentences.

    Raises
    ------
    UserError
        If one of them is empty.
    """
    splits = [(s, name) for s, name in ((train, "training"), (val, "validation"), (test, "test")) if s is not None]
    for side, name in splits:
        if not len(side):
            raise UserError(f"The {name} set is empty: split the data so that it has samples.")
    return splits
