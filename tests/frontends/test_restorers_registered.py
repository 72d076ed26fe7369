"""Models of the registry as restorers: LPFM's stage 1 with its parity vector, and what is refused."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from restorer_tiles import apply

import registry
from bench.frontends.base import WeightSources
from bench.frontends.restorers import NAMES, restorer
from bench.frontends.restorers.registered import Registered
from registry.card import Architecture, Preprocessing, Pretraining, Weights

REGISTRY_TESTS = Path(__file__).parents[1] / "registry"


@pytest.fixture(scope="module")
def parity():
    spec = importlib.util.spec_from_file_location("parity_cases_of_restorers", REGISTRY_TESTS / "parity_cases.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def weight_file(parity, tmp_path_factory):
    return parity.save("lpfm_stage1", tmp_path_factory.mktemp("lpfm") / "lpfm_restore_stage1.pth")


def crops(parity, count=4):
    names = parity.read("lpfm_stage1")["inputs"][:count]
    return torch.cat([parity.tile(name)[..., 48:176, 48:176] for name in names])


@pytest.mark.slow
def test_lpfm_restores_the_image_of_the_parity_vector(parity, weight_file):
    front_end = restorer("lpfm", weights=WeightSources(checkpoints={"lpfm": str(weight_file)}))
    tiles = crops(parity, 1)

    restored = front_end.load(torch.device("cpu"))
    found = restored(tiles, torch.zeros(1, dtype=torch.int64))

    expected = parity.official("lpfm_stage1")["output"][:1].clip(0, 1) * 255
    assert np.abs(found.numpy() - expected).max() <= 0.5 + 255 * 5e-4
    odd = tiles[..., :29, :43]
    model = registry.load("lpfm", checkpoint=weight_file)
    assert torch.equal(restored(odd, torch.ones(1, dtype=torch.int64)), model.restore(odd))


@pytest.mark.slow
def test_lpfm_gives_a_tile_the_same_bytes_alone_and_among_others(parity, weight_file):
    front_end = restorer("lpfm", weights=WeightSources(checkpoints={"lpfm": str(weight_file)}))
    tiles, restored = crops(parity)[..., :21, :35], front_end.load(torch.device("cpu"))
    seeds = torch.arange(4)
    together = restored(tiles, seeds)

    for i in (0, 3):
        assert torch.equal(restored(tiles[i : i + 1], seeds[i : i + 1]), together[i : i + 1])
    assert torch.equal(restored(tiles.flip(0), seeds.flip(0)).flip(0), together)
    with torch.inference_mode():
        assert torch.equal(restored(tiles.to(memory_format=torch.channels_last), seeds), together)


def test_its_identity_has_the_weights(parity, weight_file, tmp_path):
    by_path = restorer("lpfm", weights=WeightSources(checkpoints={"lpfm": str(weight_file)}))
    (tmp_path / "lpfm.pth").symlink_to(weight_file)
    by_folder = restorer("lpfm", weights=WeightSources(weights_dir=str(tmp_path)))

    assert registry.fingerprint("lpfm", checkpoint=weight_file) in by_path.identity
    assert registry.card("lpfm").digest() in by_path.identity
    assert by_folder.identity == by_path.identity
    assert by_path.memory_bytes == 4 * 26_111_668
    assert by_path.restores


def test_a_missing_checkpoint_is_one_sentence():
    with pytest.raises(registry.UserError, match=r"download lpfm_restore_stage1.pth at .* and give the path"):
        _ = restorer("lpfm").identity
    gone = restorer("lpfm", weights=WeightSources(checkpoints={"lpfm": "/nowhere/lpfm.pth"}))
    with pytest.raises(registry.UserError, match=r"there is no checkpoint /nowhere/lpfm\.pth"):
        gone.load(torch.device("cpu"))


def test_random_weights_are_a_restorer_too():
    front_end = restorer("lpfm@random")

    assert front_end.name == "lpfm@random"
    assert "weights=random" in front_end.identity


@pytest.mark.parametrize("name", ["uni", "random_vit_s16", "timm:resnet18", "gigapath_slide", "uni@random", "colour"])
def test_models_that_restore_nothing_are_refused_without_their_weights(name):
    with pytest.raises(registry.UserError, match="restores no images"):
        restorer(name)


def test_the_names_hold_every_model_that_restores():
    def restores(name):
        try:
            registry.check_restores(registry.card(name))
        except registry.UserError:
            return False
        return True

    found = [name for name in registry.names() if restores(name)]
    assert found == ["lpfm"]
    assert set(found) <= set(NAMES)


class Inverting(torch.nn.Module):
    """A network of a plugin: it gives features, and the negative of an image."""

    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, tiles):
        return tiles.mean(dim=(2, 3))

    def restore(self, tiles):
        return 255 - tiles


def inverting():
    return Inverting()


class OnRealNumbersOnly(Inverting):
    def __init__(self):
        super().__init__()
        self.scale.item()


def real_numbers_only():
    return OnRealNumbersOnly()


@pytest.mark.usefixtures("forget")
@pytest.mark.parametrize("builder", ["Inverting", "inverting", "real_numbers_only"])
def test_a_model_that_is_added_and_restores_needs_nothing_else(builder):
    registry.add(
        registry.ModelCard(
            name="inverting",
            family="test",
            title="negative",
            dim=3,
            params=1,
            paper="none",
            url="https://example.org",
            licence="none",
            architecture=Architecture(builder=f"{__name__}:{builder}"),
            preprocessing=Preprocessing(size=32, mpp=0.5, tile_size=32, resize=None),
            weights=Weights(layout="random"),
            pretraining=Pretraining(method="none", data="none", evidence="stated"),
        )
    )
    tiles = torch.arange(3 * 9 * 9, dtype=torch.uint8).view(1, 3, 9, 9)

    front_end = restorer("inverting")

    assert isinstance(front_end, Registered)
    assert torch.equal(apply(front_end, tiles), 255 - tiles)
