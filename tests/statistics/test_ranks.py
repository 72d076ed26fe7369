"""Ranks, their intervals and means: against scipy and counting, and what they do with gaps and ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import rankdata

from bench.statistics import TaskRanks, best_first_ranks, complete, mean_ranks, task_ranks

TABLES = hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(-3, 3))


def ranked(values: list[float], draws: np.ndarray | None = None) -> TaskRanks:
    own = np.empty((len(values), 0)) if draws is None else draws
    return task_ranks(np.array(values, float), own, lower_is_better=False)


def noisy(seed: int, skills: list[float], noise: float = 1.0, n: int = 200) -> TaskRanks:
    rng = np.random.default_rng(seed)
    return ranked(skills, np.array(skills)[:, None] + rng.normal(0, noise, (len(skills), n)))


@given(TABLES)
def test_ranks_are_those_of_scipy(table: np.ndarray) -> None:
    values = table / 7
    np.testing.assert_array_equal(best_first_ranks(values, lower_is_better=True), rankdata(values, axis=0))
    np.testing.assert_array_equal(best_first_ranks(values, lower_is_better=False), rankdata(-values, axis=0))


def test_the_same_score_summed_in_another_order_is_a_tie() -> None:
    values = np.array([(0.1 + 0.2) + 0.3, 0.1 + (0.2 + 0.3), 0.6 + 1e-9])
    assert values[0] != values[1]
    assert best_first_ranks(values, lower_is_better=False).tolist() == [2.5, 2.5, 1.0]
    assert best_first_ranks(values * 1e-6, lower_is_better=False).tolist() == [2.5, 2.5, 1.0]


def test_infinite_values_rank_last_or_first() -> None:
    values = np.array([np.inf, 1.0, -np.inf, np.inf])
    assert best_first_ranks(values, lower_is_better=False).tolist() == [1.5, 3.0, 4.0, 1.5]


@given(TABLES, st.booleans())
def test_ranks_in_resamples_are_counted(table: np.ndarray, lower_is_better: bool) -> None:
    values, draws = table[:, 0] / 7, table[:, 1:] / 7
    found = task_ranks(values, draws, lower_is_better=lower_is_better)
    sign = 1 if lower_is_better else -1
    if len(values) < 2:
        assert np.isnan(found.ranks).all()
        assert np.isnan(found.p_best).all()
        assert found.draws.shape == (len(values), 0)
        return
    np.testing.assert_array_equal(found.ranks, rankdata(sign * values))
    np.testing.assert_array_equal(found.draws, rankdata(sign * draws, axis=0))
    if not draws.shape[1]:
        assert np.isnan([found.interval.low, found.interval.high, found.p_best]).all()
        return
    best = np.zeros(len(values))
    for column in sign * draws.T:
        best[column == column.min()] += 1 / np.sum(column == column.min())
    np.testing.assert_allclose(found.p_best, best / draws.shape[1], atol=1e-12)
    inside = (found.interval.low[:, None] <= found.draws) & (found.draws <= found.interval.high[:, None])
    assert np.all(inside.mean(axis=1) >= 0.95)
    assert set(found.interval.low) | set(found.interval.high) <= set(found.draws.ravel()), "bounds are ranks"


def test_interval_leaves_out_a_fortieth_on_either_side() -> None:
    draws = np.zeros((2, 1000))
    draws[0] = 1.0
    draws[0, :24] = -1.0
    assert noisy(0, [0.0, 1.0], noise=0.0).interval.low.tolist() == [2.0, 1.0]
    assert ranked([1.0, 0.0], draws).interval.high.tolist() == [1.0, 2.0]
    draws[0, :26] = -1.0
    assert ranked([1.0, 0.0], draws).interval.high.tolist() == [2.0, 2.0]
    assert ranked([1.0, 0.0], draws).interval.low.tolist() == [1.0, 1.0]


@given(st.integers(0, 50), st.integers(0, 5))
def test_a_model_without_a_value_changes_nothing_for_the_others(seed: int, place: int) -> None:
    rng = np.random.default_rng(seed)
    values, draws = rng.normal(size=5), rng.normal(size=(5, 40))
    alone = task_ranks(values, draws, lower_is_better=False)
    absent = np.insert(draws, place, rng.choice([0.0, np.nan], 40), axis=0)
    found = task_ranks(np.insert(values, place, np.nan), absent, lower_is_better=False)
    others = np.delete(np.arange(6), place)
    assert np.isnan([found.ranks[place], found.interval.low[place], found.p_best[place]]).all()
    np.testing.assert_array_equal(found.ranks[others], alone.ranks)
    np.testing.assert_array_equal(found.p_best[others], alone.p_best)
    np.testing.assert_array_equal(found.interval.high[others], alone.interval.high)


def test_resamples_that_leave_a_model_undefined_are_left_out_for_all() -> None:
    draws = np.array([[3.0, np.nan, 1.0], [2.0, 9.0, 2.0], [1.0, 8.0, 3.0]])
    found = ranked([3.0, 2.0, 1.0], draws)
    assert found.draws.tolist() == [[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]
    assert found.p_best.tolist() == [0.5, 0.0, 0.5]
    unknown = ranked([3.0, 2.0], np.full((2, 3), np.nan))
    assert unknown.ranks.tolist() == [1.0, 2.0]
    assert np.isnan(unknown.p_best).all()


def test_shapes_that_do_not_agree_are_refused() -> None:
    with pytest.raises(ValueError, match="not of the same models"):
        task_ranks(np.zeros(3), np.zeros((2, 5)), lower_is_better=False)


@given(hnp.arrays(np.float64, (4, 5), elements=st.sampled_from([0.5, 0.7, np.nan])))
def test_a_complete_table_has_no_gaps_and_drops_no_more_than_it_must(table: np.ndarray) -> None:
    for drop in ("tasks", "models"):
        part = complete(table, drop=drop)
        assert not np.isnan(table[np.ix_(part.tasks, part.models)]).any()
        assert (len(part.tasks) == 0) == (len(part.models) == 0)
        for task in set(range(4)) - set(part.tasks.tolist()) if len(part.tasks) else ():
            assert np.isnan(table[task, part.models]).any()
        for model in set(range(5)) - set(part.models.tolist()) if len(part.tasks) else ():
            assert np.isnan(table[part.tasks, model]).any()


def test_either_tasks_or_models_are_dropped() -> None:
    gap = np.nan
    table = np.array([[gap, gap, gap, gap], [0.1, 0.2, gap, gap], [0.3, 0.4, 0.5, gap]])
    by_task, by_model = complete(table, drop="tasks"), complete(table, drop="models")
    assert (by_task.tasks.tolist(), by_task.models.tolist()) == ([2], [0, 1, 2])
    assert (by_model.tasks.tolist(), by_model.models.tolist()) == ([1, 2], [0, 1])
    assert complete(np.array([[gap, 1.0], [1.0, gap]]), drop="tasks").tasks.tolist() == []
    assert complete(np.array([[gap, 1.0], [1.0, gap]]), drop="models").models.tolist() == []
    assert complete(np.full((3, 2), gap), drop="models").models.tolist() == []


def test_mean_rank_and_its_t_interval() -> None:
    tasks = [ranked(values) for values in ([3.0, 2, 1], [3.0, 2, 1], [2.0, 3, 1], [3.0, 2, 1])]
    found = mean_ranks(tasks)
    assert found.mean.tolist() == [1.25, 1.75, 3.0]
    half = 3.182446305284263 * 0.5 / 2  # quantile .975 of t with 3 degrees of freedom; sd .5, 4 tasks
    np.testing.assert_allclose(found.of_tasks.high[:2], [1.25 + half, 1.75 + half])
    np.testing.assert_allclose(found.of_tasks.low[:2], [1.0, 1.0])
    assert np.isnan([found.of_tasks.low[2], found.of_tasks.high[2]]).all(), "no spread is not certainty"
    assert np.isnan(found.of_patients.low).all(), "there are no resamples"


def test_interval_over_tasks_is_never_narrower_than_resampled_patients_allow() -> None:
    tasks = [noisy(seed, [0.6, 0.0, -4.0]) for seed in range(6)]
    found = mean_ranks(tasks)
    assert found.mean.tolist() == [1.0, 2.0, 3.0]
    spread = np.sqrt(sum(task.draws.var(axis=1) for task in tasks)) / 6
    np.testing.assert_allclose(found.of_tasks.high[0], 1 + 1.96 * spread[0], rtol=0.1)
    assert np.all(found.of_tasks.low >= 1)
    assert np.all(found.of_tasks.high <= 3)


def test_tasks_are_resampled_independently_though_their_draws_are_in_step() -> None:
    one = noisy(1, [0.0, 0.0], n=1000)
    found = mean_ranks([one] * 25)
    width = found.of_patients.high - found.of_patients.low
    np.testing.assert_allclose(width, 2 * 1.96 * 0.5 / 5, rtol=0.15)  # in step it would be 1


@given(st.integers(0, 30))
def test_mean_ranks_do_not_depend_on_the_order_of_models_and_are_repeatable(seed: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.permutation(4)
    tables = rng.normal(size=(5, 4, 31))
    found, again = (
        mean_ranks([task_ranks(t[o, 0], t[o, 1:], lower_is_better=False) for t in tables])
        for o in (np.arange(4), order)
    )
    np.testing.assert_array_equal(found.mean[order], again.mean)
    np.testing.assert_allclose(found.of_tasks.low[order], again.of_tasks.low)
    np.testing.assert_array_equal(found.of_patients.high[order], again.of_patients.high)
    assert found.mean.sum() == pytest.approx(4 * 5 / 2)


def test_tasks_with_fewer_defined_resamples_count_as_much() -> None:
    full, short = noisy(1, [0.0, 0.0], n=1000), noisy(2, [0.0, 0.0], n=7)
    found = mean_ranks([full, short])
    assert found.of_patients.low.tolist() == [1.0, 1.0]
    assert found.of_patients.high.tolist() == [2.0, 2.0]


def test_mean_ranks_want_every_model_on_every_task() -> None:
    with pytest.raises(ValueError, match="every model in every task"):
        mean_ranks([ranked([1.0, 2.0]), ranked([np.nan, 2.0])])
    with pytest.raises(ValueError, match="a task at least"):
        mean_ranks([])
    assert np.isnan(mean_ranks([noisy(0, [0.0, 1.0])]).of_tasks.low).all(), "one task says nothing about others"
