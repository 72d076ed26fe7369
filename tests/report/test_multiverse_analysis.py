"""The analysis of hand-made scores: directions, which orders are beyond chance, seeds, words at their thresholds."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.metrics import Interval
from bench.multiverse import Multiverse, analysed, paragraph
from bench.multiverse.paragraph import _depends
from bench.multiverse.tables import pair_records, score_records
from bench.results import AcrossProtocols
from bench.statistics import Studentised, holm, variance_parts

MODELS, PROTOCOLS = ("a", "b", "c"), ("linear", "p", "q")
LOSSES = np.array([[0.1, 0.2, 0.4], [0.1, 0.3, 0.2], [0.5, 0.3, 0.1]])
"""Of a metric that is best where it is lowest; protocols by models."""
ERRORS = {"linear": 0.02, "p": 0.05, "q": 0.1}


def scores(values: np.ndarray = LOSSES, **changes: object) -> AcrossProtocols:
    pairs = list(itertools.combinations(range(len(MODELS)), 2))
    noise = np.random.default_rng(0).normal(0, 0.01, (3, 3, 200))
    found = AcrossProtocols(
        task="t",
        cohort="c",
        metric="mae",
        lower_is_better=True,
        models=MODELS,
        protocols=PROTOCOLS,
        intervals={key: Interval(0.3, 0.2, 0.4) for key in itertools.product(PROTOCOLS, MODELS)},
        values=values,
        draws=values[..., None] + noise,
        runs=tuple(values[row][:, None] + np.array([[-0.01, 0.0, 0.03]])[:, : 3 - row % 2] for row in range(3)),
        differences={
            (protocol, MODELS[a], MODELS[b]): Studentised(values[row, a] - values[row, b], ERRORS[protocol], 30.0)
            for row, protocol in enumerate(PROTOCOLS)
            for a, b in pairs
        },
        seconds=dict.fromkeys(PROTOCOLS, (1.0, 2.0)),
        n_test=60,
        n_groups=31,
    )
    return replace(found, **changes)


@pytest.fixture(scope="module")
def found() -> Multiverse:
    return analysed(scores())


def test_losses_rank_the_lowest_first(found: Multiverse) -> None:
    assert found.winners == {"linear": ("a",), "p": ("a",), "q": ("c",)}
    assert found.ranks[1].ranks.tolist() == [1, 3, 2]
    assert found.ranks[2].p_best.tolist() == [0, 0, 1]
    assert found.order.tolist() == [[1, 1, 1], [1, 1, -1], [-1, -1, -1]]
    for (row, a), (other, b) in itertools.combinations(enumerate(PROTOCOLS), 2):
        assert (
            found.tau(a, b) == found.tau(b, a) == pytest.approx(stats.kendalltau(LOSSES[row], LOSSES[other]).statistic)
        )
    assert found.mean_tau_of("p") == pytest.approx((1 / 3 - 1 / 3) / 2)
    assert math.isnan(analysed(replace(scores(), draws=np.empty((3, 3, 0)))).redrawn["p"])


def test_p_values_are_two_sided_and_adjusted_over_all_pairs_and_protocols(found: Multiverse) -> None:
    expected = [2 * stats.t.sf(abs(one.difference) / one.error, 30) for one in found.scores.differences.values()]

    assert found.p.ravel() == pytest.approx(expected)
    assert found.adjusted.ravel() == pytest.approx(holm(np.array(expected)))
    records = list(pair_records(found))
    assert [float(one["p_holm"]) for one in records] == pytest.approx(found.adjusted.ravel(), rel=1e-3)
    assert (records[-1]["model_a"], records[-1]["model_b"]) == ("b", "c")
    assert found.n_changing == 3
    assert replace(found, order=found.order[:2]).n_changing == 1
    (reversal,) = found.reversed
    assert (reversal.first, reversal.second) == ("a", "c")
    assert (reversal.first_better, reversal.second_better) == (("linear",), ("q",))


def test_an_order_that_is_not_beyond_chance_under_both_protocols_leaves_tau_open(found: Multiverse) -> None:
    known = found.p < 0.05
    for a, b in itertools.combinations(range(3), 2):
        one = found.agreements[PROTOCOLS[a], PROTOCOLS[b]]
        open_pairs = int((~(known[a] & known[b])).sum())
        assert one.high - one.low == pytest.approx(2 * open_pairs / 3)
    unknown = analysed(scores(differences={}))
    assert np.isnan(unknown.p).all()
    assert {(one.low, one.high) for one in unknown.agreements.values()} == {(-1.0, 1.0)}
    assert unknown.reversed == []


def test_equal_scores_are_no_order_beyond_chance() -> None:
    same = analysed(scores(differences={("linear", "a", "b"): Studentised(0.0, math.nan, 30.0)}))

    assert same.p[0, 0] == same.adjusted[0, 0] == 1
    assert np.isnan(same.p[0, 1:]).all()


def test_seeds_that_every_protocol_has_make_the_variances(found: Multiverse) -> None:
    runs = np.stack([own[:, :2] for own in found.scores.runs])

    assert found.parts == variance_parts(runs, found.scores.draws, 31)
    (first, *_) = score_records(found)
    assert float(first["sd_runs"]) == pytest.approx(np.std([-0.01, 0.0, 0.03], ddof=1), abs=1e-4)


def test_words_begin_at_their_thresholds(found: Multiverse) -> None:
    assert [_depends(tau) for tau in (1.0, 0.9, 0.89, 0.7, 0.4, 0.39, -1.0)] == [
        *("hardly depends", "hardly depends", "depends somewhat", "depends somewhat", "depends much"),
        *("mostly depends", "mostly depends"),
    ]
    tau = found.mean_tau[0]
    for same, words in ((tau + 0.04, "about as much as"), (tau + 0.06, "more than"), (tau - 0.06, "less than")):
        own = replace(found, redrawn=dict.fromkeys(PROTOCOLS, same))
        assert f"the protocol moves the ranking {words} the draw of the patients does" in paragraph(own)
