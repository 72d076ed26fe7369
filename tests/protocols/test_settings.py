"""Settings out of range, of the wrong type or of no use here: one sentence each."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from protocol_helpers import cohort

from bench import protocols
from bench.protocols import networks
from bench.protocols.settings import Range, device_of, wrong_type
from registry.errors import UserError

OUT_OF_RANGE: list[tuple[str, str, Any]] = [
    ("linear", "c_min", 0.0),
    ("linear", "c_max", float("inf")),
    ("linear", "n_strengths", 0),
    ("linear", "class_weight", "some"),
    ("linear", "tol", -1.0),
    ("linear", "max_iter", 0),
    ("linear", "memory_gib", 0.0),
    ("linear_sgd", "batch_size", 0),
    ("linear_sgd", "learning_rates", []),
    ("linear_sgd", "learning_rates", [1e-3, float("nan")]),
    ("linear_sgd", "weight_decays", [-1.0]),
    ("linear_sgd", "steps", 0),
    ("linear_sgd", "epochs", 0),
    ("linear_sgd", "patience_share", 0.0),
    ("linear_sgd", "metric", "accuracy"),
    ("linear_sgd", "binary_logits", 3),
    ("linear_uni", "c", 0.0),
    ("linear_uni", "c", -1.0),
    ("linear_uni", "max_iter", 0),
    ("linear_sklearn", "c", 0.0),
    ("linear_sklearn", "class_weight", "even"),
    ("linear_sklearn", "max_iter", 0),
    ("linear_sgd", "schedule", "cosine"),
    ("ridge", "alpha_min", 0.0),
    ("ridge", "n_strengths", 0),
    ("ridge", "pca", 0),
    ("ridge_hest", "pca", 0),
    ("boosted", "subsample", 0.0),
    ("forest", "max_depth", 0),
    ("cox", "alphas", []),
    ("cox", "alphas", [0.1, 0.0]),
    ("cox", "l1_ratio", -0.1),
    ("cox", "max_iter", 0),
    ("knn", "k", []),
    ("knn", "k", [0, 3]),
    ("knn", "metric", "manhattan"),
    ("retrieval", "k", [-1]),
    ("retrieval", "memory_gib", -1.0),
    ("simpleshot", "shots", []),
    ("simpleshot", "episodes", 0),
    ("label_efficiency", "percent", [0.0]),
    ("label_efficiency", "percent", [50.0, 101.0]),
    ("label_efficiency", "repeats", 0),
    ("label_efficiency", "c", 0.0),
    ("pooled", "pool", "median"),
    ("abmil", "network", "x"),
    ("abmil", "optimiser", "sgd"),
    ("abmil", "schedule", "steps"),
    ("abmil", "beta1", 1.0),
    ("abmil", "ties", "both"),
    ("abmil", "bag_size_test", 0),
    ("abmil", "keep", "first"),
    ("abmil", "monitor", "auroc"),
    ("abmil", "precision", "int8"),
    ("abmil", "epochs", 0),
    ("abmil", "batch", 0),
    ("abmil", "bag_size", 0),
    ("abmil", "patience", 0),
    ("abmil", "learning_rate", 0.0),
    ("abmil", "weight_decay", -1.0),
    ("abmil", "warmup_epochs", -1),
    ("abmil", "dim", 0),
    ("abmil", "hidden", [0]),
    ("abmil", "dropout", 1.0),
    ("abmil", "intervals", 1),
    ("abmil", "binary_logits", 0),
    ("abmil", "survival_loss", "weibull"),
    ("abmil", "class_weight", "some"),
]


@pytest.mark.parametrize(("kind", "name", "value"), OUT_OF_RANGE)
def test_a_setting_out_of_range_is_named_with_what_it_may_be(kind: str, name: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"^{name}=.* of the {kind} head is (out of range|unknown|empty): ") as raised:
        protocols.configured({"kind": kind, name: value})
    assert "\n" not in str(raised.value)
    assert str(raised.value).count(". ") == 0


def test_heads_of_transmil_share_its_width() -> None:
    with pytest.raises(UserError, match="multiple of transmil's 8"):
        protocols.configured({"kind": "abmil", "network": "transmil", "dim": 20})


@pytest.mark.parametrize(
    ("network", "name", "value"),
    [
        *(("clam_sb", name, value) for name, value in (("instances", 0), ("instance_share", 1.5), ("dropout", 1.0))),
        *((network, "dim", 0) for network in ("clam_mb", "mil_fc", "mean", "max", "transmil")),
        *((network, "dropout", 1.0) for network in networks.names() if network != "dsmil"),
        *(("abmil_multihead", name, 0) for name in ("heads", "attention_dim")),
        *((network, "class_weight", "some") for network in networks.names()),
        *((network, "epochs", 0) for network in networks.names()),
        ("mean", "dropout_input", 1.0),
        ("max", "hidden", [0]),
        ("dsmil", "intervals", 1),
        ("transmil", "binary_logits", 3),
    ],
)
def test_a_setting_of_a_network_out_of_range_is_named(network: str, name: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"^{name}=.* of the abmil head is (out of range|unknown): "):
        protocols.configured({"kind": "abmil", "network": network, name: value})


@pytest.mark.parametrize(
    ("network", "name", "near"),
    [
        ("transmil", "attention_dim", "dim"),
        ("transmil", "dropout_input", "dropout"),
        ("dsmil", "dim", None),
        ("transmil", "hidden", None),
        ("transmil", "gated", None),
        ("mean", "attention_dim", "dim"),
        ("max", "gated", None),
        ("abmil", "instances", None),
        ("clam_sb", "binary_logits", None),
        ("mil_fc", "survival_loss", None),
        ("clam_sb", "intervals", None),
        ("clam_sb", "instance", "instances"),
        ("abmil", "attentoin_dim", "attention_dim"),
    ],
)
def test_a_setting_that_the_network_does_not_have_is_refused(network: str, name: str, near: str | None) -> None:
    says = rf"^The protocol abmil has no setting '{name}' with network={network}: its settings are optimiser, .*\."
    with pytest.raises(UserError, match=says + (rf" Is {near} meant\?$" if near else "$")) as raised:
        protocols.configured({"kind": "abmil", "network": network, name: 7})
    if near:
        assert near in {field.name for field in fields(networks.get(network))}
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["ABMIL", "pooling", "base", None, 3])
def test_a_network_that_is_not_there_is_refused_with_those_that_are(name: Any) -> None:
    own = "null" if name is None else name
    says = (
        f"^network={own} of the abmil head is unknown: it must be abmil or abmil_multihead or clam_mb or clam_sb or "
        "dsmil or max or mean or mil_fc or transmil"
    )
    with pytest.raises(UserError, match=says):
        protocols.configured({"kind": "abmil", "network": name})


def test_settings_of_one_network_are_not_those_of_another() -> None:
    with pytest.raises(UserError, match="network=dsmil of the abmil head has the settings of network=abmil"):
        protocols.get("abmil").Config(network="dsmil")


@pytest.mark.parametrize("name", networks.names())
def test_each_network_is_configured_as_its_own_settings(name: str) -> None:
    config = protocols.configured({"kind": "abmil", "network": name, "epochs": 16}).config
    assert type(config) is networks.get(name)
    assert (config.network, config.epochs) == (name, 16)
    assert protocols.configured({"kind": "abmil"}).config == networks.get("abmil")()


def test_ends_of_a_range() -> None:
    assert [v in Range(0, 1, open_low=True) for v in (0, 0.5, 1, 1.1)] == [False, True, True, False]
    assert [v in Range(0, 1, open_high=True) for v in (0, 1)] == [True, False]
    assert str(Range(0, 100, open_low=True)) == "above 0 and at most 100"


@pytest.mark.parametrize("kind", [k for k in protocols.head_types() if hasattr(protocols.get(k).Config(), "device")])
def test_devices_are_known_by_name(kind: str) -> None:
    with pytest.raises(UserError, match=rf"device=foo of the {kind} head is unknown: it must be auto, cpu"):
        protocols.configured({"kind": kind, "device": "foo"})
    assert protocols.configured({"kind": kind, "device": "cuda:1"}).config.device == "cuda:1"


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto") == device_of("cpu") == "cpu"
    with pytest.raises(UserError, match=r"device=cuda of a head names a GPU that is not there .PyTorch sees none"):
        device_of("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert [device_of(d) for d in ("auto", "cuda", "cuda:0", "cpu")] == ["cuda", "cuda", "cuda:0", "cpu"]
    with pytest.raises(UserError, match="cuda:1"):
        device_of("cuda:1")


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"kind": "linear", "n_strengths": 1, "c_min": 1e5, "max_iter": 2}, "The logistic regression did not converge"),
        ({"kind": "linear_uni", "max_iter": 2}, "UNI's linear probe did not converge in max_iter=2"),
        (
            {"kind": "linear_sklearn", "max_iter": 2},
            "scikit-learn's logistic regression did not converge in max_iter=2",
        ),
    ],
    ids=["linear", "linear_uni", "linear_sklearn"],
)
def test_a_fit_that_ends_early_is_noted(config: dict[str, Any], says: str) -> None:
    train, test = cohort(90), cohort(60, seed=1)
    notes = protocols.configured(config).fit_predict(train, None, test, 0).info["notes"]
    assert len(notes) == 1
    assert notes[0].startswith(says)
    settled = {"kind": config["kind"], **({"n_strengths": 3} if config["kind"] == "linear" else {"c": 1.0})}
    assert "notes" not in protocols.configured(settled).fit_predict(train, None, test, 0).info


def test_labels_side_by_side_note_it_too() -> None:
    train, test = (
        replace(s, labels=np.stack([s.labels > 0, s.labels > 1], axis=1).astype(np.int64), kind="multilabel")
        for s in (cohort(90), cohort(60, seed=1))
    )
    info = (
        protocols.configured({"kind": "linear", "n_strengths": 2, "max_iter": 1}).fit_predict(train, None, test, 0).info
    )
    assert not info["converged"]
    assert any("did not converge" in note for note in info["notes"])


@pytest.mark.parametrize(
    ("kind", "name", "value", "says"),
    [
        ("knn", "k", 3, r"k=3 of the protocol knn is .*: k must be a list of whole numbers, such as \[3\]\."),
        ("knn", "k", ["a"], r"k must be a list of whole numbers, such as \[1, 3, 5"),
        ("knn", "k", [1.5], r"k=\[1.5\] of .* list of whole numbers, such as \[1, 3"),
        ("knn", "k", None, r"k=null of .* list of whole numbers, such as \[1, 3"),
        ("knn", "k", {"a": 1}, "k must be a list of whole numbers"),
        ("knn", "metric", [1], 'metric must be a word, such as "cosine"'),
        ("linear_sgd", "learning_rates", 0.1, r"a list of numbers, such as \[0.1\]"),
        ("linear_sgd", "steps", "many", 'steps="many" of .* a whole number or null, such as 12500'),
        ("linear_sgd", "batch_size", 2.5, "batch_size must be a whole number, such as 256"),
        ("linear_sgd", "decoupled", "perhaps", "decoupled must be true or false"),
        ("linear", "c_min", "small", "c_min must be a number, such as 1e-06"),
        ("linear_uni", "c", [1], "c must be a number or null"),
        ("pooled", "settings", 3, "settings must be settings by name"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_the_type_it_needs(kind: str, name: str, value: Any, says: str) -> None:
    for settings in ({"kind": kind, name: value}, OmegaConf.create({"kind": kind, name: value})):
        with pytest.raises(UserError, match=says) as raised:
            protocols.configured(settings)  # type: ignore[arg-type]
        assert "\n" not in str(raised.value)
        assert "Node" not in str(raised.value)


def test_an_unknown_setting_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"The protocol knn has no setting 'metrik': .* Is metric meant\?"):
        protocols.configured({"kind": "knn", "metrik": "l2"})


def test_every_type_of_setting_has_words() -> None:
    for kind in protocols.head_types():
        schemas = [networks.get(name) for name in networks.names()] if kind == "abmil" else [protocols.get(kind).Config]
        for schema in schemas:
            for field in fields(schema):
                assert "must be" in wrong_type(kind, schema, field.name, object())
