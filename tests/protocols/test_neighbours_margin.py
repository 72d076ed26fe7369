"""Neighbours decided by few candidates: how often the whole database is needed, and never a wrong one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench.protocols import neighbours
from bench.protocols.neighbours import nearest, nearest_rows


def in_full(query: np.ndarray, database: np.ndarray, metric: str) -> np.ndarray:
    """Distances in extended precision."""
    q, x = query.astype(np.longdouble), database.astype(np.longdouble)
    if metric == "cosine":
        lengths = np.maximum(np.sqrt((q * q).sum(1))[:, None] * np.sqrt((x * x).sum(1)), np.longdouble(1e-300))
        return 1 - (q @ x.T) / lengths
    centred = x - x.mean(0)
    return ((q[:, None] - x) ** 2).sum(2) / ((centred**2).sum(1).max() or 1)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("mean", [0, 30, 300])
def test_a_shared_mean_does_not_send_queries_through_the_whole_database(
    metric: str, mean: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    shared = mean * rng.normal(size=128)
    database, query = ((shared + rng.normal(size=(n, 128))).astype(np.float32) for n in (600, 100))
    whole = 0
    distances = neighbours._distances

    def counted(geometry: object, some: Tensor, items: Tensor, rows: Tensor) -> Tensor:
        nonlocal whole
        whole += len(some) if rows.shape[1] == len(items) else 0
        return distances(geometry, some, items, rows)  # type: ignore[arg-type]

    monkeypatch.setattr(neighbours, "_distances", counted)
    found, _ = nearest(query, database, 10, metric)
    np.testing.assert_array_equal(found, np.argsort(in_full(query, database, metric), axis=1, kind="stable")[:, :10])
    assert whole <= 2
    np.testing.assert_array_equal(nearest_rows(query, database, 10, metric), found)
    assert whole <= 4


@settings(max_examples=60)
@given(
    st.integers(0, 10**6),
    st.integers(1, 90),
    st.sampled_from([0.0, 1e-6, 1e-3, 1.0]),
    st.sampled_from(["cosine", "l2"]),
)
def test_zero_vectors_repeats_and_any_spread_give_the_exact_neighbours(
    seed: int, items: int, spread: float, metric: str
) -> None:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=6)
    few = (shared + spread * rng.normal(size=(40, 6))).astype(np.float32)
    few[rng.random(40) < 0.1] = 0
    database = few[rng.integers(0, 40, items)]
    query = np.concatenate([few[:6], np.zeros((1, 6)), -few[:1], rng.normal(size=(3, 6))]).astype(np.float32)
    k = int(rng.integers(1, items + 1))
    found, distance = nearest(query, database, k, metric)
    np.testing.assert_array_equal(nearest_rows(query, database, k, metric), found)
    expected = in_full(query, database, metric).astype(float).round(neighbours.DECIMALS)
    # Rounding to the last decimal may differ from the oracle's: what counts is that no nearer one is missed.
    np.testing.assert_allclose(distance, np.sort(expected, axis=1)[:, :k], atol=2e-12)
    np.testing.assert_allclose(np.take_along_axis(expected, found, 1), distance, atol=2e-12)
    tied = distance[:, 1:] == distance[:, :-1]
    assert (found[:, 1:] > found[:, :-1])[tied].all()
