"""What an attention head looked at: saved beside its predictions, and drawn over the slides' previews."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from bench.embedding import read_places
from bench.files import atomic_write
from bench.hdf5 import new_hdf5
from bench.integrity import DamagedFileError, without_footer

MOST = 8.0  # times the mean attention, at which the colours end
COLD, HOT = (49, 84, 190), (215, 40, 40)
OPACITY = 0.65
LEGEND = 26  # px


def write_attention(path: Path, attention: Mapping[str, Float[np.ndarray, " tile"]], files: Mapping[str, Path]) -> None:
    """One HDF5 file a run: a group a slide, with `attention` [N] and, where known, `coords` [N, 2] in level-0 px.

    It ends in a footer (`bench.integrity`), so that a damaged one is noticed by `has_attention`.

    Parameters
    ----------
    attention : mapping
        By the slide's id; sums to 1 in a slide.
    files : mapping
        Feature file of each slide.
    """
    record = {"run": "/".join(path.parts[-4:]), "slides": sorted(attention)}
    with new_hdf5(path, record) as file:
        for number, slide in enumerate(sorted(attention)):
            group = file.create_group(f"{number:06d}")  # an id may hold what HDF5 takes for a path
            group.attrs["slide"] = slide
            group.create_dataset("attention", data=attention[slide].astype(np.float32), track_times=False)
            coords, meaning = read_places(files[slide])
            if coords is not None:
                places = group.create_dataset("coords", data=coords, track_times=False)
                for name, value in sorted(meaning.items()):
                    places.attrs[name] = value


def has_attention(path: Path) -> bool:
    """Whether a file holds the attention that was written for the run of its name; every byte is checked."""
    try:
        return without_footer(path.read_bytes())[1].get("run") == "/".join(path.parts[-4:])
    except (OSError, DamagedFileError):
        return False


def draw_heatmap(path: Path, preview: Path, attention: Float[np.ndarray, " tile"], features: Path) -> bool:
    """Colour the tiles of a preview by their attention; whether this could be done.

    Red tiles have more attention than the mean of the slide, blue ones less, tiles at the mean are clear; the scale is
    logarithmic and ends at 8 times and an eighth of the mean.
    """
    coords, meaning = read_places(features)
    if coords is None or not preview.is_file() or not {"level0_width", "patch_size_level0"} <= set(meaning):
        return False
    with Image.open(preview) as opened:
        image = opened.convert("RGBA")
    scale = np.array(image.size) / (meaning["level0_width"], meaning["level0_height"])
    side = meaning["patch_size_level0"] * scale
    strength = (np.log(np.maximum(attention * len(attention), 1e-12)) / np.log(MOST)).clip(-1, 1)
    veil = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(veil)
    for (x, y), value in zip(coords * scale, strength, strict=True):
        right, bottom = max(x, x + side[0] - 1), max(y, y + side[1] - 1)  # a tile may be less than a pixel
        draw.rectangle([x, y, right, bottom], fill=_colour(float(value)))
    over = Image.alpha_composite(image, veil).convert("RGB")
    picture = Image.new("RGB", (over.width, over.height + LEGEND), "white")
    picture.paste(over)
    _legend(ImageDraw.Draw(picture), over.height)
    with atomic_write(path) as temporary:
        picture.save(temporary, format="JPEG", quality=88)
    return True


def _colour(value: float) -> tuple[int, int, int, int]:
    """Of a strength from -1 to 1."""
    return (*(HOT if value > 0 else COLD), round(255 * OPACITY * abs(value)))


def _legend(draw: Any, top: int) -> None:
    font = ImageFont.load_default(12)
    draw.text((4, top + 6), "attention / mean", fill="black", font=font)
    for i, value in enumerate(np.linspace(-1, 1, 7)):
        left = 110 + 44 * i
        red, green, blue, alpha = _colour(float(value))
        shade = tuple(round(255 + (c - 255) * alpha / 255) for c in (red, green, blue))
        draw.rectangle([left, top + 5, left + 40, top + 21], fill=shade)
        draw.text((left + 8, top + 6), f"{MOST**value:.2g}", fill="black", font=font)
