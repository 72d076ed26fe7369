"""MIL networks against numpy, the training frame, and what a bag may be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from protocol_helpers import mil
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from bench.embedding import read_features, write_features
from bench.protocols import Bags, abmil, networks, pooled
from bench.protocols.abmil_losses import objective
from bench.protocols.abmil_schedule import Schedule, learning_rate
from bench.protocols.networks.clam_sb import ClamSB
from bench.protocols.networks.pooling import Pooling
from bench.protocols.networks.transmil import NystromAttention, pseudo_inverse
from registry.errors import UserError

NETWORKS = networks.names()


def needles(
    slides: int, seed: int, *, dim: int = 12, tiles: tuple[int, int] = (20, 60)
) -> tuple[Bags, list[np.ndarray]]:
    """Bags of noise; a positive one has a few tiles of another kind. Gives the bags and which tiles those are."""
    rng = np.random.default_rng(seed)
    labels = np.arange(slides) % 2
    features, truth = [], []
    for label in labels:
        n = int(rng.integers(*tiles))
        x = (rng.normal(size=(n, dim)) + 0.7 * rng.normal(size=dim)).astype(np.float32)  # slides differ as a whole
        marked = np.zeros(n, dtype=bool)
        if label:
            marked[rng.choice(n, 3, replace=False)] = True
            x[marked, :3] += 5
        features.append(x)
        truth.append(marked)
    ids = np.array([f"{seed}-{i:03d}" for i in range(slides)])
    return Bags(ids, ids, features, labels.astype(np.int64)), truth


def run(network: torch.nn.Module, bags: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    x = torch.from_numpy(np.concatenate(bags))
    bag = torch.repeat_interleave(torch.arange(len(bags)), torch.tensor([len(b) for b in bags]))
    with torch.no_grad():
        out = network(x, bag, len(bags))
    return out.logits.numpy(), out.attention.numpy()


@pytest.mark.parametrize("gated", [True, False])
def test_attention_is_ilses_equation(gated: bool) -> None:
    torch.manual_seed(0)
    network = Pooling(10, 3, dim=8, attention_dim=5, gated=gated, hidden=[4]).double().eval()
    x = np.random.default_rng(0).normal(size=(30, 10))
    p = {k: v.numpy() for k, v in network.state_dict().items()}
    h = np.maximum(x @ p["embed.1.weight"].T + p["embed.1.bias"], 0)
    gate = np.tanh(h @ p["v.0.weight"].T + p["v.0.bias"])
    if gated:
        gate = gate / (1 + np.exp(-(h @ p["u.0.weight"].T + p["u.0.bias"])))
    e = np.exp(gate @ p["w.weight"][0] + p["w.bias"])
    a = e / e.sum()
    z = a @ h
    hidden = np.maximum(p["classify.0.weight"] @ z + p["classify.0.bias"], 0)
    logits, attention = run(network, [x])
    np.testing.assert_allclose(logits[0], p["classify.3.weight"] @ hidden + p["classify.3.bias"], atol=1e-6)
    np.testing.assert_allclose(attention, a, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_packed_bags_equal_single_ones_and_order_matters_to_none_but_transmil(name: str) -> None:
    torch.manual_seed(0)
    network = abmil.build(mil(name, dim=16, attention_dim=8), 6, 3).eval()
    rng = np.random.default_rng(0)
    bags = [rng.normal(size=(n, 6)).astype(np.float32) for n in (1, 7, 40)]
    together, attention = run(network, bags)
    start = 0
    for i, bag in enumerate(bags):
        alone, own = run(network, [bag])
        np.testing.assert_allclose(alone[0], together[i], atol=1e-5)
        np.testing.assert_allclose(own, attention[start : start + len(bag)], atol=1e-5)
        assert own.sum() == pytest.approx(1, abs=1e-5)
        assert (own >= 0).all()
        start += len(bag)
        if name != "transmil":  # it codes positions
            order = rng.permutation(len(bag))
            permuted, moved = run(network, [bag[order]])
            np.testing.assert_allclose(permuted, alone, atol=1e-5)
            np.testing.assert_allclose(moved, own[order], atol=1e-5)


def test_mean_and_max_pool_by_hand() -> None:
    x = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    for pool in ("mean", "max"):
        network = Pooling(6, 2, pool=pool, dim=16).eval()
        p = {k: v.numpy() for k, v in network.state_dict().items()}
        h = np.maximum(x @ p["embed.1.weight"].T + p["embed.1.bias"], 0)
        z = h.mean(0) if pool == "mean" else h.max(0)
        np.testing.assert_allclose(
            run(network, [x])[0][0], p["classify.0.weight"] @ z + p["classify.0.bias"], atol=1e-5
        )


def test_clam_clusters_the_most_and_least_attended() -> None:
    torch.manual_seed(1)
    network = ClamSB(6, 3, instances=2, subtyping=True, dim=16, attention_dim=8).eval()
    x = torch.randn(11, 6)
    out = network(x, torch.zeros(11, dtype=torch.int64), 1, torch.tensor([2]))
    h, order = network.embed(x), out.attention.argsort(descending=True)

    def entropy(cluster: int, rows: torch.Tensor, target: int) -> torch.Tensor:
        return -torch.log_softmax(network.cluster[cluster](h[rows]), 1)[:, target]

    inside = torch.cat([entropy(2, order[:2], 1), entropy(2, order[-2:], 0)]).mean()
    expected = (inside + entropy(0, order[:2], 0).mean() + entropy(1, order[:2], 0).mean()) / 3
    assert out.own_loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert network(x, torch.zeros(11, dtype=torch.int64), 1).own_loss is None


def test_nystrom_is_exact_attention_when_every_token_is_a_landmark() -> None:
    torch.manual_seed(0)
    layer = NystromAttention(16, heads=2, landmarks=9).eval()
    torch.nn.init.zeros_(layer.convolution.weight)
    x = 0.5 * torch.randn(9, 16)
    q, k, v = (part.view(9, 2, 8).transpose(0, 1) for part in layer.qkv(x).chunk(3, dim=1))
    exact = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    with torch.no_grad():
        # The iteration approaches the inverse; more of it than the layer's six shows that nothing else is missing.
        kernel = torch.softmax(q @ k.transpose(1, 2) / 8**0.5, -1)
        inverse = pseudo_inverse(kernel.double(), 40)
        torch.testing.assert_close(kernel.double() @ inverse @ kernel.double(), kernel.double(), atol=1e-6, rtol=1e-6)
        mixed, first = layer(x)
        expected = layer.out(exact.transpose(0, 1).flatten(1))
    assert torch.nn.functional.cosine_similarity(mixed, expected, dim=1).min() > 0.99
    assert first.shape == (9,)


@pytest.mark.slow
def test_finds_the_needles_and_beats_the_mean() -> None:
    (train, _), (val, _), (test, truth) = needles(80, 0), needles(40, 1), needles(60, 2)
    config = abmil.Config(
        dim=32, attention_dim=16, dropout=0.1, epochs=25, learning_rate=2e-3, patience=8, min_epochs=10, batch=4
    )
    found = abmil.fit_predict(train, val, test, config, 0)
    areas = [roc_auc_score(t, found.attention[i]) for i, t in zip(test.ids, truth, strict=True) if t.any()]
    assert np.mean(areas) > 0.95
    accuracy = balanced_accuracy_score(test.labels, found.scores.argmax(1))
    mean = pooled.fit_predict(train, val, test, pooled.Config(settings={"n_strengths": 5}), 0)
    assert accuracy > 0.9
    assert accuracy > balanced_accuracy_score(test.labels, mean.scores.argmax(1)) + 0.2
    assert found.calibrated is not None
    assert found.info["chosen_by"] == "validation"


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n == "transmil" else []) for n in NETWORKS]
)
def test_same_seed_same_bytes_and_blind_to_test_labels(name: str) -> None:
    (train, _), (test, _) = needles(24, 0), needles(8, 1)
    config = mil(name, dim=16, attention_dim=8, epochs=2, batch=5, bag_size=15)
    first = abmil.fit_predict(train, None, test, config, 3)
    before = torch.random.get_rng_state()
    again = abmil.fit_predict(train, None, replace(test, labels=test.labels[::-1].copy()), config, 3)
    assert torch.equal(before, torch.random.get_rng_state())
    assert first.scores.tobytes() == again.scores.tobytes()
    assert first.attention["1-000"].tobytes() == again.attention["1-000"].tobytes()
    assert abmil.fit_predict(train, None, test, config, 4).scores.tobytes() != first.scores.tobytes()
    np.testing.assert_allclose(first.scores.sum(1), 1)
    assert "inner folds" in first.info["chosen_by"]


def test_packing_trains_the_same_network() -> None:
    (train, _), (test, _) = needles(24, 0), needles(8, 1)
    config = abmil.Config(dim=16, attention_dim=8, dropout=0.0, epochs=3, batch=6, keep="last", class_weight="balanced")
    alone = abmil.fit_predict(train, None, test, config, 0)
    packed = abmil.fit_predict(train, None, test, replace(config, pack_tiles=10**6), 0)
    np.testing.assert_allclose(packed.scores, alone.scores, atol=1e-5)
    assert alone.info["best_epoch"] == 2
    assert alone.calibrated is None


@pytest.mark.slow
def test_bags_of_one_tile_and_on_disk(tmp_path: Path) -> None:
    (bags, _) = needles(20, 0)
    for slide, features in zip(bags.ids, bags.features, strict=True):
        write_features(tmp_path / f"{slide}.h5", features, {})
    on_disk = replace(bags, features=[read_features(tmp_path / f"{slide}.h5")[0] for slide in bags.ids])
    assert not isinstance(on_disk.features[3], np.ndarray)
    np.testing.assert_array_equal(on_disk.read(3), bags.features[3].astype(np.float16).astype(np.float32))
    single = replace(on_disk, features=[f[:1] for f in on_disk.features])
    for network in NETWORKS:
        predictions = abmil.fit_predict(on_disk, None, single, mil(network, dim=8, attention_dim=4, epochs=1), 0)
        assert np.isfinite(predictions.scores).all()
        assert predictions.attention["0-000"] == pytest.approx([1.0])


@pytest.mark.slow
def test_a_bag_of_200_000_tiles() -> None:
    (train, _), (test, _) = needles(8, 0), needles(4, 1)
    rng = np.random.default_rng(0)
    huge = [rng.normal(size=(200_000, 12)).astype(np.float32), *train.features[1:]]
    config = abmil.Config(epochs=1, keep="last")
    predictions = abmil.fit_predict(replace(train, features=huge), None, replace(test, features=huge[:4]), config, 0)
    assert predictions.attention["1-000"].shape == (200_000,)
    assert predictions.attention["1-000"].sum() == pytest.approx(1, abs=1e-3)


def test_schedule() -> None:
    how = Schedule(learning_rate=1.0, schedule="cosine", warmup_epochs=1, epochs=5, final_rate=0.2)
    rates = [learning_rate(how, step, 10) for step in range(50)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[10] == 1
    assert rates[30] == pytest.approx(0.6)
    assert rates[49] == pytest.approx(0.2, abs=2e-3)
    eva = Schedule(learning_rate=1.0, schedule="reduced_start", warmup_epochs=0, epochs=8)
    assert [learning_rate(eva, step, 3) for step in range(24)] == [1 / 3] * 15 + [1.0] * 9


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda b: replace(b, features=[*b.features[:-1], np.full((4, 12), np.nan)]), "slide 0-023 are not finite"),
        (lambda b: replace(b, features=[np.ones((4, 12)), *b.features[1:]]), "4 tiles of the slide 0-000 are the same"),
        (lambda b: replace(b, features=[b.features[0][:0], *b.features[1:]]), "slide 0-000 has no tiles"),
        (lambda b: replace(b, features=[b.features[0][:, :5], *b.features[1:]]), r"\[5, 12\] columns"),
        (lambda b: replace(b, labels=np.zeros(24, dtype=np.int64)), "one class only"),
    ],
)
def test_bad_bags_are_named(spoil: object, says: str) -> None:
    (train, _), (test, _) = needles(24, 0), needles(8, 1)
    config = abmil.Config(dim=8, attention_dim=4, epochs=1, keep="last")
    with pytest.raises(UserError, match=says):
        abmil.fit_predict(spoil(train), None, test, config, 0)  # type: ignore[operator]


@pytest.mark.parametrize("weighted", [False, True])
def test_one_output_for_two_classes_is_binary_cross_entropy(weighted: bool) -> None:
    (train, _), (test, _) = needles(24, 0), needles(8, 1)
    train = train.take(np.append(np.flatnonzero(train.labels == 0), np.flatnonzero(train.labels == 1)[:4]))
    goal = objective(train.table(), None, test.table(), "balanced" if weighted else None, "cox", 4, binary_logits=1)
    logits = torch.tensor([[0.3], [-1.2], [2.0]])
    target = goal.target(np.array([1, 0, 0]), torch.device("cpu"))
    p = 1 / (1 + np.exp(-logits[:, 0].numpy()))
    counts = np.bincount(train.labels)
    weights = (len(train) / (2 * counts))[[1, 0, 0]] if weighted else np.ones(3)
    expected = -(weights * np.log([p[0], 1 - p[1], 1 - p[2]])).mean()
    assert goal.loss(logits, target).item() == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(goal.scores(logits), np.stack([1 - p, p], axis=1), rtol=1e-6)


def test_one_output_learns_two_classes() -> None:
    (train, _), (val, _), (test, _) = needles(60, 0), needles(24, 1), needles(40, 2)
    config = abmil.Config(
        dim=16,
        attention_dim=8,
        dropout=0.0,
        epochs=12,
        learning_rate=5e-3,
        batch=4,
        binary_logits=1,
        monitor="balanced_accuracy",
    )
    predictions = abmil.fit_predict(train, val, test, config, 0)
    assert predictions.scores.shape == (40, 2)
    assert predictions.calibrated is not None
    assert roc_auc_score(test.labels, predictions.scores[:, 1]) > 0.8
    assert min(predictions.info["validation"]) < -0.7
