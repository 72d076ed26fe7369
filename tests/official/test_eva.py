"""linear_eva and abmil_eva against what eva's own trainer made of the same inputs (`make_eva.py`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from make_eva import ABMIL, LINEAR, SEED, SIDES
from official_helpers import bags, made_again, preset, read, samples, slides, vectors

from bench.protocols.selection import balanced_accuracy

TOLERANCE = 2e-5  # of probabilities: float32 gradients are summed in another order


def ours(name: str) -> Any:
    """The predictions of our preset on the inputs of a case."""
    if name in LINEAR:
        classes, sizes, dim, batch, steps, rate, patience = LINEAR[name]
        sides = [samples(*vectors(n, classes, dim, seed), seed) for n, seed in zip(sizes, SIDES, strict=True)]
        epochs = steps / np.ceil(sizes[0] / batch)
        settings = {"batch_size": batch, "steps": steps, "learning_rates": [rate]}
        return preset("linear_eva", *sides, SEED, **settings, patience_share=float(patience / epochs))
    classes, sizes, dim, tiles, batch, epochs, rate, patience = ABMIL[name]
    sides = [slides(*bags(n, classes, dim, seed, tiles), seed) for n, seed in zip(sizes, SIDES, strict=True)]
    settings = {"batch": batch, "epochs": epochs, "learning_rate": rate, "patience": patience, "pack_tiles": 1000}
    return preset("abmil_eva", *sides, SEED, **settings)


@pytest.mark.parametrize("name", [*LINEAR, *ABMIL])
def test_the_eva_presets_predict_as_eva_does(name: str) -> None:
    official, predictions = read("eva"), ours(name)
    np.testing.assert_allclose(predictions.scores, official[f"{name}_scores"], atol=TOLERANCE)
    np.testing.assert_array_equal(predictions.scores.argmax(1), official[f"{name}_scores"].argmax(1))
    assert predictions.info["best_epoch"] == official[f"{name}_best_epoch"]
    if name in LINEAR:
        assert predictions.info["epochs"] == len(official[f"{name}_validation"])
    else:
        scores = -np.array(predictions.info["validation"])
        same = ~official[f"{name}_misread"]
        np.testing.assert_array_equal(scores[same], official[f"{name}_validation"][same])


@pytest.mark.parametrize(
    ("hits", "score"),
    [((0, 15, 20), 0.5833333730697632), ((0, 17, 18), 0.5833333134651184), ((12, 12, 12), 0.6000000238418579)],
)
def test_balanced_accuracy_is_rounded_as_in_torchmetrics(hits: tuple[int, ...], score: float) -> None:
    """The scores are those of MulticlassAccuracy of torchmetrics 1; the first two are 35/60 before rounding."""
    labels = np.repeat(np.arange(3), 20)
    predicted = (labels + (np.tile(np.arange(20), 3) >= np.repeat(hits, 20))) % 3
    assert balanced_accuracy(labels, predicted[None])[0] == score


def test_a_class_that_is_predicted_and_does_not_occur_has_no_recall() -> None:
    assert balanced_accuracy(np.array([0, 0, 1]), np.array([[0, 2, 1]]))[0] == 0.5  # as in torchmetrics


@pytest.mark.slow
def test_eva_makes_the_golden_vectors(tmp_path: Path) -> None:
    """Runs eva itself; about half a minute of processor time."""
    official, again = read("eva"), made_again("make_eva.py", "kaiko-eva", tmp_path)
    assert official.keys() == again.keys()
    for key in official.keys() - {"version"}:
        np.testing.assert_allclose(again[key], official[key], atol=TOLERANCE, err_msg=key)
