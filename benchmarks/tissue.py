"""Tissue under faded stain, tinted glass and pen marks: what of it is found, and what of the marks is taken for it.

    python -m benchmarks.tissue

Real thumbnails (the slides and the NCT-CRC tiles of ``../shared/data``) and a made-up section lie on made-up glass. Pen
marks are painted on glass and across tissue; stain is faded in optical density. The truth is what is found of the same
picture without marks and fading. No peer is run: it compares one version of `bench.slides.tissue` with another.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from bench.slides import open_slide
from bench.slides.tissue import segment

MPP = 8.0
CANVAS = (300, 460)  # height and width, px
GLASS = (243, 241, 244)
NOISE = 1.5  # grey levels
STROKE = 21  # px, 0.17 mm
INKS: Mapping[str, tuple[int, int, int]] = {
    "blue": (40, 60, 170),
    "green": (30, 140, 60),
    "black": (20, 20, 25),
    "red": (200, 30, 40),
    "cyan": (0, 160, 200),
    "purple": (110, 50, 140),
    "brown": (120, 70, 40),
    "orange": (230, 120, 30),
}
TINTS: Mapping[str, tuple[int, int, int]] = {
    "grey": (225, 225, 225),
    "yellowish": (235, 231, 212),
    "pinkish": (240, 226, 231),
    "bluish": (222, 230, 240),
}
SECTIONS = ("CMU-1", "TCGA", "NCT", "made-up")
Picture = UInt8[np.ndarray, "height width 3"]
Mask = Bool[np.ndarray, "height width"]


def section(name: str, shared: Path) -> Float[np.ndarray, "height width 3"]:
    """Optical density of a section on clean glass."""
    density = np.zeros((*CANVAS, 3))
    if name == "made-up":
        rng = np.random.default_rng(0)
        y, x = np.mgrid[: CANVAS[0], : CANVAS[1]]
        there = np.hypot((y - 150) / 110, (x - 230) / 160) < 1 + 0.12 * np.sin(9 * np.arctan2(y - 150, x - 230))
        for colour, strength in (((0.65, 0.70, 0.29), 0.2), ((0.07, 0.99, 0.11), 0.25)):
            amount = ndimage.gaussian_filter(rng.normal(size=CANVAS), 0.8)  # as sharp as thumbnails are
            amount = np.clip(1 + 0.5 * amount / amount.std(), 0.1, None) * strength
            density += amount[..., None] * colour
        return density * there[..., None]
    pixels = _of_tiles(shared) if name == "NCT" else _of_slide(name, shared)
    height, width = pixels.shape[:2]
    top, left = (CANVAS[0] - height) // 2, (CANVAS[1] - width) // 2
    white = np.array([np.bincount(pixels[..., c].ravel(), minlength=256)[200:].argmax() + 200 for c in range(3)])
    white = np.maximum(white, 235)
    density[top : top + height, left : left + width] = np.log10(white / np.maximum(pixels, 1.0)).clip(0)
    return density


def _of_slide(name: str, shared: Path) -> Picture:
    files = {"CMU-1": ("CMU-1-Small-Region.svs", None), "TCGA": ("tcga-cr-7395-01a-01-ts1.svs", 0.25)}
    file, mpp = files[name]
    with open_slide(shared / "data/slides" / file, mpp) as slide:
        thumbnail = slide.thumbnail(MPP)
    return np.tile(thumbnail, (1, 2, 1)) if name == "CMU-1" else np.tile(thumbnail, (2, 2, 1))


def _of_tiles(shared: Path) -> Picture:
    """All tissue classes, each tile at the scale of a thumbnail."""
    folder = shared / "data/nct_crc_sample"
    files = [
        file
        for kind in ("ADI", "LYM", "MUC", "MUS", "NORM", "STR", "TUM")
        for file in sorted((folder / kind).iterdir())
    ]
    side = 14  # 224 px at 0.5 mpp
    across = 18
    picture = np.full((10 * side, across * side, 3), 255, np.uint8)
    for place in range(10 * across):
        with Image.open(files[place * len(files) // (10 * across)], formats=["TIFF", "PNG", "JPEG"]) as tile:
            row, column = divmod(place, across)
            part = np.asarray(tile.convert("RGB").reduce(224 // side))
            picture[row * side : (row + 1) * side, column * side : (column + 1) * side] = part
    return picture


def drawn(density: np.ndarray, glass: tuple[int, int, int] = GLASS, noise: float = NOISE, seed: int = 0) -> Picture:
    """The picture of a section."""
    rgb = np.array(glass) * 10**-density + np.random.default_rng(seed).normal(0, noise, density.shape)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def strokes() -> tuple[Mask, Mask]:
    """Where pens wrote: on glass beside the section, and across it."""
    masks = []
    for lines in ([(12, 20), (300, 12), (448, 26), (446, 280)], [(60, 270), (230, 140), (400, 60)]):
        image = Image.new("L", CANVAS[::-1])
        ImageDraw.Draw(image).line(lines, fill=255, width=STROKE, joint="curve")
        masks.append(np.asarray(image) > 0)
    return masks[0], masks[1] & ~masks[0]


def inked(density: np.ndarray, where: Mask, ink: tuple[int, int, int], strength: float) -> np.ndarray:
    """The density with ink over it, with streaks and soft edges as pens leave them."""
    rng = np.random.default_rng(1)
    streaks = 1 + 0.04 * ndimage.gaussian_filter(rng.normal(size=CANVAS), (0, 12)) * 12
    amount = np.asarray(Image.fromarray(where).convert("L").filter(ImageFilter.GaussianBlur(0.7))) / 255 * streaks
    return density + strength * amount[..., None] * np.log10(np.array(GLASS) / np.maximum(ink, 1))


def overlap(found: Mask, there: Mask) -> float:
    """Intersection over union."""
    return float((found & there).sum() / max(1, (found | there).sum()))


def faded(density: np.ndarray, last: float) -> np.ndarray:
    """Stain that fades linearly from left to right of the section, to a share of it."""
    columns = np.flatnonzero(density.sum(axis=(0, 2)))
    ramp = np.interp(np.arange(CANVAS[1]), [columns[0], columns[-1]], [1, last])
    return density * ramp[None, :, None]


def paler(density: np.ndarray, share: float, noise: float) -> Picture:
    """The picture with its contrast to the glass reduced to a share, and the noise of a scan over it."""
    pixels = drawn(density).astype(float)
    pixels = np.array(GLASS) + share * (pixels - GLASS)
    return np.clip(pixels + np.random.default_rng(1).normal(0, noise, pixels.shape), 0, 255).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path(__file__).resolve().parents[2] / "shared")
    shared = parser.parse_args().shared
    densities = {name: section(name, shared) for name in SECTIONS}
    truth = {name: segment(drawn(density), MPP) for name, density in densities.items()}
    print("found in the section:", ", ".join(f"{name} {mask.mean():.3f}" for name, mask in truth.items()))
    print("\nIoU with what is found unfaded\n| stain | " + " | ".join(SECTIONS) + " |")
    for label, last in (("fades linearly to 50 %", 0.5), ("to 20 %", 0.2), ("to 10 %", 0.1)):
        cells = [overlap(segment(drawn(faded(d, last)), MPP), truth[name]) for name, d in densities.items()]
        print(f"| {label} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    for label, share in (("40 % throughout", 0.4), ("20 % throughout", 0.2)):
        cells = [overlap(segment(drawn(d * share), MPP), truth[name]) for name, d in densities.items()]
        print(f"| {label} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    for share in (0.5, 0.3, 0.2, 0.15):
        for noise in (0.0, NOISE):
            cells = [overlap(segment(paler(d, share, noise), MPP), truth[name]) for name, d in densities.items()]
            label = f"contrast of {100 * share:.0f} %{f', noise of {noise:g}' if noise else ''}"
            print(f"| {label} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    print("\nIoU with what is found on clean glass\n| glass | " + " | ".join(SECTIONS) + " |")
    for label, tint in TINTS.items():
        cells = [overlap(segment(drawn(d, tint), MPP), truth[name]) for name, d in densities.items()]
        print(f"| {label} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    cells = [overlap(segment(drawn(d, noise=4.0), MPP), truth[name]) for name, d in densities.items()]
    print("| noise of 4 grey levels | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")
    empty = {f"{tint}, noise {noise}": segment(drawn(np.zeros((*CANVAS, 3)), TINTS[tint], noise), MPP).mean()
             for tint in TINTS for noise in (1.5, 4.0)}  # fmt: skip
    print("\ntissue on empty glass:", ", ".join(f"{name} {share:.3f}" for name, share in empty.items()))
    print("bubbles, a shadow, borders:", f"{_debris(densities['made-up'], truth['made-up']):.3f} of them are tissue")
    on_glass, across = strokes()
    for label, strength in (("full", 1.0), ("half", 0.5)):
        print(f"\nshare of marks called tissue, ink of {label} strength: on glass / across tissue; IoU of tissue")
        print("| ink | " + " | ".join(SECTIONS) + " |")
        for ink, colour in INKS.items():
            cells = []
            for name, density in densities.items():
                found = segment(drawn(inked(density, on_glass | across, colour, strength)), MPP)
                beside = ~(ndimage.binary_dilation(on_glass | across, iterations=4))
                iou = overlap(found & beside, truth[name] & beside)
                glass_only = on_glass & ~truth[name]
                cells.append(f"{100 * found[glass_only].mean():.0f} / {100 * found[across].mean():.0f}; {iou:.2f}")
            print(f"| {ink} | " + " | ".join(cells) + " |", flush=True)


def _debris(density: np.ndarray, there: Mask) -> float:
    image = Image.fromarray(drawn(density))
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, 0, 20, CANVAS[0]], fill=(9, 7, 8))
    for x in (60, 200, 330):
        draw.ellipse([x, 4, x + 34, 38], outline=(120, 119, 121), width=4)
    pixels = np.array(image)
    pixels[270:295, 150:380] = (pixels[270:295, 150:380] * 0.85).astype(np.uint8)
    where = np.zeros(CANVAS, bool)
    where[:, :22] = where[:40] = where[268:] = True
    where &= ~ndimage.binary_dilation(there, iterations=6)
    return float(segment(pixels, MPP)[where].mean())


if __name__ == "__main__":
    main()
