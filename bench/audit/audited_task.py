"""What the checks of an audit see of a task: its table, what its files say, features, and heads to fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8

from bench.audit.chance import chance, scored_by
from bench.audit.control_values import Control
from bench.audit.permutation import p_permuted
from bench.audit.predicted import Predicted
from bench.metrics import METRIC_SETS, Replicates, resample
from bench.statistics import difference_inflation, score_inflation

Features = Any
"""Vectors, float32 [sample, feature], or of slides a sequence of bags [tile, feature], in the order of the samples."""
N_BOOT = 20
"""Intervals are studentised by the jackknife; the resamples beside them are not looked at."""


@dataclass(frozen=True)
class RowsOfModel:
    """A model with rows on this task in the results folder: its predictions with one head, of its first seed."""

    model: str
    head: str
    predicted: Predicted


@dataclass(frozen=True)
class AuditedTask:
    """A task, as checks see it.

    Attributes
    ----------
    name, cohort : str
        The task and its cohort hash.
    kind, metric : str
        The form of its labels, of `bench.metrics.METRIC_SETS`, and what models are compared by.
    classes : tuple of str
    unit : {"tile", "slide", "patient"}
    ids, groups, paths : str arrays [N]
        Of the samples; a path is "" where a sample is a patient of several slides. `index` is the row of an HDF5 file,
        -1 for an image.
    labels : array [N, ...]
    sides : sequence of str arrays [N]
        "train", "val" or "test" of each sample, for each test fold; "" where it has no part.
    columns : mapping of name -> str array [N]
        What else the table says: centre, staining, scanner, date and the like, "" where a cell is empty.
    controls : sequence of Control
        What is known of the samples without their tissue; `bench.audit.file_facts` reads most of it.
    absent : mapping of str -> str
        For each control that these data do not have, one sentence on why.
    nulls : mapping of str -> sequence of features
        "colour": one entry; "random network": one a seed. Empty where nothing was embedded.
    models : sequence of RowsOfModel
        From the results folder, without baselines.
    fit : function
        From a head's name, features and a seed to `Predicted`; the heads are those of the models.
    heads : tuple of str
        Names for `fit`.
    takes_bags : frozenset of str
        Those of the heads that take bags.
    tiles : function or None
        From indices of samples to their decoded tiles, uint8 [height, width, 3] each; None where samples are slides.
    """

    name: str
    cohort: str
    kind: str
    metric: str
    classes: tuple[str, ...]
    unit: str
    ids: np.ndarray
    groups: np.ndarray
    paths: np.ndarray
    index: np.ndarray
    labels: Shaped[np.ndarray, "sample ..."]
    sides: Sequence[np.ndarray]
    fit: Callable[[str, Features, int], Predicted]
    heads: tuple[str, ...]
    takes_bags: frozenset[str] = frozenset()
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    controls: Sequence[Control] = ()
    absent: Mapping[str, str] = field(default_factory=dict)
    nulls: Mapping[str, Sequence[Features]] = field(default_factory=dict)
    models: Sequence[RowsOfModel] = ()
    tiles: Callable[[Sequence[int]], list[UInt8[np.ndarray, "height width 3"]]] | None = None

    @property
    def test(self) -> np.ndarray:
        """Whether a sample is tested in some fold, bool [N]."""
        return np.any([side == "test" for side in self.sides], axis=0)

    @cached_property
    def scored_by(self) -> str:
        """The metric of the audit: the task's own where a score without information is known of it, else its kind's."""
        return scored_by(self.kind, self.metric)

    @cached_property
    def chance(self) -> float:
        """What predictions without information score by that metric, in expectation."""
        return chance(self.scored_by, self.labels[self.test])

    def replicates(self, predicted: Predicted) -> Replicates:
        """The audit's metric of some predictions, with the influence of each group on it."""
        one = predicted.ordered()
        found = resample(
            one.y_true,
            {"": one.scores},
            one.groups,
            kind=METRIC_SETS[self.kind],
            metrics=[self.scored_by],
            n_boot=N_BOOT,
        )
        return self._of_folds(found[""][self.scored_by])

    def p_of_chance(self, predicted: Predicted) -> float:
        """One-sided p of a score as high as that of some predictions if they say nothing of the label, 0..1."""
        return p_permuted(self.kind, self.scored_by, predicted)

    def score(self, head: str, features: Features, seed: int = 0) -> Replicates:
        """Fit a head to features and score its predictions for the test samples."""
        return self.replicates(self.fit(head, features, seed))

    def difference(self, one: Replicates, other: Replicates) -> Replicates:
        """One score of this task less another one on the same test samples, with the spread that folds add to it."""
        found, n_folds = one - other, len(self.sides)
        if n_folds < 2:
            return found
        more = np.sqrt(difference_inflation(n_folds) / score_inflation(n_folds))  # of scores, which have theirs
        return replace(found, influence=found.influence * more)

    def _of_folds(self, of: Replicates) -> Replicates:
        """With the spread that folds add, whose heads share training samples (`bench.statistics.training`)."""
        if len(self.sides) < 2:
            return of
        return replace(of, influence=of.influence * np.sqrt(score_inflation(len(self.sides))))
