"""What the decoders of plain image files share: their refusal, and where they put the picture."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8


class NotPlain(ValueError):
    """An image file that Pillow must read."""


def place_of(
    out: UInt8[np.ndarray, "height width 3"], height: int, width: int, max_px: int
) -> UInt8[np.ndarray, "picture_height picture_width 3"]:
    """`out` itself where it is of this size and contiguous, new memory otherwise.

    Raises
    ------
    NotPlain
        If it would be of more pixels than `max_px`.
    """
    if height * width > max_px:
        raise NotPlain(f"{width} x {height} px")
    straight = out.shape == (height, width, 3) and out.flags.c_contiguous
    return out if straight else np.empty((height, width, 3), np.uint8)
