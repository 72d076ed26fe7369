"""For every card of the registry: filled, built as published, and identified by all that can change a feature."""

import dataclasses
import importlib
import json
import pkgutil
from functools import cache

import pytest
import torch

import registry
from registry import models
from registry.build import build
from registry.card import Architecture, Cohort, ModelCard, Pooling, Weights
from registry.extractor import FeatureExtractor
from registry.layouts import LAYOUTS
from registry.weights import LoadedWeights

NAMES = registry.names()
SHAPED: set[str] = set()  # digests of the cards whose output has been looked at


def on_meta(card):
    return _built(card.architecture.builder, json.dumps(card.architecture.kwargs))


@cache
def _built(builder, kwargs):
    with torch.device("meta"):
        return build(Architecture(builder=builder, kwargs=json.loads(kwargs)))


@pytest.mark.parametrize("name", NAMES)
def test_every_field_is_filled(name):
    card = registry.card(name)
    for field in ("family", "title", "paper", "licence", "notes"):
        assert getattr(card, field).strip(), field
    assert card.url.startswith("https://")
    assert card.dim > 0
    assert card.pretraining.method
    assert card.pretraining.data
    assert all(isinstance(cohort, Cohort) for cohort in card.pretraining.cohorts)
    weights = card.weights
    if weights.layout in ("random", "none"):
        assert (weights.hub, weights.package, weights.page) == (None, None, None)
    else:
        assert weights.layout in LAYOUTS or ":" in weights.layout
        assert weights.page is None or weights.page.startswith("https://")
        if weights.hub or weights.package:
            assert weights.file or weights.files
            assert weights.page
    if card.unit == "slide":
        assert card.tile_encoder in NAMES
    else:
        recipe = card.preprocessing
        assert recipe.tile_size > 0
        assert len(recipe.mean) == len(recipe.std) == 3


@pytest.mark.parametrize("name", NAMES)
def test_network_has_the_published_number_of_parameters(name):
    card = registry.card(name)
    assert sum(p.numel() for p in on_meta(card).parameters()) == card.params


@pytest.mark.parametrize("name", [n for n in NAMES if registry.card(n).unit == "tile"])
def test_output_has_the_dimension_of_the_card_for_every_option(name):
    card = registry.card(name)
    chosen = [{}] + [{option: value} for option, values in card.options.items() for value in values]
    # one of the values is the default, and cards of one network differ in their weights alone: each digest is run once
    for options in chosen:
        card = registry.card(name, options)
        if card.digest() in SHAPED:
            continue
        SHAPED.add(card.digest())
        model = FeatureExtractor(card, on_meta(card), LoadedWeights("none")).to("meta")
        side = card.preprocessing.tile_size
        tiles = torch.empty(1, 3, side, side, dtype=torch.uint8, device="meta")
        assert model(tiles).shape == (1, card.dim), options


@pytest.mark.parametrize("name", [n for n in NAMES if registry.card(n).options])
def test_options_are_named_choices(name):
    for option, values in registry.card(name).options.items():
        assert len(values) >= 2
        digests = [registry.card(name, {option: value}).digest() for value in values]
        assert registry.card(name).digest() in digests, "the authors' choice is one of the values"
    with pytest.raises(registry.UserError, match="has no option 'no_such'"):
        registry.card(name, {"no_such": "1"})
    with pytest.raises(registry.UserError, match=f"has no {option}=no_such; choose one of"):
        registry.card(name, {option: "no_such"})


def test_every_card_of_every_family_is_listed_once():
    files = [
        importlib.import_module(f"{models.__name__}.{file.name}") for file in pkgutil.iter_modules(models.__path__)
    ]
    defined = [card.name for file in files for card in getattr(file, "CARDS", ())]
    assert sorted(defined) == NAMES, "a name of two cards stands twice on the left"


PLAIN = registry.card("uni")


def changed(card, **fields):
    return dataclasses.replace(card, **fields)


@pytest.mark.parametrize(
    "other",
    [
        changed(PLAIN, architecture=Architecture(builder="timm:vit_large_patch16_224")),
        changed(PLAIN, architecture=changed(PLAIN.architecture, kwargs={**PLAIN.architecture.kwargs, "img_size": 256})),
        changed(PLAIN, preprocessing=changed(PLAIN.preprocessing, size=256)),
        changed(PLAIN, preprocessing=changed(PLAIN.preprocessing, mpp=0.25)),
        changed(PLAIN, preprocessing=changed(PLAIN.preprocessing, tile_size=224)),
        changed(PLAIN, preprocessing=changed(PLAIN.preprocessing, resize=(224, 224))),
        changed(PLAIN, preprocessing=changed(PLAIN.preprocessing, interpolation="bicubic")),
        changed(PLAIN, preprocessing=changed(PLAIN.preprocessing, crop=False)),
        changed(PLAIN, preprocessing=changed(PLAIN.preprocessing, mean=(0.5, 0.456, 0.406))),
        changed(PLAIN, preprocessing=changed(PLAIN.preprocessing, std=(0.5, 0.224, 0.225))),
        changed(PLAIN, pooling=Pooling(kind="cls")),
        changed(PLAIN, pooling=Pooling(kind="none", patch_start=5)),
        changed(PLAIN, weights=Weights(layout="timm_classifier")),
        changed(PLAIN, unit="region"),
        changed(PLAIN, dim=2),
    ],
)
def test_digest_follows_whatever_changes_a_feature(other):
    assert other.digest() != PLAIN.digest()


def test_digest_ignores_what_changes_no_feature():
    for fields in ({"name": "x"}, {"paper": "x"}, {"notes": "x"}, {"weights": changed(PLAIN.weights, hub="a/b")}):
        assert changed(PLAIN, **fields).digest() == PLAIN.digest()
    assert isinstance(PLAIN, ModelCard)
    assert len({registry.card(name).digest() for name in ("uni", "resnet50", "colour", "dinov2_vits14")}) == 4
