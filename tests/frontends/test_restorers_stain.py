"""Stain normalisation against torchstain, and against its formula written out."""

import numpy as np
import pytest
import torch
from restorer_tiles import apply, real_tiles, rows_last
from torchstain.numpy.normalizers import NumpyMacenkoNormalizer

from bench.frontends.restorers import restorer
from bench.frontends.restorers.stain import from_opponent, to_opponent

TISSUE = ("LYM", "STR", "TUM", "MUS", "NORM")
MEAN = np.array([8.74108109, -0.12440419, 0.0444982])
DEVIATION = np.array([0.6135447, 0.10989545, 0.0286032])


@pytest.fixture
def tiles(shared):
    return real_tiles(shared, TISSUE, side=224)


def test_macenko_is_that_of_torchstain(tiles):
    found = apply(restorer("macenko"), tiles)

    for own, tile in zip(found, tiles, strict=True):
        expected, _, _ = NumpyMacenkoNormalizer().normalize(rows_last(tile), stains=False)
        assert np.abs(rows_last(own).astype(int) - expected).max() <= 1  # it cuts where we round


def test_macenko_undoes_a_change_of_stain_strengths(tiles):
    density = -torch.log((tiles.double() + 1) / 240)
    stronger = (240 * torch.exp(-1.4 * density) - 1).round().clamp(0, 255).to(torch.uint8)

    plain, changed = apply(restorer("macenko"), tiles), apply(restorer("macenko"), stronger)

    before = (tiles.double() - stronger.double()).abs().mean()
    assert (plain.double() - changed.double()).abs().mean() < before / 4


def cones_of_the_paper(image):
    """The formula of Reinhard et al. 2001, one pixel after another."""
    to_lms = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
    out = []
    for pixel in image.reshape(-1, 3).astype(float):
        long, medium, short = np.log(np.maximum(to_lms @ pixel, 0.5))
        l = (long + medium + short) / np.sqrt(3)  # noqa: E741
        out.append((l, (long + medium - 2 * short) / np.sqrt(6), (long - medium) / np.sqrt(2)))
    return np.array(out)


def test_opponent_colours_are_those_of_the_paper_and_lead_back(tiles):
    part = tiles[0, :, :20, :30].flatten(1).double()

    found = to_opponent(part)

    np.testing.assert_allclose(found.T.numpy(), cones_of_the_paper(rows_last(tiles[0, :, :20, :30])), atol=1e-10)
    np.testing.assert_allclose(from_opponent(found).numpy(), part.numpy(), atol=1e-9)


def test_reinhard_gives_tissue_the_mean_and_deviation_of_the_reference(tiles):
    for own, tile in zip(apply(restorer("reinhard"), tiles), tiles, strict=True):
        tissue = (-torch.log((tile.flatten(1).double() + 1) / 240)).mean(dim=0) >= 0.15
        colours = to_opponent(own.flatten(1).double()[:, tissue]).numpy()

        np.testing.assert_allclose(colours.mean(axis=1), MEAN, atol=0.06)  # what is above 255 is clipped
        np.testing.assert_allclose(colours.std(axis=1), DEVIATION, atol=0.06)


def test_reinhard_leaves_glass_as_it_is_and_makes_no_step_at_its_edge(tiles):
    """A ramp of a pink from glass to tissue stays without a jump."""
    ramp = torch.from_numpy(np.linspace([240, 240, 240], [150, 60, 140], 200).T[:, None].astype(np.uint8))
    tile = torch.cat([tiles[0, :, :24, :200], ramp], dim=1)

    found = apply(restorer("reinhard"), tile[None])[0, :, -1].int()

    assert torch.equal(found[:, 0], tile[:, -1, 0].int())
    assert (found.diff(dim=1).abs().max() <= 4) & (found != tile[:, -1].int()).any()


def without_tissue():
    draw = np.random.default_rng(3)
    white = np.full((3, 48, 48), 255)
    glass = draw.normal(238, 3, (3, 48, 48))
    black = np.zeros((3, 48, 48))
    grey = np.repeat(draw.normal(90, 20, (1, 48, 48)), 3, axis=0)
    one_colour = np.broadcast_to(np.array([140, 60, 120])[:, None, None], (3, 48, 48))
    speck = white.copy()
    speck[:, :4, :4] = 60
    every = np.stack([white, glass, black, grey, one_colour, speck])
    return torch.from_numpy(every.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("name", ["macenko", "reinhard"])
def test_tiles_without_two_stains_come_through(name, shared):
    odd = without_tissue()
    found = apply(restorer(name), odd)

    changed = [i for i in range(len(odd)) if not torch.equal(found[i], odd[i])]
    assert changed in ([], [3]), "white, glass, black, one colour and a speck are left as they are"
    background = real_tiles(shared, ("BACK",), side=224)
    assert torch.equal(apply(restorer(name), background), background)
    assert apply(restorer(name), real_tiles(shared, ("ADI", "DEB"), side=224)).float().std() > 5


def test_a_share_of_tissue_that_no_tile_has_leaves_all_as_they_are(tiles):
    for name in ("macenko", "reinhard"):
        assert torch.equal(apply(restorer(name, {"tissue": 1.0, "beta": 3.0}), tiles), tiles)
