"""TRIDENT's ABMIL and Patho-Bench's training against what the authors' code makes of the same bags and weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mil_helpers import as_bags, bags, fill, golden, outputs, preset, summary

from bench.protocols import abmil
from bench.protocols.abmil_losses import DiscreteTime
from bench.protocols.abmil_training import predict, train

GOLDEN = golden("pathobench_abmil")
TILES = bags(0, GOLDEN["sizes"].tolist(), int(GOLDEN["dim"]))
LABELS = GOLDEN["labels"].tolist()
CPU = torch.device("cpu")
GATED = {"heads": 2, "attention_dim": 16, "dropout": 0.1, "gated": True}


@pytest.mark.parametrize(
    ("name", "base", "changes"),
    [
        ("abmil_pathobench", "abmil_pathobench", {}),
        ("abmil_multihead", "abmil_multihead", {}),
        ("gated", "abmil_multihead", GATED),
    ],
)
def test_multihead_abmil_is_the_authors_code(name: str, base: str, changes: dict[str, object]) -> None:
    expected = {k.removeprefix(f"{name}_"): v for k, v in GOLDEN.items() if k.startswith(f"{name}_")}
    config = preset(base, epochs=int(GOLDEN["epochs"]), **changes)
    side = as_bags(TILES, LABELS)
    goal = config.objective(side.table(), None, side.table())
    torch.manual_seed(1)
    network = abmil.build(config, side.dim, goal.logits)
    if not config.gated:  # with gates, its layers draw their first weights in another order
        np.testing.assert_array_equal(summary(dict(network.named_parameters())), expected["initial"])
    fill(network)
    logits, attention = outputs(network, TILES)
    np.testing.assert_allclose(logits, expected["logits"], atol=1e-6)
    np.testing.assert_allclose(attention, expected["attention"], atol=1e-7)
    # Weights of classes would change these losses, as the classes are of one, one and four bags.
    rows = zip(torch.from_numpy(logits), LABELS, strict=True)
    losses = [goal.loss(row[None], torch.tensor([label])).item() for row, label in rows]
    np.testing.assert_allclose(losses, expected["losses"], rtol=2e-6)
    torch.manual_seed(2)
    train(network, side, None, goal, config, 3, CPU)
    np.testing.assert_allclose(outputs(network, TILES)[0], expected["trained_logits"], atol=1e-5)
    assert np.abs(expected["trained_logits"] - expected["logits"]).max() > 2e-2
    np.testing.assert_allclose(summary(dict(network.named_parameters())), expected["trained"], rtol=1e-5, atol=1e-4)
    if "drawn_logits" in expected:
        how = preset(base, bag_size_test=12)
        drawn = [(logits, own) for _, logits, own in predict(network, side, how, 3, CPU)]
        np.testing.assert_allclose(drawn[3][0][None], expected["drawn_logits"], atol=1e-5)
        assert [len(own) for _, own in drawn] == GOLDEN["sizes"].tolist()
        assert [int((own > 0).sum()) for _, own in drawn] == [12] * len(TILES)
        assert [float(own.sum()) for _, own in drawn] == pytest.approx([1.0] * len(TILES))


def test_patho_bench_draws_2048_tiles_on_every_side_and_weighs_no_classes() -> None:
    how = preset("abmil_pathobench")
    assert (how.bag_size, how.bag_size_test, how.class_weight, how.batch) == (2048, 2048, None, 1)
    network = abmil.build(how, 1024, 2)
    assert sum(p.numel() for p in network.parameters()) == 2_626_563


def test_the_loss_of_time_intervals_is_patho_benchs() -> None:
    logits, bins, events = (torch.from_numpy(GOLDEN[f"survival_{n}"]) for n in ("logits", "bins", "events"))
    goal = DiscreteTime(4, "survival")
    target = torch.stack([bins, events], dim=1)
    losses = [goal.loss(logits[i : i + 1], target[i : i + 1]).item() for i in range(len(logits))]
    np.testing.assert_allclose(losses, GOLDEN["survival_losses"], atol=1e-6)
