"""linear_uni and linear_adaptive against the probe of the UNI repository (`make_linear_uni.py`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from make_linear_uni import CASES, SIDES
from official_helpers import preset, read, samples, vectors


def sides_of(name: str) -> list[Any]:
    """The samples of a case."""
    classes, sizes, dim = CASES[name]
    return [samples(*vectors(n, classes, dim, seed), seed) for n, seed in zip(sizes, SIDES, strict=True)]


@pytest.mark.parametrize("name", CASES)
def test_linear_uni_predicts_as_the_repository_does(name: str) -> None:
    official = read("linear_uni")[f"{name}_scores"]
    predictions = preset("linear_uni", *sides_of(name))
    # L-BFGS in float32 ends where its line search finds no more descent, so rounding moves its end
    np.testing.assert_allclose(predictions.scores, official, atol=2e-4)
    np.testing.assert_array_equal(predictions.scores.argmax(1), official.argmax(1))


@pytest.mark.parametrize("name", CASES)
def test_linear_adaptive_predicts_as_the_repository_does_with_scikit_learn(name: str) -> None:
    classes, _, dim = CASES[name]
    official = read("linear_uni")[f"{name}_sklearn_scores"]
    predictions = preset("linear_adaptive", *sides_of(name))
    assert predictions.info["c"] == dim * classes / 100
    np.testing.assert_allclose(predictions.scores, official, atol=1e-6)
    np.testing.assert_array_equal(predictions.scores.argmax(1), official.argmax(1))
