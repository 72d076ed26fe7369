"""Intervals of retrieval against those of every other score."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from protocol_helpers import cohort

from bench.metrics import score
from bench.protocols import retrieval


@pytest.mark.parametrize("seed", [0, 5])
def test_intervals_are_nearly_those_of_other_scores(seed: int) -> None:
    train, test = cohort(120, separation=0.3), cohort(90, seed=1, separation=0.3)
    made = retrieval.fit_predict(train, None, test, retrieval.Config(k=[1]), seed)
    accuracy = score(test.labels, made.scores, test.groups, metrics=["accuracy"], n_boot=1000, seed=seed)["accuracy"]
    assert accuracy.ci_low < accuracy.value < accuracy.ci_high
    for name in ("top_1", "majority_1", "map_at_1"):
        assert made.metrics[name]["value"] == pytest.approx(accuracy.value, abs=1e-12)
        # A mean of hits is smoothed by half a hit and half a miss, the accuracy by as much in each class.
        assert made.metrics[name] == pytest.approx(asdict(accuracy), abs=0.01)


def test_every_metric_has_an_interval_that_holds_it() -> None:
    train, test = cohort(120), cohort(60, seed=1)
    metrics = retrieval.fit_predict(train, None, test, retrieval.Config(), 0).metrics
    assert len(metrics) == 12
    assert all(one["ci_low"] <= one["value"] <= one["ci_high"] for one in metrics.values())
