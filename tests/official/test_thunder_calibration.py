"""The calibration errors over 5 bins against THUNDER's own (make_thunder_calibration.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from official_helpers import made_again, read

from bench.config import FurtherMetric
from bench.metrics import METRIC_SETS, names, score_all

NAMES = ("ece", "mce", "sce", "ace", "tace")
FURTHER = [f"{name}_5bins" for name in NAMES]
OFFICIAL = read("thunder_calibration")
CASES = [name.removesuffix("_labels") for name in OFFICIAL if name.endswith("_labels")]
TIES_ACROSS_BINS = 0.016
"""The largest difference where equal confidences lie on both sides of a cut, and the order of the sort decides."""


@pytest.mark.parametrize("case", CASES)
def test_calibration_errors_over_five_bins_are_theirs(case: str) -> None:
    labels, probabilities = OFFICIAL[f"{case}_labels"].astype(int), OFFICIAL[f"{case}_probabilities"]
    alone = np.arange(len(labels))
    found = score_all(labels, probabilities, None, alone, further=FURTHER, n_boot=0)
    for name in NAMES:
        value = found[f"{name}_5bins"].value
        assert value == pytest.approx(float(OFFICIAL[f"{case}_{name}_stable"]), abs=1e-12), name
        tied = name in ("ace", "tace") and case == "edges"
        assert value == pytest.approx(float(OFFICIAL[f"{case}_{name}"]), abs=TIES_ACROSS_BINS if tied else 1e-12), name


def test_the_cases_reach_what_the_errors_are_told_apart_by() -> None:
    assert OFFICIAL["edges_ace"] != OFFICIAL["edges_ace_stable"]
    assert OFFICIAL["below_threshold_ace"] != OFFICIAL["below_threshold_tace"]
    assert OFFICIAL["three_samples_ace"] == pytest.approx(OFFICIAL["three_samples_tace"] / 5)
    assert OFFICIAL["empty_bins_sce"] == pytest.approx(OFFICIAL["empty_bins_mce"] / 5)
    assert OFFICIAL["two_mce"] > OFFICIAL["two_ece"] > OFFICIAL["two_sce"]


def test_a_resample_has_the_bins_of_all_samples_and_no_gap_in_an_empty_one() -> None:
    labels = np.array([0, 1, 1, 0, 1, 0])
    scores = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.8, 0.2], [0.55, 0.45], [0.95, 0.05]])
    for name, without_last in (("mce_5bins", 0.3), ("sce_5bins", 0.095), ("ace_5bins", 0.27), ("tace_5bins", 0.3375)):
        statistic = METRIC_SETS["classes"].on_request[name](labels, scores, np.arange(6))
        every, some = statistic(np.array([[1, 1], [1, 1], [1, 1], [1, 0], [1, 1], [1, 0]])).tolist()
        assert every != pytest.approx(some)
        assert some == pytest.approx(without_last), name


def test_they_are_computed_on_request_only() -> None:
    labels, scores, groups = np.array([0, 1, 1]), np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]]), np.arange(3)
    assert not set(FURTHER) & {*names("classes"), *score_all(labels, scores, None, groups, n_boot=0)}
    assert all(METRIC_SETS["classes"].lower_is_better(name) for name in FURTHER)
    assert {one.value for one in FurtherMetric} == {name for of in METRIC_SETS.values() for name in of.on_request}
    of_labels = score_all(np.eye(3, dtype=int), np.eye(3), None, groups, kind="multilabel", further=FURTHER)
    assert list(of_labels) == names("multilabel")


@pytest.mark.slow
def test_thunder_still_gives_these_errors(tmp_path: Path) -> None:
    again = made_again("make_thunder_calibration.py", "thunder-bench", tmp_path)
    assert again.keys() == OFFICIAL.keys()
    for name in OFFICIAL:
        if name != "version" and not (name.startswith("edges") and name.endswith("ace")):
            np.testing.assert_allclose(again[name], OFFICIAL[name], atol=1e-12, err_msg=name)
