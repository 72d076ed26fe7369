"""UNI's kNN, prototypes, few-shot episodes and top-k vote: our presets against what its own code gave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from few_shot_inputs import CLASSES, SHOTS
from few_shot_presets import classes_of, preset, samples, slides
from official_helpers import read

from bench.protocols import Head, simpleshot
from bench.protocols.episodes import support_centred

GOLDEN = read("uni_neighbours")


def drawn(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Supports of the episodes, classes in their order, and these classes."""
    support = GOLDEN[f"{name}_support"].astype(np.int64)
    classes = samples("train").labels[support[:, :, 0]]
    order = classes.argsort(axis=1)
    return np.take_along_axis(support, order[:, :, None], axis=1), np.take_along_axis(classes, order, axis=1)


@pytest.mark.parametrize(("name", "golden"), [("knn_uni", "knn"), ("prototype", "prototype")])
def test_no_prediction_differs(name: str, golden: str) -> None:
    made = preset(name).fit_predict(samples("train"), None, samples("test"), 0)
    np.testing.assert_array_equal(classes_of(made), GOLDEN[golden])


@pytest.mark.parametrize("name", [*(f"all_{shots}" for shots in SHOTS), "ways"])
def test_every_episode_predicts_the_same(name: str) -> None:
    support, classes = drawn(name)
    train, test = samples("train"), samples("test")
    parts = support_centred(train.features, test.features, support, "samples", 2**18, "cpu")
    chosen = np.concatenate([part for part, _ in parts])
    for own, labels, rows, official in zip(
        chosen, classes, GOLDEN[f"{name}_query"], GOLDEN[f"{name}_predicted"], strict=True
    ):
        np.testing.assert_array_equal(labels[own[rows]], official)


@pytest.mark.parametrize("name", [*(f"all_{shots}" for shots in SHOTS), "ways"])
def test_scores_are_the_means_over_the_episodes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own, classes = drawn(name)
    support = np.zeros((len(own), CLASSES, own.shape[2]), dtype=np.int64)
    np.put_along_axis(support, classes[:, :, None], own, axis=1)
    monkeypatch.setattr(simpleshot, "draw_support", lambda *values: support)
    monkeypatch.setattr(simpleshot, "draw_classes", lambda *values: classes)
    monkeypatch.setattr(simpleshot, "draw_queries", lambda *values: list(GOLDEN[f"{name}_query"]))
    head = preset("fewshot" if name == "ways" else "simpleshot_uni")
    settings: dict[str, Any] = {"shots": [own.shape[2]], "episodes": len(own)}
    made = Head(head.head_type, replace(head.config, **settings)).fit_predict(
        samples("train"), None, samples("test"), 0
    )
    for score in ("accuracy", "balanced_accuracy"):
        assert made.metrics[score]["value"] == pytest.approx(GOLDEN[f"{name}_{score}"].mean(), abs=1e-12)


def test_the_vote_of_the_nearest_tiles_is_the_same() -> None:
    made = preset("prototype_topk").fit_predict(slides("train"), None, slides("test"), 0)
    np.testing.assert_array_equal(classes_of(made), GOLDEN["topk"])
    nearer = -np.log(made.scores)
    np.testing.assert_allclose(
        nearer - nearer[:, :1], GOLDEN["topk_distance"] - GOLDEN["topk_distance"][:, :1], atol=2e-6
    )
