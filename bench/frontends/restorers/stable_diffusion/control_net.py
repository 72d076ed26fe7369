"""A ControlNet whose hint is a latent (DiffBIR, Lin et al. 2023), from the blocks of diffusers' own.

The hint goes in beside the noisy latent, as four more input channels; diffusers' network would embed an image
instead.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ControlNetModel
from jaxtyping import Float, Int64
from torch import Tensor, nn

Latent = Float[Tensor, "tile channel height width"]


class _NoEmbedding(nn.Module):
    """In place of the embedding of a hint image: nothing is added to the first layer's output."""

    def forward(self, hint: Tensor) -> Tensor:
        return hint.new_zeros(())


def control_net(hint_channels: int = 4, **settings: Any) -> Any:
    """A copy of the encoder half of a U-Net, with a layer at each of its outputs.

    Parameters
    ----------
    hint_channels : int
        Of the latent that is the hint.
    **settings
        As of `UNet2DConditionModel`, whose `in_channels` are those of the noisy latent.
    """
    channels = settings.pop("in_channels") + hint_channels
    network: Any = ControlNetModel(in_channels=channels, **settings)
    network.controlnet_cond_embedding = _NoEmbedding()
    return network


def controlled_noise(
    unet: Any,
    control: Any,
    x: Latent,
    time: Int64[Tensor, " tile"],
    text: Float[Tensor, "tile token width"],
    hint: Latent,
    strength: float = 1.0,
) -> Latent:
    """The noise in a latent, by a U-Net to whose skips and middle the ControlNet's outputs are added.

    Parameters
    ----------
    unet : diffusers' UNet2DConditionModel
    control : ControlNetModel
        Of `control_net`.
    x, hint : float32 tensors [B, 4, H, W]
        The noisy latent and the latent to stay close to.
    time : int64 tensor [B]
        Training steps, 0 to 999.
    text : float32 tensor [B, T, C]
        Of the prompt.
    strength : float
        Factor of the ControlNet's outputs.
    """
    skips, middle = control(
        torch.cat([x, hint], dim=1),
        time,
        encoder_hidden_states=text,
        controlnet_cond=x,
        conditioning_scale=strength,
        return_dict=False,
    )
    return unet(
        x,
        time,
        encoder_hidden_states=text,
        down_block_additional_residuals=skips,
        mid_block_additional_residual=middle,
        return_dict=False,
    )[0]
