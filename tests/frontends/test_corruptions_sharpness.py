"""Blur and loss of resolution against their formulas, computed plainly."""

import io
import math

import numpy as np
import pytest
import torch
from corruption_tiles import corrupted, made_tiles, pictures, seeds
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bench.frontends.corruptions.blur import disk
from bench.frontends.corruptions.convolution import filtered, whole_numbers
from bench.frontends.corruptions.draws import uniforms

SIZES = [(96, 96), (224, 224), (101, 67)]
SEVERITIES = range(1, 6)


def by_pillow(picture, steps, filter):
    image = Image.fromarray(picture)
    for size in steps:
        image = image.resize(size, filter)
    return np.asarray(image)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_pixelate_is_pillows_box_filter_down_and_up(height, width, severity):
    tiles = made_tiles(2, height, width)
    share = [0.6, 0.5, 0.4, 0.3, 0.25][severity - 1]
    steps = [(int(width * share), int(height * share)), (width, height)]

    for before, after in zip(pictures(tiles), pictures(corrupted(f"pixelate_{severity}", tiles)), strict=True):
        assert np.array_equal(after, by_pillow(before, steps, Image.Resampling.BOX))


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_downsample_is_pillows_bicubic_filter_down_and_up(height, width, severity):
    tiles = made_tiles(2, height, width)
    factor = [2, 3, 4, 6, 8][severity - 1]
    steps = [(width // factor, height // factor), (width, height)]

    for before, after in zip(pictures(tiles), pictures(corrupted(f"downsample_{severity}", tiles)), strict=True):
        assert np.array_equal(after, by_pillow(before, steps, Image.Resampling.BICUBIC))


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_jpeg_is_pillows_file_read_again(height, width, severity):
    tiles = made_tiles(3, height, width)

    for before, after in zip(pictures(tiles), pictures(corrupted(f"jpeg_{severity}", tiles)), strict=True):
        file = io.BytesIO()
        Image.fromarray(before).save(file, "JPEG", quality=[25, 18, 15, 10, 7][severity - 1])
        assert np.array_equal(after, np.asarray(Image.open(file)))


def near(after, exact):
    """Whether bytes are the nearest level of the exact values, but where those lie between two levels to 0.01."""
    exact = np.clip(exact, 0, 255)
    return np.abs(after - exact).max() < 0.51 and (after == np.rint(exact)).mean() > 0.98


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_defocus_is_opencvs_filter_with_the_published_disk(height, width, severity):
    cv2 = pytest.importorskip("cv2")
    small = [(3, 0.05), (4, 0.3), (5, 0.3), (6, 0.3), (7, 0.3)]
    large = [(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)]
    radius, alias = (large if min(height, width) == 224 else small)[severity - 1]
    reach, taps = (8, 3) if radius <= 8 else (radius, 5)
    kernel = np.array(
        [[float(x * x + y * y <= radius**2) for x in range(-reach, reach + 1)] for y in range(-reach, reach + 1)]
    )
    kernel = cv2.GaussianBlur(kernel / kernel.sum(), ksize=(taps, taps), sigmaX=alias)
    tiles = made_tiles(2, height, width)

    assert np.allclose(disk(radius, alias), kernel, atol=1e-9)
    for before, after in zip(pictures(tiles), pictures(corrupted(f"defocus_{severity}", tiles)), strict=True):
        assert near(after, cv2.filter2D(before / 255.0, -1, kernel) * 255)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_blur_is_scikit_images(severity):
    filters = pytest.importorskip("skimage.filters")
    tiles = made_tiles(2, 101, 67)

    for before, after in zip(pictures(tiles), pictures(corrupted(f"gaussian_blur_{severity}", tiles)), strict=True):
        exact = filters.gaussian(before / 255.0, sigma=[1, 2, 3, 4, 6][severity - 1], channel_axis=-1) * 255
        assert near(after, exact)


def motion_by_shifts(picture, radius, sigma, angle):
    """A sum of shifted copies, as imagecorruptions says it, a pixel at a time."""
    height, width = picture.shape[:2]
    weights = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(2 * radius + 1)]
    total = np.zeros(picture.shape)
    for i, weight in enumerate(weights):
        down = -math.ceil(i * math.sin(math.radians(angle)) - 0.5)
        right = -math.ceil(i * math.cos(math.radians(angle)) - 0.5)
        rows = [min(max(row - down, 0), height - 1) for row in range(height)]
        columns = [min(max(column - right, 0), width - 1) for column in range(width)]
        total += weight / sum(weights) * picture[rows][:, columns]
    return total


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_motion_is_a_sum_of_shifted_copies(height, width, severity):
    small, large = [(5, 1), (5, 2), (5, 3), (5, 4), (6, 5)], [(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)]
    radius, sigma = (large if min(height, width) == 224 else small)[severity - 1]
    tiles = made_tiles(3, height, width)
    angles = 90 * uniforms(seeds(3), "motion", 1)[:, 0] - 45

    each = zip(pictures(tiles), pictures(corrupted(f"motion_{severity}", tiles)), angles, strict=True)
    for before, after, angle in each:
        assert near(after, motion_by_shifts(before, radius, sigma, angle))


def test_angles_of_motion_fill_the_published_range():
    angles = 90 * uniforms(seeds(2000), "motion", 1)[:, 0] - 45

    assert -45 <= angles.min() < -44
    assert 44 < angles.max() < 45
    assert abs(angles.mean()) < 3


@settings(max_examples=30)
@given(
    st.integers(13, 70),
    st.integers(13, 70),
    st.sampled_from([1, 3, 7, 13]),
    st.sampled_from(["reflect", "replicate"]),
    st.integers(0, 99),
)
def test_fft_convolution_equals_integer_convolution(height, width, side, border, seed):
    tile = made_tiles(1, height, width, seed)
    kernel = whole_numbers((weights := np.random.default_rng(seed).random((side, side))) / weights.sum())
    padded = np.pad(
        tile.numpy().astype(np.int64),
        ((0, 0), (0, 0), *[(side // 2, side // 2)] * 2),
        mode={"reflect": "reflect", "replicate": "edge"}[border],
    )
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), axis=(2, 3))

    exact = np.einsum("bchwij,ij->bchw", windows, kernel.astype(np.int64))

    assert kernel.sum() == 2**24
    assert np.array_equal(filtered(tile, torch.from_numpy(kernel)[None], border).numpy(), exact)


@pytest.mark.parametrize("kind", ["defocus", "gaussian_blur", "motion", "pixelate", "downsample"])
@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_flat_tile_stays_as_it_is(kind, level):
    flat = torch.full((1, 3, 96, 96), level, dtype=torch.uint8)

    assert all(torch.equal(corrupted(f"{kind}_{severity}", flat), flat) for severity in SEVERITIES)
