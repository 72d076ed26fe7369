"""What a run scores: the metrics of its predictions, and what a reader of their intervals must know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench import metrics
from bench.protocols import Bags, Predictions, Samples
from bench.targets import TargetType

UNDEFINED_SHARE = 0.05  # of the resamples, from which on a row has a note
FEWEST_GROUPS = 8  # from which on intervals were simulated (python -m benchmarks.coverage)
FEWEST_OF_A_CLASS = 5  # below which the interval of a balanced accuracy covers less than 92 % in that simulation


@dataclass(frozen=True)
class Scored:
    """The metrics of a row, and what goes into its `info` and `notes`."""

    metrics: dict[str, dict[str, Any]]
    info: dict[str, Any]
    notes: list[str]


def scored(
    predictions: Predictions, train: Samples | Bags | None, target: TargetType, n_boot: int, further: Iterable[str] = ()
) -> Scored:
    """The metrics of the predictions, with the `further` ones that are on request, and those that the head made itself.

    There are none of the predictions where these are votes over the draws that the head averages. Without training
    samples, as where predictions alone are known, those that need their labels are left out.
    """
    if predictions.averages_draws:
        return Scored(predictions.metrics, {}, [])
    found = metrics.score_all(
        predictions.y_true,
        predictions.scores,
        predictions.calibrated,
        predictions.groups,
        kind=target.metrics,
        train=None if train is None else train.labels,
        thresholds=predictions.info.get("thresholds", {}),
        further=further,
        n_boot=n_boot,
    )
    undefined = {name: of.undefined_share for name, of in found.items() if of.undefined_share}
    n_groups = len(np.unique(predictions.groups))
    return Scored(
        {name: asdict(of.interval()) for name, of in found.items()} | predictions.metrics,
        {"undefined_resamples": undefined, **_clustered_auc(predictions, target), **_risk_groups(predictions, target)},
        [
            *_notes({name: undefined[name] for name in target.metrics.metrics if name in undefined}, n_groups),
            *(_notes_on_classes(predictions, n_groups) if target.metrics.probabilities else ()),
        ],
    )


def _clustered_auc(predictions: Predictions, target: TargetType) -> dict[str, dict[str, float]]:
    """Of two classes, the interval of the AUROC in closed form, beside that of the row."""
    if not target.metrics.probabilities or predictions.scores.shape[1] != 2:
        return {}
    if len(np.unique(predictions.y_true)) < 2:
        return {}
    found = metrics.clustered_auc(predictions.y_true, predictions.scores[:, 1], predictions.groups)
    return {"auroc_obuchowski": found._asdict()}


def _risk_groups(predictions: Predictions, target: TargetType) -> dict[str, dict[str, Any]]:
    """Of survival, how the curves of the test samples of high and of low risk differ."""
    if target.head_kind != "survival":
        return {}
    found = metrics.risk_groups(predictions.y_true, predictions.scores[:, 0], predictions.groups)
    return {"risk_groups": found}


def _notes(undefined: Mapping[str, float], n_groups: int) -> Iterator[str]:
    often = {name: share for name, share in undefined.items() if share > UNDEFINED_SHARE}
    if often:
        most = 100 * max(often.values())
        yield f"up to {most:.0f} % of the resamples leave {', '.join(often)} undefined: they lack a class or an event"
    yield from notes_on_groups(n_groups)


def notes_on_groups(n_groups: int) -> Iterator[str]:
    """What a reader of intervals must know where the test samples are of few groups."""
    if n_groups == 1:
        yield "the test samples are of one group, so there are no intervals"
    elif n_groups < FEWEST_GROUPS:
        yield (
            f"the test samples are of {n_groups} groups: of fewer than {FEWEST_GROUPS}, intervals can be too narrow "
            "(docs/STATISTICS.md)"
        )


def _notes_on_classes(predictions: Predictions, n_groups: int) -> Iterator[str]:
    groups = [len(np.unique(predictions.groups[predictions.y_true == c])) for c in np.unique(predictions.y_true)]
    if n_groups >= FEWEST_GROUPS and min(groups) < FEWEST_OF_A_CLASS:
        yield (
            f"the rarest class of the test samples is of {min(groups)} groups: of fewer than {FEWEST_OF_A_CLASS}, "
            "intervals cover about 90 % (docs/STATISTICS.md)"
        )
