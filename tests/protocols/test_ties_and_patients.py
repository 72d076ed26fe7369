"""Retrieval counts ties against the query and patients in its intervals; attention of CLAM, and the loss of DSMIL."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.protocols import Samples, configured
from bench.protocols.abmil_losses import OneAgainstRest
from bench.protocols.networks import dsmil
from bench.protocols.networks.clam_mb import Settings


def samples(n, seed):
    rng = np.random.default_rng(seed)
    names = np.array([f"{seed}-{number:02d}" for number in range(n)])
    labels = np.arange(n) % 2
    features = rng.normal(size=(n, 3)).astype(np.float32) + labels[:, None].astype(np.float32)
    return Samples(names, names, features, labels, ("a", "b"), "classes")


@pytest.mark.parametrize("ties", ["wrong", "first"])
def test_intervals_are_over_patients(ties):
    train, test = samples(30, 0), samples(24, 1)
    head = configured({"kind": "retrieval", "k": [3], "ties": ties})
    alone = head.fit_predict(train, None, test, 0).metrics
    of_patients = head.fit_predict(train, None, replace(test, groups=np.repeat(list("abcdef"), 4)), 0).metrics

    assert alone.keys() == of_patients.keys()
    for name, of in alone.items():
        assert of["value"] == pytest.approx(of_patients[name]["value"])
        if of["ci_low"] < of["value"]:
            assert abs(of["ci_low"] - of_patients[name]["ci_low"]) > 1e-3, name


def test_of_samples_at_one_distance_another_class_is_the_nearer():
    train, test = samples(6, 0), samples(2, 1)
    train.features[:4], train.features[4:], test.features[:] = 1, -1, 1
    head = configured({"kind": "retrieval", "k": [1, 2], "ties": "wrong"})

    found = head.fit_predict(train, None, test, 0).metrics

    assert [found[name]["value"] for name in ("top_1", "top_2", "map_at_2", "majority_2")] == [0, 0, 0, 0]


def test_the_attention_of_clam_is_that_of_the_class_it_predicts():
    torch.manual_seed(0)
    network = Settings().build(4, 2).eval()
    tiles, bag = torch.randn(7, 4), torch.tensor([0, 0, 0, 1, 1, 1, 1])
    with torch.no_grad():
        network.w.weight[0], network.w.bias[0] = 0, 0  # of class 0 all tiles weigh alike
        found = []
        for favoured in (0, 1):
            network.classify[-1].bias[:] = torch.where(torch.arange(2) == favoured, 100.0, -100.0)
            found.append(network(tiles, bag, 2).attention)

    even = torch.tensor([1 / 3] * 3 + [1 / 4] * 4)
    assert torch.allclose(found[0], even)
    assert not torch.allclose(found[1], even, atol=1e-4)
    assert found[1][:3].sum() == pytest.approx(1)


@pytest.mark.parametrize(("binary_logits", "each"), [(2, True), (1, False)])
def test_two_classes_with_two_outputs_of_dsmil_are_each_one_against_the_rest(binary_logits, each):
    one = samples(8, 0)

    goal = dsmil.Settings(binary_logits=binary_logits).objective(one, None, one)

    assert goal.logits == binary_logits
    assert isinstance(goal, OneAgainstRest) == each
