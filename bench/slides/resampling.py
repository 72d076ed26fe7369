"""Windows of a slide brought to the size of a tile: by a cubic filter, or first by the JPEG decoder itself."""

from __future__ import annotations

import math
import threading
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from bench.slides.slide import Slide
from bench.slides.tiling import FINER_TOLERANCE, MPP_TOLERANCE

BLOCKS = (8, 4, 2)  # px a side over which a JPEG decoder averages at the cost of less decoding

Resample = Literal["exact", "fast"]


class Resampler:
    """The windows of one size on one level of a slide, each brought to a square tile. Safe in several threads.

    Parameters
    ----------
    slide : Slide
    level : int
        That the windows are read from.
    window : (int, int)
        Width and height of a window, px of `level`.
    size : int
        Side of a tile, px.
    resample : {"exact", "fast"}
        "exact" filters all pixels of the window. "fast" has them averaged over blocks, by the decoder where it can, and
        filters the rest of the way, if there is any.

    Attributes
    ----------
    block : int
        Side of the blocks that are averaged, px of `level`: 1, 2, 4 or 8.
    crop : (int, int)
        Width and height of what is read, in blocks.
    """

    def __init__(self, slide: Slide, level: int, window: tuple[int, int], size: int, resample: Resample = "exact"):
        self.slide, self.level, self.window, self.size = slide, level, window, size
        self.block = block_of(window, size) if resample == "fast" else 1
        self.crop = (_crop(window[0], self.block, size), _crop(window[1], self.block, size))
        self._of_thread = threading.local()

    def read_into(self, out: UInt8[np.ndarray, "size size 3"], x: int, y: int) -> None:
        """Fill `out`, which is contiguous, with the window whose top left pixel is (x, y) of the level.

        With blocks, the window's middle is moved to the nearest place at which blocks begin: by half a pixel of the
        tile at most, and by one where the level ends within a block.

        Raises
        ------
        UnreadableRegion
            If a part of it cannot be decoded.
        """
        place = (x, y)
        if self.block > 1:
            lengths = self.slide.level_dimensions[self.level]
            place = (self._nearest(x, lengths[0], 0), self._nearest(y, lengths[1], 1))
        pixels = out if self.crop == (self.size, self.size) else self._buffer()
        self.slide.read_into(pixels, *place, self.level, self.block)
        if pixels is not out:
            resize_into(out, pixels)

    def _nearest(self, start: int, length: int, axis: int) -> int:
        """The block at which the crop starts, so that its middle is nearest to the window's."""
        wanted = (start + self.window[axis] / 2) / self.block - self.crop[axis] / 2
        if start >= 0 and start + self.window[axis] <= length:  # what lies on the level is not read from beyond it
            wanted = min(max(wanted, 0), length // self.block - self.crop[axis])
        return math.floor(wanted + 0.5)

    def _buffer(self) -> UInt8[np.ndarray, "height width 3"]:
        """The thread's own window: memory used again is fast memory."""
        buffer: np.ndarray | None = getattr(self._of_thread, "window", None)
        if buffer is None:
            buffer = self._of_thread.window = np.empty((self.crop[1], self.crop[0], 3), np.uint8)
        return buffer


def block_of(window: tuple[int, int], size: int) -> int:
    """The largest block whose averages hold the detail of a tile, by the tolerance of coarse slides."""
    return next((block for block in BLOCKS if min(window) / block >= size / (1 + FINER_TOLERANCE)), 1)


def _crop(length: int, block: int, size: int) -> int:
    """Blocks that lie within a window's length: those of the tile where they are as good as that, as for `plan`."""
    if abs(length / block / size - 1) <= MPP_TOLERANCE and size * block <= length:
        return size
    return length // block


def resize_into(out: UInt8[np.ndarray, "size size 3"], window: UInt8[np.ndarray, "height width 3"]) -> None:
    """Bicubic with antialiasing, as PIL's BICUBIC to within two grey levels, in an eighth of its time.

    `torch.nn.functional.interpolate` gives the same bits, but into memory of its own in another order, from which the
    copy to `out` takes longer than the filter.
    """
    import torch

    source = torch.from_numpy(window).permute(2, 0, 1)[None]
    target = torch.from_numpy(out).permute(2, 0, 1)[None]
    torch.ops.aten._upsample_bicubic2d_aa.out(source, list(out.shape[:2]), False, out=target)
