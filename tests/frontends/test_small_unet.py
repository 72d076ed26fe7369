"""The small restorer: the network, its filters, its weights, and what becomes of tiles."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d, median_filter

from bench.frontends.base import WeightSources
from bench.frontends.restorers import restorer
from bench.frontends.restorers.filter_bank import REACH, gaussian, median
from bench.frontends.restorers.small_network import Shape, SmallNetwork
from bench.frontends.restorers.small_unet import NAME, SHIPPED, read_weights, write_weights
from registry.errors import UserError

SMALL = Shape(8, (1, 1))


def tiles(count, height, width, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (count, 3, height, width), dtype=np.uint8))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of a network whose last convolution is not zero."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = SmallNetwork(SMALL)
        torch.nn.init.normal_(network.tail.weight, std=0.02)
    path = tmp_path_factory.mktemp("weights") / SHIPPED.name
    write_weights(path, network, {"seed": 1})
    return path


def loaded(path):
    return restorer(NAME, {}, WeightSources({NAME: str(path)})).load(torch.device("cpu"))


def seeds(count):
    return torch.zeros(count, dtype=torch.int64)


def test_an_untrained_network_returns_its_input():
    given = torch.rand(2, 3, 48, 32, generator=torch.Generator().manual_seed(0))

    assert torch.equal(SmallNetwork(SMALL)(given), given)


@pytest.mark.parametrize("sigma", [1.0, 4.0])
def test_gaussians_are_those_of_scipy(sigma):
    tile = tiles(1, 40, 56).float()
    wanted = tile.numpy()
    for axis in (2, 3):
        wanted = gaussian_filter1d(wanted, sigma, axis=axis, mode="mirror", truncate=3.0)

    assert np.abs(gaussian(tile, sigma).numpy() - wanted).max() < 1e-3


def test_the_median_is_that_of_scipy_and_of_pixels_two_apart():
    tile = tiles(1, 21, 34)
    apart = np.zeros((5, 5), bool)
    apart[::2, ::2] = True

    for step, footprint in ((1, np.ones((3, 3), bool)), (2, apart)):
        wanted = [median_filter(channel, footprint=footprint, mode="mirror") for channel in tile[0].numpy()]
        assert np.array_equal(median(tile.float(), step)[0].numpy(), np.stack(wanted))


def test_the_output_is_the_mixture_that_the_docstring_states():
    network = SmallNetwork(SMALL)
    with torch.no_grad():
        network.tail.bias[:] = 0
        network.tail.bias[4 * 3 : 4 * 4] = -0.5  # weight of the first Gaussian, of each of the four folded pixels
    given = tiles(1, 16, 24).float() / 255

    sharp = given - 0.5 * (gaussian(given, 1.0) - given)
    assert torch.allclose(network(given), sharp, atol=1e-6)
    with torch.no_grad():
        network.blend[-1].bias[3] = 1.0  # weight of the median for the tile

    smooth = sharp + median(given, 1) - given
    assert torch.allclose(network(given), smooth, atol=1e-6)
    assert torch.allclose(network(given, locally=False), median(given, 1), atol=1e-6)


def test_a_tile_alone_and_in_a_batch_becomes_the_same_bytes(weights):
    apply, every = loaded(weights), tiles(5, 37, 50)
    before = every.clone()

    together = apply(every, seeds(5))

    assert together.dtype == torch.uint8
    assert together.shape == every.shape
    assert not torch.equal(together, every)
    assert torch.equal(every, before)
    assert torch.equal(together, torch.cat([apply(one[None], seeds(1)) for one in every]))
    assert torch.equal(together, apply(every.contiguous(memory_format=torch.channels_last), seeds(5)))
    with torch.inference_mode():
        assert torch.equal(together, apply(every.clone(), seeds(5)))


def test_the_weights_are_in_the_identity(weights, tmp_path):
    network = read_weights(weights)
    other = tmp_path / "other.safetensors"
    write_weights(other, network, {"seed": 1})
    same = {restorer(NAME, {}, WeightSources({NAME: str(path)})).identity for path in (weights, other)}
    with torch.no_grad():
        network.tail.bias[0] += 0.01
    write_weights(other, network, {"seed": 1})

    assert len(same) == 1
    assert restorer(NAME, {}, WeightSources({NAME: str(other)})).identity not in same


def test_weights_are_taken_from_a_folder_of_weights(weights):
    found = restorer(NAME, {}, WeightSources(weights_dir=str(weights.parent)))

    assert found.weights == weights
    assert restorer(NAME, {}, WeightSources(weights_dir=str(weights.parent.parent))).weights == SHIPPED


def test_each_mistake_is_a_sentence(weights, tmp_path):
    missing = restorer(NAME, {}, WeightSources({NAME: str(tmp_path / "none.safetensors")}))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(weights.read_bytes()[:-10])

    with pytest.raises(UserError, match=r"no weights of the restorer small_unet at .*none.safetensors: train it with"):
        _ = missing.identity
    with pytest.raises(UserError, match="no weights of the restorer"):
        missing.load(torch.device("cpu"))
    with pytest.raises(UserError, match="does not hold the weights of small_unet"):
        loaded(damaged)
    with pytest.raises(UserError, match="has no setting 'strength': it has none"):
        restorer(NAME, {"strength": 2})
    with pytest.raises(UserError, match=f"takes tiles of {REACH + 1} px or more, and these are 12 x 40 px"):
        restorer(NAME).check(12, 40)


@pytest.mark.skipif(not SHIPPED.exists(), reason="no weights are shipped")
def test_the_shipped_weights_help_noisy_tiles_and_nearly_leave_clean_ones_alone(shared):
    from PIL import Image

    paths = sorted((shared / "data/pcam_sample/test").rglob("*.jpg"))[::125]
    clean = torch.from_numpy(np.stack([np.asarray(Image.open(path).convert("RGB")) for path in paths])).permute(
        0, 3, 1, 2
    )
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)) * 25
    noisy = (clean + noise).round().clamp(0, 255).to(torch.uint8)
    apply = restorer(NAME).load(torch.device("cpu"))

    def psnr(other):
        return 10 * torch.log10(255**2 / (other.float() - clean.float()).square().mean((1, 2, 3)))

    assert SHIPPED.stat().st_size < 20e6
    assert psnr(apply(clean, seeds(len(clean)))).min() > 36
    assert (psnr(apply(noisy, seeds(len(clean)))) - psnr(noisy)).min() > 2.5
