"""The scanners: Beer-Lambert on flat stain, the stated blur on an edge, two that look different."""

import numpy as np
import pytest

from bench.demo.scanner import SCANNERS, Scanner, Stain, scan


def _standard(scanner: Scanner) -> Stain:
    return Stain(np.array([scanner.haematoxylin, scanner.eosin]), scanner)


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda s: s.name)
def test_stain_vectors_are_unit_vectors(scanner: Scanner) -> None:
    assert np.linalg.norm([scanner.haematoxylin, scanner.eosin], axis=1) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda s: s.name)
def test_flat_stain_obeys_beer_lambert(scanner: Scanner) -> None:
    h, e = np.full((200, 200), 0.6, np.float32), np.full((200, 200), 0.3, np.float32)
    seen = scan(h, e, 0.5, _standard(scanner), np.random.default_rng(0)).mean((0, 1))
    density = 0.6 * np.array(scanner.haematoxylin) + 0.3 * np.array(scanner.eosin)
    assert seen == pytest.approx(np.array(scanner.white) * 10**-density, abs=0.3)


@pytest.mark.parametrize("mpp", [0.25, 0.5])
@pytest.mark.parametrize("scanner", SCANNERS, ids=lambda s: s.name)
def test_an_edge_is_as_blurred_in_micrometres_as_stated(scanner: Scanner, mpp: float) -> None:
    h = np.zeros((4000, 64), np.float32)
    h[:, 32:] = 0.5
    pixels = scan(h, np.zeros_like(h), mpp, _standard(scanner), np.random.default_rng(0), defocus=0.6)
    slope = -np.diff(pixels[..., 0].mean(0))
    slope[np.abs(np.arange(63) - 31) > 12] = 0
    place = np.arange(63) * mpp
    middle = (slope * place).sum() / slope.sum()
    sigma = np.sqrt((slope * (place - middle) ** 2).sum() / slope.sum())
    assert sigma == pytest.approx(np.hypot(scanner.blur, 0.6), rel=0.08)


def test_two_scanners_show_the_same_section_differently() -> None:
    h, e = np.full((50, 50), 0.2, np.float32), np.full((50, 50), 0.5, np.float32)
    one, two = (
        scan(h, e, 0.5, Stain.of(scanner, np.random.default_rng(1)), np.random.default_rng(0)).mean((0, 1))
        for scanner in SCANNERS
    )
    assert np.abs(one - two).max() > 10
    assert abs(SCANNERS[0].blur - SCANNERS[1].blur) > 0.1
