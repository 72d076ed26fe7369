"""The calibration error over 5 bins against THUNDER's own (make_thunder_ece.py)."""

from __future__ import annotations

import numpy as np
import pytest
from official_helpers import read

from bench.config import FurtherMetric
from bench.metrics import METRIC_SETS, names, score_all


@pytest.mark.parametrize("case", ["two", "nine", "edges"])
def test_ece_over_five_bins_is_theirs(case: str) -> None:
    official = read("thunder_ece")
    labels, probabilities = official[f"{case}_labels"].astype(int), official[f"{case}_probabilities"]
    alone = np.arange(len(labels))
    found = score_all(labels, probabilities, None, alone, further=["ece_5bins"], n_boot=0)
    assert found["ece_5bins"].value == pytest.approx(float(official[f"{case}_ece"]), abs=1e-12)
    assert (found["ece_5bins"].value == found["ece"].value) == (case != "two")


def test_it_is_computed_on_request_only() -> None:
    labels, scores, groups = np.array([0, 1, 1]), np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]), np.arange(3)
    assert "ece_5bins" not in names("classes")
    assert "ece_5bins" not in score_all(labels, scores, None, groups, n_boot=0)
    assert METRIC_SETS["classes"].lower_is_better("ece_5bins")
    assert {one.value for one in FurtherMetric} == {name for of in METRIC_SETS.values() for name in of.on_request}
    of_labels = score_all(np.eye(3, dtype=int), np.eye(3), None, groups, kind="multilabel", further=["ece_5bins"])
    assert list(of_labels) == names("multilabel")
