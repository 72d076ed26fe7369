"""Noise and LPFM's chain against their formulas, computed plainly, and the random numbers behind them."""

import numpy as np
import pytest
import torch
from corruption_tiles import CPU, corrupted, made_tiles, pictures, seeds
from scipy import stats

from bench.frontends.corruptions.draws import normals, uniforms, words
from bench.frontends.corruptions.lpfm_degradation import bilinear, gaussian
from bench.frontends.seeds import mixed

SEVERITIES = range(1, 6)


def hashed(x):
    x ^= x >> 16
    x = x * 0x21F0AAAD % 2**32
    x ^= x >> 15
    x = x * 0x735A2D97 % 2**32
    return x ^ x >> 15


def test_words_are_the_hash_of_seed_and_place_in_plain_integers():
    own = seeds(3)
    fields = words(own, "noise", 50, CPU).tolist()

    for seed, field in zip(own.tolist(), fields, strict=True):
        key = mixed(seed, "noise")
        assert field == [hashed(hashed(i ^ hashed(key % 2**32)) ^ key >> 32) for i in range(50)]


def test_words_are_uniform_and_independent_of_place_and_tile():
    fields = words(seeds(40), "noise", 5000, CPU).double().numpy() / 2**32

    assert stats.kstest(fields.ravel(), "uniform").pvalue > 0.01
    assert stats.kstest([stats.kstest(field, "uniform").pvalue for field in fields], "uniform").pvalue > 0.01
    for one, other in ((fields[:, 1:], fields[:, :-1]), (fields[:, 224:], fields[:, :-224]), (fields[1:], fields[:-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.01
    bits = words(seeds(4), "noise", 20000, CPU)[..., None] >> torch.arange(32) & 1
    assert (bits.double().mean(dim=(0, 1)) - 0.5).abs().max() < 0.008


def test_normal_numbers_are_normal():
    drawn = normals(seeds(20), "noise", 10000, CPU).numpy().ravel()

    assert stats.kstest(drawn, "norm").pvalue > 0.01
    assert abs(stats.kurtosis(drawn)) < 0.05
    assert 3.8 < np.abs(drawn).max() < 4.9


def test_normal_numbers_are_box_and_mullers():
    bits = words(seeds(1), "noise", 100, CPU)[0].numpy()
    one, two = ((bits >> 16) + 0.5) / 2**16, ((bits & 0xFFFF) + 0.5) / 2**16

    plain = np.sqrt(-2 * np.log(one)) * np.cos(2 * np.pi * two)

    assert np.allclose(normals(seeds(1), "noise", 100, CPU)[0].numpy(), plain, atol=1e-6)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_noise_is_added_and_clipped(severity):
    sigma = [0.08, 0.12, 0.18, 0.26, 0.38][severity - 1]
    tiles = made_tiles(3, 31, 45)
    noise = normals(seeds(3), "gaussian_noise", 3 * 31 * 45, CPU).reshape(tiles.shape).numpy()

    after = corrupted(f"gaussian_noise_{severity}", tiles).numpy()

    assert np.array_equal(after, np.rint(255 * np.clip(tiles.numpy() / 255 + sigma * noise, 0, 1)))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_shot_noise_is_the_inverse_of_poissons_law(severity):
    photons = [60, 25, 12, 5, 3][severity - 1]
    tiles = made_tiles(2, 31, 45)
    drawn = words(seeds(2), "shot_noise", 3 * 31 * 45, CPU).reshape(tiles.shape).numpy() / 2**32

    counts = stats.poisson.ppf(np.nextafter(drawn, 1), tiles.numpy() / 255 * photons)
    exact = np.rint(255 * np.clip(np.maximum(counts, 0) / photons, 0, 1))

    assert (corrupted(f"shot_noise_{severity}", tiles).numpy() == exact).mean() > 0.9999


def test_shot_noise_has_the_variance_of_counted_photons():
    flat = torch.full((4, 3, 128, 128), 128, dtype=torch.uint8)
    for severity, photons in ((1, 60), (2, 25)):
        after = corrupted(f"shot_noise_{severity}", flat).double() / 255

        assert abs(after.mean() - 128 / 255) < 0.002
        assert abs(after.var() * photons / (128 / 255) - 1) < 0.03


def test_black_has_no_photons():
    black = torch.zeros((1, 3, 64, 64), dtype=torch.uint8)

    assert torch.equal(corrupted("shot_noise_1", black), black)


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize(("height", "width"), [(96, 96), (61, 120)])
def test_lpfm_chain_is_blur_downsampling_noise_and_back(height, width, severity):
    """Its steps by OpenCV, in float64."""
    cv2 = pytest.importorskip("cv2")
    tiles, own = made_tiles(4, height, width), seeds(4)
    shares = uniforms(own, "lpfm_chain", 6).tolist()
    part = severity - 1

    for i, (before, after) in enumerate(
        zip(pictures(tiles), pictures(corrupted(f"lpfm_chain_{severity}", tiles)), strict=True)
    ):
        two, across, along, turn, factor, sigma = shares[i]
        across, along = (0.1 + 11.9 * (part + share) / 5 for share in (across, along))
        kernel = gaussian(across, across if two < 0.5 else along, np.pi * (2 * turn - 1))
        factor, sigma = 1 + 11 * (part + factor) / 5, 15 * (part + sigma) / 5
        small = cv2.filter2D(before.astype(np.float64), -1, kernel)
        small = cv2.resize(small, (int(width // factor), int(height // factor)), interpolation=cv2.INTER_LINEAR)
        noise = normals(own[i : i + 1], "lpfm_chain", small.size, CPU).reshape(3, *small.shape[:2]).numpy()
        noisy = np.clip(small + sigma * noise.transpose(1, 2, 0), 0, 255)
        exact = cv2.resize(noisy, (width, height), interpolation=cv2.INTER_LINEAR)

        assert np.abs(after - exact).max() < 0.55
        assert (after == np.rint(exact)).mean() > 0.97


def test_the_kernel_of_lpfms_blur_is_the_density_of_a_turned_normal_law():
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    law = stats.multivariate_normal([0, 0], turn @ np.diag([2.0**2, 5.0**2]) @ turn.T)
    plain = np.array([[law.pdf([x, y]) for x in range(-20, 21)] for y in range(-20, 21)])

    assert np.allclose(gaussian(2.0, 5.0, 0.7), plain / plain.sum(), atol=1e-12)


@pytest.mark.parametrize(("size", "target"), [(50, 7), (7, 50), (10, 10), (1, 5), (5, 1)])
def test_bilinear_weights(size, target):
    matrix = bilinear(size, target) / 2**16

    assert np.allclose(matrix.sum(axis=1), 1)
    for i, row in enumerate(matrix):
        place = min(max((i + 0.5) * size / target - 0.5, 0), size - 1)
        assert np.allclose(row, np.maximum(0, 1 - np.abs(np.arange(size) - place)), atol=1e-5)
