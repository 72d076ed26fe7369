"""Every setting of every head changes what the head says, and the settings that only bound resources arrive there.

The fields are read from the heads' `Config`, so that a new setting without a case here fails.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from protocol_helpers import cohort
from setting_cases import (
    CASES,
    DEVICE,
    LAST,
    MEMORY,
    NETWORKS,
    PACKING,
    PRECISION,
    RESOURCES,
    SHARED,
    SMALL,
    TRAINING,
    Case,
    of_network,
)

from bench import protocols
from bench.protocols import Bags, Predictions, Samples, abmil_training, networks
from bench.protocols.abmil_training import step_precision
from registry.errors import UserError

Sides = tuple[Any, Any, Any]
PACKAGES = {"cox": "sksurv", "boosted": "xgboost"}  # of optional extras


def imbalanced(samples: Samples, first: int) -> Samples:
    """All samples but those of class 0 after the first few."""
    return samples.take((samples.labels > 0) | (np.cumsum(samples.labels == 0) <= first))


def labelled(samples: Samples, kind: str) -> Samples:
    """The cohort with labels of another kind, of which its features tell something."""
    x, y = samples.features.astype(np.float64), samples.labels
    rng = np.random.default_rng(len(samples))
    if kind == "ordinal":
        labels = y
    elif kind == "regression":
        labels = np.stack([x[:, 0] + 3 * y + rng.normal(size=len(y)), x[:, 1]], axis=1)
    elif kind == "survival":
        labels = np.stack([rng.exponential(np.exp(2 - x[:, 0])) + 0.01, rng.random(len(y)) < 0.7], axis=1).astype(float)
    else:
        labels = np.stack([y > 0, y > 1], axis=1).astype(np.int64)
    return replace(samples, labels=labels, kind=kind)


@cache
def vectors(kind: str, n_classes: int = 3) -> Sides:
    """Training, validation and test samples, overlapping and of unequal classes."""
    if kind == "classes":
        made = (
            imbalanced(cohort(n, classes=n_classes, dim=12, seed=seed, separation=0.5), n // 8)
            for n, seed in ((150, 0), (75, 1), (90, 2))
        )
        return tuple(made)  # type: ignore[return-value]
    return tuple(labelled(side, kind) for side in vectors("classes"))  # type: ignore[return-value]


@cache
def bags(kind: str) -> Sides:
    """Training, validation and test bags of five to eleven tiles about the vectors of `vectors`."""
    sides = []
    for samples in vectors(kind, 2) if kind == "classes" else vectors(kind):
        rng = np.random.default_rng(len(samples))
        part = samples.take(np.arange(40))
        tiles = [
            (x + rng.normal(size=(n, len(x)))).astype(np.float32)
            for x, n in zip(part.features, rng.integers(5, 12, len(part)), strict=True)
        ]
        sides.append(Bags(part.ids, part.groups, tiles, part.labels, kind=kind))
    return tuple(sides)  # type: ignore[return-value]


def sides_of(head: protocols.Head, field: str) -> list[Sides]:
    """The data on which a setting is tried: each has its own way through the head."""
    if field == "refit":
        train, _, test = bags("classes")
        return [(train, None, test)]
    if head.takes_bags:
        return [bags("survival" if field in ("survival_loss", "intervals") else "classes")]
    if head.head_type == "linear_sgd":
        return [vectors("classes", 2)]
    if head.head_type == "ridge" and field in ("alpha_max", "n_strengths"):
        return [vectors("ordinal")]  # of numbers without much noise the smallest strength is the best of any range
    return [
        vectors(kind) for kind in ("classes", "ordinal", "regression", "survival", "multilabel") if kind in head.kinds
    ]


def same(first: Predictions, second: Predictions) -> bool:
    """Whether two predictions are the same, and the metrics that the head computes itself."""
    if first.scores.tobytes() != second.scores.tobytes():
        return False
    return first.metrics == second.metrics


def cases() -> list[Any]:
    """One for each setting, of the tables above."""
    listed = [({"kind": kind}, name, case) for kind, table in CASES.items() for name, case in table.items()]
    for network, table in NETWORKS.items():
        tried = table if network == "abmil" else {n: c for n, c in table.items() if n not in TRAINING or n in SHARED}
        listed += [({"kind": "abmil", "network": network}, name, case) for name, case in tried.items()]
    return [pytest.param(*one, id="-".join([*one[0].values(), one[1]])) for one in listed]


@pytest.mark.parametrize("kind", [kind for kind in protocols.head_types() if kind != "abmil"])
def test_every_setting_of_a_head_has_a_case(kind: str) -> None:
    assert {f.name for f in fields(protocols.get(kind).Config)} - set(RESOURCES) == set(CASES[kind])


@pytest.mark.parametrize("network", networks.names())
def test_every_setting_of_a_network_has_a_case(network: str) -> None:
    known = {f.name for f in fields(networks.get(network))} - set(RESOURCES)
    assert known == {*NETWORKS[network], "network", PRECISION}


@pytest.mark.slow
@pytest.mark.parametrize(("head", "field", "case"), cases())
def test_a_setting_changes_the_predictions(head: dict[str, Any], field: str, case: Case) -> None:
    pytest.importorskip(PACKAGES.get(head["kind"], "numpy"))
    base, value = case
    plain = protocols.configured({**head, **base})
    changed = protocols.configured({**head, **base, field: value})
    assert getattr(plain.config, field) != value
    for sides in sides_of(plain, field):
        assert not same(plain.fit_predict(*sides, 3), changed.fit_predict(*sides, 3)), sides[0].kind


@pytest.mark.slow
@pytest.mark.parametrize("network", [name for name in networks.names() if name != "abmil"])
def test_each_network_predicts_otherwise(network: str) -> None:
    assert not same(predicted_by("abmil"), predicted_by(network))


@cache
def predicted_by(network: str) -> Predictions:
    settings = of_network(network, SMALL)
    return protocols.configured({"kind": "abmil", "network": network, **settings}).fit_predict(*bags("classes"), 3)


def test_the_precision_of_the_steps_changes_the_predictions() -> None:
    automatic = protocols.configured({"kind": "abmil", **SMALL, "precision": "auto"})
    taken = step_precision(automatic.config, torch.device("cpu"))
    made = {
        precision: protocols.configured(
            {"kind": "abmil", **SMALL, "precision": precision, "device": "cpu"}
        ).fit_predict(*bags("classes"), 3)
        for precision in ("auto", "float32", "bfloat16")
    }
    assert same(made["auto"], made[taken])
    assert not same(made["float32"], made["bfloat16"])
    assert made["bfloat16"].info["precision"] == "bfloat16"


@pytest.mark.parametrize("pool", ["mean", "max"])
def test_the_pooled_head_pools_every_side_alike(pool: str) -> None:
    train, val, test = bags("classes")
    own = protocols.configured({"kind": "pooled", "pool": pool, "head": "knn"}).fit_predict(train, val, test, 0)
    sides = [getattr(np, pool)(np.stack(rows), axis=0) for rows in train.features]
    np.testing.assert_allclose(train.pooled(pool).features, sides, rtol=1e-6)
    vectors_of = (side.pooled(pool) for side in (train, val, test))
    expected = protocols.configured({"kind": "knn"}).fit_predict(*vectors_of, 0)
    assert same(own, expected)
    assert own.info == expected.info


DRAWS_NOTHING = ("ridge_hest", "retrieval", "consistency", "prototype_topk")
TEMPERATURE_ALONE = ("linear_uni", "linear_sklearn", "prototype")  # their folds give the temperature and nothing else
BY_SEED: dict[str, dict[str, Any]] = {
    "linear": {"n_strengths": 5},
    "linear_sgd": {"steps": 20},
    "simpleshot": {"episodes": 20},
    "centre_robustness": {"repeats": 1, "k": 5},
    "label_efficiency": {"percent": [20.0]},
    "boosted": {"n_estimators": 5},
    "forest": {"trees": 3},
    "by_slide": {"head": "pooled"},
    "pooled": {"head": "simpleshot", "settings": {"episodes": 5, "shots": [1]}},
    "abmil": SMALL,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", protocols.head_types())
def test_the_seed_alone_decides_what_is_drawn(kind: str) -> None:
    pytest.importorskip(PACKAGES.get(kind, "numpy"))
    head = protocols.configured({"kind": kind, **BY_SEED.get(kind, {})})
    train, _, test = bags("classes") if head.takes_bags else vectors(head.kinds[0])
    first, again, other = (head.fit_predict(train, None, test, seed) for seed in (0, 0, 1))
    assert same(first, again)
    assert first.info == again.info
    if kind in DRAWS_NOTHING:
        assert same(first, other)
        assert first.info == other.info
    elif kind in TEMPERATURE_ALONE:
        assert same(first, other)
        assert first.info["temperature"] != other.info["temperature"]
    else:
        assert not same(first, other) or first.info != other.info


@pytest.mark.parametrize("kind", [k for k in protocols.head_types() if hasattr(protocols.get(k).Config(), DEVICE)])
def test_the_device_is_the_one_that_is_named(kind: str) -> None:
    head = protocols.configured({"kind": kind, DEVICE: "cuda:99"})
    for sides in sides_of(head, DEVICE):
        with pytest.raises(UserError, match="device=cuda:99 of a head names a GPU that is not there"):
            head.fit_predict(*sides, 0)


WHERE_MEMORY_IS_BOUND: dict[str, tuple[str, str]] = {
    "linear": ("logistic", "solve"),
    "label_efficiency": ("logistic", "solve"),
    "knn": ("knn", "nearest_rows"),
    "retrieval": ("retrieval", "nearest"),
    "simpleshot": ("simpleshot", "episodes"),
    "centre_robustness": ("centre_robustness", "nearest"),
    "consistency": ("consistency", "nearest"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in protocols.head_types() if hasattr(protocols.get(k).Config(), MEMORY)])
def test_the_bound_of_memory_arrives_where_it_binds(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name = WHERE_MEMORY_IS_BOUND[kind]
    owner = importlib.import_module(f"bench.protocols.{module}")
    inside: Callable[..., Any] = getattr(owner, name)
    bounds: list[bool] = []

    def watched(*values: Any, **named: Any) -> Any:
        bounds.append(any(isinstance(v, int) and v == 3 * 2**26 for v in (*values, *named.values())))
        return inside(*values, **named)

    monkeypatch.setattr(owner, name, watched)
    settings = {"kind": kind, **BY_SEED.get(kind, {})}
    head = protocols.configured({**settings, MEMORY: 3 / 16})
    for sides in sides_of(head, MEMORY):
        bounds.clear()
        bound = head.fit_predict(*sides, 0)
        assert bounds
        assert all(bounds)
        np.testing.assert_allclose(
            protocols.configured(settings).fit_predict(*sides, 0).scores, bound.scores, atol=1e-5
        )


def test_packing_puts_bags_together(monkeypatch: pytest.MonkeyPatch) -> None:
    together: list[int] = []
    forward = abmil_training._forward

    def watched(network: Any, of: Bags, part: np.ndarray, *rest: Any) -> Any:
        together.append(len(part))
        return forward(network, of, part, *rest)

    monkeypatch.setattr(abmil_training, "_forward", watched)
    settings = {"kind": "abmil", **LAST, "epochs": 1, "dropout": 0.0}
    alone = protocols.configured(settings).fit_predict(*bags("classes"), 0)
    assert set(together) == {1}
    together.clear()
    packed = protocols.configured({**settings, PACKING: 30}).fit_predict(*bags("classes"), 0)
    sizes = [len(tiles) for tiles in bags("classes")[0].features]
    assert max(together) > 1
    assert max(together) * min(sizes) <= 30
    assert sum(together) == len(sizes)
    np.testing.assert_allclose(packed.scores, alone.scores, atol=1e-5)
