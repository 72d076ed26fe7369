"""From a tile to its restored or translated image: first stage, sampling around its latent, colours, size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from .control_net import controlled_noise
from .networks import LATENT_SCALE, Networks
from .spaced import sample
from .wavelet import merged

Image = Float[Tensor, "1 3 height width"]
Latent = Float[Tensor, "1 4 height width"]
Text = Float[Tensor, "1 token width"]

MULTIPLE = 64  # px: the autoencoder takes an eighth, and the U-Net an eighth of that


def upsized(image: Image, size: int) -> Image:
    """The image with its shorter side at `size` px, where that is shorter; antialiased bicubic."""
    height, width = image.shape[-2:]
    short = min(height, width)
    if short >= size:
        return image
    sides = [size if side == short else int(side * (size / short)) for side in (height, width)]
    return F.interpolate(image, sides, mode="bicubic", antialias=True)


def padded(image: Image) -> Image:
    """Black at the lower and right edge, to multiples of 64 px."""
    height, width = image.shape[-2:]
    return F.pad(image, (0, -width % MULTIPLE, 0, -height % MULTIPLE))


def normal_fields(seed: int, shape: tuple[int, ...], device: torch.device) -> Iterator[Tensor]:
    """Standard normal float32 tensors, the same on every machine and device for one seed from 0 to 2^63 - 1."""
    draw = np.random.Generator(np.random.Philox(seed))
    while True:
        yield torch.from_numpy(draw.standard_normal(shape, dtype=np.float32)).to(device)


@dataclass(frozen=True)
class Pipeline:
    """What happens to one tile.

    Attributes
    ----------
    stage1 : function of an image [1, 3, H, W], RGB in 0..1, sides multiples of 64 px
        The first stage; its output is not clipped.
    networks : Networks
        All but the text tower on the device of the tiles.
    text, negative_text : float32 tensors [1, 77, C]
        Features of the prompts; `negative_text` is None where no guidance is wanted.
    guidance : float
        Classifier-free guidance, 1 for none.
    strength : float
        Factor of the ControlNet's outputs.
    steps, size : int
        Of the sampler, 2 to 1000; the shorter side in px that smaller tiles are brought to.
    colours_of_stage1 : bool
        Whether the low frequencies of the first stage's image replace those of the sample.
    """

    stage1: Callable[[Image], Image]
    networks: Networks
    text: Text
    negative_text: Text | None
    guidance: float
    strength: float
    steps: int
    size: int
    colours_of_stage1: bool

    def __call__(self, tile: UInt8[Tensor, "1 3 height width"], seed: int) -> UInt8[Tensor, "1 3 height width"]:
        """One tile, of any size; values are cut to whole numbers as the authors do, not rounded."""
        image = upsized(tile.contiguous().float() / 255, self.size)  # layouts differ in last bits
        height, width = image.shape[-2:]
        clean = self.stage1(padded(image))[..., :height, :width]
        hint = self.encoded(padded(clean))
        noise = normal_fields(seed, tuple(hint.shape), hint.device)
        latent = sample(lambda x, time: self.noise_in(x, time, hint), noise, self.steps)
        restored = (self.decoded(latent)[..., :height, :width] + 1) / 2
        if self.colours_of_stage1:
            restored = merged(restored, clean)
        if restored.shape[-2:] != tile.shape[-2:]:
            restored = F.interpolate(restored, tile.shape[-2:], mode="bicubic", antialias=True)
        return (restored * 255).clamp(0, 255).to(torch.uint8)

    def encoded(self, image: Image) -> Latent:
        """The most likely latent of an image in 0..1, scaled as the U-Net takes it."""
        return self.networks.autoencoder.encode(image * 2 - 1).latent_dist.mode() * LATENT_SCALE

    def decoded(self, latent: Latent) -> Image:
        """An image in -1..1, not clipped."""
        return self.networks.autoencoder.decode(latent / LATENT_SCALE).sample

    def noise_in(self, x: Latent, time: Tensor, hint: Latent) -> Latent:
        """What the networks take for noise in a latent, guided by the prompts."""
        unet, control = self.networks.unet, self.networks.control_net
        noise = controlled_noise(unet, control, x, time, self.text, hint, self.strength)
        if self.negative_text is None:
            return noise
        away = controlled_noise(unet, control, x, time, self.negative_text, hint, self.strength)
        return away + self.guidance * (noise - away)
