"""Tests over tasks: Demsar's published example, scipy, brute force, and values of scikit-posthocs."""

import itertools

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import friedmanchisquare, rankdata, wilcoxon

from bench.statistics import (
    best_first_ranks,
    critical_difference,
    friedman,
    groups,
    holm,
    least_p,
    signed_rank_p,
    wilcoxon_holm,
)

# Demsar 2006, table 6: ranks of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf by AUC on 14 data sets.
DEMSAR = np.array(
    [
        [4, 3, 2, 1], [1, 2, 3, 4], [4, 1, 2, 3], [4, 1, 3, 2], [4, 2, 3, 1], [1, 2.5, 4, 2.5], [3, 2, 4, 1],
        [2.5, 2.5, 4, 1], [4, 3, 2, 1], [2.5, 2.5, 2.5, 2.5], [4, 2.5, 1, 2.5], [3, 2, 4, 1], [4, 1, 2, 3],
        [3, 1, 4, 2],
    ]
)  # fmt: skip


def test_demsars_example() -> None:
    assert DEMSAR.mean(axis=0).round(3).tolist() == [3.143, 2.000, 2.893, 1.964]
    found = friedman(DEMSAR, correct_ties=False)
    assert (round(found.chi_square, 2), round(found.f, 2)) == (9.28, 3.69)
    assert 0.01 < found.f_p < 0.05  # F(3, 39) is 2.85 at .05, as the paper says
    assert round(critical_difference(14, 4), 2) == 1.25
    assert round(critical_difference(14, 4, alpha=0.1), 2) == 1.12


@pytest.mark.parametrize(
    ("n_models", "q"), [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (8, 3.031), (10, 3.164)]
)
def test_quantiles_of_demsars_table_5a(n_models: int, q: float) -> None:
    unit = np.sqrt(n_models * (n_models + 1) / (6 * 20))
    assert critical_difference(20, n_models) / unit == pytest.approx(q, abs=1e-3)


def test_values_of_scikit_posthocs_nemenyi() -> None:
    table = np.array(
        [
            [0.402, 0.437, 0.428, 0.458], [0.396, 0.390, 0.462, 0.586], [0.581, 0.595, 0.671, 0.724],
            [0.425, 0.393, 0.458, 0.554], [0.430, 0.494, 0.442, 0.532], [0.496, 0.597, 0.565, 0.702],
            [0.449, 0.452, 0.356, 0.515], [0.486, 0.514, 0.452, 0.565],
        ]
    )  # fmt: skip
    # scikit-posthocs 0.17.1: posthoc_nemenyi_friedman(-table)
    p = {(0, 1): 0.52743439, (0, 2): 0.76754243, (0, 3): 0.00062183, (1, 3): 0.05725272, (2, 3): 0.01925471}
    mean = rankdata(-table, axis=1).mean(axis=0)
    for (a, b), value in p.items():
        assert critical_difference(8, 4, alpha=value) == pytest.approx(abs(mean[a] - mean[b]), rel=1e-5)


@settings(max_examples=60)
@given(hnp.arrays(np.int64, st.tuples(st.integers(2, 9), st.integers(3, 6)), elements=st.integers(0, 4)))
def test_friedman_equals_scipy_with_ties(table: np.ndarray) -> None:
    ranks = rankdata(table, axis=1)
    found = friedman(ranks)
    if (table == table[:, :1]).all():
        assert np.isnan([found.chi_square, found.p, found.f, found.f_p]).all()
        return
    expected = friedmanchisquare(*table.T)
    assert found.chi_square == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12)


@given(st.integers(0, 200))
def test_iman_davenport_is_the_two_way_analysis_of_variance_of_the_ranks(seed: int) -> None:
    ranks = rankdata(np.random.default_rng(seed).integers(0, 5, (7, 4)), axis=1)
    within = ranks - ranks.mean(axis=0) - ranks.mean(axis=1, keepdims=True) + ranks.mean()
    between = 7 * np.sum((ranks.mean(axis=0) - ranks.mean()) ** 2)
    assert friedman(ranks).f == pytest.approx((between / 3) / (np.sum(within**2) / 18))


def test_friedman_where_all_tasks_agree_claims_no_more_than_chi_square() -> None:
    found = friedman(np.tile([1.0, 2.0, 3.0], (5, 1)))
    assert found.chi_square == pytest.approx(10)
    assert found.f == np.inf
    assert found.f_p == found.p == pytest.approx(np.exp(-5))


@pytest.mark.parametrize("shape", [(1, 4), (6, 2), (6, 1), (0, 3)])
def test_friedman_of_too_few_is_undefined(shape: tuple[int, int]) -> None:
    ranks = np.tile(np.arange(1.0, shape[1] + 1), (shape[0], 1))
    assert np.isnan([friedman(ranks).p, friedman(ranks).f_p]).all()
    assert np.isnan(critical_difference(1, 4))
    assert np.isnan(critical_difference(9, 1))


@settings(max_examples=60)
@given(hnp.arrays(np.int64, st.integers(1, 9), elements=st.integers(-3, 3)))
def test_signed_ranks_equal_all_signs_tried(differences: np.ndarray) -> None:
    own = differences[differences != 0]
    ranks = rankdata(np.abs(own))
    sums = np.array([np.dot(signs, ranks) for signs in itertools.product([0, 1], repeat=len(own))])
    observed = ranks[own > 0].sum()
    expected = min(1.0, 2 * min(np.mean(sums <= observed), np.mean(sums >= observed)))
    assert signed_rank_p(differences.astype(float)) == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 100), st.integers(1, 60))
def test_signed_ranks_equal_scipys_exact_test_without_ties(seed: int, n: int) -> None:
    differences = np.random.default_rng(seed).normal(0.3, 1, n)
    assert signed_rank_p(differences) == pytest.approx(wilcoxon(differences, method="exact").pvalue, rel=1e-9)


def test_signed_ranks_of_many_tasks_are_scipys_approximation() -> None:
    differences = np.random.default_rng(3).integers(-4, 6, 300).astype(float)
    expected = wilcoxon(differences[differences != 0], method="asymptotic").pvalue
    assert signed_rank_p(differences) == pytest.approx(expected, rel=1e-9)
    exact, approximate = signed_rank_p(differences[:100]), signed_rank_p(np.append(differences[:100], [0.01, -0.01]))
    assert exact == pytest.approx(approximate, rel=0.1)


def test_no_difference_at_all_is_no_evidence() -> None:
    assert signed_rank_p(np.zeros(12)) == 1.0
    assert signed_rank_p(np.empty(0)) == 1.0
    assert np.nanmin(wilcoxon_holm(np.ones((12, 3)))) == 1.0


def test_differences_that_are_equal_but_for_rounding_are_ties() -> None:
    b = np.array([0.80, 0.71, 0.64, 0.09, 0.54, 0.29, 0.12])
    a = b + np.array([0.01, 0.01, 0.01, 0.01, 0.01, 0.01, -0.01])
    assert len(set(np.abs(a - b).tolist())) > 1
    assert wilcoxon_holm(np.stack([a, b], axis=1))[0, 1] == pytest.approx(2 * 8 / 2**7)  # a sign test, as all tie


def test_all_pairs_adjusted_and_values_of_scikit_posthocs() -> None:
    rng = np.random.default_rng(1)
    table = np.round(rng.normal(0.6, 0.05, (12, 6)) + np.array([0, 0.02, 0.04, 0.08, 0.1, 0.16]), 6)
    adjusted = wilcoxon_holm(table)
    # scikit-posthocs 0.17.1: posthoc_wilcoxon(p_adjust="holm") of the table's columns
    first = [0.42382812, 0.36914062, 0.00976562, 0.00976562, 0.00732422]
    np.testing.assert_allclose(adjusted[0, 1:], first, atol=1e-8)
    np.testing.assert_allclose(adjusted[1, 2:], [0.36914062, 0.07324219, 0.00732422, 0.00732422], atol=1e-8)
    np.testing.assert_array_equal(adjusted, adjusted.T)
    assert np.isnan(np.diag(adjusted)).all()
    pairs = list(itertools.combinations(range(6), 2))
    p = holm(np.array([wilcoxon(table[:, a], table[:, b]).pvalue for a, b in pairs]))
    np.testing.assert_allclose([adjusted[pair] for pair in pairs], p, rtol=1e-12)
    # scikit-posthocs 0.17.1: the sets of its critical_difference_diagram, by _find_maximal_cliques(p > 0.05)
    mean = np.stack([best_first_ranks(row, lower_is_better=False) for row in table]).mean(axis=0)
    assert sorted(tuple(sorted(group)) for group in groups(adjusted, mean)) == [(0, 1, 2), (1, 2, 3), (3, 4)]
    assert groups(adjusted, mean)[0] == (4, 3), "the best first"


def test_fewest_tasks_that_can_show_a_difference() -> None:
    for n, k in ((5, 2), (6, 2), (6, 3), (17, 60)):
        table = np.arange(1, n + 1)[:, None] * 10.0 ** np.arange(k)
        assert np.nanmin(wilcoxon_holm(table)) == pytest.approx(least_p(n, k))
    assert least_p(5, 2) > 0.05 > least_p(6, 2)


@st.composite
def alike_tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    k = draw(st.integers(1, 8))
    p = np.full((k, k), np.nan)
    for a, b in itertools.combinations(range(k), 2):
        p[a, b] = p[b, a] = draw(st.sampled_from([0.001, 0.05, 0.06, 1.0, np.nan]))
    return p, np.array(draw(st.lists(st.sampled_from([1.0, 1.5, 2.0, 4.0]), min_size=k, max_size=k)))


@given(alike_tables())
def test_two_models_share_a_group_if_and_only_if_they_do_not_differ(case: tuple[np.ndarray, np.ndarray]) -> None:
    p, mean = case
    found = groups(p, mean)
    graph = networkx.Graph()
    graph.add_edges_from((a, b) for a, b in itertools.combinations(range(len(p)), 2) if not p[a, b] <= 0.05)
    cliques = {frozenset(clique) for clique in networkx.find_cliques(graph)} if graph.edges else set()
    assert {frozenset(group) for group in found} <= cliques, "each as large as can be, of models that do not differ"
    assert len(set(found)) == len(found)
    joined = {frozenset(pair) for group in found for pair in itertools.combinations(group, 2)}
    assert joined == {frozenset(edge) for edge in graph.edges}
    assert all(list(mean[list(group)]) == sorted(mean[list(group)]) for group in found)


@given(st.integers(2, 12), st.integers(0, 99))
def test_groups_by_distance_are_all_runs_of_neighbours(k: int, seed: int) -> None:
    mean = np.random.default_rng(seed).uniform(1, 6, k)
    p = np.where(np.abs(mean[:, None] - mean[None, :]) > 1.25, 0.01, 0.5)
    graph = networkx.Graph([(a, b) for a, b in itertools.combinations(range(k), 2) if p[a, b] > 0.05])
    assert {frozenset(group) for group in groups(p, mean)} == {frozenset(c) for c in networkx.find_cliques(graph)}


def test_many_models_that_could_have_a_million_groups_have_few() -> None:
    k = 60
    p = np.where((np.arange(k)[:, None] // 3) == (np.arange(k)[None, :] // 3), 0.01, 0.5)  # 3**20 largest groups
    assert 1 < len(groups(p, np.arange(k, dtype=float))) < 100


def test_of_models_that_are_alike_about_one_table_in_twenty_shows_a_difference() -> None:
    rng = np.random.default_rng(5)
    found = []
    for _ in range(300):
        table = rng.normal(size=(8, 3)) + rng.normal(size=(8, 1))
        ranks = rankdata(-table, axis=1)
        apart = np.ptp(ranks.mean(axis=0)) > critical_difference(8, 3)
        found.append([np.nanmin(wilcoxon_holm(table)) <= 0.05, friedman(ranks).f_p <= 0.05, apart])
    assert np.all(np.mean(found, axis=0) < 0.05 + 2.6 * np.sqrt(0.05 * 0.95 / 300))
    assert np.all(np.mean(found, axis=0) > 0.01)
