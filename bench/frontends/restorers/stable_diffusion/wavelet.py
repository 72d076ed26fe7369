"""The colours of one image under the details of another, by an undecimated wavelet decomposition."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

LEVELS = 5
_TAPS = (0.25, 0.5, 0.25)

Image = Float[Tensor, "tile channel height width"]


def low_band(image: Image, levels: int = LEVELS) -> Image:
    """What is left after binomial 3 x 3 filters with holes of 1, 2, 4, ... px, borders repeated (à trous)."""
    channels = image.shape[1]
    taps = torch.tensor(_TAPS, dtype=image.dtype, device=image.device)
    kernel = torch.outer(taps, taps).expand(channels, 1, 3, 3)
    for level in range(levels):
        hole = 2**level
        image = F.conv2d(F.pad(image, (hole,) * 4, mode="replicate"), kernel, groups=channels, dilation=hole)
    return image


def merged(details: Image, colours: Image, levels: int = LEVELS) -> Image:
    """The high frequencies of `details` on the low frequencies of `colours`; both of one shape."""
    return details - low_band(details, levels) + low_band(colours, levels)
