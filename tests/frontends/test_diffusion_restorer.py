"""`lpfm2` and `virtual_stain` as front-ends, with small networks in the released layout."""

import dataclasses
import importlib.util

import pytest
import torch
from released_diffusion import SMALL, SMALL_SWINIR, Gain, write

import registry
from bench.frontends.base import WeightSources
from bench.frontends.restorers import diffusion
from bench.frontends.restorers.diffusion import DEFAULTS, restorer
from registry import UserError

NAMES = ("lpfm2", "virtual_stain")
QUICK = {"steps": 3, "size": 64, "prompt": ""}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("released"))


def small(name, folder, **settings):
    """A restorer whose networks are small, beside those of the files in the folder."""
    pytest.importorskip("diffusers", reason="diffusers is not installed: pip install 'pfmbench[diffusion]'")
    pytest.importorskip("transformers", reason="transformers is not installed: pip install 'pfmbench[diffusion]'")
    from bench.frontends.restorers.stable_diffusion.first_stages import swinir
    from bench.frontends.restorers.stable_diffusion.networks import Sizes

    stages = {"lpfm2": Gain, "virtual_stain": lambda path: swinir(path, **SMALL_SWINIR)}
    found = restorer(name, QUICK | settings, WeightSources(checkpoints={name: str(folder)}))
    return dataclasses.replace(found, sizes=Sizes(**SMALL), load_stage1=stages[name])


def some_tiles(height=48, width=40):
    generator = torch.Generator().manual_seed(5)
    tiles = torch.randint(0, 256, (3, 3, height, width), generator=generator, dtype=torch.uint8)
    return tiles, torch.tensor([11, 2**62 + 1, 5])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_tile_becomes_the_same_bytes_whatever_is_beside_it(folder, name):
    tiles, seeds = some_tiles()
    before = tiles.clone()
    apply = small(name, folder).load(torch.device("cpu"))

    restored = apply(tiles, seeds)

    assert restored.dtype == torch.uint8
    assert restored.shape == tiles.shape
    assert restored.float().std() > 1
    torch.manual_seed(3)
    with torch.inference_mode():
        other_layout = tiles.clone().to(memory_format=torch.channels_last)
        order = [2, 0]
        assert torch.equal(apply(other_layout[order], seeds[order]), restored[order])
    assert torch.equal(apply(tiles[1:2], seeds[1:2]), restored[1:2])
    assert torch.equal(small(name, folder).load(torch.device("cpu"))(tiles[:1], seeds[:1]), restored[:1])
    assert torch.equal(tiles, before)
    assert len(apply(tiles[:0], seeds[:0])) == 0


@pytest.mark.slow
def test_another_seed_gives_another_sample(folder):
    tiles, seeds = some_tiles()
    first = small("lpfm2", folder).load(torch.device("cpu"))(tiles[:1], seeds[:1])

    assert not torch.equal(small("lpfm2", folder).load(torch.device("cpu"))(tiles[:1], seeds[1:2]), first)
    assert not torch.equal(small("lpfm2", folder, seed=1).load(torch.device("cpu"))(tiles[:1], seeds[:1]), first)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (37, 90), (70, 130)])
def test_tiles_of_any_size_are_enlarged_padded_and_brought_back(folder, height, width):
    tiles, seeds = some_tiles(height, width)

    assert small("lpfm2", folder).load(torch.device("cpu"))(tiles[:1], seeds[:1]).shape == tiles[:1].shape


@pytest.mark.slow
def test_large_colours_are_those_of_the_first_stage(folder):
    tile = torch.tensor([200, 120, 160], dtype=torch.uint8)[None, :, None, None].expand(1, 3, 128, 128)

    restored = small("lpfm2", folder).load(torch.device("cpu"))(tile, torch.tensor([1]))
    with_own = small("lpfm2", folder, colours_of_stage1=False).load(torch.device("cpu"))(tile, torch.tensor([1]))

    expected = tile.float().mean((2, 3)) * 0.9 + 0.03 * 255
    assert (restored.float().mean((2, 3)) - expected).abs().max() < 8
    assert (with_own.float().mean((2, 3)) - expected).abs().max() > 20


@pytest.mark.slow
def test_a_prompt_and_guidance_change_the_sample(folder, monkeypatch):
    tiles, seeds = some_tiles()
    words = {"": 0, "nuclei": 1, "fat": 2, "blurry": 3}
    monkeypatch.setattr(diffusion.prompts, "tokens", lambda prompt, _=None: [49406, words[prompt], 49407] + [0] * 74)
    monkeypatch.setattr(diffusion.files, "vocabulary", lambda *_: folder / "stage2_vs.pt")

    def of(**settings):
        return small("lpfm2", folder, **settings).load(torch.device("cpu"))(tiles[:1], seeds[:1])

    plain = of(prompt="nuclei")
    assert not torch.equal(of(prompt="fat"), plain)
    assert torch.equal(of(prompt="nuclei", negative_prompt="fat"), plain), "without guidance it does not count"
    guided = of(prompt="nuclei", negative_prompt="blurry", cfg_scale=3)
    assert not torch.equal(guided, plain)
    assert not torch.equal(of(prompt="nuclei", negative_prompt="fat", cfg_scale=3), guided)
    assert not torch.equal(of(prompt="nuclei", strength=0), plain)


@pytest.mark.slow
def test_the_identity_names_settings_and_the_weights(folder, tmp_path):
    own = small("lpfm2", folder)
    other_weights = write(tmp_path / "other")
    torch.save({"params": {"gain": torch.tensor(0.8)}}, other_weights / "lpfm_restore_stage1.pth")

    identities = {
        own.identity,
        small("lpfm2", folder, steps=4).identity,
        small("lpfm2", folder, seed=1).identity,
        small("virtual_stain", folder).identity,
        small("lpfm2", other_weights).identity,
    }

    assert len(identities) == 5
    assert small("lpfm2", folder).identity == own.identity
    assert own.identity.startswith("lpfm2 version 1, DiffusionSettings(")
    assert (own.name, own.restores) == ("lpfm2", True)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"step": 3}, r"lpfm2 has no setting 'step'; it has prompt, .*size\. Is steps meant\?"),
        ({"steps": "3"}, r"steps of lpfm2 is '3'; give it as a whole number"),
        ({"steps": True}, r"steps of lpfm2 is True; give it as a whole number"),
        ({"steps": 1}, r"steps of lpfm2 is 1; set it to 2 to 1000"),
        ({"cfg_scale": 0.5}, r"cfg_scale of lpfm2 is 0.5; set it to 1 to 20"),
        ({"strength": float("nan")}, r"strength of lpfm2 is nan; set it to 0 to 2"),
        ({"size": 32}, r"size of lpfm2 is 32; set it to 64 to 2048"),
    ],
)
def test_wrong_settings_are_refused(settings, says):
    with pytest.raises(UserError, match=says):
        restorer("lpfm2", settings)


def test_an_unknown_name_is_refused():
    with pytest.raises(UserError, match=r"no restorer 'lpfm3' that samples; choose one of lpfm2, virtual_stain"):
        restorer("lpfm3")


def test_the_settings_are_the_released_ones():
    assert dataclasses.astuple(DEFAULTS["lpfm2"]) == (
        "",
        "low quality, blurry, low-resolution, noisy",
        50,
        231,
        1.0,
        1.0,
        True,
        512,
    )
    assert not DEFAULTS["virtual_stain"].colours_of_stage1
    assert restorer("lpfm2", {"cfg_scale": 2}).settings.cfg_scale == 2.0


@pytest.mark.parametrize("ask", ["check", "identity", "load"])
def test_missing_packages_are_refused_before_loading(monkeypatch, folder, ask):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "diffusers" else name)
    found = restorer("lpfm2", {}, WeightSources(checkpoints={"lpfm2": str(folder)}))

    with pytest.raises(UserError, match=r"lpfm2 needs the package diffusers: `pip install 'pfmbench\[diffusion\]'`\."):
        {"check": lambda: found.check(64, 64), "identity": lambda: found.identity, "load": lambda: found.load(None)}[
            ask
        ]()


def test_missing_files_are_refused_before_loading(tmp_path):
    pytest.importorskip("diffusers")
    pytest.importorskip("transformers")
    for name in NAMES:
        with pytest.raises(UserError, match=rf"{name} lacks .*checkpoints\.{name}=FOLDER"):
            restorer(name, {}, WeightSources(weights_dir=str(tmp_path))).check(224, 224)


def test_a_prompt_without_its_vocabulary_is_refused_before_loading(folder, monkeypatch):
    own = small("lpfm2", folder, prompt="stroma")
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: None if name == "open_clip" else real(name))

    with pytest.raises(UserError, match=r"the prompt of lpfm2 needs the vocabulary"):
        own.check(64, 64)


@pytest.mark.slow
def test_the_first_stage_is_the_model_lpfm(tmp_path):
    from bench.frontends.restorers.stable_diffusion.first_stages import restormer

    network = registry.load("lpfm", weights="random").network
    torch.save({"params": network.state_dict()}, tmp_path / "lpfm_restore_stage1.pth")
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))

    with torch.no_grad():
        assert torch.equal(restormer(tmp_path / "lpfm_restore_stage1.pth")(image), network.restored(image))
