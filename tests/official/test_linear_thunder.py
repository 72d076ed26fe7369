"""linear_thunder against what THUNDER's own training made of the same inputs (`make_linear_thunder.py`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from make_linear_thunder import CASES, SEED, SIDES
from official_helpers import made_again, preset, read, samples, vectors

TOLERANCE = 1e-5  # of probabilities: float32 gradients are summed in another order


@pytest.mark.parametrize("name", CASES)
def test_linear_thunder_predicts_as_thunder_does(name: str) -> None:
    official = read("linear_thunder")
    classes, sizes, dim, batch, epochs = CASES[name]
    sides = [samples(*vectors(n, classes, dim, seed), seed) for n, seed in zip(sizes, SIDES.values(), strict=True)]
    predictions = preset("linear_thunder", *sides, SEED, batch_size=batch, epochs=epochs)
    np.testing.assert_allclose(predictions.scores, official[f"{name}_scores"], atol=TOLERANCE)
    np.testing.assert_array_equal(predictions.scores.argmax(1), official[f"{name}_scores"].argmax(1))
    chosen = [predictions.info[key] for key in ("learning_rate", "weight_decay", "best_epoch")]
    np.testing.assert_array_equal(chosen, official[f"{name}_best"])


@pytest.mark.slow
def test_thunder_makes_the_golden_vectors(tmp_path: Path) -> None:
    """Runs THUNDER itself; about a quarter of a minute of processor time."""
    official, again = read("linear_thunder"), made_again("make_linear_thunder.py", "thunder-bench", tmp_path)
    assert official.keys() == again.keys()
    for key in official.keys() - {"version"}:
        np.testing.assert_allclose(again[key], official[key], atol=TOLERANCE, err_msg=key)
