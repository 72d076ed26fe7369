"""Features against those of clean tiles, by plain loops."""

import numpy as np
import pytest

from bench.metrics import cosines, retrieved


@pytest.fixture
def both():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(40, 6))
    return clean + rng.normal(size=clean.shape), clean


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


def test_by_plain_loops(both):
    features, clean = both
    near = [[cosine(a, b) for b in clean] for a in features]

    np.testing.assert_allclose(cosines(features, clean), [near[i][i] for i in range(40)], rtol=1e-12)
    for column, first in enumerate((1, 10)):
        own = [
            float(sum(other >= row[i] for j, other in enumerate(row) if j != i) < first) for i, row in enumerate(near)
        ]
        assert 0 < sum(own) < 40
        assert retrieved(features, clean)[:, column].tolist() == own


def test_blocks_of_rows_change_nothing(both, monkeypatch):
    whole = retrieved(*both)
    monkeypatch.setattr("bench.metrics.similarity.BLOCK", 7 * 40)
    np.testing.assert_array_equal(retrieved(*both), whole)


def test_an_encoder_that_gives_all_tiles_one_feature_has_cosine_one_and_retrieves_nothing():
    same = np.ones((30, 4))
    np.testing.assert_allclose(cosines(same, same), 1.0)
    assert not retrieved(same, same).any()


def test_a_feature_of_zeros_is_near_to_nothing():
    clean = np.eye(3)
    features = np.array([[0.0, 0, 0], [0, 2, 0], [0, 0, 1]])
    assert cosines(features, clean).tolist() == [0.0, 1.0, 1.0]
