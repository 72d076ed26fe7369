"""The split label (train, val or test) of every sample: from the data, or drawn; once, or once for each test fold."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from bench import targets
from bench.statistics import TRAIN_SHARE
from bench.tasks import checks
from bench.tasks.config import Rare, SampleLevel, TaskConfig
from bench.tasks.split import NAMES, assign_split, draw
from registry.errors import UserError, first_few

SplitLabels = Shaped[np.ndarray, " sample"]


def label_split(
    frame: pd.DataFrame, task: TaskConfig, origin: str
) -> tuple[pd.DataFrame, tuple[SplitLabels, ...], list[str]]:
    """The samples that stay, the split label ("train", "val" or "test") of each for each test fold, and what to note.

    Without folds there is one such array, which is also the column ``split``; with folds the column ``fold`` says in
    which, from 1 on, a sample is tested.

    Raises
    ------
    UserError
        For split names that are not known, a group with two split labels, a class or target that train or test lacks.
    """
    target = targets.get(task.kind)
    frame, notes = frame.copy(), []
    own = [name for name in ("split", "fold") if name in frame]
    drawn = task.split.folds > 0 or not own
    by = "group"
    if task.unit is SampleLevel.patient:
        by = "patient"
    elif (frame["group"] == frame["id"]).all():
        by = task.unit.value
        notes.append(f"no patient is known: every {by} is its own group")
    if drawn and task.rare is Rare.drop and target.has_classes:
        frame, left_out = _without_few(frame, task)
        notes += left_out
    if task.split.folds:
        notes.insert(0, f"{task.split.folds} test folds were drawn by {by}, seed {task.split.seed}")
        if own:
            notes.append(f"put aside for these folds: the data's own {' and '.join(own)}")
        frame = frame.drop(columns=own)
        frame["fold"] = _folds(frame, task, origin, task.split.seed)
    elif len(own) == 2:
        raise UserError(f"{origin} has a column split and a column fold: remove one of them.")
    elif own == ["fold"]:
        if task.split.repeats > 1:
            raise UserError(
                f"{origin} names its own folds, which cannot be drawn again: set tasks.{task.name}.split.folds to draw "
                "others, or leave out repeats."
            )
        checks.groups_not_split(frame, "fold", task, origin)
        frame["fold"] = _numbered(frame["fold"], origin)
    elif own == ["split"]:
        frame["split"] = _named(frame, task, origin)
        checks.has_train_and_test(frame, task, origin)
        checks.groups_not_split(frame, "split", task, origin)
        if task.split.val > 0 and not (frame["split"] == "val").any():
            frame["split"] = _drawn(frame, task, frame["split"] == "test")
    else:
        frame["split"] = _drawn(frame, task)
        notes.insert(0, f"the split was drawn by {by}, seed {task.split.seed}")
    if target.has_classes:
        frame, left_out = _without_rare(frame, task, _split_labels(frame, task))
        notes += left_out
    split_labels = _split_labels(frame, task)
    if task.split.repeats > 1:
        split_labels = _repeated(frame, task, origin, split_labels)
        notes.append(
            f"{task.split.repeats} repeats of the folds"
            if task.split.folds
            else f"{task.split.repeats} repeats, each on {100 * TRAIN_SHARE:.0f} % of the training groups"
        )
    labels = target.labels(frame, task)
    for split_label in split_labels:
        for part, name in (("train", "training"), ("test", "test")):
            target.check_part(labels[split_label == part], task, name, origin)
    return frame, tuple(split_labels), notes


def _split_labels(frame: pd.DataFrame, task: TaskConfig) -> list[SplitLabels]:
    if "split" in frame:
        return [frame["split"].to_numpy(str)]
    return _of_folds(frame, task, frame["fold"])


def _of_folds(frame: pd.DataFrame, task: TaskConfig, fold_of: pd.Series) -> list[SplitLabels]:
    tested = [fold_of == fold for fold in range(1, int(fold_of.max()) + 1)]
    if task.split.val == 0:
        return [np.where(test, "test", "train") for test in tested]
    return [_drawn(frame, task, test).to_numpy(str) for test in tested]


def _repeated(frame: pd.DataFrame, task: TaskConfig, origin: str, first: list[SplitLabels]) -> list[SplitLabels]:
    """The split labels of all repeats; a sample that a repeat does not train on has an empty one."""
    if "fold" in frame:
        others = [_folds(frame, task, origin, task.split.seed + repeat) for repeat in range(1, task.split.repeats)]
        return first + [labels for fold_of in others for labels in _of_folds(frame, task, fold_of)]
    groups, strata = frame["group"].to_numpy(str), targets.get(task.kind).strata(frame, task)
    parts = []
    for repeat in range(1, task.split.repeats + 1):
        labels = first[0].copy()
        for side in ("train", "val"):
            rows = np.flatnonzero(first[0] == side)
            if len(rows):
                labels[
                    rows[draw(groups[rows], strata[rows], 1 - TRAIN_SHARE, f"{side} {repeat} {task.split.seed}", 1)]
                ] = ""
        parts.append(labels)
    return parts


def _folds(frame: pd.DataFrame, task: TaskConfig, origin: str, seed: int) -> pd.Series:
    """Stratified test folds in which no group is split; the order of the samples does not matter."""
    from sklearn.model_selection import StratifiedGroupKFold

    if frame["group"].nunique() < task.split.folds:
        raise UserError(
            f"{origin} has {frame['group'].nunique()} groups, fewer than tasks.{task.name}.split.folds="
            f"{task.split.folds}: set fewer folds."
        )
    rows = np.argsort(frame["id"].to_numpy(str), kind="stable")
    # codes by sorted name: StratifiedGroupKFold numbers classes by first sight, and that may not matter
    strata = np.unique(targets.get(task.kind).strata(frame, task), return_inverse=True)[1][rows]
    if np.bincount(strata).max() < task.split.folds:
        if targets.get(task.kind).has_classes:
            raise UserError(
                f"No class of {origin} has tasks.{task.name}.split.folds={task.split.folds} {task.unit.value}s: set "
                "fewer folds."
            )
        strata = np.zeros_like(strata)  # too few of each to stratify by
    splitter = StratifiedGroupKFold(task.split.folds, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():  # of strata with fewer samples than folds
        warnings.simplefilter("ignore", UserWarning)
        splits = list(splitter.split(rows, strata, frame["group"].to_numpy(str)[rows]))
    folds = np.zeros(len(frame), np.int64)
    for fold, (_, tested) in enumerate(splits):
        folds[rows[tested]] = fold + 1
    return pd.Series(folds, index=frame.index)


def _numbered(names: pd.Series, origin: str) -> pd.Series:
    """The data's own folds from 1 on, in the order of their names."""
    found = sorted(set(names), key=lambda name: (len(name), name))
    if len(found) < 2 or "" in found:
        raise UserError(
            f"The column fold of {origin} must name two folds or more, in every row: it has "
            f"{', '.join(name or '(empty)' for name in found[:5])}."
        )
    return names.map({name: number for number, name in enumerate(found, 1)}).astype(np.int64)


def _named(frame: pd.DataFrame, task: TaskConfig, origin: str) -> pd.Series:
    """The data's own split as "train", "val" and "test"."""
    codes, found = pd.factorize(frame["split"])
    standard = np.array([NAMES.get(str(name).lower()) for name in found], dtype=object)
    names = pd.Series(standard[codes], index=frame.index, dtype=frame["split"].dtype)
    unknown = sorted(set(frame["split"][names.isna()]))
    if unknown:
        shown = ", ".join(name or "(empty)" for name in unknown[:5])
        raise UserError(
            f"The split names {shown} of {origin} are not known ({int(names.isna().sum())} {task.unit.value}s): use "
            "train, val and test, or leave the column away to have a split drawn."
        )
    return names


def _drawn(frame: pd.DataFrame, task: TaskConfig, test: pd.Series | None = None) -> pd.Series:
    if test is None and task.split.test == 0:
        raise UserError(
            f"tasks.{task.name}.split.test is 0 and the data name no test {task.unit.value}s: set a share above 0."
        )
    split_labels = assign_split(
        frame["group"].to_numpy(str),
        targets.get(task.kind).strata(frame, task),
        task.split,
        min_groups=task.min_groups,
        test=None if test is None else test.to_numpy(bool),
    )
    return pd.Series(split_labels, index=frame.index, dtype=object)


def _without_few(frame: pd.DataFrame, task: TaskConfig) -> tuple[pd.DataFrame, list[str]]:
    """Leave out classes that no split could put into train and test, so that the others' split ignores them."""
    groups = frame.groupby("label")["group"].nunique()
    few = groups[groups < max(2, task.split.folds) * task.min_groups].index
    return _without(frame, {name: f"{groups[name]} groups" for name in few}, task)


def _without_rare(
    frame: pd.DataFrame, task: TaskConfig, split_labels: list[SplitLabels]
) -> tuple[pd.DataFrame, list[str]]:
    """Refuse or leave out classes with too few groups in train or in test."""
    rare: dict[str, str] = {}
    in_both = True
    for number, split_label in enumerate(split_labels, 1):
        groups = frame.groupby([frame["label"], split_label])["group"].nunique().unstack(fill_value=0)
        groups = groups.reindex(columns=["train", "test"], fill_value=0)
        few = groups[groups.min(axis=1) < task.min_groups]
        in_both &= bool((few > 0).all(axis=None))
        within = f" of fold {number}" if len(split_labels) > 1 else ""
        for name, row in few.iterrows():
            rare.setdefault(str(name), f"{row['train']} in train, {row['test']} in test{within}")
    if rare and task.rare is Rare.error:
        unit = f"{task.unit.value}s" if bool((frame["group"] == frame["id"]).all()) else "groups"
        shown = [f"{name}: {counts}" for name, counts in rare.items()]
        listed = first_few(shown, 10, "; ")
        as_they_are = f", or take them as they are with tasks.{task.name}.min_groups=1" if in_both else ""
        raise UserError(
            f"The task {task.name} has classes with fewer than {task.min_groups} {unit} in train or in test "
            f"({listed}): add {unit} of them, or leave them out with tasks.{task.name}.rare=drop{as_they_are}."
        )
    return _without(frame, rare, task)


def _without(frame: pd.DataFrame, rare: dict[str, str], task: TaskConfig) -> tuple[pd.DataFrame, list[str]]:
    if not rare:
        return frame, []
    left = frame[~frame["label"].isin(list(rare))]
    listed = ", ".join(f"{name} ({counts})" for name, counts in rare.items())
    if left["label"].nunique() < 2:
        raise UserError(
            f"The task {task.name} has fewer than two classes once those with too few groups are left out: {listed}."
        )
    return left.copy(), [f"classes left out for too few groups: {listed}"]
