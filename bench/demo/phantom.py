"""Phantom tissue: the concentrations of haematoxylin and eosin of a made-up section, at any resolution.

Nothing here is data of a patient. Six tissues are drawn from simple rules in micrometres, so that the same tissue can
be looked at through any scanner and at any mpp. Tiles and slides of the built-in cohort share this renderer.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from scipy import ndimage

from bench.demo.fields import Field, smooth_step, value_at
from bench.demo.nuclei import paint
from bench.demo.textures import TEXTURES, Traits

_REACH = 2  # elements of the region map by which the soft border of a region sticks out
_EDGE = 2.0  # micrometres over which one tissue gives way to the next


def render(
    regions: UInt8[np.ndarray, "rows columns"],
    downsample: int,
    shape: tuple[int, int],
    mpp: float,
    traits: Traits,
    rng: np.random.Generator,
) -> tuple[Field, Field]:
    """Render a section.

    Parameters
    ----------
    regions
        Values of `Tissue`, one for every `downsample` x `downsample` pixels of the section.
    shape
        Rows and columns of the section in pixels.
    mpp
        Micrometres per pixel of the section.

    Returns
    -------
    Concentrations of haematoxylin and eosin, float32 `[rows, columns]`, 0 on glass, about 1 in a dark nucleus.
    """
    haematoxylin, eosin = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    nuclei = []
    for tissue, texture in TEXTURES.items():
        pieces, count = ndimage.label(regions == tissue)
        for number, (rows, columns) in enumerate(ndimage.find_objects(pieces, count), start=1):
            near = np.s_[
                max(0, rows.start - _REACH) : rows.stop + _REACH, max(0, columns.start - _REACH) : columns.stop + _REACH
            ]
            where = tuple(slice(part.start * downsample, part.stop * downsample) for part in near)
            high, wide = haematoxylin[where].shape
            own = ndimage.gaussian_filter((pieces[near] == number).astype(np.float32), 1.0, mode="nearest")
            box = (0, 0, wide / downsample, high / downsample)
            own = np.asarray(Image.fromarray(own).resize((wide, high), Image.Resampling.BILINEAR, box=box))
            weight = smooth_step(own, 0.5, min(1.0, _EDGE / (np.sqrt(2 * np.pi) * mpp * downsample)))
            layer = texture((high, wide), mpp, traits, rng)
            haematoxylin[where] += weight * layer.haematoxylin
            eosin[where] += weight * layer.eosin
            for centres, which, stamps in layer.nuclei:
                keep = value_at(weight, centres) > 0.5
                nuclei.append((centres[keep] + (where[0].start, where[1].start), which[keep], stamps))
    for centres, which, stamps in nuclei:
        paint(haematoxylin, eosin, centres, which, stamps)
    return haematoxylin.clip(0), eosin.clip(0)
