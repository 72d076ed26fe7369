"""The filters against scikit-image, scipy and Pillow."""

import numpy as np
import pytest
import skimage
import torch
from PIL import Image
from restorer_tiles import apply, made_up, psnr, real_tiles, rows_last
from scipy import ndimage

from bench.frontends.restorers import restorer
from bench.frontends.restorers.classical import deconvolved
from bench.frontends.restorers.nlm import non_local_means
from bench.frontends.restorers.pixels import blurred, gaussian_taps, noise_level


@pytest.fixture
def tiles(shared):
    return real_tiles(shared)


def noisy(tiles, sigma, seed=1):
    noise = torch.from_numpy(np.random.default_rng(seed).normal(0, sigma, tiles.shape))
    return (tiles + noise).round().clamp(0, 255).to(torch.uint8)


def levels(image):
    return np.round(np.clip(image, 0, 1) * 255)


@pytest.mark.parametrize(("sigma", "amount"), [(2.0, 1.0), (0.7, 2.5)])
def test_unsharp_is_that_of_scikit_image(tiles, sigma, amount):
    found = apply(restorer("unsharp", {"sigma": sigma, "amount": amount}), tiles)

    for own, tile in zip(
        found.flatten(0, 1), tiles.flatten(0, 1), strict=True
    ):  # its channel_axis=-1 is broken in 0.26
        expected = skimage.filters.unsharp_mask(tile.numpy(), radius=sigma, amount=amount)
        assert np.abs(own.numpy() - levels(expected)).max() <= 1  # rounding of a value between two levels


@pytest.mark.parametrize(("name", "side"), [("median", 3), ("median5", 5)])
def test_medians_are_those_of_scipy(tiles, name, side):
    for one in (tiles, made_up()):
        found = apply(restorer(name), one)

        expected = ndimage.median_filter(one.numpy(), size=(1, 1, side, side), mode="nearest")
        np.testing.assert_array_equal(found.numpy(), expected)


def test_a_blur_is_that_of_scipy(tiles):
    pixels = tiles.double() / 255

    expected = ndimage.gaussian_filter(pixels.numpy(), (0, 0, 1.5, 1.5), mode="reflect", truncate=4.0)

    np.testing.assert_allclose(blurred(pixels, 1.5).numpy(), expected, atol=1e-12)


def test_bicubic_is_pillow_down_and_up(tiles):
    found = apply(restorer("bicubic"), tiles[:2])

    for own, tile in zip(found, tiles, strict=False):
        for channel, expected in zip(own, tile, strict=True):
            image = Image.fromarray(channel_of(expected))
            small = image.resize((48, 48), Image.Resampling.BICUBIC).resize((96, 96), Image.Resampling.BICUBIC)
            assert np.abs(channel.numpy() - np.clip(np.round(np.asarray(small)), 0, 255)).max() <= 1


def channel_of(values):
    return values.numpy().astype(np.float32)


def plain_mean(image, row, column, patch, distance, h, sigma):
    """The published formula for one pixel."""
    around, total, colour = patch // 2, 0.0, np.zeros(3)
    far = np.pad(image, ((20, 20), (20, 20), (0, 0)), mode="reflect")

    def patch_at(y, x):
        return far[y - around : y + around + 1, x - around : x + around + 1]

    for y in range(row + 20 - distance, row + 21 + distance):
        for x in range(column + 20 - distance, column + 21 + distance):
            d = ((patch_at(row + 20, column + 20) - patch_at(y, x)) ** 2).mean() - 2 * sigma**2
            weight = np.exp(-max(d, 0) / h**2) if d <= 5 * h**2 else 0
            total, colour = total + weight, colour + weight * far[y, x]
    return colour / total


@pytest.mark.parametrize(("patch", "distance", "sigma"), [(5, 4, 0.05), (3, 2, 0.0), (1, 3, 0.02)])
def test_non_local_means_are_those_of_the_formula(tiles, patch, distance, sigma):
    pixels = noisy(tiles[:2], 20).double() / 255

    found = non_local_means(pixels, patch, distance, torch.tensor([0.06, 0.1]), torch.full((2,), sigma))

    for own, tile, h in zip(found, pixels, (0.06, 0.1), strict=True):
        for row, column in ((0, 0), (0, 95), (40, 41), (95, 3)):
            expected = plain_mean(rows_last(tile), row, column, patch, distance, h, sigma)
            np.testing.assert_allclose(own[:, row, column].numpy(), expected, atol=1e-6)


def test_non_local_means_are_near_those_of_scikit_image(tiles):
    """Not equal: the patches of its fast mode lack a row and a column, those of the other are weighted."""
    degraded = noisy(tiles, 20)
    pixels = degraded.double() / 255
    sigma, h = 20 / 255, 0.06

    found = non_local_means(pixels, 5, 4, torch.full((4,), h), torch.full((4,), sigma))

    for own, tile in zip(found, pixels, strict=True):
        expected = skimage.restoration.denoise_nl_means(
            rows_last(tile), patch_size=5, patch_distance=4, h=h, sigma=sigma, fast_mode=True, channel_axis=-1
        )
        assert np.abs(rows_last(own) - expected).mean() < np.abs(rows_last(tile) - expected).mean() / 4


@pytest.mark.parametrize("sigma", [5, 15, 25])
def test_the_noise_of_a_tile_is_found(shared, sigma):
    tiles = real_tiles(shared, side=224)
    grey = torch.full((1, 3, 224, 224), 128, dtype=torch.uint8)

    found = noise_level(noisy(torch.cat([grey, tiles]), sigma).double() / 255) * 255

    assert abs(float(found[0]) - sigma) < 0.03 * sigma
    assert (found[1:] - sigma).abs().max() < 0.15 * sigma + 1


def test_flat_tiles_have_no_noise_and_come_through_unchanged():
    flat = torch.full((2, 3, 32, 32), 255, dtype=torch.uint8)

    assert noise_level(flat.float() / 255).tolist() == [0, 0]
    for name in ("bicubic", "unsharp", "median", "median5", "nlm", "wiener", "wiener2"):
        assert torch.equal(apply(restorer(name), flat), flat), name


def test_wiener_is_that_of_scikit_image_on_the_tile_and_its_mirror_images(tiles):
    pixels = tiles[:2, :, :, :80].double() / 255
    taps = np.array(gaussian_taps(2.0))
    balance = 0.003

    found = deconvolved(pixels, 2.0, torch.full((2,), balance))

    for own, tile in zip(found, pixels, strict=True):
        for channel, values in zip(own.numpy(), tile.numpy(), strict=True):
            mirrored = np.pad(values, ((0, 96), (0, 80)), mode="symmetric")
            expected = skimage.restoration.wiener(mirrored, np.outer(taps, taps), balance, clip=False)
            np.testing.assert_allclose(channel, expected[:96, :80], atol=1e-7)


def test_each_filter_mends_what_it_is_for(shared):
    tiles = real_tiles(shared, side=128)
    blur = (blurred(tiles.double() / 255, 2.0) * 255).round().to(torch.uint8)
    noise = noisy(tiles, 25)

    for names, degraded, gain in (
        (("unsharp", "wiener2"), blur, 1),
        (("median", "median5", "nlm", "bicubic"), noise, 3),
    ):
        for name in names:
            assert psnr(apply(restorer(name), degraded), tiles) > psnr(degraded, tiles) + gain, name
