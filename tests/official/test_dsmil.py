"""DSMIL's network, training and choice of epoch against what the authors' code makes of the same bags and weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mil_helpers import as_bags, bags, fill, golden, outputs, preset, summary

from bench.protocols import abmil
from bench.protocols.abmil_monitors import auroc_and_accuracy
from bench.protocols.abmil_training import train

GOLDEN = golden("dsmil")
TILES = bags(0, GOLDEN["sizes"].tolist(), int(GOLDEN["dim"]))


@pytest.mark.parametrize("classes", [2, 3])
def test_dsmil_is_the_authors_code(classes: int) -> None:
    expected = {k.removeprefix(f"{classes}_"): v for k, v in GOLDEN.items() if k.startswith(f"{classes}_")}
    config = preset("dsmil", epochs=int(GOLDEN["epochs"]), patience=None)
    side = as_bags(TILES, [i % classes for i in range(len(TILES))])
    goal = config.objective(side.table(), None, side.table())
    torch.manual_seed(1)
    network = abmil.build(config, side.dim, goal.logits)
    np.testing.assert_allclose(summary(dict(network.named_parameters())), expected["initial"], atol=1e-4)
    fill(network)
    logits, attention = outputs(network, TILES)
    np.testing.assert_allclose(logits, expected["logits"], atol=1e-6)
    np.testing.assert_allclose(attention, expected["attention"], atol=1e-7)
    x = torch.from_numpy(TILES[0])
    second = network(x, torch.zeros(len(x), dtype=torch.int64), 1).second_stream
    np.testing.assert_allclose(second.detach().numpy()[0], expected["second_stream"][0], atol=1e-6)
    history = train(network, side, side, goal, config, 3, torch.device("cpu"))
    np.testing.assert_allclose(history.training_loss, expected["losses"], rtol=1e-6)
    np.testing.assert_allclose(history.validation, -expected["chosen_by"], rtol=1e-12)
    assert history.best_epoch == int(np.argmax(expected["chosen_by"]))
    last = preset("dsmil", epochs=int(GOLDEN["epochs"]), keep="last")
    fill(network)
    train(network, side, None, goal, last, 3, torch.device("cpu"))
    np.testing.assert_allclose(outputs(network, TILES)[0], expected["trained_logits"], atol=1e-6)
    assert np.abs(expected["trained_logits"] - expected["logits"]).max() > 5e-3
    np.testing.assert_allclose(summary(dict(network.named_parameters())), expected["trained"], rtol=1e-5, atol=1e-4)


def test_probabilities_of_one_against_the_rest_add_up_and_those_of_one_output_are_its_sigmoid() -> None:
    side = as_bags(TILES, [i % 3 for i in range(len(TILES))])
    logits = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    scores = preset("dsmil").objective(side.table(), None, side.table()).scores(logits)
    each = torch.sigmoid(logits).numpy()
    np.testing.assert_allclose(scores, each / each.sum())
    two = as_bags(TILES, [i % 2 for i in range(len(TILES))])
    scores = preset("dsmil").objective(two.table(), None, two.table()).scores(logits[:, :1])
    np.testing.assert_allclose(scores[0, 1], each[0, 0])


def test_a_class_without_validation_bags_counts_as_ranked() -> None:
    labels = np.array([0, 1, 0, 1])
    scores = np.array([[0.9, 0.1, 0.3], [0.2, 0.8, 0.9], [0.7, 0.4, 0.2], [0.1, 0.9, 0.6]])
    assert auroc_and_accuracy(scores, labels) == 2.0
    assert auroc_and_accuracy(scores[:, 1:2], labels) == 1.0
    assert auroc_and_accuracy(scores[::-1, 1:2], labels) < 0.6
