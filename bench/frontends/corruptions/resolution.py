"""Loss of resolution: coarse pixels, few pixels, and compression."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from registry.resize import resize

from .levels import Level

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds


def pixelate(level: Level, device: torch.device) -> Apply:
    """Box filter down to a share of each side, and up again: what Pillow gives, bit for bit."""
    (factor,) = level

    def apply(tiles: Images, seeds: Seeds) -> Images:
        height, width = tiles.shape[-2:]
        return resize(resize(tiles, int(height * factor), int(width * factor), "box"), height, width, "box")

    return apply


def downsample(level: Level, device: torch.device) -> Apply:
    """Bicubic filter down by a factor, antialiased, and up again: what Pillow gives, bit for bit."""
    factor = int(level[0])

    def apply(tiles: Images, seeds: Seeds) -> Images:
        height, width = tiles.shape[-2:]
        return resize(resize(tiles, height // factor, width // factor, "bicubic"), height, width, "bicubic")

    return apply


def jpeg(level: Level, device: torch.device) -> Apply:
    """JPEG at a quality, written and read by Pillow on the processor, a tile a thread."""
    through = partial(_through_jpeg, quality=int(level[0]))

    def apply(tiles: Images, seeds: Seeds) -> Images:
        pixels = tiles.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as threads:
            read = np.array(list(threads.map(through, pixels))).reshape(pixels.shape)
        return torch.from_numpy(read).to(device).permute(0, 3, 1, 2).contiguous()

    return apply


def _through_jpeg(pixels: UInt8[np.ndarray, "height width 3"], quality: int) -> UInt8[np.ndarray, "height width 3"]:
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", quality=quality)
    with Image.open(written) as image:
        return np.asarray(image)
