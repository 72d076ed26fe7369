"""Names, near matches, plugins, models outside the registry."""

import inspect
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

import registry
from registry import _torchvision, catalogue

PLUGIN = """
import torch
from registry.card import Architecture, ModelCard, Preprocessing, Pretraining, Weights

CARDS = (
    ModelCard(
        name="{name}",
        family="own",
        title="Own",
        dim=3,
        params=0,
        paper="none",
        url="https://example.org",
        licence="MIT",
        architecture=Architecture(builder="{stem}:means", kwargs={{"gain": 2.0}}),
        preprocessing=Preprocessing(size=8, mpp=0.5, tile_size=8, resize=8, mean=(0, 0, 0), std=(1, 1, 1)),
        weights=Weights(layout="none"),
        pretraining=Pretraining(method="none", data="none"),
    ),
)


class Means(torch.nn.Module):
    def __init__(self, gain):
        super().__init__()
        self.gain = gain

    def forward(self, tiles):
        return self.gain * tiles.mean((2, 3))


def means(gain):
    return Means(gain)
"""


def test_listing_imports_no_heavy_package():
    code = (
        "import sys, registry; assert len(registry.names()) > 5; registry.card('uni').digest();"
        "print(sorted({'torch', 'timm', 'numpy', 'torchvision', 'huggingface_hub', 'PIL'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_what_is_imported_later_has_its_signature_and_nothing_else_is_there():
    assert [*inspect.signature(registry.load).parameters][:2] == ["name", "checkpoint"]
    assert {"load", "fingerprint"} <= set(dir(registry))
    with pytest.raises(AttributeError, match="'registry' has no attribute 'lode'"):
        registry.lode  # noqa: B018


def test_matching_builds_are_left_alone(monkeypatch):
    """Where torchvision's own library loads, nothing is declared in its place."""
    import torchvision  # noqa: F401

    before = list(_torchvision._declared)
    monkeypatch.setattr(torch.ops, "load_library", lambda path: None)
    assert _torchvision.mend() is False
    assert _torchvision._declared == before


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ("unii", "uni"),
        ("UNI", "uni"),
        ("dinov2", "dinov2_vitl14"),
        ("efficientnet", "efficientnet_lite0"),
        ("resnet-50", "resnet50"),
    ],
)
def test_unknown_name_lists_near_matches(wrong, near):
    with pytest.raises(registry.UserError, match=rf"no model '{wrong}'; did you mean .*\b{near}\b"):
        registry.card(wrong)


def test_unknown_name_far_from_all_says_where_the_list_is():
    with pytest.raises(registry.UserError, match="no model 'zzzzzzzz'; `python -m registry` lists all"):
        registry.card("zzzzzzzz")


def test_random_init_baseline_has_a_name_and_no_history():
    untrained = registry.card("uni@random")
    assert untrained.name == "uni@random"
    assert untrained.pretraining.cohorts == ()
    assert untrained.architecture == registry.card("uni").architecture
    assert untrained.digest() != registry.card("uni").digest()


def test_plugin_file(tmp_path, forget):
    path = tmp_path / "my_models.py"
    path.write_text(PLUGIN.format(name="own_means", stem="my_models"))
    registry.load_plugins([path])
    registry.load_plugins([path])
    assert "own_means" in registry.names()
    tiles = torch.full((2, 3, 8, 8), 51, dtype=torch.uint8)
    assert torch.allclose(registry.load("own_means")(tiles), torch.full((2, 3), 0.4))


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("absent.py", None, "there is no plugin file"),
        ("broken.py", "import nothing_of_that_name", "stops with ModuleNotFoundError"),
        ("empty_plugin.py", "x = 1", "defines no CARDS"),
        ("not_card.py", "CARDS = (1,)", "not a ModelCard"),
        ("json.py", "CARDS = ()", "named like the module 'json'"),
        ("taken.py", PLUGIN.format(name="uni", stem="taken"), "a model named 'uni' exists already"),
        ("colon.py", PLUGIN.format(name="a:b", stem="colon"), "must not contain"),
    ],
)
def test_bad_plugins_say_what_is_wrong(tmp_path, forget, file, text, sentence):
    if text is not None:
        (tmp_path / file).write_text(text)
    with pytest.raises(registry.UserError, match=sentence):
        registry.load_plugins([tmp_path / file])


def test_entry_points_add_cards_and_a_faulty_one_is_left_out_and_named(monkeypatch, forget):
    import dataclasses

    own = dataclasses.replace(registry.card("colour"), name="from_a_package")
    entry = SimpleNamespace(name="p", value="p:CARDS", load=lambda: (own,))
    monkeypatch.setattr(catalogue.importlib.metadata, "entry_points", lambda group: [entry])
    assert "from_a_package" in catalogue._cards.__wrapped__()
    entry.load, named = lambda: 1 / 0, []
    monkeypatch.setattr(catalogue, "_left_out", named)
    assert "from_a_package" not in catalogue._cards.__wrapped__()
    assert "uni" in catalogue._cards.__wrapped__()
    assert all("plugin 'p' (p:CARDS) cannot be imported" in sentence for sentence in named)
    assert named


def test_timm_models_follow_timms_configuration():
    card = registry.card("timm:resnet18.a1_in1k")
    assert (card.dim, card.params) == (512, 11_176_512)
    recipe = card.preprocessing
    assert (recipe.size, recipe.resize, recipe.interpolation) == (224, int(224 / 0.95), "bicubic")
    assert card.weights.hub == "timm/resnet18.a1_in1k"
    assert card.licence == "apache-2.0"


@pytest.mark.parametrize(
    ("wrong", "near"), [("timm:resnt18", "timm:resnet18"), ("timm:resnet18.a1_in2k", "timm:resnet18.a1_in1k")]
)
def test_unknown_timm_models_list_near_matches(wrong, near):
    with pytest.raises(registry.UserError, match=f"timm has no model.*did you mean.*{near}"):
        registry.card(wrong)


def test_timm_model_from_a_checkpoint_with_a_classifier(tmp_path):
    import timm

    torch.manual_seed(0)
    whole = timm.create_model("resnet18", num_classes=7).eval()
    torch.save(whole.state_dict(), tmp_path / "r.pth")
    model = registry.load("timm:resnet18", checkpoint=tmp_path / "r.pth")
    tiles = torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8)
    with torch.no_grad():
        expected = whole.forward_head(whole.forward_features(model.preprocess(tiles)), pre_logits=True)
    assert torch.allclose(model(tiles), expected, atol=1e-6)
