"""The inputs and the output of a protocol: arrays, never an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from bench.metrics import CLASSIFIED as CLASSIFIED
from bench.metrics import METRIC_SETS

KINDS = tuple(METRIC_SETS)
"""The forms that labels may have here; a target type names the one in which heads take its labels."""

Acquisition = Mapping[str, Shaped[np.ndarray, " sample"]]
"""Where and how each sample was made, as text by the name of the manifest's column: centre, staining, region."""


@dataclass(frozen=True)
class Samples:
    """The labelled features of one side of a split.

    Attributes
    ----------
    ids, groups : str arrays [N]
        Identity of each sample, and the unit (patient) that must not be split.
    features : float32 or float16 [N, D]
    labels : int64 [N]
        Class indices, or grades in order, 0..C-1. Regression: float64 [N, T]. Survival: float64 [N, 2], time above 0
        and event (1) or censoring (0). Multi-label: int64 [N, L] of 0 and 1.
    classes : names of the classes, grades, targets or labels, if known; ("risk",) for survival
    kind : one of `KINDS`
    metric : str
        The metric that ranks the task and by which heads choose a setting; "" is the primary metric of the kind.
    acquisition : dict of str arrays [N]
        Of the columns centre, staining and region those that the manifest has; "" where a cell is empty.
    """

    ids: np.ndarray
    groups: np.ndarray
    features: Float[np.ndarray, "sample feature"]
    labels: Shaped[np.ndarray, "sample ..."]
    classes: tuple[str, ...] = ()
    kind: str = "classes"
    metric: str = ""
    acquisition: Acquisition = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def dim(self) -> int:
        return int(self.features.shape[1])

    def take(self, rows: Shaped[np.ndarray, " row"]) -> Samples:
        """The samples at these rows (indices or mask), in their order."""
        return replace(
            self,
            ids=self.ids[rows],
            groups=self.groups[rows],
            features=self.features[rows],
            labels=self.labels[rows],
            acquisition={name: values[rows] for name, values in self.acquisition.items()},
        )


@dataclass(frozen=True)
class Predictions:
    """What a head predicts for the test samples. Every score is computed from these.

    Attributes
    ----------
    ids, groups : str arrays [N]
    y_true : int64 [N]
        As `Samples.labels`, by `kind`.
    scores : float64 [N, C]
        Probabilities or votes of classes or grades, rows sum to 1. Regression: values [N, T]. Survival: risk [N, 1],
        higher is earlier. Multi-label: probabilities [N, L], each for itself.
    info : dict
        What was chosen and how the fit went, JSON values (strength, k, gradient norm). `notes`, a list of sentences, is
        there where the reader of a score must know of something, such as a fit that did not converge.
    kind : one of `KINDS`
    calibrated : float64 [N, C] or None
        Class probabilities after temperature scaling on validation data, where there was any.
    attention : dict of id -> float32 [tiles of the bag]
        The weights of the tiles in an attention head; they sum to 1 in a bag.
    metrics : dict of name -> {"value", "ci_low", "ci_high"}
        Metrics that only the head can compute: over few-shot episodes, repeats, retrieved neighbours. With "interval",
        "episodes" or "repeats", where these are means over such draws.
    """

    ids: np.ndarray
    groups: np.ndarray
    y_true: Shaped[np.ndarray, "sample ..."]
    scores: Float[np.ndarray, "sample class"]
    info: dict[str, Any] = field(default_factory=dict)
    kind: str = "classes"
    calibrated: Float[np.ndarray, "sample class"] | None = None
    attention: dict[str, Float[np.ndarray, " tile"]] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def averages_draws(self) -> bool:
        """Whether the results are means over draws, which `scores` does not tell: no other metric is to be computed."""
        return any(record.get("interval", "patients") != "patients" for record in self.metrics.values())

    @classmethod
    def of(
        cls, test: Samples, scores: Float[np.ndarray, "sample class"], info: dict[str, Any], **more: Any
    ) -> Predictions:
        """Predictions for the samples of the test side, whose labels and kind are passed through."""
        scores = np.asarray(scores, dtype=np.float64)
        return cls(test.ids, test.groups, test.labels, scores, info, test.kind, **more)
