"""CLAM's networks, training and early stopping against what the authors' code makes of the same bags and weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mil_helpers import as_bags, bags, check_stopping, fill, golden, outputs, preset, summary

from bench.protocols import abmil
from bench.protocols.abmil_training import train

GOLDEN = golden("clam")
TILES = bags(0, GOLDEN["sizes"].tolist(), int(GOLDEN["dim"]))
CASES = [("abmil_clam", 3), *((name, classes) for name in ("clam_sb", "clam_mb", "mil_fc") for classes in (2, 3))]


@pytest.mark.parametrize(("name", "classes"), CASES)
def test_a_preset_of_clam_is_the_authors_code(name: str, classes: int) -> None:
    expected = {k.removeprefix(f"{name}_{classes}_"): v for k, v in GOLDEN.items() if k.startswith(f"{name}_{classes}")}
    subtyping = {"subtyping": True} if name in ("clam_sb", "clam_mb") and classes == 3 else {}
    config = preset(name, epochs=int(GOLDEN["epochs"]), **subtyping)
    labels = [i % classes for i in range(len(TILES))]
    side = as_bags(TILES, labels)
    goal = config.objective(side.table(), None, side.table())
    torch.manual_seed(1)
    network = abmil.build(config, side.dim, goal.logits)
    if name != "clam_mb":  # its branches draw their first weights in another order
        np.testing.assert_array_equal(summary(dict(network.named_parameters())), expected["initial"])
    fill(network)
    logits, attention = outputs(network, TILES)
    np.testing.assert_allclose(logits, expected["logits"], atol=2e-6)
    np.testing.assert_allclose(attention, expected["attention"], atol=1e-6)
    if "instance_loss" in expected:
        losses = []
        for x, y in zip(TILES, labels, strict=True):
            out = network(torch.from_numpy(x), torch.zeros(len(x), dtype=torch.int64), 1, torch.tensor([y]))
            losses.append(out.own_loss.item())
        np.testing.assert_allclose(losses, expected["instance_loss"], rtol=1e-6)
    torch.manual_seed(2)
    train(network, side, None, goal, config, 3, torch.device("cpu"))
    np.testing.assert_allclose(outputs(network, TILES)[0], expected["trained_logits"], atol=1e-5)
    assert np.abs(expected["trained_logits"] - expected["logits"]).max() > 1e-2
    np.testing.assert_allclose(summary(dict(network.named_parameters())), expected["trained"], rtol=1e-5, atol=1e-4)


def test_early_stopping_saves_and_ends_as_clams_does() -> None:
    how = preset("clam_sb", keep="best", patience=20, min_epochs=52, ties="last")
    check_stopping(how, GOLDEN)
    assert set(GOLDEN["stopping_last"]) >= {51, 119}


def test_presets_of_clam_are_mains_defaults() -> None:
    for name in ("abmil_clam", "clam_sb", "clam_mb", "mil_fc"):
        how = preset(name)
        assert (how.keep, how.epochs, how.batch, how.precision) == ("last", 200, 1, "float32")
