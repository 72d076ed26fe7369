"""What samples must satisfy before a head is fitted, by the kind of their labels, in sentences for the user."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.protocols.base import KINDS, Samples
from registry.errors import UserError

NAMED_AT_MOST = 3


def wrong_kind(target: str, head: str, taken: Sequence[str], others: Sequence[str]) -> str:
    """The sentence for a head that takes other kinds of target (`taken`), while `others` take this one."""
    choice = f"one of the heads {', '.join(others)}" if others else f"a kind of target among {', '.join(KINDS)}"
    return (
        f"The head {head}, as it is set, takes targets of the kind {', '.join(taken)}, but the task's are of the kind "
        f"{target}: choose {choice}."
    )


def check_classes(train: Samples, val: Samples | None, test: Samples) -> int:
    """Check features and labels of all sides; gives the number of classes.

    Raises
    ------
    UserError
        If a side is empty, features are not finite or all the same, or a class is absent from train or test.
    """
    check_features(train, val, test)
    return check_labels(train, val, test)


def check_labels(train: Samples, val: Samples | None, test: Samples) -> int:
    """Check class indices only; gives the number of classes. Raises as `check_classes`."""
    labels = [side.labels for side in (train, val, test) if side is not None]
    if any(y.ndim != 1 or not np.issubdtype(y.dtype, np.integer) for y in labels):
        raise UserError(
            "This head predicts classes, but the task's labels are not class indices: choose a head of its kind."
        )
    n_classes = max(len(train.classes), *(int(y.max()) + 1 for y in labels))
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


def check_features(train: Samples, val: Samples | None, test: Samples) -> None:
    """Check that each side has finite features of one width, and that the training features are not all the same.

    Raises
    ------
    UserError
        The sentence names the first samples concerned.
    """
    for side, name in ((train, "training"), (val, "validation"), (test, "test")):
        if side is None:
            continue
        if not len(side):
            raise UserError(f"The {name} set is empty: split the data so that it has samples.")
        if side.features.shape[1] != train.features.shape[1]:
            raise UserError(
                f"The {name} features have {side.features.shape[1]} columns and the training features "
                f"{train.features.shape[1]}: embed all sides with the same model."
            )
        bad = ~np.isfinite(side.features).all(axis=1)
        if bad.any():
            raise UserError(
                f"The features of {bad.sum()} of {len(side)} {name} samples are not finite ({some(side.ids[bad])}): "
                "look at these inputs, or embed again in float32."
            )
    if len(train) > 1 and (train.features == train.features[0]).all():
        raise UserError(
            f"The features of all {len(train)} training samples are the same ({some(train.ids)}): "
            "the model does not see the input; check its weights and the tiles."
        )


def class_names(samples: Samples, classes: np.ndarray) -> str:
    """The classes in words: by name where names are known."""
    named = [repr(samples.classes[c]) if c < len(samples.classes) else str(c) for c in classes]
    return ("class " if len(named) == 1 else "the classes ") + ", ".join(named)


def some(ids: np.ndarray) -> str:
    """The first ids, and how many more."""
    more = len(ids) - NAMED_AT_MOST
    return ", ".join(map(str, ids[:NAMED_AT_MOST])) + (f" and {more} more" if more > 0 else "")


def check_targets(train: Samples, val: Samples | None, test: Samples) -> None:
    """Check features, and that targets are finite numbers that vary over the training set.

    Raises
    ------
    UserError
        The sentence names the first samples or the targets concerned.
    """
    check_features(train, val, test)
    for side, name in ((train, "training"), (val, "validation"), (test, "test")):
        if side is None:
            continue
        values = side.labels.reshape(len(side), -1)
        if not np.issubdtype(values.dtype, np.number):
            raise UserError("This head predicts numbers, but the task's labels are not: choose a head of their kind.")
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            raise UserError(
                f"The targets of {bad.sum()} {name} samples are not finite ({some(side.ids[bad])}): mend them."
            )
    values = train.labels.reshape(len(train), -1)
    same = np.flatnonzero((values == values[0]).all(axis=0))
    if len(same):
        raise UserError(
            f"Of {values.shape[1]} targets, number {some(same)} has the same value in all training samples: "
            "leave it out."
        )
