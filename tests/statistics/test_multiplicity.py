"""Adjusted p values against published procedures, scipy, and values of statsmodels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import false_discovery_control

from bench.statistics import benjamini_hochberg, holm

P_VALUES = hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats(0, 1))
BOTH = pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])


def test_values_of_statsmodels() -> None:
    # statsmodels 0.15.0: statsmodels.stats.multitest.multipletests(p, method="holm" or "fdr_bh")[1]
    p = np.array([0.01, 0.04, 0.03, 0.005, 0.5, 0.03, 0.9, 0.012])
    np.testing.assert_allclose(holm(p), [0.07, 0.15, 0.15, 0.04, 1.0, 0.15, 1.0, 0.072], rtol=1e-12)
    expected = [0.032, 0.32 / 6, 0.048, 0.032, 4 / 7, 0.048, 0.9, 0.032]
    np.testing.assert_allclose(benjamini_hochberg(p), expected, rtol=1e-12)


@given(P_VALUES)
def test_benjamini_hochberg_equals_scipy(p: np.ndarray) -> None:
    expected = false_discovery_control(p, method="bh") if len(p) else p
    np.testing.assert_allclose(benjamini_hochberg(p), expected, rtol=1e-12)


@given(P_VALUES, st.floats(0.001, 0.999))
def test_holm_rejects_what_stepping_down_rejects(p: np.ndarray, alpha: float) -> None:
    rejected = np.zeros(len(p), bool)
    for step, test in enumerate(np.argsort(p, kind="stable")):
        if p[test] * (len(p) - step) > alpha:
            break
        rejected[test] = True
    np.testing.assert_array_equal(holm(p) <= alpha, rejected)


@BOTH
@given(p=P_VALUES, seed=st.integers(0, 99))
def test_adjusted_values_never_fall_below_and_keep_the_order_of_tests(adjust, p: np.ndarray, seed: int) -> None:
    adjusted = adjust(p)
    assert np.all(adjusted >= p * (1 - 1e-12))
    assert np.all(adjusted <= 1)
    assert np.all(np.diff(adjusted[np.argsort(p)]) >= 0)
    order = np.random.default_rng(seed).permutation(len(p))
    np.testing.assert_array_equal(adjust(p[order]), adjusted[order])


@given(P_VALUES)
def test_holm_is_at_least_benjamini_hochberg_and_at_most_bonferroni(p: np.ndarray) -> None:
    assert np.all(holm(p) >= benjamini_hochberg(p) * (1 - 1e-12))
    assert np.all(holm(p) <= np.minimum(1, p * len(p)))


@BOTH
@given(p=P_VALUES, absent=st.sets(st.integers(0, 30)))
def test_tests_that_were_not_made_do_not_count(adjust, p: np.ndarray, absent: set[int]) -> None:
    with_gaps = np.insert(p, [min(place, len(p)) for place in sorted(absent)], np.nan)
    adjusted = adjust(with_gaps)
    np.testing.assert_array_equal(np.isnan(adjusted), np.isnan(with_gaps))
    np.testing.assert_array_equal(adjusted[~np.isnan(with_gaps)], adjust(p))


@BOTH
@pytest.mark.parametrize("p", [np.array([0.5, 1.01]), np.array([-1e-9]), np.full((2, 2), 0.5)])
def test_what_is_no_vector_of_p_values_is_refused(adjust, p: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"P values are a vector|outside 0\.\.1"):
        adjust(p)
