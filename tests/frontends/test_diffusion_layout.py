"""The released names at their released sizes, without values: each finds its place, and each place is filled."""

import pytest
import torch
from released_diffusion import BESIDE, names

from registry import UserError, card

pytest.importorskip("diffusers", reason="diffusers is not installed: pip install 'pfmbench[diffusion]'")
pytest.importorskip("transformers", reason="transformers is not installed: pip install 'pfmbench[diffusion]'")

from bench.frontends.restorers.diffusion import restorer
from bench.frontends.restorers.stable_diffusion import ldm_layout
from bench.frontends.restorers.stable_diffusion.networks import RELEASED, Sizes, load
from bench.frontends.restorers.stable_diffusion.swinir import COMPUTED, SwinIR
from registry.checkpoint import differences


@pytest.fixture(scope="module")
def released():
    """Tensors without values under the released names."""
    with torch.device("meta"):
        return {
            file: {name: torch.empty(shape) for name, shape in those.items()}
            for file, those in names("released_names.txt").items()
        }


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def on_meta(build):
    with torch.device("meta"):
        return build()


# Stability AI's code prints 865.91 M for the U-Net, CompVis' 83.65 M for the autoencoder; diffusers' text encoder of
# Stable Diffusion 2.1 has 340,387,840 parameters
@pytest.mark.parametrize(
    ("part", "build", "published"),
    [
        ("unet", RELEASED.unet, 865_910_724),
        ("autoencoder", RELEASED.autoencoder, 83_653_863),
        ("text", RELEASED.text_tower, 340_387_840),
    ],
)
def test_stable_diffusion_is_filled_to_the_last_name(released, part, build, published):
    layout = {"unet": ldm_layout.unet, "autoencoder": ldm_layout.autoencoder, "text": ldm_layout.text_tower}[part]
    network = on_meta(build)

    state = layout(ldm_layout.parts(released["stable_diffusion"])[part])

    assert differences(network, state) == []
    assert parameters(network) == published


def test_the_file_is_as_long_as_the_published_one(released):
    """5.21 GB, as its page shows, of which all but some kB are numbers in float32."""
    beside = sum(value.numel() for value in released["stable_diffusion"].values())

    assert 4 * beside == pytest.approx(5.21e9, abs=5e6)


def test_the_control_net_is_filled_to_the_last_name(released):
    network = on_meta(RELEASED.control_net)

    assert differences(network, ldm_layout.control_net(released["stage2"])) == []
    assert network.conv_in.in_channels == 8, "the noisy latent and the hint"
    assert parameters(network) == sum(value.numel() for value in released["stage2"].values())


def test_the_first_stage_of_virtual_staining_is_filled_to_the_last_name(released):
    state = {name: value for name, value in released["stage1_vs"].items() if not name.endswith(COMPUTED)}

    assert differences(on_meta(SwinIR), state) == []
    assert len(state) < len(released["stage1_vs"])


@pytest.mark.parametrize("part", ["unet", "autoencoder"])
def test_diffusers_own_conversion_says_the_same(released, part):
    tools = pytest.importorskip("diffusers.loaders.single_file_utils")
    tensors = released["stable_diffusion"]
    if part == "unet":
        config = {**on_meta(RELEASED.unet).config}
        theirs = tools.convert_ldm_unet_checkpoint(dict(tensors), config)
        ours = ldm_layout.unet(ldm_layout.parts(tensors)["unet"])
    else:
        config = {**on_meta(RELEASED.autoencoder).config}
        theirs = tools.convert_ldm_vae_checkpoint(dict(tensors), config)
        ours = ldm_layout.autoencoder(ldm_layout.parts(tensors)["autoencoder"])

    assert {name: value.shape for name, value in ours.items()} == {name: value.shape for name, value in theirs.items()}


def test_the_memory_is_that_of_the_networks_on_the_device(released):
    on_device = [on_meta(build) for build in (RELEASED.unet, RELEASED.autoencoder, RELEASED.control_net)]
    shared = sum(map(parameters, on_device))

    assert restorer("lpfm2").memory_bytes == 4 * (shared + card("lpfm").params)
    assert restorer("virtual_stain").memory_bytes == 4 * (shared + parameters(on_meta(SwinIR)))


def test_what_no_network_takes_is_named(released):
    tensors = released["stable_diffusion"]

    assert set(ldm_layout.UNUSED) == set(BESIDE)
    ldm_layout.parts({**tensors, **dict.fromkeys(BESIDE, torch.empty(1))})
    with pytest.raises(UserError, match=r"holds lora_up, which is no part of Stable Diffusion"):
        ldm_layout.parts({**tensors, "lora_up": torch.empty(1)})
    without = {name: value for name, value in tensors.items() if not name.startswith("cond_stage_model")}
    with pytest.raises(UserError, match=r"no names that start with cond_stage_model\.model\."):
        ldm_layout.parts(without)


def test_a_dump_of_parallel_training_is_unwrapped():
    assert ldm_layout.flat({"state_dict": {"module.out.2.bias": 1}, "global_step": 3}) == {"out.2.bias": 1}


def test_another_networks_file_is_refused(tmp_path):
    wrong = tmp_path / "v2-1_512-ema-pruned.ckpt"
    prefixes = ("model.diffusion_model.out.2", "first_stage_model.quant_conv", "cond_stage_model.model.ln_final")
    torch.save({f"{prefix}.bias": torch.zeros(4) for prefix in prefixes}, wrong)
    with pytest.raises(UserError, match=r"does not fit the UNet2DConditionModel .* it lacks .* take the"):
        load(wrong, wrong, Sizes(channels=(32, 32, 32, 32)))

    torch.save({"a": torch.zeros(4)}, wrong)
    with pytest.raises(UserError, match=r"is not the file of Stable Diffusion 2\.1: it has no names that start with"):
        load(wrong, wrong)
