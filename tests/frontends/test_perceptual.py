"""LPIPS with random weights against the published code, and from files that the user has or has not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lpips_helpers import hide_lpips, show_package, write_backbone, write_heads

from bench.frontends import Clean, LpipsWeights, find_lpips
from bench.frontends.perceptual import Lpips
from registry.errors import UserError
from registry.precision import full_float32

CPU = torch.device("cpu")
PUBLISHED = {  # by `lpips.LPIPS(net="alex", version="0.1")` of the package, 0.1.4, with the weights of `lpips_helpers`
    (31, 31): 0.07430253177881241,
    (32, 47): 0.07465773820877075,
    (64, 64): 0.07680319249629974,
    (96, 80): 0.07792847603559494,
}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> LpipsWeights:
    folder = tmp_path_factory.mktemp("lpips")
    return LpipsWeights(write_backbone(folder), write_heads(folder))


@pytest.fixture(scope="module")
def network(weights: LpipsWeights) -> Lpips:
    return weights.load(CPU)


def pair(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A tile of noise, and the same with other noise on it."""
    rng = np.random.default_rng(height)
    clean = rng.integers(0, 256, (1, 3, height, width), dtype=np.uint8)
    other = np.clip(clean + rng.integers(-40, 41, clean.shape), 0, 255).astype(np.uint8)
    return torch.from_numpy(clean), torch.from_numpy(other)


@pytest.mark.parametrize("size", PUBLISHED)
def test_it_is_what_the_published_code_makes_of_the_same_weights(network: Lpips, size: tuple[int, int]) -> None:
    clean, other = pair(*size)
    assert Clean(clean, network).lpips(other) == pytest.approx([PUBLISHED[size]], rel=1e-5)


def test_tiles_that_are_the_same_have_0(network: Lpips) -> None:
    clean = torch.cat([pair(40, 40)[0], torch.full((1, 3, 40, 40), 255, dtype=torch.uint8)])
    assert Clean(clean, network).lpips(clean.clone()).tolist() == [0.0, 0.0]


def test_no_value_depends_on_the_other_tiles(network: Lpips) -> None:
    pairs = [pair(48, 48), *(tuple(tiles.flip(axis) for tiles in pair(48, 48)) for axis in (2, 3))]
    clean, other = (torch.cat(side) for side in zip(*pairs, strict=True))
    together = Clean(clean.to(memory_format=torch.channels_last), network).lpips(other)
    alone = [Clean(one, network).lpips(another)[0] for one, another in pairs]
    assert len(set(alone)) == 3
    assert together.tolist() == alone
    with torch.inference_mode():
        assert Clean(clean, network).lpips(other).tolist() == alone


def test_it_is_nan_without_weights_and_of_tiles_that_are_too_small(network: Lpips) -> None:
    for size, of in (((40, 40), None), ((30, 64), network), ((64, 30), network)):
        clean, other = pair(*size)
        [value] = Clean(clean, of).lpips(other)
        assert math.isnan(value)


def test_a_file_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hide_lpips(monkeypatch, tmp_path)
    install = "install the package lpips"
    put = (
        "put https://download.pytorch.org/models/alexnet-owt-7be5be79.pth into "
        f"{tmp_path / 'checkpoints'} or into weights_dir=DIR"
    )
    assert find_lpips() == (None, f"LPIPS is not measured: {install} and {put}.")
    write_heads(tmp_path)
    show_package(monkeypatch, tmp_path)
    assert find_lpips() == (None, f"LPIPS is not measured: {put}.")
    hide_lpips(monkeypatch, tmp_path)
    write_backbone(tmp_path)
    assert find_lpips() == (None, f"LPIPS is not measured: {install}.")


def test_files_are_found_in_the_hub_folder_and_before_it_in_weights_dir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_lpips(monkeypatch, tmp_path)
    heads, backbone = write_heads(tmp_path), write_backbone(tmp_path)
    show_package(monkeypatch, tmp_path)
    assert find_lpips(tmp_path) == (LpipsWeights(backbone, heads), f"LPIPS is measured, with {backbone}.")
    own = write_backbone(tmp_path / "own")
    assert find_lpips(own.parent) == (LpipsWeights(own, heads), f"LPIPS is measured, with {own}.")


def test_its_identity_is_that_of_both_files(weights: LpipsWeights, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    other.write_bytes(b"1")
    identities = {LpipsWeights(*of).identity for of in ((weights.backbone, other), (other, weights.heads))}
    assert len({*identities, weights.identity}) == 3
    with pytest.raises(UserError, match="Weights of LPIPS cannot be read"):
        _ = LpipsWeights(tmp_path / "none.pth", other).identity


@pytest.mark.parametrize("damage", ["bytes", "empty", "cut", "list"])
def test_a_damaged_file_is_one_sentence(weights: LpipsWeights, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "damaged.pth"
    whole = weights.heads.read_bytes()
    path.write_bytes({"bytes": b"no weights", "empty": b"", "cut": whole[: len(whole) // 2]}.get(damage, b""))
    if damage == "list":
        torch.save([1], path)
    with pytest.raises(UserError, match=r"damaged\.pth holds no"):
        LpipsWeights(weights.backbone, path).load(CPU)


def test_other_weights_are_one_sentence(weights: LpipsWeights) -> None:
    with pytest.raises(UserError, match=r"holds no features\.0\.weight of shape \(64, 3, 11, 11\), which LPIPS needs"):
        LpipsWeights(weights.heads, weights.heads).load(CPU)


def test_it_can_be_computed_while_an_encoder_runs_in_full_float32(network: Lpips) -> None:
    clean, other = pair(40, 40)
    with full_float32():
        inside = Clean(clean, network).lpips(other)
    assert inside.tolist() == Clean(clean, network).lpips(other).tolist()
