"""What holds for every corruption: the bytes of a tile depend on the tile, its seed and the corruption only."""

from hashlib import blake2b
from itertools import pairwise

import pytest
import torch
from corruption_tiles import CPU, EVERY, corrupted, made_tiles, psnr, real_tiles, seeds
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.frontends.corruptions import KINDS, LEVELS, corruption
from bench.frontends.corruptions.operators import OPERATORS
from registry.errors import UserError

SEEDED = {"motion", "bubbles", "marking", "gaussian_noise", "shot_noise", "stain", "lpfm_chain"}
THIRD = [f"{kind}_3" for kind in KINDS]

GOLDEN = {
    "pixelate": "0aab887e51611ad5",
    "defocus": "b9d3dbab4bf80b53",
    "motion": "c8b279ff006db92f",
    "brightness": "b025260fcba4cc79",
    "saturation": "3284071c94373202",
    "hue": "0899d25638554f94",
    "bubbles": "5bd73d0de3b5f966",
    "marking": "6eda441a3df97241",
    "gaussian_blur": "88842749c4ac12d8",
    "gaussian_noise": "bcda32631f9894e9",
    "shot_noise": "1cd1b416b9f40f64",
    "downsample": "5df932e4cad32a62",
    "stain": "4d4c4abc288e6110",
    "lpfm_chain": "6c97567026b585dc",
}


@pytest.mark.parametrize("name", THIRD)
def test_a_tile_alone_in_a_batch_and_in_another_order_gives_the_same_bytes(name):
    tiles, own = made_tiles(64, 96, 96), seeds(64)
    together = corrupted(name, tiles, own)
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))

    assert together.shape == tiles.shape
    assert together.dtype == torch.uint8
    assert not torch.equal(together, tiles)
    assert torch.equal(corrupted(name, tiles[order], own[order]), together[order])
    for i in (0, 17, 63):
        assert torch.equal(corrupted(name, tiles[i : i + 1], own[i : i + 1])[0], together[i])
    assert torch.equal(corrupted(name, tiles[5:24], own[5:24]), together[5:24])


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_in_one_operation_as_on_a_gpu_gives_the_bytes_of_single_tiles(kind):
    tiles, own = made_tiles(21, 96, 96), seeds(21)
    apply = OPERATORS[kind](LEVELS[kind].at(3, 96), CPU)

    together = apply(tiles, own)

    assert torch.equal(together, torch.cat([apply(tiles[i : i + 1], own[i : i + 1]) for i in range(21)]))
    assert torch.equal(together, corrupted(f"{kind}_3", tiles, own))


@pytest.mark.parametrize("name", THIRD)
def test_layout_inference_mode_threads_and_the_global_seed_do_not_matter(name):
    tiles, own = made_tiles(7, 96, 101), seeds(7)
    expected = corrupted(name, tiles, own)
    last, copy = tiles.contiguous(memory_format=torch.channels_last), tiles.clone()

    torch.manual_seed(99)
    with torch.inference_mode():
        assert torch.equal(corrupted(name, last.clone(), own.clone()), expected)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        after = corrupted(name, last, own)
    finally:
        torch.set_num_threads(threads)

    assert torch.equal(after, expected)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(tiles, copy)
    assert torch.equal(last, copy)
    assert after.is_contiguous()


@pytest.mark.parametrize("name", THIRD)
def test_one_loaded_corruption_takes_tiles_of_any_size_after_another(name):
    apply = corruption(*name.rsplit("_", 1)[:1], 3).load(CPU)
    small, large = made_tiles(2, 96, 96), made_tiles(2, 224, 224)

    for tiles in (small, large, small):
        assert torch.equal(apply(tiles, seeds(2)), corrupted(name, tiles))


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_gives_other_draws_to_those_that_draw(kind):
    tiles = made_tiles(1, 96, 96)
    one, other = (corrupted(f"{kind}_3", tiles, seeds(1, name)) for name in ("one", "other"))

    assert torch.equal(one, other) == (kind not in SEEDED)


@pytest.mark.parametrize("kind", KINDS)
def test_real_tiles_lose_psnr_with_every_severity(shared, kind):
    tiles = real_tiles(shared)
    means = [psnr(tiles, corrupted(f"{kind}_{severity}", tiles)).clamp(max=100).mean() for severity in range(1, 6)]

    assert len(tiles) == 12
    assert all(before > after for before, after in pairwise(means)), means
    assert means[0] < 45


@settings(max_examples=60)
@given(st.sampled_from(EVERY), st.integers(1, 75), st.integers(1, 75), st.integers(0, 2**63 - 1))
def test_odd_sizes_keep_their_shape_or_are_refused(name, height, width, seed):
    kind, _, severity = name.rpartition("_")
    made, tile, own = corruption(kind, int(severity)), made_tiles(1, height, width), torch.tensor([seed])
    try:
        made.check(height, width)
    except UserError as error:
        assert min(height, width) < 45
        assert str(error).count(".") == 1  # noqa: PT017
        return

    after = made.load(CPU)(tile, own)

    assert after.shape == tile.shape
    assert torch.equal(made.load(CPU)(torch.cat([tile, tile.flip(0)]), torch.cat([own, own]))[0], after[0])


def digest(tiles):
    return blake2b(tiles.contiguous().numpy().tobytes(), digest_size=8).hexdigest()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "jpeg"])
def test_bytes_of_a_known_tile(kind):
    """On every machine, and in every process; a change of these needs a new version in the table of levels."""
    assert digest(corrupted(f"{kind}_3", made_tiles(1, 96, 96))) == GOLDEN[kind]


@pytest.mark.parametrize("kind", ["defocus", "motion"])
def test_the_shorter_side_chooses_the_levels(kind):
    for height, width, side in ((96, 224, 96), (224, 96, 96), (224, 300, 224)):
        tiles, own = made_tiles(1, height, width), seeds(1)

        assert torch.equal(corrupted(f"{kind}_3", tiles), OPERATORS[kind](LEVELS[kind].at(3, side), CPU)(tiles, own))
