"""PSNR and SSIM against scikit-image, on the tiles that are hardest for sums of squares too."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from bench.frontends import HIGHEST_PSNR, Clean, check_size
from bench.frontends import quality as module
from registry.errors import UserError

RNG = np.random.default_rng(0)


def tiles(n: int, height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(RNG.integers(0, 256, (n, 3, height, width), dtype=np.uint8))


def expected(clean: torch.Tensor, other: torch.Tensor) -> tuple[list[float], list[float]]:
    pairs = [(a.permute(1, 2, 0).numpy(), b.permute(1, 2, 0).numpy()) for a, b in zip(clean, other, strict=True)]
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return (
        [peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs],
        [structural_similarity(a, b, channel_axis=2, **how) for a, b in pairs],
    )


def assert_as_published(clean: torch.Tensor, other: torch.Tensor) -> None:
    reference = Clean(clean)
    psnr, ssim = expected(clean, other)
    assert reference.psnr(other) == pytest.approx(psnr, abs=1e-6)
    assert reference.ssim(other) == pytest.approx(ssim, abs=1e-6)


@pytest.mark.parametrize(("height", "width"), [(11, 11), (11, 40), (37, 24), (64, 64)])
def test_noise_and_its_neighbours_are_as_scikit_image_has_them(height: int, width: int) -> None:
    clean = tiles(3, height, width)
    assert_as_published(clean, tiles(3, height, width))
    assert_as_published(clean, (clean.int() + torch.randint(-3, 4, clean.shape)).clamp(0, 255).to(torch.uint8))


def test_white_tiles_with_faint_texture_lose_no_digits() -> None:
    clean = torch.randint(253, 256, (2, 3, 48, 48), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    other = clean.clone()
    other[..., ::7, ::5] -= 1
    assert_as_published(clean, other)
    assert_as_published(torch.full_like(clean, 255), clean)


def test_real_tiles(shared: Path) -> None:
    files = sorted((shared / "data" / "nct_crc_sample").glob("*/*"))[::45]
    clean = torch.stack([torch.from_numpy(np.array(Image.open(f).convert("RGB"))).permute(2, 0, 1) for f in files])
    blurred = torch.nn.functional.avg_pool2d(clean.float(), 5, 1, 2).to(torch.uint8)
    assert_as_published(clean, blurred)


def test_psnr_by_hand_and_of_tiles_that_are_the_same() -> None:
    clean = torch.full((3, 3, 16, 16), 100, dtype=torch.uint8)
    other = clean.clone()
    other[1] += 10
    other[2, 0, 0, 0] += 1
    found = Clean(clean).psnr(other)
    assert found[0] == HIGHEST_PSNR == 100.0
    assert found[1] == pytest.approx(20 * math.log10(255 / 10))
    assert found[2] == pytest.approx(10 * math.log10(255**2 * 3 * 16 * 16))
    assert Clean(clean).ssim(clean).tolist() == pytest.approx([1.0] * 3, abs=1e-12)


def test_ssim_of_flat_tiles_by_hand() -> None:
    clean, other = (torch.full((1, 3, 20, 20), value, dtype=torch.uint8) for value in (100, 150))
    assert Clean(clean).ssim(other) == pytest.approx((2 * 100 * 150 + 2.55**2) / (100**2 + 150**2 + 2.55**2))


def test_a_tile_alone_in_a_batch_and_in_channels_last_is_measured_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    clean, other = tiles(7, 32, 40), tiles(7, 32, 40)
    together = Clean(clean)
    monkeypatch.setattr(module, "_AT_ONCE", {"cpu": 3 * 32 * 40 * 2})
    in_parts = Clean(clean.to(memory_format=torch.channels_last))
    later = other.to(memory_format=torch.channels_last)
    for name in ("psnr", "ssim"):
        whole = getattr(together, name)(other)
        assert len(whole) == 7
        assert getattr(in_parts, name)(later) == pytest.approx(whole, abs=1e-12)
        alone = [getattr(Clean(clean[i : i + 1]), name)(other[i : i + 1])[0] for i in range(7)]
        assert alone == pytest.approx(whole, abs=1e-12)


def test_nothing_is_changed_in_place_and_inference_mode_does_not_matter() -> None:
    clean, other = tiles(2, 16, 16), tiles(2, 16, 16)
    before = clean.clone(), other.clone()
    found = Clean(clean).ssim(other)
    with torch.inference_mode():
        assert Clean(clean).ssim(other).tolist() == found.tolist()
    assert torch.equal(clean, before[0])
    assert torch.equal(other, before[1])


@pytest.mark.parametrize("size", [(10, 64), (64, 10), (1, 1)])
def test_tiles_smaller_than_the_window_are_one_sentence(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match=rf"Tiles of {size[1]} x {size[0]} px are smaller than the window of SSIM, 11"):
        check_size(*size)
    with pytest.raises(UserError, match="smaller than the window"):
        Clean(torch.zeros((1, 3, *size), dtype=torch.uint8))
    check_size(11, 11)
