"""THUNDER's kNN, SimpleShot and retrieval: our presets against what its own code gave."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from few_shot_inputs import SHOTS, supports
from few_shot_presets import classes_of, preset, samples
from official_helpers import made_again, read

from bench.metrics import score
from bench.protocols import Head, Predictions, simpleshot

GOLDEN = read("thunder_neighbours")
NAMES = ("accuracy", "balanced_accuracy", "f1_macro")
EPISODES = 1000


def scores_of(predictions: Predictions) -> list[float]:
    """What THUNDER reports, of the predictions of a row."""
    found = score(predictions.y_true, predictions.scores, predictions.groups, metrics=NAMES, n_boot=0)
    return [found[name].value for name in NAMES]


def test_neighbours_and_their_number_are_the_same() -> None:
    made = preset("knn_thunder").fit_predict(samples("train"), samples("val"), samples("test"), 0)
    assert made.info["k"] == GOLDEN["knn_k"]
    np.testing.assert_array_equal(classes_of(made), GOLDEN["knn"])
    np.testing.assert_allclose(scores_of(made), GOLDEN["knn_scores"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("shots", SHOTS)
def test_the_majority_over_episodes_is_the_same(shots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = supports(samples("train").labels, shots, EPISODES, 0)
    monkeypatch.setattr(simpleshot, "draw_support", lambda *values: drawn)
    head = preset("simpleshot_thunder")
    assert head.config.episodes == EPISODES
    own = Head(head.head_type, replace(head.config, shots=[shots]))
    made = own.fit_predict(samples("train"), samples("val"), samples("test"), 0)
    assert not made.averages_draws
    np.testing.assert_array_equal(classes_of(made), GOLDEN[f"shots_{shots}"])
    np.testing.assert_allclose(scores_of(made), GOLDEN[f"shots_{shots}_scores"], rtol=0, atol=1e-12)


def test_retrieved_majorities_are_the_same() -> None:
    made = preset("retrieval_thunder").fit_predict(samples("train"), samples("val"), samples("test"), 0)
    for k in (1, 3, 5, 10):
        own = [made.metrics[f"majority{name}_{k}"]["value"] for name in ("", *(f"_{name}" for name in NAMES[1:]))]
        np.testing.assert_allclose(own, GOLDEN[f"retrieval_{k}_scores"], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(classes_of(made), GOLDEN["retrieval_10"])


@pytest.mark.slow
def test_the_package_gives_the_same_today(tmp_path: Path) -> None:
    made = made_again("make_thunder_neighbours.py", "thunder-bench", tmp_path)
    assert made.keys() == GOLDEN.keys()
    for name, values in GOLDEN.items():
        if name != "version":
            np.testing.assert_array_equal(made[name], values, err_msg=name)
