"""Where the tissue of a slide is: classical segmentation of a thumbnail, by colour and texture.

Everything is decided in optical density against the slide's own glass, OD = -log10(I / I_glass) per channel, where
stains add up. Stains have colour: the channels absorb differently. Glass, shadows, bubbles, black borders and black ink
do not, however dark. Haematoxylin, eosin and DAB never absorb green least, green ink does; blue ink absorbs more
red, and less blue, than a counterstain; red ink absorbs blue nearly as much as green, and no red; orange ink absorbs
blue far more than green. Purple and brown ink have the colours of haematoxylin and DAB, but are smooth over wide marks.

Where the colour of a slide as a whole is fainter than the least that stands for stain, the noise of its glass is what
colour and texture must exceed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from PIL import Image, ImageFilter
from scipy import ndimage

from bench.slides.slide import Slide
from registry.errors import UserError

MPP = 8.0  # of the thumbnail
MIN_AREA_UM2 = 20_000.0  # smaller pieces are dropped; a tile of 256 px at 0.5 mpp is 16,384
MAX_HOLE_UM2 = 100_000.0  # larger holes are lumens and tears: glass
COLOUR_OD = (0.04, 0.10)  # bounds of the threshold: above the noise of JPEG glass, below pale stroma
TEXTURE_OD = 0.012  # standard deviation over 5 x 5 px; glass has about 0.003
# On faint slides, in deviations of the green of their glass, and at least: colour, and texture of a piece.
FAINT_COLOUR, FAINT_TEXTURE = (6.0, 0.010), (2.2, 0.003)
# Smooth ink: density at least, deviations of the density (relative) and of the hue at most, and what of a
# neighbourhood of so many px is as smooth.
SMOOTH_OD, SMOOTH_TEXTURE, SMOOTH_HUE, SMOOTH_SHARE, SMOOTH_WINDOW = 0.3, 0.09, 0.007, 0.45, 15
SHARP = 0.28  # least detail of a pixel over that of 5 x 5: .3 to .7 in focus; blurred tissue is as smooth as ink
LAPLACE = np.array([[0, -0.25, 0], [-0.25, 1, -0.25], [0, -0.25, 0]], np.float32)
MIN_MARK_UM2 = 40_000.0  # smaller smooth places are no pen's
BLACK, BLACK_SPREAD = 60, 45  # grey level and difference of channels below which a pixel is border or black ink
CLOSING_UM = 24.0

Segmenter = Callable[[UInt8[np.ndarray, "height width 3"], float], Bool[np.ndarray, "height width"]]


@dataclass(frozen=True, eq=False)
class Tissue:
    """A mask over a whole slide.

    Attributes
    ----------
    mask : bool [h, w]
        True where there is tissue.
    dimensions : (int, int)
        Width and height of the slide, level-0 px, over which the mask is stretched.
    """

    mask: Bool[np.ndarray, "height width"]
    dimensions: tuple[int, int]

    def share(self, coords: Int[np.ndarray, "tile 2"], window: tuple[float, float]) -> Float[np.ndarray, " tile"]:
        """Share of each window that is tissue, exact to fractions of a mask pixel.

        Parameters
        ----------
        coords : int64 [N, 2]
            Top left corners, level-0 px.
        window : (float, float)
            Width and height, level-0 px.
        """
        h, w = self.mask.shape
        summed = np.zeros((h + 1, w + 1), np.int32)  # a user's mask may have 4e8 pixels
        np.cumsum(self.mask, 0, np.int32, out=summed[1:, 1:])
        np.cumsum(summed, 1, np.int32, out=summed)
        scale = np.array([w / self.dimensions[0], h / self.dimensions[1]])
        low, high = coords * scale, (coords + np.array(window)) * scale
        corners = [(high[:, 1], high[:, 0], 1), (low[:, 1], high[:, 0], -1), (high[:, 1], low[:, 0], -1)]
        corners.append((low[:, 1], low[:, 0], 1))
        # between its corners a summed-area table is bilinear
        inside = sum(
            sign * ndimage.map_coordinates(summed, [y, x], np.float64, order=1, mode="nearest")
            for y, x, sign in corners
        )
        return (inside / np.prod(np.array(window) * scale)).clip(0, 1).astype(np.float32)


def find(
    slide: Slide, *, segmenter: Segmenter | None = None, threads: int | None = None, on_corrupt: str = "error"
) -> Tissue:
    """Segment a slide's thumbnail at about 8 mpp.

    Parameters
    ----------
    segmenter : callable or None
        (RGB uint8 [h, w, 3], its mpp) -> bool [h, w]; None is `segment`.
    threads : int or None
        That read the thumbnail; None is one a core.
    on_corrupt : {"error", "skip"}
        "skip" counts a place that cannot be read as tissue, so that its tiles are tried, and counted, one by one.

    Raises
    ------
    UnreadableRegion
        If the thumbnail meets a corrupt place and `on_corrupt` is "error".
    UserError
        If the segmenter gives something else than a mask of the thumbnail.
    """
    mpp = max(MPP, *slide.mpp)
    unreadable: list[tuple[int, int, int, int]] | None = [] if on_corrupt == "skip" else None
    thumbnail = slide.thumbnail(mpp, threads, unreadable)
    mask = np.asarray((segmenter or segment)(thumbnail, mpp))
    if mask.shape != thumbnail.shape[:2] or mask.dtype != bool:
        raise UserError(
            f"The tissue segmenter gives {mask.dtype} {mask.shape} for a thumbnail of {thumbnail.shape[:2]}: it must "
            "give one bool a pixel."
        )
    if unreadable:
        mask = mask.copy()
        sy, sx = mask.shape[0] / slide.dimensions[1], mask.shape[1] / slide.dimensions[0]
        for x, y, width, height in unreadable:
            rows = slice(int(y * sy), math.ceil((y + height) * sy))
            mask[rows, int(x * sx) : math.ceil((x + width) * sx)] = True
    return Tissue(mask, slide.dimensions)


def segment(thumbnail: UInt8[np.ndarray, "height width 3"], mpp: float) -> Bool[np.ndarray, "height width"]:
    """Tissue of H&E or immunohistochemistry in a thumbnail at about 8 mpp.

    Parameters
    ----------
    mpp : float
        Of the thumbnail.
    """
    blurred = np.asarray(Image.fromarray(thumbnail).filter(ImageFilter.GaussianBlur(0.8)))
    white = glass(thumbnail)
    od = [_density(blurred[..., c], white[c]) for c in range(3)]
    low, high = _extremes([thumbnail[..., c] for c in range(3)])
    dark = _opened((high < BLACK) & (high - low < BLACK_SPREAD))
    green = _density(thumbnail[..., 1], white[1])
    texture = _deviation(green)
    least, most = _extremes(od)
    avoid = _grown(dark, 2) | _ink(*od) | _smooth_ink(od, most, green, texture, MIN_MARK_UM2 / mpp**2)
    colour = most - least
    otsu = _otsu(colour[~avoid])
    threshold = float(np.clip(otsu, *COLOUR_OD))
    found = ((colour > threshold) | ((colour > threshold / 2) & (texture > TEXTURE_OD))) & ~avoid
    found = _pieces(found, avoid, texture, TEXTURE_OD / 2, mpp)
    if otsu < COLOUR_OD[0]:
        found |= _faint_pieces(colour, texture, avoid, otsu, mpp)
    return found


def _faint_pieces(
    colour: Float[np.ndarray, "height width"],
    texture: Float[np.ndarray, "height width"],
    avoid: Bool[np.ndarray, "height width"],
    otsu: float,
    mpp: float,
) -> Bool[np.ndarray, "height width"]:
    """Tissue of a slide whose stain as a whole is fainter than `COLOUR_OD`."""
    noise = float(np.median(texture))  # of the glass, which is most of such a slide, or of tissue that fills it
    least_colour, rough = (max(times * noise, least) for times, least in (FAINT_COLOUR, FAINT_TEXTURE))
    return _pieces((colour > max(otsu, least_colour)) & ~avoid, avoid, texture, rough, mpp)


def _pieces(
    found: Bool[np.ndarray, "height width"],
    avoid: Bool[np.ndarray, "height width"],
    texture: Float[np.ndarray, "height width"],
    rough: float,
    mpp: float,
) -> Bool[np.ndarray, "height width"]:
    """Closed, opened, without small and smooth pieces, and without small holes."""
    radius = max(1, round(CLOSING_UM / 2 / mpp))
    found = _opened(_shrunk(_grown(found, radius), radius) & ~avoid)
    found = _keep(found, MIN_AREA_UM2 / mpp**2, texture, rough)
    return found | (_small_holes(found, MAX_HOLE_UM2 / mpp**2) & ~avoid)


def glass(thumbnail: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, " 3"]:
    """Colour of the empty slide: the commonest bright and nearly neutral value of each channel, or near white."""
    low, high = _extremes([thumbnail[..., c] for c in range(3)])
    bright = thumbnail[(low > 170) & (high - low < 40)]
    if len(bright) < 0.005 * low.size:
        return np.array([245.0, 245.0, 245.0], np.float32)
    counts = [np.bincount(bright[:, c], minlength=256).astype(float) for c in range(3)]
    return np.array([ndimage.gaussian_filter1d(c, 2).argmax() for c in counts], np.float32)


def _density(channel: UInt8[np.ndarray, "height width"], white: float) -> Float[np.ndarray, "height width"]:
    """Optical density of one channel, at least 0."""
    levels = np.log10(white / np.maximum(np.arange(256), 1)).clip(0, None).astype(np.float32)
    return levels[channel]


def _ink(
    r: Float[np.ndarray, "height width"], g: Float[np.ndarray, "height width"], b: Float[np.ndarray, "height width"]
) -> Bool[np.ndarray, "height width"]:
    """Pen marks, from the densities: green, blue, red and orange; black ink has no colour and needs no rule."""
    green = (np.minimum(r, b) > g + 0.06) & (r > 0.15)
    blue = (r > 0.45) & (g < 0.92 * r) & (b < 0.4 * r)
    red = (g > 0.45) & (r < 0.2 * g) & (b > 0.65 * g) & (b < 1.25 * g)
    orange = (b > 0.4) & (b > 1.6 * g) & (r < 0.25 * b)
    return _grown(_opened(green | blue | red | orange), 3)


def _smooth_ink(
    od: list[Float[np.ndarray, "height width"]],
    most: Float[np.ndarray, "height width"],
    green: Float[np.ndarray, "height width"],
    texture: Float[np.ndarray, "height width"],
    min_pixels: float,
) -> Bool[np.ndarray, "height width"]:
    """Pen marks in the colours of haematoxylin and DAB: as dark as dense nuclei, and smooth as these are not.

    What has the colour of eosin is left alone, for blood, colloid and keratin are as smooth.
    """
    r, g, b = od
    stain = (most > SMOOTH_OD) & ((r > 0.4 * g) | (b > g))
    if np.count_nonzero(stain) < min_pixels:
        return np.zeros(stain.shape, bool)
    total = r + g + b + 0.03
    hue = np.hypot(_deviation(r / total), _deviation(b / total))
    smooth = stain & (texture < SMOOTH_TEXTURE * np.maximum(g, 0.05)) & (hue < SMOOTH_HUE)
    share, of = (ndimage.uniform_filter(mask.astype(np.float32), SMOOTH_WINDOW) for mask in (smooth, stain))
    labels, n = ndimage.label(_opened(stain & (share > SMOOTH_SHARE * of)))
    large = np.bincount(labels.ravel(), minlength=n + 1) >= min_pixels
    large[0] = False
    if not large.any():
        return np.zeros(stain.shape, bool)
    of_pixels = np.abs(ndimage.convolve(green, LAPLACE, mode="nearest"))
    dark = (most > SMOOTH_OD) & (texture > 0)
    in_focus = np.median(of_pixels[dark] / texture[dark]) >= SHARP
    return _grown(large[labels], 4) & in_focus


def _extremes(channels: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest of three channels at each pixel; many times faster than along the last axis of an image."""
    a, b, c = channels
    return np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)


def _grown(mask: Bool[np.ndarray, "height width"], by: int) -> Bool[np.ndarray, "height width"]:
    return ndimage.maximum_filter(mask.view(np.uint8), 2 * by + 1, mode="nearest").view(bool)


def _shrunk(mask: Bool[np.ndarray, "height width"], by: int) -> Bool[np.ndarray, "height width"]:
    return ndimage.minimum_filter(mask.view(np.uint8), 2 * by + 1, mode="nearest").view(bool)


def _opened(mask: Bool[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    return _grown(_shrunk(mask, 1), 1)


def _deviation(plane: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    mean = ndimage.uniform_filter(plane, 5)
    return np.sqrt((ndimage.uniform_filter(plane * plane, 5) - mean * mean).clip(0, None))


def _otsu(values: Float[np.ndarray, " pixel"]) -> float:
    """Threshold between two classes of largest variance between them (Otsu, IEEE Trans SMC 9 (1979) 62)."""
    if values.size == 0:
        return COLOUR_OD[0]
    counts, edges = np.histogram(values, bins=256, range=(0, 1))
    centres = (edges[1:] + edges[:-1]) / 2
    below = counts.cumsum()
    mass = (counts * centres).cumsum()
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2
    return float(centres[np.nan_to_num(between).argmax()])


def _keep(
    found: Bool[np.ndarray, "height width"],
    min_pixels: float,
    texture: Float[np.ndarray, "height width"],
    least_texture: float,
) -> Bool[np.ndarray, "height width"]:
    """Pieces that are large enough and not as smooth as glue or a tint of the glass."""
    labels, n = ndimage.label(found)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    rough = np.bincount(labels.ravel(), (texture > least_texture).ravel().astype(float), minlength=n + 1)
    good = (sizes >= min_pixels) & (rough > 0.3 * sizes)
    good[0] = False
    return good[labels]


def _small_holes(found: Bool[np.ndarray, "height width"], pixels: float) -> Bool[np.ndarray, "height width"]:
    """Holes up to a size; what touches the edge of the slide is none."""
    labels, n = ndimage.label(~found)
    small = np.bincount(labels.ravel(), minlength=n + 1) <= pixels
    small[0] = False
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        small[edge] = False
    return small[labels]
