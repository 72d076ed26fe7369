"""Every kind of target against scikit-learn, scipy and scikit-survival: on all samples and on resampled arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from differences import differences
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import pearsonr
from sklearn.metrics import (
    average_precision_score,
    cohen_kappa_score,
    f1_score,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
)

from bench.metrics import METRICS, resample, score
from bench.metrics.bootstrap import group_weights

Parts = dict[str, list[float]]
"""Of each metric the value of each column that is averaged over, NaN where it is undefined."""


class Case(NamedTuple):
    y: np.ndarray
    scores: np.ndarray
    groups: np.ndarray


def ordinal_parts(y: np.ndarray, scores: np.ndarray) -> Parts:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grades = range(scores.shape[1])
        return {
            "quadratic_kappa": [cohen_kappa_score(y, scores.argmax(axis=1), weights="quadratic", labels=list(grades))]
        }


def regression_parts(y: np.ndarray, scores: np.ndarray) -> Parts:
    parts: Parts = {"pearson": [], "r2": [], "mae": []}
    for true, value in zip(y.T, scores.T, strict=True):
        varied = len(set(true)) > 1
        parts["pearson"].append(pearsonr(true, value)[0] if varied and len(set(value)) > 1 else np.nan)
        parts["r2"].append(r2_score(true, value) if varied else np.nan)
        parts["mae"].append(mean_absolute_error(true, value))
    return parts


def survival_parts(y: np.ndarray, scores: np.ndarray) -> Parts:
    concordant = comparable = 0.0
    for (time, event), risk in zip(y, scores[:, 0], strict=True):
        for (other_time, other_event), other_risk in zip(y, scores[:, 0], strict=True):
            if event and (time < other_time or (time == other_time and not other_event)):
                comparable += 1
                concordant += 1 if risk > other_risk else 0.5 if risk == other_risk else 0
    return {"c_index": [concordant / comparable if comparable else np.nan]}


def multilabel_parts(y: np.ndarray, scores: np.ndarray) -> Parts:
    parts: Parts = {"auroc": [], "average_precision": [], "f1_macro": []}
    for true, value in zip(y.T, scores.T, strict=True):
        there = true.any()
        parts["auroc"].append(roc_auc_score(true, value) if there and not true.all() else np.nan)
        parts["average_precision"].append(average_precision_score(true, value) if there else np.nan)
        parts["f1_macro"].append(f1_score(true, value > 0.5) if there else np.nan)
    return parts


ORACLES: dict[str, Callable[[np.ndarray, np.ndarray], Parts]] = {
    "ordinal": ordinal_parts,
    "regression": regression_parts,
    "survival": survival_parts,
    "multilabel": multilabel_parts,
}


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    """Few samples with many ties, so that absent grades, constant targets and lacking labels come up."""
    n, columns = draw(st.integers(1, 25)), draw(st.integers(1, 3))
    quarters = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])
    groups = draw(hnp.arrays(np.int64, n, elements=st.integers(0, draw(st.integers(1, n)))))
    if kind == "ordinal":
        y = draw(hnp.arrays(np.int64, n, elements=st.integers(0, columns)))
        return Case(y, draw(hnp.arrays(np.float64, (n, columns + 1), elements=quarters)), groups)
    if kind == "survival":
        times = draw(hnp.arrays(np.int64, n, elements=st.integers(1, draw(st.integers(1, 12)))))
        events = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 1)))
        risks = draw(hnp.arrays(np.float64, (n, 1), elements=quarters))
        return Case(np.column_stack([times, events]).astype(np.float64), risks, groups)
    if kind == "multilabel":
        y = draw(hnp.arrays(np.int64, (n, columns), elements=st.integers(0, 1)))
        return Case(y, draw(hnp.arrays(np.float64, (n, columns), elements=quarters)), groups)
    values = st.integers(-8, 8).map(lambda v: v / 4) if draw(st.booleans()) else quarters
    y, scores = (draw(hnp.arrays(np.float64, (n, columns), elements=values)) for _ in range(2))
    return Case(y, scores, groups)


def simulated(kind: str, seed: int = 0, n: int = 300, n_groups: int = 40) -> Case:
    """Samples in groups of unequal size whose scores know something of the labels."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n_groups, n)
    latent = rng.normal(size=(n, 4)) + rng.normal(size=(n_groups, 4))[groups]
    noisy = latent + rng.normal(size=latent.shape)
    if kind == "ordinal":
        y = np.digitize(latent[:, 0], [-1.5, -0.5, 0.5, 1.5])
        return Case(y, -np.abs(noisy[:, :1] - np.arange(-2, 3)), groups)
    if kind == "survival":
        event = (rng.random(n) < 0.4).astype(float)
        return Case(np.column_stack([np.exp(-latent[:, 0]), event]), noisy[:, :1], groups)
    if kind == "multilabel":
        return Case((latent > [0, 0.5, 1, 2]).astype(np.int64), 1 / (1 + np.exp(-noisy)), groups)
    return Case(latent, noisy, groups)


def assert_resamples_equal_the_loop(case: Case, kind: str, n_boot: int, seed: int) -> None:
    names, group = np.unique(case.groups, return_inverse=True)
    oracle = ORACLES[kind]
    whole = {metric: float(np.mean(parts)) for metric, parts in oracle(case.y, case.scores).items()}
    ours = resample(case.y, {"": case.scores}, case.groups, kind=kind, metrics=list(whole), n_boot=n_boot, seed=seed)[
        ""
    ]
    for metric, value in whole.items():
        assert ours[metric].value == pytest.approx(value, abs=1e-9, nan_ok=True), metric
    if len(names) < 2:
        return
    (weights,) = group_weights(len(names), n_boot, seed, chunk=n_boot)
    for b in range(n_boot):
        drawn = np.repeat(np.arange(len(case.y)), weights[group, b])
        for metric, parts in oracle(case.y[drawn], case.scores[drawn]).items():
            left = [part for part in parts if not np.isnan(part)]
            expected = np.mean(left) if left and not np.isnan(whole[metric]) else np.nan
            assert ours[metric].draws[b] == pytest.approx(expected, abs=1e-9, nan_ok=True), metric


@pytest.mark.parametrize("kind", ORACLES)
def test_all_samples_and_each_resample_equal_the_oracle(kind: str) -> None:
    @settings(max_examples=50)
    @given(cases(kind), st.integers(0, 2**32))
    def check(case: Case, seed: int) -> None:
        assert_resamples_equal_the_loop(case, kind, n_boot=6, seed=seed)

    check()


@pytest.mark.parametrize("kind", ORACLES)
def test_many_distinct_scores_equal_the_oracle(kind: str) -> None:
    assert_resamples_equal_the_loop(simulated(kind), kind, n_boot=3, seed=1)


@settings(max_examples=100)
@given(cases("survival"), st.integers(0, 2**32))
def test_c_index_equals_scikit_survival(case: Case, seed: int) -> None:
    sksurv = pytest.importorskip("sksurv.metrics")

    def oracle(y: np.ndarray, risk: np.ndarray) -> float:
        try:
            with np.errstate(invalid="ignore"):
                return sksurv.concordance_index_censored(y[:, 1] == 1, y[:, 0], risk, tied_tol=0)[0]
        except ValueError:  # one sample, no event, or no comparable pair
            return np.nan

    names, group = np.unique(case.groups, return_inverse=True)
    ours = resample(case.y, {"": case.scores}, case.groups, kind="survival", n_boot=4, seed=seed)[""]["c_index"]
    assert ours.value == pytest.approx(oracle(case.y, case.scores[:, 0]), abs=1e-12, nan_ok=True)
    (weights,) = group_weights(len(names), 4, seed, chunk=4)
    for b, draw in enumerate(ours.draws):
        drawn = np.repeat(np.arange(len(case.y)), weights[group, b])
        assert draw == pytest.approx(oracle(case.y[drawn], case.scores[drawn, 0]), abs=1e-12, nan_ok=True)


def test_grades_keep_the_metrics_of_classes() -> None:
    y, scores, groups = simulated("ordinal")
    as_grades, as_classes = (score(y, scores, groups, kind=kind, n_boot=50) for kind in ("ordinal", "classes"))
    assert as_grades.pop("quadratic_kappa").value > 0
    assert as_grades == as_classes


@pytest.mark.parametrize("kind", ORACLES)
def test_order_of_samples_and_names_of_groups_do_not_matter_to_any_kind(kind: str) -> None:
    y, scores, groups = simulated(kind)
    names = np.array([f"patient-{g:02d}" for g in groups])
    shuffled = np.random.default_rng(9).permutation(len(y))
    expected = score(y, scores, groups, kind=kind, n_boot=100)
    found = score(y[shuffled], scores[shuffled], names[shuffled], kind=kind, n_boot=100)
    for metric, (value, low, high) in ((m, (i.value, i.ci_low, i.ci_high)) for m, i in expected.items()):
        assert low < value < high
        assert (found[metric].value, found[metric].ci_low, found[metric].ci_high) == pytest.approx(
            (value, low, high), abs=1e-12
        )


@pytest.mark.parametrize("kind", ORACLES)
def test_chunks_of_one_resample_give_the_same_of_any_kind(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    y, scores, groups = simulated(kind)
    expected = resample(y, {"": scores}, groups, kind=kind, n_boot=70)[""]
    monkeypatch.setattr("bench.metrics.bootstrap._CHUNK_ELEMENTS", 1)
    found = resample(y, {"": scores}, groups, kind=kind, n_boot=70)[""]
    for metric in METRICS[kind]:
        np.testing.assert_allclose(found[metric].draws, expected[metric].draws, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ORACLES)
def test_paired_differences_of_any_kind(kind: str) -> None:
    y, a, groups = simulated(kind)
    rng = np.random.default_rng(3)
    b = a[rng.permutation(len(a))]
    for nothing in differences(y, a, a, groups, kind=kind, n_boot=50).values():
        assert nothing.value == 0
        assert np.isnan([nothing.ci_low, nothing.ci_high]).all()  # no spread to make an interval of
    forth, back = differences(y, a, b, groups, kind=kind, n_boot=50), differences(y, b, a, groups, kind=kind, n_boot=50)
    assert list(forth) == list(METRICS[kind])
    for metric, difference in forth.items():
        assert (difference.ci_low, difference.ci_high) == pytest.approx(
            (-back[metric].ci_high, -back[metric].ci_low), abs=1e-12
        )
        assert difference.value < 0 if metric == "mae" else difference.value > 0
