"""Shifts of colour against their formulas, computed plainly."""

import numpy as np
import pytest
import torch
from corruption_tiles import corrupted, made_tiles, pictures, seeds

from bench.frontends.corruptions.draws import uniforms

SEVERITIES = range(1, 6)
LEVELS = [0.05, 0.10, 0.15, 0.20, 0.25]


def near(after, exact):
    """Whether bytes are the nearest level of the exact values, but where those lie between two levels."""
    exact = np.clip(exact, 0, 255)
    return np.abs(after - exact).max() < 0.5 + 1e-6


def by_hsv(picture, change):
    color = pytest.importorskip("skimage.color")
    hsv = color.rgb2hsv(picture / 255.0)
    change(hsv)
    return color.hsv2rgb(hsv) * 255


@pytest.mark.parametrize("severity", SEVERITIES)
def test_brightness_is_added_to_the_value(severity):
    def change(hsv):
        hsv[..., 2] = np.clip(hsv[..., 2] + LEVELS[severity - 1], 0, 1)

    tiles = made_tiles(3, 61, 47)
    for before, after in zip(pictures(tiles), pictures(corrupted(f"brightness_{severity}", tiles)), strict=True):
        assert near(after, by_hsv(before, change))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_saturation_is_added_to_the_saturation(severity):
    def change(hsv):
        hsv[..., 1] = np.clip(hsv[..., 1] + LEVELS[severity - 1], 0, 1)

    tiles = made_tiles(3, 61, 47)
    for before, after in zip(pictures(tiles), pictures(corrupted(f"saturation_{severity}", tiles)), strict=True):
        assert near(after, by_hsv(before, change))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_hue_is_turned(severity):
    turn = [0.02, 0.04, 0.06, 0.08, 0.10][severity - 1]

    def change(hsv):
        hsv[..., 0] = np.where(hsv[..., 0] + turn > 1, hsv[..., 0] + turn - 1, hsv[..., 0] + turn)

    tiles = made_tiles(3, 61, 47)
    for before, after in zip(pictures(tiles), pictures(corrupted(f"hue_{severity}", tiles)), strict=True):
        assert near(after, by_hsv(before, change))


@pytest.mark.parametrize("kind", ["brightness", "saturation", "hue"])
def test_all_colours_of_a_coarse_cube(kind):
    """Every combination of 18 levels a channel, so that all six parts of the circle of hues are met."""
    color = pytest.importorskip("skimage.color")
    axis = np.arange(0, 256, 15)
    cube = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(18, -1, 3).astype(np.uint8)
    hsv = color.rgb2hsv(cube / 255.0)
    place, most = {"hue": (0, 0.1), "saturation": (1, 0.25), "brightness": (2, 0.25)}[kind]
    hsv[..., place] = (hsv[..., 0] + most) % 1 if kind == "hue" else np.clip(hsv[..., place] + most, 0, 1)

    [after] = pictures(corrupted(f"{kind}_5", torch.from_numpy(cube).permute(2, 0, 1)[None]))

    assert near(after, color.hsv2rgb(hsv) * 255)


def stained(picture, alpha, beta):
    """Equations 5 to 7 of Tellez et al. 2018, a pixel at a time."""
    matrix = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
    inverse = np.linalg.inv(matrix)
    out = np.zeros(picture.shape)
    for place in np.ndindex(picture.shape[:2]):
        stains = -np.log(picture[place] / 255 + 1e-6) @ inverse
        out[place] = np.exp(-(alpha * stains + beta) @ matrix) - 1e-6
    return out * 255


@pytest.mark.parametrize("severity", SEVERITIES)
def test_stain_is_the_published_change_of_concentrations(severity):
    width = [0.05, 0.0875, 0.125, 0.1625, 0.2][severity - 1]
    tiles = made_tiles(3, 25, 19)
    drawn = uniforms(seeds(3), "stain", 6) * 2 - 1

    each = zip(pictures(tiles), pictures(corrupted(f"stain_{severity}", tiles)), width * drawn, strict=True)
    for before, after, numbers in each:
        assert near(after, stained(before, 1 + numbers[:3], numbers[3:]))


def test_stains_are_those_of_scikit_image():
    color = pytest.importorskip("skimage.color")
    from bench.frontends.corruptions.colour import _RGB_OF_HED

    assert np.array_equal(_RGB_OF_HED, color.rgb_from_hed)
