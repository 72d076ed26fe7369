"""Tissue that is found, and its share of a tile."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from bench.slides import Tissue, find_tissue, open_slide, plan
from bench.slides.tissue import segment
from registry.errors import UserError

HAEMATOXYLIN, EOSIN, DAB = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78)  # Ruifrok & Johnston 2001
INKS = {"black": (20, 20, 25), "blue": (40, 60, 170), "green": (30, 140, 60), "pale green": (80, 170, 90),
        "red": (200, 30, 40)}  # fmt: skip


def section(stains: dict[tuple[float, float, float], float], glass: tuple[int, int, int] = (243, 241, 244)):
    """A thumbnail of 400 x 600 px with one piece of tissue, and where it is."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:400, :600]
    wavy = 0.12 * np.sin(9 * np.arctan2(y - 190, x - 280))
    there = np.hypot((y - 190) / 130, (x - 280) / 190) < 1 + wavy
    density = np.zeros((400, 600, 3))
    for colour, strength in stains.items():
        amount = ndimage.gaussian_filter(rng.normal(size=(400, 600)), 1.3)
        amount = np.clip(1 + 0.5 * amount / amount.std(), 0.1, None) * strength
        density += amount[..., None] * colour
    rgb = np.array(glass) * 10 ** -(density * there[..., None]) + rng.normal(0, 1.5, (400, 600, 3))
    return np.clip(rgb, 0, 255).astype(np.uint8), there


def overlap(found: np.ndarray, there: np.ndarray) -> float:
    return float((found & there).sum() / (found | there).sum())


@pytest.mark.parametrize(
    ("stains", "glass"),
    [
        ({HAEMATOXYLIN: 0.2, EOSIN: 0.25}, (243, 241, 244)),
        ({HAEMATOXYLIN: 0.06, EOSIN: 0.08}, (243, 241, 244)),  # faded
        ({HAEMATOXYLIN: 0.2, EOSIN: 0.25}, (225, 222, 208)),  # yellowish glass
        ({HAEMATOXYLIN: 0.12, DAB: 0.35}, (240, 240, 238)),
        ({HAEMATOXYLIN: 0.14}, (240, 240, 238)),  # IHC without a positive cell
    ],
)
def test_stains(stains, glass) -> None:
    image, there = section(stains, glass)
    assert overlap(segment(image, 8.0), there) > 0.95


@pytest.mark.parametrize("ink", INKS)
def test_pen_marks_are_not_tissue(ink) -> None:
    image, there = section({HAEMATOXYLIN: 0.2, EOSIN: 0.25})
    drawn = Image.fromarray(image)
    ImageDraw.Draw(drawn).line([(20, 350), (300, 372), (580, 345)], fill=INKS[ink], width=9)
    drawn = drawn.filter(ImageFilter.GaussianBlur(0.7))
    assert overlap(segment(np.asarray(drawn), 8.0), there) > 0.95


@pytest.mark.parametrize("noise", [0.3, 1.5])
@pytest.mark.parametrize("share", [0.3, 0.2])
def test_tissue_whose_contrast_has_faded(share, noise) -> None:
    image, there = section({HAEMATOXYLIN: 0.2, EOSIN: 0.15})
    pale = np.array([243, 241, 244]) + share * (image.astype(float) - (243, 241, 244))
    pale = np.clip(pale + np.random.default_rng(1).normal(0, noise, pale.shape), 0, 255).astype(np.uint8)
    assert overlap(segment(pale, 8.0), there) > 0.95


@pytest.mark.parametrize("ink", [(110, 50, 140), (120, 70, 40), (230, 120, 30)], ids=["purple", "brown", "orange"])
def test_wide_marks_in_the_colours_of_stains_are_not_tissue(shared, ink) -> None:
    """Beside real tissue; what of it a blurred picture has of dark smooth nuclei stays tissue."""
    with open_slide(shared / "data/slides/CMU-1-Small-Region.svs") as slide:
        real = np.pad(slide.thumbnail(8.0), ((60, 60), (60, 60), (0, 0)), constant_values=244)
    drawn = Image.fromarray(real)
    ImageDraw.Draw(drawn).line([(20, 25), (235, 30), (232, 290)], fill=ink, width=24)
    noisy = np.array(drawn.filter(ImageFilter.GaussianBlur(0.5))) + np.random.default_rng(0).normal(0, 1.5, real.shape)
    found = segment(np.clip(noisy, 0, 255).astype(np.uint8), 8.0)
    beside = np.zeros(real.shape[:2], bool)
    beside[50:, :215] = True
    assert found[15:40, 30:220].mean() < 0.25
    assert overlap(found & beside, segment(real, 8.0) & beside) > 0.95


@pytest.mark.parametrize("blur", [0, 0.5, 0.7, 1, 2])
@pytest.mark.parametrize("kind", ["LYM", "TUM"])
def test_dense_nuclei_are_no_ink_in_focus_or_out_of_it(shared, kind, blur) -> None:
    files = sorted((shared / "data/nct_crc_sample" / kind).iterdir())
    image = np.full((224, 224, 3), 243, np.uint8)
    for i in range(100):
        y, x = 42 + i // 10 * 14, 42 + i % 10 * 14
        with Image.open(files[i % len(files)]) as tile:
            image[y : y + 14, x : x + 14] = np.asarray(tile.convert("RGB").reduce(16))
    found = segment(np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(blur))), 8.0)
    assert found[42:182, 42:182].mean() > 0.97


def test_black_borders_bubbles_and_shadows_are_not_tissue() -> None:
    image, there = section({HAEMATOXYLIN: 0.2, EOSIN: 0.25})
    drawn = Image.fromarray(image)
    draw = ImageDraw.Draw(drawn)
    draw.rectangle([0, 0, 30, 400], fill=(9, 7, 8))
    draw.rectangle([0, 380, 600, 400], fill=(0, 0, 0))
    draw.ellipse([500, 20, 590, 110], outline=(120, 119, 121), width=4)
    pixels = np.array(drawn)
    pixels[330:375, 200:500] = (pixels[330:375, 200:500] * 0.85).astype(np.uint8)
    assert overlap(segment(pixels, 8.0), there) > 0.93


def test_nothing_on_empty_glass() -> None:
    rng = np.random.default_rng(0)
    for glass in ((243, 241, 244), (225, 222, 208), (255, 255, 255)):
        noise = np.clip(np.array(glass) + rng.normal(0, 2, (300, 400, 3)), 0, 255).astype(np.uint8)
        assert not segment(noise, 8.0).any()


def test_small_pieces_go_and_small_holes_fill() -> None:
    image, _ = section({HAEMATOXYLIN: 0.2, EOSIN: 0.25})
    image[150:165, 250:265] = 243  # 120 um wide
    image[200:260, 300:360] = 243  # 480 um
    image[10:14, 560:564] = (180, 90, 150)
    found = segment(image, 8.0)
    assert found[150:165, 250:265].all()
    assert not found[210:250, 310:350].any()
    assert not found[:30, 540:].any()


def test_real_slide(shared) -> None:
    with open_slide(shared / "data/slides/CMU-1-Small-Region.svs") as slide:
        tissue = find_tissue(slide)
        assert 0.3 < tissue.mask.mean() < 0.5
        thumbnail = slide.thumbnail(8.0)
        assert thumbnail[tissue.mask].mean() < 200 < 235 < thumbnail[~tissue.mask].mean()
        grid = plan(slide, 256, 0.5, tissue=tissue)
        assert grid.candidates == 88
        assert 35 <= len(grid) <= 60


def test_a_segmenter_can_be_plugged_in(tmp_path, tissue, write_pyramid) -> None:
    with open_slide(write_pyramid(tmp_path / "a.tif", tissue[:1024, :2048])) as slide:
        seen = []

        def left_half(thumbnail: np.ndarray, mpp: float) -> np.ndarray:
            seen.append((thumbnail.shape, mpp))
            return np.arange(thumbnail.shape[1])[None] < thumbnail.shape[1] / 2 * np.ones((thumbnail.shape[0], 1))

        found = find_tissue(slide, segmenter=left_half)
        assert seen == [((32, 64, 3), 8.0)]
        assert plan(slide, 256, 0.25, tissue=found).coords[:, 0].max() == 768
        with pytest.raises(UserError, match="must give one bool a pixel"):
            find_tissue(slide, segmenter=lambda thumbnail, mpp: np.ones((3, 3), bool))


@given(st.data())
@settings(max_examples=60)
def test_share_is_the_area(data) -> None:
    """Against counting whole pixels, on a mask stretched by a whole factor."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    mask = rng.random((9, 13)) < 0.5
    tissue = Tissue(mask, (13 * 20, 9 * 20))
    width, height = data.draw(st.integers(1, 130)), data.draw(st.integers(1, 90))
    x, y = data.draw(st.integers(0, 260 - width)), data.draw(st.integers(0, 180 - height))
    counted = mask.repeat(20, 0).repeat(20, 1)[y : y + height, x : x + width].mean()
    assert tissue.share(np.array([[x, y]]), (width, height))[0] == pytest.approx(counted, abs=1e-5)


def test_share_of_a_large_mask_takes_little_memory() -> None:
    """A mask may have 400 million pixels: 8 bytes for each, and the same numbers as sums in float64 give."""
    mask = np.random.default_rng(0).random((2000, 1500)) < 0.5
    coords, window = np.random.default_rng(1).integers(0, 2900, (500, 2)), np.array([203.5, 99.25])
    tracemalloc.start()
    share = Tissue(mask, (3000, 4000)).share(coords, (203.5, 99.25))
    assert tracemalloc.get_traced_memory()[1] < 8.5 * mask.size
    tracemalloc.stop()
    summed = np.pad(mask.cumsum(0).cumsum(1).astype(np.float64), ((1, 0), (1, 0)))

    def below(ends: np.ndarray, x: int, y: int) -> np.ndarray:
        return ndimage.map_coordinates(summed, [ends[y][:, 1], ends[x][:, 0]], order=1, mode="nearest")

    ends = np.stack([coords * 0.5, (coords + window) * 0.5])
    inside = below(ends, 1, 1) - below(ends, 1, 0) - below(ends, 0, 1) + below(ends, 0, 0)
    np.testing.assert_array_equal(share, (inside / np.prod(window * 0.5)).clip(0, 1).astype(np.float32))


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [("ADI", 0.85, 1), ("MUC", 0.9, 1), ("STR", 0.97, 1), ("NORM", 0.97, 1), ("BACK", 0, 0.05)],
)
def test_real_tissue_of_every_kind(shared, kind, least, most) -> None:
    """A piece on glass, put together from tiles of one class at 8 mpp; fat and mucus are pale."""
    files = sorted((shared / "data/nct_crc_sample" / kind).iterdir())
    image = np.clip(243 + np.random.default_rng(0).normal(0, 1.5, (200, 300, 3)), 0, 255).astype(np.uint8)
    for i in range(48):
        y, x = 50 + i // 8 * 14, 80 + i % 8 * 14
        with Image.open(files[i % len(files)]) as tile:
            image[y : y + 14, x : x + 14] = np.asarray(tile.convert("RGB").reduce(16))
    found = segment(image, 8.0)
    assert least <= found[50:134, 80:192].mean() <= most
    assert found.sum() - found[48:136, 78:194].sum() < 20
