"""The picture of a slide under the attention of its tiles, with the tiles of the most attention beside it.

Tiles above the slide's mean are veiled from yellow over green to dark violet (the map viridis, read backwards), and the
more attention, the less of the tissue shows through. Stained tissue is pink to blue and never yellow, green or that
dark, so that the order is seen on any stain and in grey. Tiles below the mean are clear.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw, ImageFont

from bench.embedding import read_places
from bench.files import atomic_write
from bench.slides import open_slide
from registry.errors import UserError

MOST = 8.0  # times the mean attention, at which the colours end
VIRIDIS = ((253, 231, 37), (94, 201, 98), (33, 145, 140), (59, 82, 139), (68, 1, 84))
OPACITY = (0.35, 0.8)  # of the least and of the most attention that is coloured
CONTOUR, CONTOUR_AT = (20, 0, 40), 4.0  # colour, and times the mean, of the line around the strongest tiles
LEGEND = 30  # px
TOP, TILE, CAPTION = 5, 200, 18  # number of tiles beside the slide; px of each, and of what is written below it


def draw_heatmap(
    path: Path,
    preview: Path,
    attention: Float[np.ndarray, " tile"],
    features: Path,
    slide: tuple[str, float | None] | None = None,
) -> bool:
    """Colour the tiles of a preview by their attention, as JPEG; whether this could be done.

    Tiles with more attention than the mean are coloured; the scale is logarithmic and ends at 8 times the mean. A line
    runs around tiles of 4 times the mean or more. The five tiles of the most attention, as far as it is above the mean,
    are numbered. The comment of the file says in words what it shows.

    Parameters
    ----------
    path : Path
        Of the picture.
    attention : float [N]
        Sums to 1.
    features : Path
        Feature file of the slide, which tells where its tiles lie.
    slide : (path, mpp or None), optional
        The slide's file, which the numbered tiles are read from and shown beside it; without it, or where it cannot be
        read, they are numbered alone.
    """
    coords, meaning = read_places(features)
    if coords is None or not preview.is_file() or not {"level0_width", "patch_size_level0"} <= set(meaning):
        return False
    with Image.open(preview) as opened:
        image = opened.convert("RGBA")
    scale = np.array(image.size) / (meaning["level0_width"], meaning["level0_height"])
    window = int(meaning["patch_size_level0"])
    strength = attention * len(attention)
    boxes = _boxes(coords, window, scale)
    veil = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(veil)
    for box, value in zip(boxes.tolist(), strength.tolist(), strict=True):
        if value > 1:
            draw.rectangle(box, fill=_colour(value))
    over = Image.alpha_composite(image, veil).convert("RGB")
    strongest = boxes[strength >= CONTOUR_AT]
    _outline(ImageDraw.Draw(over), strongest)
    top = np.argsort(-strength, kind="stable")[:TOP]
    top = top[strength[top] > 1]
    _number(ImageDraw.Draw(over), boxes[top], window * scale)
    tiles = _tiles(slide, coords[top], window) if slide is not None else []
    words = _in_words(strength, strength[top])
    with atomic_write(path) as temporary:
        _composed(over, tiles, strength[top]).save(temporary, format="JPEG", quality=88, comment=words.encode())
    return True


def _in_words(strength: Float[np.ndarray, " tile"], top: Float[np.ndarray, " top"]) -> str:
    """What the picture shows, for readers who do not see it."""
    above = int((strength > 1).sum())
    strongest = f"; the strongest have {', '.join(f'{value:.1f}' for value in top)} times the mean" if above else ""
    return f"{above} of {len(strength)} tiles have more attention than the mean{strongest}"


def _boxes(coords: Int[np.ndarray, "tile 2"], window: int, scale: np.ndarray) -> Float[np.ndarray, "tile 4"]:
    """Left, upper, right and lower pixel of each tile on the preview; a tile may be less than a pixel."""
    upper = np.floor(coords * scale)
    lower = np.maximum(upper, np.ceil((coords + window) * scale) - 1)
    return np.concatenate([upper, lower], axis=1)


def _colour(strength: float) -> tuple[int, int, int, int]:
    """Of attention in units of the mean, above 1."""
    share = float(np.clip(np.log(max(strength, 1.0)) / np.log(MOST), 0, 1))
    at = share * (len(VIRIDIS) - 1)
    first = min(int(at), len(VIRIDIS) - 2)
    parts = [a + (b - a) * (at - first) for a, b in zip(VIRIDIS[first], VIRIDIS[first + 1], strict=True)]
    opacity = OPACITY[0] + (OPACITY[1] - OPACITY[0]) * share
    return round(parts[0]), round(parts[1]), round(parts[2]), round(255 * opacity)


def _outline(draw: ImageDraw.ImageDraw, boxes: Float[np.ndarray, "tile 4"]) -> None:
    """A line along the sides of tiles that no other of these tiles touches."""
    if not len(boxes):
        return
    for left, upper, right, lower in boxes:
        sides = {
            (left, upper, left, lower): (boxes[:, 2] >= left - 2) & (boxes[:, 0] < left),
            (right, upper, right, lower): (boxes[:, 0] <= right + 2) & (boxes[:, 2] > right),
            (left, upper, right, upper): (boxes[:, 3] >= upper - 2) & (boxes[:, 1] < upper),
            (left, lower, right, lower): (boxes[:, 1] <= lower + 2) & (boxes[:, 3] > lower),
        }
        for place, (line, beside) in enumerate(sides.items()):
            low, high = (1, 3) if place < 2 else (0, 2)
            middle = (line[low] + line[high]) / 2
            if not (beside & (boxes[:, low] <= middle) & (boxes[:, high] >= middle)).any():
                draw.line([float(x) for x in line], fill=CONTOUR, width=3)


def _number(draw: ImageDraw.ImageDraw, boxes: Float[np.ndarray, "tile 4"], side: np.ndarray) -> None:
    """The rank of each tile on it, white with a dark edge."""
    font = ImageFont.load_default(float(np.clip(side.min() * 0.7, 13, 30)))
    for rank, (left, upper, right, lower) in enumerate(boxes.tolist(), 1):
        middle = ((left + right) / 2, (upper + lower) / 2)
        draw.text(middle, str(rank), fill="white", font=font, anchor="mm", stroke_width=2, stroke_fill=CONTOUR)


def _tiles(
    slide: tuple[str, float | None], coords: Int[np.ndarray, "tile 2"], window: int
) -> list[UInt8[np.ndarray, "height width 3"]]:
    """The pixels of tiles at the coarsest level that has enough of them; none where the slide cannot be read."""
    path, mpp = slide
    with contextlib.suppress(UserError, OSError, ValueError), open_slide(path, mpp) as opened:
        width, height = opened.dimensions
        downsamples = [max(opened.downsample(level)) for level in range(len(opened.level_dimensions))]
        level = max((n for n, by in enumerate(downsamples) if window / by >= TILE), default=0)
        found = []
        for x, y in coords.tolist():
            wide, high = min(window, width - x), min(window, height - y)
            across, down = opened.downsample(level)
            size = max(1, round(wide / across)), max(1, round(high / down))
            found.append(opened.read_region(round(x / across), round(y / down), level, *size))
        return found
    return []


def _composed(over: Image.Image, tiles: Sequence[np.ndarray], strength: Float[np.ndarray, " tile"]) -> Image.Image:
    """The slide on the left, its tiles on the right in one column or several, the legend below."""
    height = max(over.height, TILE + CAPTION)
    per_column = max(1, height // (TILE + CAPTION + 6))
    columns = -(-len(tiles) // per_column)
    width = max(over.width + columns * (TILE + 10), 420)
    size = max(1.0, width / 900)  # of the legend, which is read on a picture that is made to fit a page
    picture = Image.new("RGB", (width, height + round(LEGEND * size)), "white")
    picture.paste(over)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(13)
    for place, (pixels, value) in enumerate(zip(tiles, strength.tolist(), strict=False)):
        column, row = divmod(place, per_column)
        left, upper = over.width + 10 + column * (TILE + 10), row * (TILE + CAPTION + 6)
        picture.paste(Image.fromarray(pixels).resize((TILE, TILE), Image.Resampling.LANCZOS), (left, upper))
        draw.text((left + 2, upper + TILE + 2), f"{place + 1}: {value:.1f} times the mean", fill="black", font=font)
    _legend(draw, height, size)
    return picture


def _legend(draw: ImageDraw.ImageDraw, top: int, size: float) -> None:
    font = ImageFont.load_default(13 * size)
    draw.text((4, top + 8 * size), "attention / mean of the slide", fill="black", font=font)
    for place, value in enumerate((1.01, 1.5, 2.0, 4.0, MOST)):
        left = (196 + 44 * place) * size
        red, green, blue, alpha = _colour(value)
        shade = [round(255 + (part - 255) * alpha / 255) for part in (red, green, blue)]
        draw.rectangle([left, top + 6 * size, left + 40 * size, top + 25 * size], fill=(shade[0], shade[1], shade[2]))
        ink = "black" if sum(shade) > 330 else "white"
        draw.text((left + 20 * size, top + 15 * size), f"{value:.2g}", fill=ink, font=font, anchor="mm")
