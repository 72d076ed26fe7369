"""The table of a dataset: one row a tile or slide, checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from bench import targets
from bench.files import digest
from bench.targets import TargetType
from bench.tasks import checks
from bench.tasks.config import SampleLevel, TaskConfig
from bench.tasks.patients import by_patient
from bench.tasks.readers import Table
from bench.tasks.split_labels import SplitLabels, label_split

ACQUISITION = ("centre", "staining", "region")
"""Columns that may be left away: who scanned a sample, its staining, and which region of tissue it shows."""


@dataclass(frozen=True)
class Manifest:
    """The samples of a task, all of them usable.

    Attributes
    ----------
    frame : DataFrame
        One row a sample: ``id``, ``path`` (absolute), ``index`` (row of an HDF5 file, -1 for an image), the columns of
        the answer (``label`` for classes and grades), ``group`` (patient where known, else the sample), ``split``
        ("train", "val" or "test") or ``fold`` (from 1 on), and what else the data say.
    task : TaskConfig
    labels : int64 or float64 [N] or [N, T]
        The answers as the heads take them.
    classes : tuple of str
        A name for each column of the scores: classes in the order of their indices, targets, labels, or the risk.
    split_labels : tuple of str [N]
        "train", "val" or "test" of each sample, for each test fold; one of them where there are no folds. All
        samples of a group have the same one.
    notes : tuple of str
        What a reader of every row must know of these data.
    slides : DataFrame
        Of slides: one row a slide with ``id``, ``path``, ``mpp``, ``mask`` and ``sample``, the id of the sample that it
        belongs to. Empty where samples are tiles.
    """

    frame: pd.DataFrame
    task: TaskConfig
    labels: Shaped[np.ndarray, "sample ..."]
    classes: tuple[str, ...]
    split_labels: tuple[SplitLabels, ...]
    notes: tuple[str, ...]
    slides: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def cohort_hash(self) -> str:
        """Digest of samples, labels, groups, split labels and metric: what rows must share to be compared."""
        order = np.argsort(self.frame["id"].to_numpy(str), kind="stable")
        columns = [self.frame["id"], self.frame["group"], self.labels, *self.split_labels]
        record = [[np.asarray(column)[order].tolist() for column in columns], self.classes]
        record += [self.task.kind, self.task.metric]
        if self.task.unit is SampleLevel.patient:
            record += self.slides[["sample", "id"]].sort_values(["sample", "id"]).to_numpy(str).tolist()
        return digest(record)[:8]

    @property
    def acquisition(self) -> list[str]:
        """Of the columns that say where and how a sample was made, those that the data have."""
        return [name for name in ACQUISITION if name in self.frame]

    @property
    def target(self) -> TargetType:
        """The type of the task's target."""
        return targets.get(self.task.kind)

    @property
    def answers(self) -> list[str]:
        """The answer of each sample as text, for people."""
        columns = self.target.answer_columns(self.task)
        return [", ".join(row) for row in self.frame[columns].astype(str).to_numpy()]

    @property
    def folds(self) -> range:
        """Numbers of the test folds, from 1 on over all repeats; 0 alone where there is one test set and no repeat."""
        several = "fold" in self.frame or len(self.split_labels) > 1
        return range(1, len(self.split_labels) + 1) if several else range(1)

    def split_labels_of(self, fold: int) -> SplitLabels:
        """The split label of each sample when this fold, one of `folds`, is tested; empty where it has no part."""
        return self.split_labels[max(fold - 1, 0)]

    @classmethod
    def of(cls, table: Table, task: TaskConfig) -> Manifest:
        """Check what a reader found, draw what split is missing, leave out what the task leaves out.

        Raises
        ------
        UserError
            Naming what is wrong with the data and what to do.
        """
        frame = table.frame.reset_index(drop=True)
        target = targets.get(task.kind)
        checks.columns(frame, task, table.origin)
        frame = completed(frame, task, table.origin)
        checks.cells(frame, task, table.origin)
        if target.has_classes:
            frame["label"] = frame[task.targets[0]]
        target.check_columns(frame, task, table.origin)
        slides = frame
        if task.unit is SampleLevel.patient:
            frame = by_patient(slides, task, table.origin)
        frame, split_labels, notes = label_split(frame, task, table.origin)
        if task.unit is SampleLevel.tile:
            checks.files(frame, table.origin)
        order = ["id", "path", "index", *target.answer_columns(task), "group", "split" if "split" in frame else "fold"]
        frame = frame[[*order, *(c for c in frame.columns if c not in order)]].reset_index(drop=True)
        labels, classes = target.labels(frame, task), target.class_names(frame, task)
        all_notes = (*table.notes, *notes, *task.notes)
        return cls(frame, task, labels, classes, split_labels, all_notes, _slides_of(frame, slides, task))


def _slides_of(frame: pd.DataFrame, slides: pd.DataFrame, task: TaskConfig) -> pd.DataFrame:
    """The slides of the samples that stay, in the order of the table."""
    if task.unit is SampleLevel.tile:
        return pd.DataFrame()
    slides = slides.assign(sample=slides["group" if task.unit is SampleLevel.patient else "id"])
    return slides[slides["sample"].isin(frame["id"])][["id", "path", "mpp", "mask", "sample"]].reset_index(drop=True)


def completed(frame: pd.DataFrame, task: TaskConfig, origin: str) -> pd.DataFrame:
    """The columns that may be left away, and text without blanks around it."""
    frame = frame.copy()
    for column in ("id", "path", *task.targets, "group", "split", "fold", *ACQUISITION):
        if column in frame:
            frame[column] = frame[column].astype(str).str.strip()
    if "index" not in frame:
        frame["index"] = -1
    frame["index"] = checks.rows(frame["index"], origin)
    if "id" not in frame:
        frame["id"] = frame["path"]
    if "group" not in frame:
        frame["group"] = frame["id"]
    if task.unit is not SampleLevel.tile:
        if "mpp" not in frame:
            frame["mpp"] = np.nan
        if "mask" not in frame:
            frame["mask"] = ""
    return frame
