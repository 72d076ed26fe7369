"""Numbers of the authors' code, at small sizes and with weights by rule, against those of this project.

`small_outputs.npz` was written once with the authors' modules (github.com/XPixelGroup/DiffBIR at 3f8b530, whose code
LPFM's second stage is) and the files of `released_diffusion.write`: their layers, their sampler and their pipeline,
with the noise of this project in place of torch's and 64 px in place of 512.
"""

import numpy as np
import pytest
import torch
from released_diffusion import HERE, SMALL, SMALL_SWINIR, write

pytest.importorskip("diffusers", reason="diffusers is not installed: pip install 'pfmbench[diffusion]'")
pytest.importorskip("transformers", reason="transformers is not installed: pip install 'pfmbench[diffusion]'")

from bench.frontends.restorers.stable_diffusion import networks
from bench.frontends.restorers.stable_diffusion.first_stages import swinir
from bench.frontends.restorers.stable_diffusion.pipeline import Pipeline

PROMPT = [49406, 320, 1125, 539, 49407] + [0] * 72
EMPTY = [49406, 49407] + [0] * 75


def waves(pace, *shape):
    return torch.arange(int(np.prod(shape))).mul(pace).sin().reshape(shape)


IMAGE = waves(0.37, 1, 3, 64, 128) / 2 + 0.5
LATENT = waves(0.73, 1, 4, 8, 16) * 1.2


@pytest.fixture(scope="module")
def theirs():
    with np.load(HERE / "small_outputs.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="module")
def pipeline(folder):
    """With guidance and a prompt, at the small sizes."""
    paths = folder / "v2-1_512-ema-pruned.ckpt", folder / "lpfm_restore_stage2.pt"
    loaded, tower = networks.load(*paths, networks.Sizes(**SMALL))
    return Pipeline(
        stage1=lambda image: image * 0.9 + 0.03,
        networks=loaded,
        text=networks.text_features(tower, PROMPT),
        negative_text=networks.text_features(tower, EMPTY),
        guidance=3.0,
        strength=1.0,
        steps=5,
        size=64,
        colours_of_stage1=True,
    )


def without_guidance(pipeline):
    import dataclasses

    return dataclasses.replace(pipeline, negative_text=None, guidance=1.0)


def close(ours, theirs):
    np.testing.assert_allclose(ours.numpy(), theirs, rtol=0, atol=2e-5 * np.abs(theirs).max())


def test_the_text_tower(pipeline, theirs):
    close(pipeline.text[0, ::7], theirs["text"])


@torch.no_grad()
def test_the_autoencoder(pipeline, theirs):
    close(pipeline.encoded(IMAGE)[0], theirs["hint"])
    close(pipeline.decoded(LATENT)[0, :, ::4, ::4], theirs["decoded"])


@pytest.mark.parametrize("time", [0, 500, 999])
@torch.no_grad()
def test_the_u_net_under_the_control_net(pipeline, theirs, time):
    found = without_guidance(pipeline).noise_in(LATENT, torch.tensor([time]), torch.from_numpy(theirs["hint"])[None])

    close(found[0], theirs[f"noise_{time}"])


@torch.no_grad()
def test_the_first_stage_of_virtual_staining(folder, theirs):
    close(swinir(folder / "stage1_vs.pth", **SMALL_SWINIR)(IMAGE)[0, :, ::4, ::4], theirs["stained"])


@pytest.mark.parametrize("which", ["restored", "guided"])
@torch.no_grad()
def test_a_tile_through_everything(pipeline, theirs, which):
    tile = (waves(0.011, 1, 3, 48, 40) * 100 + 128).to(torch.uint8)
    own = pipeline if which == "guided" else without_guidance(pipeline)

    found = own(tile, seed=7)[0].numpy()

    apart = np.abs(found.astype(int) - theirs[which])
    assert apart.max() <= 1, "values are cut, so that a last bit can be a grey value"
    assert (apart > 0).mean() < 0.01
    assert theirs[which].std() > 5
