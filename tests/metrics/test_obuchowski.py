"""Areas of clustered samples: against published figures, loops over the formulas, and simulated patients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score

from bench.metrics import clustered_auc, clustered_auc_covariance, clustered_auc_difference, score

# WFNS grade and S100B (ng/ml, in hundredths) of 113 patients with a subarachnoid haemorrhage, by their outcome
# (Turck et al. 2010, Intensive Care Med. 36, 107-115), as the examples of the R package pROC use them.
GOOD = """1:13 1:14 1:10 1:4 5:47 1:18 2:10 2:10 1:4 2:8 2:4 1:9 1:11 1:7 2:17 1:7 2:11 1:13 1:19 3:5 4:16 1:14 4:34 1:9
5:50 5:46 1:16 1:7 2:43 4:45 1:11 1:8 2:9 2:8 1:6 2:13 1:10 2:14 2:15 1:6 1:5 1:9 1:4 2:9 1:8 2:16 1:9 1:8 3:33 2:11
4:28 2:7 1:10 4:32 1:7 1:5 5:24 4:38 2:10 2:15 1:8 1:14 1:10 3:7 1:4 2:19 2:15 4:47 4:17 1:15 1:50 1:48"""
POOR = """3:13 2:10 4:16 5:12 5:44 5:71 5:49 2:7 5:33 2:9 1:7 2:41 5:35 4:48 4:96 2:25 5:86 5:52 5:207 2:7 5:77 2:30 5:3
2:9 4:23 5:70 4:27 4:71 1:8 4:26 4:13 2:10 2:11 5:22 5:56 2:14 2:58 5:32 5:82 5:74 5:44"""


def haemorrhage() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Poor outcome, WFNS grade and S100B."""
    cells = [[tuple(map(float, cell.split(":"))) for cell in text.split()] for text in (GOOD, POOR)]
    wfns, s100b = np.array(cells[0] + cells[1]).T
    return np.repeat([0, 1], [len(part) for part in cells]), wfns, s100b


def test_published_intervals_of_independent_samples() -> None:
    """Those of pROC: S100B .7314 (DeLong .6301-.8326), WFNS .8237 (.7485-.8988), difference Z = 2.209, p = .02718."""
    poor, wfns, s100b = haemorrhage()
    patients = np.arange(113)
    of_s100b, of_wfns = (clustered_auc(poor, value, patients) for value in (s100b, wfns))
    assert (of_s100b.auc, of_s100b.ci_low, of_s100b.ci_high) == pytest.approx((0.7314, 0.6301, 0.8326), abs=5e-5)
    assert (of_wfns.auc, of_wfns.ci_low, of_wfns.ci_high) == pytest.approx((0.8237, 0.7485, 0.8988), abs=5e-5)
    found = clustered_auc_difference(poor, wfns, s100b, patients)
    assert (found.difference / found.se, found.p) == pytest.approx((2.209, 0.02718), abs=5e-4)
    assert found.p == pytest.approx(0.02718, abs=5e-6)


def by_loop(y: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Obuchowski's formulas, sum by sum."""
    names, models = sorted(set(groups)), range(scores.shape[1])
    above = [[[(x > z) + (x == z) / 2 for z in scores[y == 0, r]] for x in scores[y == 1, r]] for r in models]
    psi = np.array(above)
    areas = psi.mean(axis=(1, 2))
    positives, negatives = groups[y == 1], groups[y == 0]
    m, n = len(positives), len(negatives)
    i_10, i_01, i = len(set(positives)), len(set(negatives)), len(names)
    covariance = np.zeros((len(areas), len(areas)))
    for name in names:
        own, other = positives == name, negatives == name
        x = [(psi[r].mean(axis=1) - areas[r])[own].sum() for r in models]
        z = [(psi[r].mean(axis=0) - areas[r])[other].sum() for r in models]
        for r in models:
            for s in models:
                covariance[r, s] += i_10 / (i_10 - 1) * x[r] * x[s] / m**2
                covariance[r, s] += i_01 / (i_01 - 1) * z[r] * z[s] / n**2
                covariance[r, s] += i / (i - 1) * (x[r] * z[s] + x[s] * z[r]) / (m * n)
    return areas, covariance


@settings(max_examples=80)
@given(st.data())
def test_areas_and_covariances_equal_the_loop(data: st.DataObject) -> None:
    n = data.draw(st.integers(4, 20))
    y = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, 1)))
    scores = data.draw(hnp.arrays(np.float64, (n, 2), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])))
    groups = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, 8)))
    areas, covariance = clustered_auc_covariance(y, scores, groups)
    if len(set(y)) < 2:
        assert np.isnan(areas).all()
        assert np.isnan(covariance).all()
        return
    assert areas == pytest.approx([roc_auc_score(y, of) for of in scores.T], abs=1e-12)
    if min(len(set(groups[y == label])) for label in (0, 1)) < 2:
        assert np.isnan(covariance).all()
        return
    expected = by_loop(y, scores, groups)
    assert areas == pytest.approx(expected[0], abs=1e-12)
    defined = np.diag(expected[1]) >= 0
    if (np.abs(np.diag(expected[1])) > 1e-12).all():
        assert np.array_equal(np.isnan(np.diag(covariance)), ~defined)
    known = ~np.isnan(covariance)
    np.testing.assert_allclose(covariance[known], expected[1][known], atol=1e-12)


def test_copies_of_a_patients_samples_tell_nothing_new() -> None:
    """As samples of their own they would halve the variance."""
    poor, wfns, s100b = haemorrhage()
    once = clustered_auc(poor, s100b, np.arange(113))
    twice = clustered_auc(np.tile(poor, 2), np.tile(s100b, 2), np.tile(np.arange(113), 2))
    assert twice == pytest.approx(once)
    alone = clustered_auc(np.tile(poor, 2), np.tile(s100b, 2), np.arange(226))
    assert alone.se == pytest.approx(once.se / np.sqrt(2), rel=0.01)
    difference = clustered_auc_difference(poor, wfns, s100b, np.arange(113))
    tiled = (np.tile(of, 2) for of in (poor, wfns, s100b, np.arange(113)))
    assert clustered_auc_difference(*tiled) == pytest.approx(difference)


def patients(rng: np.random.Generator, n_groups: int, mixed: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Up to 12 samples a patient with an effect of the patient; labels by patient or, if mixed, by sample."""
    groups = np.repeat(np.arange(n_groups), rng.integers(1, 13, n_groups))
    label = rng.random(len(groups)) < 0.4 if mixed else (rng.random(n_groups) < 0.5)[groups]
    own = rng.normal(0, 1, n_groups)[groups]
    return label.astype(int), label + own + rng.normal(size=len(groups)), groups


@pytest.mark.parametrize("mixed", [False, True])
def test_coverage_of_clustered_samples(mixed: bool) -> None:
    """95 % intervals must hold the area of many patients about 95 times of 100; as single samples they do not."""
    rng = np.random.default_rng(3)
    truth = clustered_auc(*patients(rng, 20_000, mixed)).auc
    held = naive = 0
    for _ in range(400):
        y, value, groups = patients(rng, 60, mixed)
        found, alone = clustered_auc(y, value, groups), clustered_auc(y, value, np.arange(len(y)))
        held += found.ci_low <= truth <= found.ci_high
        naive += alone.ci_low <= truth <= alone.ci_high
    assert 0.91 <= held / 400 <= 0.98
    if not mixed:
        assert naive / 400 < 0.75


def test_interval_is_near_that_of_the_bootstrap() -> None:
    y, value, groups = patients(np.random.default_rng(5), 120, mixed=True)
    found = clustered_auc(y, value, groups)
    drawn = score(y, np.column_stack([-value, value]), groups, metrics=["auroc"], n_boot=2000)["auroc"]
    assert found.auc == pytest.approx(drawn.value, abs=1e-12)
    assert found.ci_high - found.ci_low == pytest.approx(drawn.ci_high - drawn.ci_low, rel=0.1)


def test_what_has_no_interval() -> None:
    y, alone = np.array([0, 0, 1, 1]), np.arange(4)
    perfect = clustered_auc(y, np.array([1.0, 2, 3, 4]), alone)
    assert (perfect.auc, perfect.se) == (1, 0)
    assert np.isnan([perfect.ci_low, perfect.ci_high]).all()
    one_patient = clustered_auc(y, np.array([1.0, 3, 2, 4]), np.array([0, 1, 2, 2]))
    assert one_patient.auc == 0.75
    assert np.isnan(one_patient[1:]).all()
    assert np.isnan(clustered_auc(np.ones(4), np.arange(4.0), alone)).all()
    same = clustered_auc_difference(y, np.array([1.0, 3, 2, 4]), np.array([1.0, 30, 20, 40]), alone)
    assert same.difference == 0
    assert np.isnan(same[1:]).all()


def test_exchanging_the_models_turns_the_difference_over() -> None:
    poor, wfns, s100b = haemorrhage()
    groups = np.arange(113) // 2
    forth, back = (clustered_auc_difference(poor, a, b, groups) for a, b in ((wfns, s100b), (s100b, wfns)))
    assert (back.difference, back.ci_low, back.ci_high) == pytest.approx(
        (-forth.difference, -forth.ci_high, -forth.ci_low)
    )
    assert (back.se, back.p) == pytest.approx((forth.se, forth.p))


@pytest.mark.parametrize(
    ("y", "value", "words"),
    [
        ([0, 2], [0.0, 1.0], "must be 0 or 1"),
        ([0, 1], [0.0, np.nan], "must be finite"),
        ([0, 1, 1], [0.0, 1.0], "3 labels"),
    ],
)
def test_refuses_what_has_no_curve(y: list, value: list, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        clustered_auc(np.array(y), np.array(value), np.arange(len(y)))


def test_clustered_samples_as_the_authors_code_has_them() -> None:
    """By the R code of the Cleveland Clinic (Obuchowski), as DIDSR/mitoticFigureCounts 5675b0b has it:

    doAUCcluster(predictor1=a, predictor2=b, response=y, clusterID=patient), R 4.2.
    """
    y = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
    a = np.array([35, 28, 36, -8, 0, -3, -19, -1, 1, 19, 7, 8, 3, 21, -10, -4, -18, 9, -21, 27, 19, -2, 20, 10]) / 10
    b = np.array([25, 46, 19, 10, 2, -19, -10, 16, -10, -5, -3, -9, -1, 14, 11, 0, -16, -13, 6, -6, 7, 0, 0, 15]) / 10
    patient = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 4, 4, 4, 5, 5, 6, 6, 6, 7, 7, 7, 7, 8, 8])
    assert clustered_auc(y, a, patient) == pytest.approx(
        (0.81018518518519, 0.09433350310108, 0.62529491657158, 0.99507545379879), abs=1e-13
    )
    assert clustered_auc(y, b, patient)[:3] == pytest.approx(
        (0.71296296296296, 0.16628101338635, 0.38705816541289), abs=1e-13
    )
    assert clustered_auc_difference(y, a, b, patient) == pytest.approx(
        (0.09722222222222, 0.11726427811784, -0.13261153956182, 0.32705598400627, 0.40705549939408), abs=1e-13
    )
