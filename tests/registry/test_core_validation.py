"""Cards that cannot be worked with are one sentence when they are read; the README's own card is no such card."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import registry
from registry.build import build_random
from registry.card import Architecture, Cohort, ModelCard, Pooling, Preprocessing, Pretraining, Weights
from registry.layouts import LAYOUTS

REPO = Path(__file__).resolve().parents[2]
(README_CARD,) = re.findall(r"```python\n(.*?)```", (REPO / "README.md").read_text(), flags=re.DOTALL)
GOOD = ModelCard(
    name="checked",
    family="own",
    title="Own",
    dim=384,
    params=0,
    paper="none",
    url="https://example.org",
    licence="MIT",
    architecture=Architecture(builder="timm:vit_small_patch16_224"),
    preprocessing=Preprocessing(size=224, mpp=0.5, tile_size=224, resize=224),
    pretraining=Pretraining(method="none", data="none"),
)


def test_the_card_in_the_readme_loads_a_checkpoint(tmp_path, forget):
    path = tmp_path / "my_models.py"
    path.write_text(README_CARD)
    registry.load_plugins([path])
    own = build_random(registry.card("mine"))
    torch.save(own.state_dict(), tmp_path / "mine.pth")
    model = registry.load("mine", checkpoint=tmp_path / "mine.pth", precision="float32")
    card = model.card
    assert sum(p.numel() for p in model.parameters()) == card.params
    tiles = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    features = model(tiles)
    assert features.shape == (1, card.dim)
    assert torch.equal(features, own(model.preprocess(tiles)))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"weights": Weights(layout="flat")}, f"has the layout 'flat', which does not exist; .*{next(iter(LAYOUTS))},"),
        (
            {"weights": Weights(layout="no_such:layout")},
            "has a layout that cannot be had: there is no 'no_such:layout'",
        ),
        ({"architecture": Architecture(builder="timm:vit_smal")}, "has the builder 'timm:vit_smal', and timm has no"),
        ({"architecture": Architecture(builder="no_such:network")}, "has a builder that cannot be had"),
        (
            {"architecture": Architecture(builder="json:loud")},
            "has a builder that cannot be had: .*no attribute 'loud'",
        ),
        ({"architecture": Architecture(builder="json:__all__")}, "__all__ is no function"),
        ({"architecture": Architecture(builder="")}, "has a builder that cannot be had"),
        ({"architecture": Architecture(builder=GOOD.architecture.builder, kwargs={"a": {1}})}, "no JSON values"),
        ({"architecture": "timm:vit_small_patch16_224"}, "has architecture='timm:.*'; it must be Architecture"),
        (
            {"preprocessing": dataclasses.replace(GOOD.preprocessing, mpp="0.5")},
            "preprocessing.mpp='0.5'; it must be float",
        ),
        ({"preprocessing": dataclasses.replace(GOOD.preprocessing, mpp=float("nan"))}, "preprocessing.mpp=nan"),
        ({"preprocessing": dataclasses.replace(GOOD.preprocessing, mpp=0)}, "preprocessing.mpp=0; write microns"),
        ({"preprocessing": dataclasses.replace(GOOD.preprocessing, tile_size=0)}, "tile_size=0; both are px"),
        (
            {"preprocessing": dataclasses.replace(GOOD.preprocessing, mean=(0.5, 0.5))},
            r"preprocessing.mean=\(0.5, 0.5\)",
        ),
        ({"preprocessing": dataclasses.replace(GOOD.preprocessing, std=(1, 1, 0))}, "divided by"),
        (
            {"preprocessing": dataclasses.replace(GOOD.preprocessing, resize=200)},
            "resizes to 200 px and crops the larger",
        ),
        ({"pooling": Pooling(kind="max")}, "pooling.kind='max'; it must be one of none, cls, cls[+]mean, mean"),
        ({"precision": "half"}, "precision='half'; it must be one of float32"),
        ({"dim": "384"}, "dim='384'; it must be int"),
        ({"dim": True}, "dim=True; it must be int"),
        ({"dim": 0}, "dim=0"),
        (
            {"pretraining": Pretraining(method="a", data="b", cohorts=(Cohort(name="TCGA", evidence="sure"),))},
            "evidence='sure'; it must be one of stated, inferred, unknown",
        ),
        ({"unit": "slide"}, "names no tile_encoder"),
        ({"options": {"output": {"a": {}, "b": {"dimension": 3}}}}, "replaces by output=b what is no field"),
        ({"options": {"output": {"a": {}, "b": {"dim": -3}}}}, "with output=b has dim=-3"),
        ({"name": ""}, "must have a name"),
    ],
)
def test_a_card_that_cannot_be_worked_with_is_a_sentence(forget, fields, sentence):
    with pytest.raises(registry.UserError, match=sentence) as caught:
        registry.add(dataclasses.replace(GOOD, **fields))
    said = str(caught.value)
    assert said.startswith(f"registry.add: the card '{fields.get('name', 'checked')}' ")
    assert "\n" not in said
    assert "checked" not in registry.names()


def test_numbers_and_lists_that_mean_the_same_pass(forget):
    recipe = Preprocessing(size=224, mpp=1, tile_size=224, resize=[224, 224], mean=[0, 0, 0], std=(1, 1, 1))
    registry.add(dataclasses.replace(GOOD, preprocessing=recipe))
    assert registry.card("checked").preprocessing.mpp == 1


def edited(tmp_path, old, new):
    assert README_CARD.count(old) == 1
    path = tmp_path / "edited_models.py"
    path.write_text(README_CARD.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (" mpp=0.5,", "", "because Preprocessing lacks 'mpp' (line 14, in the card 'mine')"),
        ('title="Our ViT-S",', "", "because ModelCard lacks 'title' (line 4, in the card 'mine')"),
        (
            'licence="internal"',
            'license="internal"',
            "because ModelCard has no field 'license' (line 4, in the card 'mine')",
        ),
        ('layout="timm"', 'layout="flat"', "the card 'mine' has the layout 'flat', which does not exist"),
        ("timm:vit_small_patch16_224", "timm:vit_smal", "the card 'mine' has the builder 'timm:vit_smal'"),
        ("CARDS = (", "CARDS = 5\nOTHERS = (", "CARDS is 5; make it a tuple"),
        ("CARDS = (", "raise SystemExit(0)\nCARDS = (", "stops with SystemExit: 0 (line 3)"),
        ("CARDS = (", "CARDS = ((", "stops with SyntaxError"),
    ],
)
def test_the_sentence_names_the_file_and_the_card(tmp_path, forget, old, new, sentence):
    path = edited(tmp_path, old, new)
    with pytest.raises(registry.UserError, match=re.escape(sentence)) as caught:
        registry.load_plugins([path])
    assert str(path) in str(caught.value)
    path.write_text(README_CARD)
    registry.load_plugins([path])
    assert "mine" in registry.names(), "a mended file is read again"


@pytest.mark.parametrize("command", [[], ["uni"], ["docs", "models.md"], ["verify", "efficientnet_lite0"]])
def test_no_command_stumbles_over_a_bad_card(tmp_path, command):
    path = edited(tmp_path, 'layout="timm"', 'layout="flat"')
    ran = subprocess.run(
        [sys.executable, "-m", "registry", *command, f"plugins={path}"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith(f"{path}: the card 'mine' has the layout 'flat'")
    assert ran.stderr.count("\n") == 1


def test_a_path_that_no_file_can_have_is_a_sentence():
    with pytest.raises(registry.UserError, match="there is no plugin file"):
        registry.load_plugins(["a" * 5000 + ".py"])


def test_a_file_that_is_no_python_is_a_sentence(tmp_path):
    (tmp_path / "models.yaml").write_text("CARDS: []")
    with pytest.raises(registry.UserError, match=r"is not a Python file \(.py\)"):
        registry.load_plugins([tmp_path / "models.yaml"])
