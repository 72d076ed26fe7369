"""Which kinds of target each head takes, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from protocol_helpers import cohort

from bench import protocols
from bench.protocols import KINDS
from registry.errors import UserError

PRESETS = Path(__file__).parents[2] / "conf/protocol"
CLASSES = ("classes", "ordinal")


def test_kinds_of_the_heads() -> None:
    own = {name: protocols.Head(name, protocols.get(name).Config()).kinds for name in protocols.head_types()}
    assert own.pop("ridge") == ("regression", "ordinal")
    assert own.pop("ridge_hest") == own.pop("boosted") == own.pop("forest") == ("regression",)
    assert own.pop("cox") == ("survival",)
    assert own.pop("abmil") == own.pop("by_slide") == KINDS
    assert own.pop("linear") == own.pop("linear_sklearn") == own.pop("pooled") == (*CLASSES, "multilabel")
    assert set(own.values()) == {CLASSES}


def test_kinds_follow_the_settings() -> None:
    assert protocols.configured({"kind": "pooled", "head": "cox"}).kinds == ("survival",)
    assert protocols.configured({"kind": "abmil", "network": "clam_sb"}).kinds == CLASSES
    with pytest.raises(UserError, match="abmil takes bags"):
        _ = protocols.configured({"kind": "pooled", "head": "abmil"}).kinds


def test_a_head_of_another_kind_is_named_with_those_to_choose() -> None:
    train, test = cohort(40), cohort(20, seed=1)
    values = [replace(side, labels=np.ones((len(side), 1)), kind="regression") for side in (train, test)]
    says = (
        r"The head knn, .* classes, ordinal, .* regression: choose one of the heads boosted, forest, ridge, ridge_hest."
    )
    with pytest.raises(UserError, match=says) as raised:
        protocols.configured({"kind": "knn"}).fit_predict(values[0], None, values[1], 0)
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match=r"The head ridge, .* kind classes: choose one of the heads knn, "):
        protocols.configured({"kind": "ridge"}).fit_predict(train, None, test, 0)
    with pytest.raises(UserError, match=r"The head abmil, .* kind poetry: choose a kind of target among"):
        protocols.configured({"kind": "abmil"}).fit_predict(replace(train, kind="poetry"), None, test, 0)


def test_presets_say_their_kinds_and_every_kind_has_some() -> None:
    presets = {path.stem: OmegaConf.load(path) for path in PRESETS.glob("*.yaml")}
    own = {name: protocols.configured(dict(settings)).kinds for name, settings in presets.items()}
    assert own["cox"] == ("survival",)
    assert own["ridge"] == ("regression", "ordinal")
    assert own["abmil_cox"] == ("survival",)
    for kind in KINDS:
        assert sum(kind in kinds for kinds in own.values()) > 1


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "linear", "n_strengths": 4},
        {"kind": "linear_uni"},
        {"kind": "linear_sklearn"},
        {"kind": "linear_sgd", "steps": 40},
        {"kind": "knn"},
        {"kind": "prototype"},
        {"kind": "retrieval"},
        {"kind": "simpleshot", "episodes": 20},
        {"kind": "label_efficiency"},
    ],
    ids=lambda settings: settings["kind"],
)
def test_heads_of_classes_take_grades_as_classes(settings: dict[str, object]) -> None:
    train, test = cohort(120), cohort(60, seed=1)
    head = protocols.configured(settings)
    classes = head.fit_predict(train, None, test, 0)
    grades = head.fit_predict(replace(train, kind="ordinal"), None, replace(test, kind="ordinal"), 0)
    assert (classes.kind, grades.kind) == CLASSES
    assert grades.scores.tobytes() == classes.scores.tobytes()
    assert (grades.calibrated is None) == (classes.calibrated is None)
