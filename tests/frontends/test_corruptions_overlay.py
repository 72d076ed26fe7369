"""Bubbles and pen marks: what they cover, and how they are blended."""

import numpy as np
import pytest
import torch
from corruption_tiles import corrupted, made_tiles, seeds

from bench.frontends.corruptions.draws import uniforms

SEVERITIES = range(1, 6)


def flat(level, count=6, side=96):
    return torch.full((count, 3, side, side), level, dtype=torch.uint8)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_bubbles_blend_one_picture_with_the_tile_at_the_published_opacity(severity):
    opacity = [0.1, 0.3, 0.5, 0.7, 0.9][severity - 1]
    on_black, on_white = (corrupted(f"bubbles_{severity}", flat(level)).double() for level in (0, 255))
    covered = 1 - (on_white - on_black) / 255

    assert covered.max() == pytest.approx(opacity, abs=0.006)
    assert covered.min() == 0
    inside = covered > opacity - 0.006
    assert (inside.double().mean(dim=(1, 2, 3)) > 0.02).all()
    assert (inside.double().mean(dim=(1, 2, 3)) < 0.5).all()
    picture = on_black[inside] / opacity
    assert 40 < picture.min() < 65 + 5 / opacity
    assert 240 - 5 / opacity < picture.max()


def test_bubbles_are_round_about_the_drawn_middles():
    drawn = uniforms(seeds(6), "bubbles", 9).reshape(6, 3, 3)
    after = corrupted("bubbles_5", flat(0)).double()
    y, x = np.mgrid[:96, :96] + 0.5

    for tile, three in zip(after.numpy(), drawn, strict=True):
        away = np.min([np.hypot(y - 96 * a, x - 96 * b) / (96 * (0.10 + 0.14 * c)) for a, b, c in three], axis=0)
        assert (tile[:, away > 1.1] == 0).all()
        assert (tile[:, away < 0.75] > 200).all()
        assert (tile[:, (away > 0.89) & (away < 0.93)] < 90).all()


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("side", [96, 224])
def test_a_mark_covers_its_share_with_opaque_ink(severity, side):
    on_black, on_white = (corrupted(f"marking_{severity}", flat(level, side=side)).double() for level in (0, 255))
    covered = 1 - (on_white - on_black)[:, 0] / 255

    share = [0.01, 0.04, 0.09, 0.16, 0.25][severity - 1]
    assert covered.mean(dim=(1, 2)).numpy() == pytest.approx(share, rel=0.25 if severity == 1 else 0.03)
    assert (covered == 1).any()
    assert (covered == 0).any()


def test_a_mark_grows_with_severity_and_keeps_its_ink():
    before = (corrupted("marking_1", flat(255)) < 255).any(dim=1)
    for severity in (2, 3, 4, 5):
        after = corrupted(f"marking_{severity}", flat(255))
        covered = (after < 255).any(dim=1)
        assert (covered | ~before).all()
        assert (covered.sum(dim=(1, 2)) > before.sum(dim=(1, 2))).all()
        before = covered


def test_all_inks_and_both_directions_are_drawn():
    after = corrupted("marking_5", flat(255, count=60))
    darkest = {tuple(tile.flatten(1).amin(dim=1).tolist()) for tile in after}

    assert darkest == {(34, 21, 18), (32, 44, 128), (18, 84, 58)}
    covered = (after < 255).any(dim=1)
    tall = covered.any(dim=2).sum(dim=1) > covered.any(dim=1).sum(dim=1)
    assert 15 < tall.sum() < 45


@pytest.mark.parametrize("kind", ["bubbles", "marking"])
def test_outside_of_the_shapes_a_tile_is_unchanged(kind):
    tiles = made_tiles(6, 96, 96)
    white, black = (corrupted(f"{kind}_5", flat(level)) == level for level in (255, 0))
    outside = (white & black).all(dim=1, keepdim=True).expand(tiles.shape)

    after = corrupted(f"{kind}_5", tiles)

    assert 0.1 < outside.double().mean() < 0.95
    assert torch.equal(after[outside], tiles[outside])
    assert not torch.equal(after[~outside], tiles[~outside])
