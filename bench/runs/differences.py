"""How a row that was made again differs from the row before: metrics, predictions, and what it was made with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from bench.rows import Row, RowInfo, SavedPredictions

NUMBERS = ("value", "ci_low", "ci_high")
MOST_METRICS = 5  # that are named one by one
DIGESTS = {
    "weights": "the weights of the model",
    "card": "the model's card",
    "data": "the files of the data, by their sizes and times of change",
    "front_ends": "the corruption or restorer",
    "head": "the settings of the head",
    "samples": "the test samples, their groups or labels",
    "features": "what identifies the features",
}
"""What a digest of a row is of, in words."""


@dataclass(frozen=True)
class Differences:
    """What two rows of one run differ in.

    Attributes
    ----------
    metrics : dict of str to (float, str)
        By metric the largest difference of its value or the ends of its interval, above 0, and both numbers in words;
        infinite where only one row has the number.
    n_metrics : int
        Of both rows.
    predictions : float or None
        The largest difference of a score; infinite where they are of other samples, None where those of the row before
        cannot be read.
    n_predictions : int
        Samples of the row that was made again.
    circumstances : list of str
        What the rows were made with that differs: versions, device, and what has another digest.
    """

    metrics: Mapping[str, tuple[float, str]]
    n_metrics: int
    predictions: float | None
    n_predictions: int
    circumstances: list[str]

    @property
    def largest(self) -> float:
        """Of all numbers; 0 where the rows are identical bit for bit."""
        return max([self.predictions or 0.0, *(size for size, _ in self.metrics.values())])


def differences(
    before: Row, after: Row, predicted_before: SavedPredictions | None, predicted: SavedPredictions
) -> Differences:
    """Compare the row before with the row that was made again."""
    names = sorted(before.metrics.keys() | after.metrics.keys())
    metrics = {name: found for name in names if (found := _metric(name, before, after))[0] > 0}
    distance = None if predicted_before is None else _distance(predicted_before, predicted)
    return Differences(metrics, len(names), distance, len(predicted.ids), list(_circumstances(before, after)))


def sentences(found: Differences, tolerance: float) -> Iterator[str]:
    """The differences in plain words, the outcome first."""
    scope = f"{found.n_metrics} metrics with their intervals"
    if found.predictions is not None:
        scope += f" and {found.n_predictions} predictions"
    if found.largest == 0:
        yield f"Identical bit for bit: {scope}."
    elif found.largest <= tolerance:
        yield f"Equal within {tolerance:g}: {scope} differ by {found.largest:.2g} at most."
    else:
        yield f"Different by more than {tolerance:g}, comparing {scope}."
    if found.predictions is None:
        yield "The predictions of the row cannot be read, so metrics alone are compared."
    elif found.predictions == math.inf:
        yield "The predictions are of other samples, groups or labels."
    elif found.predictions > 0:
        yield f"The scores of the predictions differ by {found.predictions:.2g} at most."
    by_size = sorted(found.metrics.items(), key=lambda of: (-of[1][0], of[0]))
    yield from (f"{name}: {words}" for name, (_, words) in by_size[:MOST_METRICS])
    if len(by_size) > MOST_METRICS:
        yield f"{len(by_size) - MOST_METRICS} more metrics differ by less."
    if found.circumstances:
        yield f"Other than when the row was made: {'; '.join(found.circumstances)}."
    else:
        yield "Versions, device, data, weights and settings are those that the row was made with."


def _metric(name: str, before: Row, after: Row) -> tuple[float, str]:
    old, new = before.metrics.get(name), after.metrics.get(name)
    if old is None or new is None:
        return math.inf, "only the row before has it" if new is None else "the row before lacks it"
    largest, words = 0.0, ""
    for part in NUMBERS:
        a, b = old[part], new[part]
        size = 0.0 if a == b else math.inf if a is None or b is None else abs(a - b)
        if size > largest:
            largest, words = size, f"{part} {_number(b)}, was {_number(a)}"
    return largest, words


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6g}"


def _distance(before: SavedPredictions, after: SavedPredictions) -> float:
    """The largest difference of a score, calibrated ones among them; samples are in the order of their ids."""
    a, b = np.argsort(before.ids, kind="stable"), np.argsort(after.ids, kind="stable")
    alike = (
        np.array_equal(before.ids[a], after.ids[b])
        and np.array_equal(before.groups[a], after.groups[b])
        and np.array_equal(before.y_true[a], after.y_true[b])
        and (before.kind, before.classes) == (after.kind, after.classes)
        and (before.calibrated is None) == (after.calibrated is None)
    )
    if not alike:
        return math.inf
    pairs = [(before.scores[a], after.scores[b])]
    if before.calibrated is not None and after.calibrated is not None:
        pairs.append((before.calibrated[a], after.calibrated[b]))
    return max(_largest(old, new) for old, new in pairs)


def _largest(old: np.ndarray, new: np.ndarray) -> float:
    """Of two arrays of one shape; NaN is the same as NaN, and nothing else is."""
    if np.array_equal(old, new, equal_nan=True):
        return 0.0
    if not np.array_equal(np.isnan(old), np.isnan(new)):
        return math.inf
    return float(np.nanmax(np.abs(old - new)))


def _circumstances(before: Row, after: Row) -> Iterator[str]:
    old, new = RowInfo(before), RowInfo(after)
    for package in sorted(old.versions.keys() | new.versions.keys()):
        was, now = old.versions.get(package, "none"), new.versions.get(package, "none")
        if was != now:
            yield f"{package} {now} (was {was})"
    if old.device != new.device:
        yield f"device {new.device or 'unknown'} (was {old.device or 'unknown'})"
    changed = [
        words
        for name, words in DIGESTS.items()
        if name in old.digests and name in new.digests and old.digests[name] != new.digests[name]
    ]
    causes = [words for words in changed if words != DIGESTS["features"]]
    yield from causes or changed
