"""Every public vector of the official code, through the `registry.load` that users call, in float32 on the CPU.

The difference that each test allows is the fact sheet's: 1e-4, or 1e-5 where the layout change is exact.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import parity_cases as parity
import pytest
import torch

import registry
from registry.build import build
from registry.card import Architecture
from registry.checkpoint import put
from registry.extractor import FeatureExtractor
from registry.loading import layout
from registry.weights import LoadedWeights

NCT = (0, 1, 2, 3)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def difference(model, vector: str, rows, output: str = "output") -> float:
    """Largest absolute difference over `rows` of the vector's inputs, each fed as users feed it."""
    inputs, expected = parity.read(vector)["inputs"], parity.official(vector)[output]
    return max(np.abs(model(parity.tile(inputs[i]))[0].numpy() - expected[i]).max() for i in rows)


def test_the_rule_gives_the_stream_that_made_the_vectors():
    import zlib

    tensor = parity.rule().tensor
    assert zlib.crc32(tensor("probe.weight", [512, 512]).tobytes()) == 0xB0F7F98B


@pytest.mark.parametrize("rows", [(0, 3), pytest.param((1, 2), marks=pytest.mark.slow)])
def test_ctranspath(rows, tmp_path):
    model = registry.load("ctranspath", checkpoint=parity.save("ctranspath", tmp_path / "ctranspath.pth"))
    assert difference(model, "ctranspath", rows) <= 1e-5


@pytest.mark.parametrize("rows", [(0, 4), pytest.param((1, 2, 3, 5), marks=pytest.mark.slow)])
def test_hipt_vit256_as_stored_and_resampled(rows, tmp_path):
    model = registry.load("hipt_vit256", checkpoint=parity.save("hipt_vit256", tmp_path / "vit256_small_dino.pth"))
    assert difference(model, "hipt_vit256", rows) <= 1e-5


@pytest.mark.parametrize("rows", [(0,), pytest.param((1, 2, 3), marks=pytest.mark.slow)])
def test_phikon(rows, tmp_path):
    import safetensors.torch

    safetensors.torch.save_file(parity.tensors(parity.read("phikon")), tmp_path / "model.safetensors")
    model = registry.load("phikon", checkpoint=tmp_path)
    assert model.network.norm.eps == 1e-12  # 1e-6 would cost 1.5e-5, which a comparison of outputs hardly sees
    assert all(block.norm1.eps == block.norm2.eps == 1e-12 for block in model.network.blocks)
    assert difference(model, "phikon", rows) <= 1e-5


@pytest.fixture(scope="module")
def conch_file(tmp_path_factory):
    return parity.save("conch_v1", tmp_path_factory.mktemp("conch") / "pytorch_model.bin")


@pytest.mark.parametrize("rows", [(4,), pytest.param((0, 1, 2, 3), marks=pytest.mark.slow)])
def test_conch_down_and_up_sampled(rows, conch_file):
    assert difference(registry.load("conch", checkpoint=conch_file), "conch_v1", rows) <= 1e-5


@pytest.mark.slow
def test_conch_projected_is_the_zero_shot_vector(conch_file):
    model = registry.load("conch", checkpoint=conch_file, options={"projected": True})
    assert difference(model, "conch_v1", (1,), "proj_contrast_normalized") <= 1e-5


@pytest.mark.parametrize("rows", [(0,), pytest.param((1, 2, 3), marks=pytest.mark.slow)])
def test_virchow2_cut_to_two_blocks(rows):
    """The card, layout, pooling and preprocessing of virchow2 on the same file cut to two blocks."""
    card = registry.card("virchow2")
    architecture = Architecture(builder=card.architecture.builder, kwargs={**card.architecture.kwargs, "depth": 2})
    cut = dataclasses.replace(card, architecture=architecture)
    content = parity.tensors(parity.read("virchow2_depth2"))
    network = build(architecture)
    put(network, layout(cut)(content))
    assert (
        difference(FeatureExtractor(cut, network, LoadedWeights("rule"), precision="float32"), "virchow2_depth2", rows)
        <= 1e-5
    )


@pytest.mark.slow
def test_virchow2_whole(tmp_path):
    model = registry.load(
        "virchow2", precision="float32", checkpoint=parity.save("virchow2", tmp_path / "pytorch_model.bin")
    )
    assert difference(model, "virchow2", NCT) <= 1e-5


@pytest.fixture(scope="module")
def hipt_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hipt")
    parity.save("hipt_vit256", folder / "vit256_small_dino.pth")
    parity.save("hipt_4k", folder / "vit4k_xs_dino.pth")
    return folder


@pytest.mark.slow
def test_hipt_regions_square_and_not(hipt_folder):
    assert difference(registry.load("hipt", checkpoint=hipt_folder), "hipt_4k", (0, 1)) <= 1e-5


@pytest.mark.slow
def test_hipt_both_levels_and_the_grid_between(hipt_folder):
    model = registry.load("hipt", checkpoint=hipt_folder, options={"output": "mean256+cls4k"})
    region, expected = parity.tile(parity.read("hipt_4k")["inputs"][1]), parity.official("hipt_4k")
    grid = model.network.patch_features(model.preprocess(region))
    assert grid.shape == (1, 3, 4, 384)
    np.testing.assert_allclose(grid[0].flatten(0, 1).numpy(), expected["features_cls256_1"], atol=1e-5)
    np.testing.assert_allclose(model(region)[0].numpy(), np.ravel(expected["mean256_cls4k_1"]), atol=1e-5)


@pytest.fixture(scope="module")
def lpfm(tmp_path_factory):
    return registry.load(
        "lpfm", checkpoint=parity.save("lpfm_stage1", tmp_path_factory.mktemp("lpfm") / "lpfm_restore_stage1.pth")
    )


def lpfm_crop(row: int) -> torch.Tensor:
    return parity.tile(parity.read("lpfm_stage1")["inputs"][row])[..., 48:176, 48:176]


@pytest.mark.parametrize("row", [0, *(pytest.param(i, marks=pytest.mark.slow) for i in (1, 2, 3))])
def test_lpfm_features_and_restored_image(lpfm, row):
    official, crop = parity.official("lpfm_stage1"), lpfm_crop(row)
    assert np.abs(lpfm(crop)[0].numpy() - official["latent_gap"][row]).max() <= 1e-5
    restored = lpfm.network.restored(crop.float() / 255)[0].numpy()
    assert np.abs(restored - official["output"][row]).max() <= 5e-4
    image = lpfm.restore(crop)
    assert image.dtype == torch.uint8
    assert np.abs(image[0].numpy() - official["output"][row].clip(0, 1) * 255).max() <= 0.5 + 255 * 5e-4


def test_lpfm_restores_images_of_any_size(lpfm):
    image = lpfm_crop(0)[..., :21, :34]
    assert lpfm.restore(image).shape == image.shape
    even = lpfm_crop(0)[..., :24, :40]
    assert torch.equal(lpfm.restore(even), lpfm.restore(even))


def test_models_that_restore_nothing_say_so():
    with pytest.raises(registry.UserError, match="restores no images"):
        registry.load("random_vit_s16").restore(lpfm_crop(0))


@pytest.fixture(scope="module")
def slide_file(tmp_path_factory):
    return parity.save("gigapath_slide", tmp_path_factory.mktemp("gigapath") / "slide_encoder.pth")


@pytest.mark.parametrize(("row", "length"), [(0, 64), pytest.param(1, 1500, marks=pytest.mark.slow)])
def test_gigapath_slide(slide_file, row, length):
    model = registry.load("gigapath_slide", checkpoint=slide_file)
    features, coords = parity.slide_input(length)
    official = parity.official("gigapath_slide")
    assert np.abs(model(features, coords)[0].numpy() - official["output"][row]).max() <= 1e-5
    model.network.output = "cls"
    assert np.abs(model(features, coords)[0].numpy() - official[f"cls_pool_{length}"]).max() <= 1e-5
    model.network.output = "mean_layer11"
    assert np.abs(model(features, coords)[0].numpy() - official[f"layer_outputs_{length}"][11]).max() <= 1e-5


@pytest.mark.parametrize(
    ("name", "file", "row", "grid"),
    [
        ("ctranspath", "ctranspath.pth", 3, (7, 7)),
        ("hipt_vit256", "vit256_small_dino.pth", 0, (14, 14)),
        ("hipt_vit256", "vit256_small_dino.pth", 4, (16, 16)),
        pytest.param("phikon", "model.safetensors", 1, (14, 14), marks=pytest.mark.slow),
    ],
)
def test_patch_tokens_have_the_mean_and_deviation_of_the_official_ones(name, file, row, grid, tmp_path):
    """They are of all tokens after the last norm: the class token, which is our vector, and the patches."""
    import safetensors.torch

    if file.endswith(".safetensors"):
        safetensors.torch.save_file(parity.tensors(parity.read(name)), tmp_path / file)
    else:
        parity.save(name, tmp_path / file)
    model, official = registry.load(name, checkpoint=tmp_path / file), parity.official(name)
    found = model.tokens(parity.tile(parity.read(name)["inputs"][row]))
    assert found.grid == grid
    classes = [] if name == "ctranspath" else [found.vectors[:, None]]
    tokens = torch.cat([*classes, found.patches], dim=1).numpy()
    np.testing.assert_allclose(tokens.mean(), official["token_mean"][row], atol=2e-6)
    np.testing.assert_allclose(tokens.std(), official["token_std"][row], atol=2e-5)


@pytest.mark.slow
def test_patch_tokens_of_regions_have_the_mean_and_deviation_of_the_official_ones(hipt_folder):
    model, official = registry.load("hipt", checkpoint=hipt_folder), parity.official("hipt_4k")
    found = model.tokens(parity.tile(parity.read("hipt_4k")["inputs"][1]))
    assert found.grid == (3, 4)
    tokens = torch.cat([found.vectors[:, None], found.patches], dim=1).numpy()
    np.testing.assert_allclose(tokens.mean(), official["token_mean"][1], atol=2e-6)
    np.testing.assert_allclose(tokens.std(), official["token_std"][1], atol=2e-5)
