"""What is asked of each sample, by the task's kind: from the columns that hold the answer to numbers for the heads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from bench.tasks.config import CLASS_LIKE, Kind, TaskConfig
from bench.tasks.some import some
from registry.errors import UserError

STRATA = 4  # parts of equal size that a number is divided into, so that a split spreads it evenly
MEASURED = 20  # distinct labels, all of them numbers and some fractions, that are taken for a measurement


def columns(frame: pd.DataFrame, task: TaskConfig, origin: str) -> None:
    """The file and the columns of the answer, without which there is no task."""
    for name in ("path", *task.targets):
        if name not in frame:
            raise UserError(
                f"{origin} has no column {name}: its columns are {', '.join(map(str, frame.columns))}"
                + (f"; tasks.{task.name}.targets names those of a {task.kind.value} task." if name != "path" else ".")
            )


def check(frame: pd.DataFrame, task: TaskConfig, origin: str) -> None:
    """Every sample has an answer of the task's kind.

    Raises
    ------
    UserError
        Naming the first samples whose answer is of another kind.
    """
    if task.kind in CLASS_LIKE:
        _check_classes(frame, task, origin)
        return
    for column in task.targets:
        _refuse(frame, ~np.isfinite(_numbers(frame, column)), column, task, origin, "no number")
    if task.kind is Kind.survival:
        time, event = (_numbers(frame, column) for column in task.targets)
        _refuse(frame, time <= 0, task.targets[0], task, origin, "not above 0")
        _refuse(frame, ~np.isin(event, (0, 1)), task.targets[1], task, origin, "neither 1 (event) nor 0 (censored)")
    if task.kind is Kind.multilabel:
        for column in task.targets:
            _refuse(frame, ~np.isin(_numbers(frame, column), (0, 1)), column, task, origin, "neither 1 nor 0")


def classes(frame: pd.DataFrame, task: TaskConfig) -> tuple[str, ...]:
    """A name for each column of the scores: classes, targets, labels, or the risk."""
    if task.kind is Kind.survival:
        return ("risk",)
    if task.kind not in CLASS_LIKE:
        return tuple(task.targets)
    present = set(frame["label"].unique())
    found = sorted(
        present, key=lambda name: (float(name) if task.kind is Kind.ordinal and not task.classes else 0, name)
    )
    return tuple(name for name in task.classes or found if name in present)


def values(frame: pd.DataFrame, task: TaskConfig) -> Shaped[np.ndarray, "sample ..."]:
    """The answers as the heads take them (`bench.protocols.Samples.labels`)."""
    if task.kind in CLASS_LIKE:
        return pd.Index(classes(frame, task)).get_indexer(pd.Index(frame["label"])).astype(np.int64)
    of = np.stack([_numbers(frame, column) for column in task.targets], axis=1)
    return of.astype(np.int64) if task.kind is Kind.multilabel else of


def strata(frame: pd.DataFrame, task: TaskConfig) -> Shaped[np.ndarray, " sample"]:
    """What a drawn split spreads evenly: the class, the quarter of the first number, the event, the rarest label."""
    if task.kind in CLASS_LIKE:
        return frame["label"].to_numpy(str)
    of = values(frame, task)
    if task.kind is Kind.survival:
        return np.asarray(of[:, 1].astype(int).astype(str))
    if task.kind is Kind.multilabel:
        return np.asarray(of[:, np.minimum(of.sum(axis=0), len(of) - of.sum(axis=0)).argmin()].astype(str))
    cuts = np.quantile(of[:, 0], np.arange(1, STRATA) / STRATA)
    return np.asarray(np.searchsorted(cuts, of[:, 0]).astype(str))


def check_side(of: Shaped[np.ndarray, "sample ..."], task: TaskConfig, side: str, origin: str) -> None:
    """What the "training" or "test" samples must have to learn from or to be judged by; classes have `rare`."""
    if not len(of):
        raise UserError(
            f"{origin} has no {side} samples: its groups are too few for the split, so give more of them, or name "
            "sides in a column split."
        )
    wanting: dict[Kind, Callable[[], list[str]]] = {
        Kind.survival: lambda: [] if of[:, 1].any() else ["no event"],
        Kind.multilabel: lambda: [
            f"no sample {'with' if column.sum() == 0 else 'without'} {name}"
            for name, column in zip(task.targets, of.T, strict=True)
            if column.min() == column.max()
        ],
        Kind.regression: lambda: [
            f"one value of {name} only"
            for name, column in zip(task.targets, of.T, strict=True)
            if side == "training" and column.min() == column.max()
        ],
    }
    lacks = wanting.get(task.kind, list)()
    if lacks:
        raise UserError(
            f"The {side} samples of {origin} have {', '.join(lacks)}: nothing can be learned or judged from them; give "
            f"more samples, another split, or leave such columns out of tasks.{task.name}.targets."
        )


def _check_classes(frame: pd.DataFrame, task: TaskConfig, origin: str) -> None:
    found = sorted(frame["label"].unique())
    if task.classes and not set(found) <= set(task.classes):
        unknown = [name for name in found if name not in task.classes]
        raise UserError(
            f"{origin} has labels that are no class of the task {task.name}: {some(unknown)}; its classes are "
            f"{', '.join(task.classes)}."
        )
    if len(found) < 2:
        raise UserError(
            f"{origin} has one class only ({found[0] if found else 'none'}): a task needs samples of two classes or "
            "more."
        )
    numbers = pd.to_numeric(pd.Series(found), errors="coerce")
    if task.kind is Kind.ordinal and not task.classes and numbers.isna().any():
        raise UserError(
            f"The grades of {origin} are no numbers ({some(found)}): name them from low to high with "
            f"tasks.{task.name}.classes=[LOW,...,HIGH]."
        )
    if task.kind is Kind.ordinal and not task.classes and numbers.duplicated().any():
        same = [name for name, twice in zip(found, numbers.duplicated(keep=False), strict=True) if twice]
        raise UserError(
            f"{origin} writes the same grade in several ways ({some(same)}): write each in one way, or name the "
            f"grades from low to high with tasks.{task.name}.classes=[LOW,...,HIGH]."
        )
    if not task.classes and len(found) > MEASURED and numbers.notna().all() and (numbers % 1 != 0).any():
        raise UserError(
            f"The labels of {origin} are {len(found)} different numbers ({some(found)}), which look measured rather "
            f"than classes: set tasks.{task.name}.kind=regression."
        )


def _numbers(frame: pd.DataFrame, column: str) -> Shaped[np.ndarray, " sample"]:
    return np.asarray(pd.to_numeric(frame[column], errors="coerce").to_numpy(np.float64))


def _refuse(frame: pd.DataFrame, wrong: np.ndarray, column: str, task: TaskConfig, origin: str, why: str) -> None:
    if wrong.any():
        examples = [f"{cell or '(empty)'} of {name}" for name, cell in frame.loc[wrong, ["id", column]].to_numpy()]
        raise UserError(
            f"{origin} has {wrong.sum()} samples whose {column} is {why} ({some(examples)}), as a task of the kind "
            f"{task.kind.value} needs: mend or remove these rows, or set tasks.{task.name}.kind."
        )
