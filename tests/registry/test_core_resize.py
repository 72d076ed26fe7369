"""The resize on tensors against Pillow, and the preprocessing against torchvision's Pillow transform."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import registry
from registry.card import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from registry.preprocess import ExactPreprocess, Preprocess
from registry.resize import resize

sides = st.integers(1, 90)


def pixels(height, width, seed, binary=False):
    made = np.random.default_rng(seed).integers(0, 256, (3, height, width), dtype=np.uint8)
    return torch.from_numpy((made > 127).astype(np.uint8) * 255 if binary else made)[None]


def by_pillow(tile, height, width, filter):
    image = Image.fromarray(tile[0].permute(1, 2, 0).contiguous().numpy())
    return np.asarray(image.resize((width, height), Image.Resampling[filter.upper()])).transpose(2, 0, 1)


@settings(max_examples=150)
@given(sides, sides, sides, sides, st.sampled_from(["box", "bilinear", "bicubic"]), st.integers(0, 99), st.booleans())
def test_any_resize_is_pillows_bit_for_bit(height, width, to_height, to_width, filter, seed, binary):
    tile = pixels(height, width, seed, binary)
    ours = resize(tile, to_height, to_width, filter)[0].numpy()
    assert np.array_equal(ours, by_pillow(tile, to_height, to_width, filter))


@pytest.mark.parametrize("filter", ["box", "bilinear", "bicubic"])
@pytest.mark.parametrize(
    ("source", "target"), [(256, 224), (512, 224), (96, 224), (224, 448), (1000, 256), (224, 292), (150, 518)]
)
def test_the_sizes_of_the_field(source, target, filter):
    tile = pixels(source, source, source)
    assert np.array_equal(resize(tile, target, target, filter)[0].numpy(), by_pillow(tile, target, target, filter))


@pytest.mark.parametrize(("height", "width"), [(60, 20), (20, 60), (90, 80), (61, 41)])
def test_order_of_the_passes_follows_pillow(height, width):
    """Pillow 13 goes down first where more than twice as many rows as columns are lost: both sides of that line."""
    for lost in range(1, 20, 3):
        for rows in (2 * lost - 1, 2 * lost, 2 * lost + 1):
            if rows < height and lost < width:
                tile = pixels(height, width, lost, binary=True)
                ours = resize(tile, height - rows, width - lost, "bicubic")[0].numpy()
                assert np.array_equal(ours, by_pillow(tile, height - rows, width - lost, "bicubic"))


@settings(max_examples=40)
@given(
    st.integers(40, 120),
    st.integers(40, 120),
    st.integers(24, 40),
    st.sampled_from(["int", "pair"]),
    st.sampled_from(["bilinear", "bicubic"]),
)
def test_whole_recipe_equals_torchvisions(height, width, size, kind, filter):
    recipe = Preprocessing(
        size=24,
        mpp=None,
        tile_size=40,
        resize=size if kind == "int" else (24, 24),
        interpolation=filter,
        crop=kind == "int",
        mean=(0.7, 0.53, 0.66),
        std=(0.21, 0.26, 0.2),
    )
    tiles = torch.cat([pixels(height, width, seed) for seed in (0, 1)])
    exact = ExactPreprocess(recipe)(tiles)
    assert exact.shape == (2, 3, 24, 24)
    assert torch.equal(Preprocess(recipe)(tiles), exact)
    with pytest.MonkeyPatch.context() as patch:  # the path that CUDA takes
        patch.setattr(Preprocess, "_on_cpu", Preprocess._on_gpu)
        assert torch.equal(Preprocess(recipe)(tiles), exact)


def test_normalisation_is_torchvisions_for_every_value():
    tiles = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16).contiguous()
    recipe = Preprocessing(size=16, mpp=None, tile_size=16, resize=None, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    assert torch.equal(Preprocess(recipe)(tiles), ExactPreprocess(recipe)(tiles))


def test_tiles_that_cannot_become_the_input_are_named():
    fixed = Preprocess(Preprocessing(size=224, mpp=0.5, tile_size=224, resize=None), "m")
    with pytest.raises(registry.UserError, match=r"m takes tiles of 224 x 224 px at 0.5 microns per px.* 96 x 200"):
        fixed(pixels(96, 200, 0))
    patches = Preprocess(Preprocessing(size=256, mpp=0.5, tile_size=256, resize=None, multiple_of=16), "m")
    assert patches(pixels(32, 48, 0)).shape == (1, 3, 32, 48)
    with pytest.raises(registry.UserError, match="multiples of 16 px"):
        patches(pixels(40, 48, 0))
    uncropped = Preprocess(Preprocessing(size=24, mpp=None, tile_size=24, resize=24, crop=False), "m")
    with pytest.raises(registry.UserError, match="24 x 24"):
        uncropped(pixels(40, 48, 0))


@pytest.mark.parametrize("side", [(256, 255), (257, 400), (1, 70_000)])
def test_normalisation_of_tiles_larger_than_a_block(side):
    tiles = pixels(*side, 0)
    recipe = Preprocessing(
        size=1, mpp=None, tile_size=1, resize=None, multiple_of=1, mean=IMAGENET_MEAN, std=IMAGENET_STD
    )
    assert torch.equal(Preprocess(recipe)(tiles), ExactPreprocess(recipe)(tiles))
