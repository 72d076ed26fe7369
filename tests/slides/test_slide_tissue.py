"""Tissue, masks and pictures."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from bench.slides import (
    Tissue,
    find_tissue,
    from_coords,
    open_slide,
    plan,
    read_mask,
    write_contact_sheet,
    write_preview,
)
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
    tissue = Tissue(mask, (13 * 20, 9 * 20), (0.5, 0.5))
    width, height = data.draw(st.integers(1, 130)), data.draw(st.integers(1, 90))
    x, y = data.draw(st.integers(0, 260 - width)), data.draw(st.integers(0, 180 - height))
    counted = mask.repeat(20, 0).repeat(20, 1)[y : y + height, x : x + width].mean()
    assert tissue.share(np.array([[x, y]]), (width, height))[0] == pytest.approx(counted, abs=1e-5)
    assert tissue.area_um2 == pytest.approx(mask.sum() * 100)


# masks that are given


@pytest.fixture
def slide(tmp_path, tissue, write_pyramid):
    with open_slide(write_pyramid(tmp_path / "a.tif", tissue[:1600, :2000])) as opened:
        yield opened


def polygon(x0: int, y0: int, x1: int, y1: int) -> list[list[int]]:
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]


def test_geojson(tmp_path, slide) -> None:
    with_hole = {"type": "Polygon", "coordinates": [polygon(0, 0, 1000, 800), polygon(256, 256, 512, 512)]}
    other = {"type": "MultiPolygon", "coordinates": [[polygon(1504, 1120, 2000, 1600)]]}
    features = [{"type": "Feature", "properties": {}, "geometry": g} for g in (with_hole, other)]
    path = tmp_path / "mask.geojson"
    for content in ({"type": "FeatureCollection", "features": features}, features):
        path.write_text(json.dumps(content))
        tissue = read_mask(path, slide)
        expected = (1000 * 800 - 256 * 256 + 496 * 480) * 0.25**2
        assert tissue.area_um2 == pytest.approx(expected, rel=0.06)
        share = tissue.share(np.array([[600, 300], [320, 320], [1200, 900], [1600, 1200]]), (128, 128))
        assert share.tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("name", ["mask.png", "mask.tif", "levels.tif"])
def test_image_mask(tmp_path, slide, name) -> None:
    mask = np.zeros((400, 500), np.uint8)
    mask[:200, :250] = 1
    if name == "levels.tif":
        with tifffile.TiffWriter(tmp_path / name) as out:
            out.write(mask.repeat(4, 0).repeat(4, 1), subifds=1, tile=(256, 256))
            out.write(mask, subfiletype=1, tile=(256, 256))
    elif name == "mask.tif":
        tifffile.imwrite(tmp_path / name, mask)
    else:
        Image.fromarray(np.stack([mask * 255, mask * 0, mask * 0], axis=-1)).save(tmp_path / name)
    tissue = read_mask(tmp_path / name, slide)
    assert tissue.area_um2 == pytest.approx(1000 * 800 * 0.25**2)
    assert tissue.share(np.array([[0, 0], [900, 0], [1000, 0]]), (200, 200)) == pytest.approx([1, 0.5, 0], abs=1e-6)


ON, OPAQUE = np.arange(400)[:, None] * np.ones(500) < 40, np.full((400, 500), 255, np.uint8)  # 10 % of the mask is on
WHITE = ON * np.uint8(255)


@pytest.mark.parametrize(
    ("pixels", "form"),
    [
        (np.stack([WHITE, WHITE, WHITE, OPAQUE], axis=-1), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
        (np.stack([WHITE, WHITE, WHITE, OPAQUE]), {"photometric": "rgb", "planarconfig": "separate"}),
        (np.stack([WHITE, OPAQUE], axis=-1), {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
        (~WHITE, {"photometric": "miniswhite"}),
        (~ON, {"photometric": "miniswhite"}),
        (np.where(ON, 0, 65535).astype(np.uint16), {"photometric": "miniswhite"}),
        (ON.astype(np.uint8), {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)}),
    ],
    ids=["RGBA", "planes", "grey and alpha", "white is 0", "white is 0, 1 bit", "white is 0, 16 bit", "palette"],
)
def test_what_is_no_colour_of_a_tiff_is_no_tissue(tmp_path, slide, pixels, form) -> None:
    tifffile.imwrite(tmp_path / "mask.tif", pixels, **form)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.tif", slide).mask, ON)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_picture_is_the_same_mask_in_every_mode(tmp_path, slide, mode, ending) -> None:
    Image.fromarray(WHITE).convert(mode).save(tmp_path / f"mask.{ending}")
    np.testing.assert_array_equal(read_mask(tmp_path / f"mask.{ending}", slide).mask, ON)


def test_bad_masks(tmp_path, slide) -> None:
    def refused(name: str, content: str | bytes, match: str) -> None:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(UserError, match=match):
            read_mask(path, slide)

    with pytest.raises(UserError, match="does not exist"):
        read_mask(tmp_path / "none.png", slide)
    refused("a.geojson", "{", "no GeoJSON")
    refused("a.geojson", '{"a": 1}', "no GeoJSON")
    refused("a.geojson", '{"type": "FeatureCollection", "features": []}', "holds no polygon")
    far = json.dumps({"type": "Polygon", "coordinates": [polygon(50_000, 0, 60_000, 900)]})
    refused("a.geojson", far, "outside the slide")
    refused("a.png", b"none", "cannot be read")
    Image.new("L", (100, 300)).save(tmp_path / "b.png")
    with pytest.raises(UserError, match="has not the shape of the slide"):
        read_mask(tmp_path / "b.png", slide)


GOOD = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [polygon(0, 0, 1000, 800)]}}


def test_a_geometry_may_be_null_and_a_file_have_a_byte_order_mark(tmp_path, slide) -> None:
    path = tmp_path / "mask.geojson"
    path.write_text(json.dumps(GOOD))
    expected = read_mask(path, slide).mask
    nothing = {"type": "Feature", "properties": {}, "geometry": None}
    empty = {"type": "Polygon", "coordinates": []}
    point = {"type": "Point", "coordinates": [3, 4]}
    several = {"type": "GeometryCollection", "geometries": [empty, point, GOOD["geometry"]]}
    features = [nothing, {**GOOD, "geometry": several}]
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding=encoding)
        np.testing.assert_array_equal(read_mask(path, slide).mask, expected)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [nothing]}))
    with pytest.raises(UserError, match="holds no polygon"):
        read_mask(path, slide)


def test_a_polygon_may_reach_over_the_edge(tmp_path, slide) -> None:
    path = tmp_path / "mask.geojson"
    path.write_text(json.dumps({"type": "Polygon", "coordinates": [polygon(-300, -50, 2100, 1700)]}))
    assert read_mask(path, slide).mask.all()


@pytest.mark.parametrize(
    ("coordinates", "reason"),
    [
        ("[[[0, 0], [NaN, 0], [5, 5]]]", "have corners that are no finite numbers"),
        (
            "[[[0, 0], [900, 0], [900, 900]], [[0, 0], [Infinity, 0], [5, 5]]]",
            "have corners that are no finite numbers",
        ),
        ("[[[0, 0], [1e12, 0], [5, 1e12]]]", r"a corner at 1e\+12, 0, far outside the slide .* of 2000 x 1600 px"),
        ("[[[0, 0], [900, 0], [-2001, 5]]]", "a corner at -2001, 5, far outside the slide"),
        ("[[[0, 0], [1, 0], [1, 1], [0, 1]]]", "cover nothing of the slide"),  # shares of the slide, not pixels
        ("[[[0, 0], [900, 900], [1800, 1800]]]", "cover nothing of the slide"),
        ("[[[2100, 0], [2200, 0], [2200, 900]]]", "cover nothing of the slide"),
        ("[[[[0, 0], [900, 0], [900, 900]]]]", "a corner of a polygon is no pair of numbers"),
        ("[[[0, 0], [1], [5, 5]]]", "a corner of a polygon is no pair of numbers"),
        ("[[[0, 0], [null, 3], [5, 5]]]", "have corners that are no finite numbers"),
        ("[[0, 0, 900, 0]]", "a corner of a polygon is no pair of numbers"),
        ('[[{"x": 3}]]', "a corner of a polygon is no pair of numbers"),
        (f"[[[0, 0], [1{'0' * 400}, 0], [5, 5]]]", "a corner of a polygon is no pair of numbers"),
        ('"abc"', "the `coordinates` of a polygon are no list of rings"),
        ("null", "the `coordinates` of a polygon are no list of rings"),
        ("[[]]", "holds no polygon"),
        ("[[[0, 0], [5, 5]]]", "holds no polygon"),
        ("[[[0, 0]", r"line 1, column \d+ is no JSON"),
    ],
)
def test_polygons_that_are_none(tmp_path, slide, coordinates, reason) -> None:
    path = tmp_path / "mask.geojson"
    path.write_text(f'{{"type": "Polygon", "coordinates": {coordinates}}}')
    with pytest.raises(UserError, match=reason) as said:
        read_mask(path, slide)
    assert "mask.geojson" in str(said.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "line 1, column 1 is no JSON"),
        (b'"hello"', "a part of it is no object with a `type`"),
        (b"7", "a part of it is no object with a `type`"),
        (b'{"features": []}', "a part of it is no object with a `type`"),
        (b'{"type": "MultiPolygon"}', "the `coordinates` of a polygon are no list of rings"),
        (b'{"type": "FeatureCollection"}', "holds no polygon"),
        (b'{"a": "\xff\xfe"}', "it is no text in UTF-8"),
        (b"[" * 200_000, "it is nested too deeply"),
    ],
)
def test_no_geojson(tmp_path, slide, content, reason) -> None:
    path = tmp_path / "mask.geojson"
    path.write_bytes(content)
    with pytest.raises(UserError, match=reason):
        read_mask(path, slide)
    path.unlink()
    path.mkdir()
    with pytest.raises(UserError, match="is a folder"):
        read_mask(path, slide)


@given(place=st.integers(8, 400), bits=st.integers(1, 255))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_damaged_images_are_a_sentence_or_a_mask(tmp_path_factory, name, place, bits) -> None:
    slide = SimpleNamespace(path="a.svs", dimensions=(400, 320), mpp=(0.5, 0.5))
    path = tmp_path_factory.mktemp("damaged") / name
    Image.fromarray(np.arange(80 * 100, dtype=np.uint8).reshape(80, 100) // 3).save(path)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= bits
    path.write_bytes(content)
    said = str(path)
    try:
        read_mask(path, slide)
    except UserError as error:
        said = str(error)
    assert str(path) in said


# pictures


def test_preview_shows_outline_and_tiles(tmp_path, tissue, write_pyramid) -> None:
    with open_slide(write_pyramid(tmp_path / "a.tif", tissue)) as slide:
        found = find_tissue(slide)
        grid = plan(slide, 256, 0.5, tissue=found)
        write_preview(tmp_path / "p/a.jpg", slide, found, grid)
        none = from_coords(slide, np.zeros((0, 2), np.int64), (512.0, 512.0), 256)
        write_preview(tmp_path / "p/b.jpg", slide, None, none)
    marked, plain = (np.asarray(Image.open(tmp_path / "p" / n)).astype(int) for n in ("a.jpg", "b.jpg"))
    assert marked.shape == plain.shape
    assert max(marked.shape) <= 1600
    changed = np.abs(marked - plain).max(axis=2) > 60
    x, y = (grid.coords[0] * marked.shape[1] / 2220).astype(int)
    assert changed[y : y + 3, x + 3 : x + 10].any()
    assert 0.005 < changed.mean() < 0.3
    assert not list((tmp_path / "p").glob(".*"))
    write_contact_sheet(tmp_path / "sheet.jpg", [(tmp_path / "p/a.jpg", f"slide {i}\n12 tiles " * 9) for i in range(7)])
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.size == (5 * 320, 2 * 354)


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
