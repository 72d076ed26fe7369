"""The networks of Stable Diffusion 2.1 and of the ControlNet, at their released sizes or smaller, with their weights.

The official weights were not at hand when this was written. That every released name finds its place was checked with
networks of the released size and the list of names that the authors' code gives; that the numbers agree, with small
networks of random weights beside the authors' code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from jaxtyping import Float
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from registry.checkpoint import differences, read
from registry.errors import UserError

from . import ldm_layout
from .control_net import control_net

LATENT_SCALE = 0.18215


@dataclass(frozen=True)
class Sizes:
    """Widths of the networks; the defaults are the released ones.

    Attributes
    ----------
    channels : 4 ints
        Of the U-Net's levels, multiples of 32; heads : of their attention.
    autoencoder_channels : 4 ints
        Multiples of 32.
    text_width, text_heads, text_layers, vocabulary, context : int
        Of the text tower, whose last layer is not used; `context` is the number of tokens.
    """

    channels: tuple[int, int, int, int] = (320, 640, 1280, 1280)
    heads: tuple[int, int, int, int] = (5, 10, 20, 20)
    autoencoder_channels: tuple[int, int, int, int] = (128, 256, 512, 512)
    text_width: int = 1024
    text_heads: int = 16
    text_layers: int = 24
    vocabulary: int = 49408
    context: int = 77

    @property
    def _of_unet(self) -> dict[str, Any]:
        """What the U-Net and the ControlNet have in common; diffusers calls the number of heads their width."""
        return {
            "in_channels": 4,
            "block_out_channels": self.channels,
            "attention_head_dim": self.heads,
            "cross_attention_dim": self.text_width,
            "use_linear_projection": True,
            "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        }

    def unet(self) -> UNet2DConditionModel:
        """Predicts the noise in a latent of 4 channels."""
        return UNet2DConditionModel(**self._of_unet, up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3)

    def control_net(self) -> Any:
        """Takes a noisy latent and a hint, 4 channels each."""
        return control_net(**self._of_unet)

    def autoencoder(self) -> AutoencoderKL:
        """Images in -1..1 to latents of 4 channels at an eighth of their size, and back."""
        return AutoencoderKL(
            block_out_channels=self.autoencoder_channels,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            layers_per_block=2,
            latent_channels=4,
        )

    def text_tower(self) -> CLIPTextModel:
        """OpenCLIP's text tower without its last layer."""
        config = CLIPTextConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.text_width,
            intermediate_size=4 * self.text_width,
            projection_dim=self.text_width,
            num_hidden_layers=self.text_layers - 1,
            num_attention_heads=self.text_heads,
            max_position_embeddings=self.context,
            hidden_act="gelu",
        )
        return CLIPTextModel(config)


RELEASED = Sizes()


@dataclass(frozen=True)
class Networks:
    """Those that a tile goes through, with their weights, in float32 and without gradients.

    Attributes
    ----------
    unet, autoencoder, control_net : UNet2DConditionModel, AutoencoderKL, ControlNetModel
        Of diffusers, which hides from a type checker what they can do.
    """

    unet: Any
    autoencoder: Any
    control_net: Any

    def to(self, device: torch.device) -> Networks:
        """The same networks on a device."""
        return Networks(self.unet.to(device), self.autoencoder.to(device), self.control_net.to(device))


def load(stable_diffusion: Path, control: Path, sizes: Sizes = RELEASED) -> tuple[Networks, CLIPTextModel]:
    """The networks and the text tower with the weights of two files, loaded strictly, on the CPU.

    Parameters
    ----------
    stable_diffusion : path
        In the layout of ``v2-1_512-ema-pruned.ckpt``.
    control : path
        In the layout of ``lpfm_restore_stage2.pt``.

    Raises
    ------
    UserError
        If a file is damaged or of another layout.
    """
    content = ldm_layout.flat(read(stable_diffusion))
    try:
        parts = ldm_layout.parts(content)
    except UserError as problem:
        raise UserError(f"{stable_diffusion} is not the file of Stable Diffusion 2.1: {problem}.") from problem
    networks = Networks(
        _filled(sizes.unet, ldm_layout.unet(parts["unet"]), stable_diffusion),
        _filled(sizes.autoencoder, ldm_layout.autoencoder(parts["autoencoder"]), stable_diffusion),
        _filled(sizes.control_net, ldm_layout.control_net(ldm_layout.flat(read(control))), control),
    )
    text = ldm_layout.text_tower(parts["text"], sizes.text_layers)
    return networks, _filled(sizes.text_tower, text, stable_diffusion)


def _filled(build: Callable[[], Any], state: Mapping[str, Tensor], path: Path) -> Any:
    """A network that takes the tensors as they are, so that memory holds one copy of them."""
    with torch.device("meta"):
        network: nn.Module = build()
    wrong = differences(network, state)
    if wrong:
        raise UserError(
            f"{path} does not fit the {type(network).__name__} of LPFM's second stage, named as diffusers does: it "
            f"{'; it '.join(wrong)}; take the published file."
        )
    network.load_state_dict({name: value.float() for name, value in state.items()}, assign=True)
    return network.requires_grad_(False).eval()


@torch.no_grad()
def text_features(tower: CLIPTextModel, tokens: list[int]) -> Float[Tensor, "1 token width"]:
    """Of one prompt, after the last norm."""
    places = torch.arange(len(tokens))[None]
    return tower(input_ids=torch.tensor([tokens]), position_ids=places).last_hidden_state
