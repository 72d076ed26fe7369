"""The presets of Patho-Bench's linear probe against its own experiment (`make_linear_pathobench.py`)."""

from __future__ import annotations

import numpy as np
import pytest
from make_linear_pathobench import CASES, SIDES, inputs
from official_helpers import preset, read, samples

PRESETS = {
    "default": ("linear_pathobench", {}),
    "advanced": ("linear_pathobench_advanced", {}),
    "adaptive": ("linear_adaptive", {"combine_train_val": False, "max_iter": 10000}),
}


@pytest.mark.parametrize("recipe", PRESETS)
@pytest.mark.parametrize("name", CASES)
def test_the_pathobench_presets_predict_as_patho_bench_does(name: str, recipe: str) -> None:
    official = read("linear_pathobench")[f"{name}_{recipe}_scores"]
    own, changes = PRESETS[recipe]
    sides = [samples(*side, seed) for side, seed in zip(inputs(*CASES[name]), SIDES, strict=True)]
    predictions = preset(own, *sides, **changes)
    np.testing.assert_allclose(predictions.scores, official, atol=1e-6)
    np.testing.assert_array_equal(predictions.scores.argmax(1), official.argmax(1))


def test_the_default_is_that_of_patho_bench() -> None:
    official = read("linear_pathobench")
    assert official["default_cost"] == 1
    assert not official["default_balanced"]
