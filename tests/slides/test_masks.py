"""Tissue masks that are given: polygons and images."""

from __future__ import annotations

import json
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from bench.slides import open_slide, read_mask
from registry.errors import UserError


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
        expected = (1000 * 800 - 256 * 256 + 496 * 480) / (2000 * 1600)
        assert tissue.mask.mean() == pytest.approx(expected, rel=0.06)
        share = tissue.share(np.array([[600, 300], [320, 320], [1200, 900], [1600, 1200]]), (128, 128))
        assert share.tolist() == [1, 0, 0, 1]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_a_polygon_with_holes_is_drawn_as_over_the_whole_slide(tmp_path_factory, seed) -> None:
    """Up to PIL's rounding; also over the edges."""
    rng = np.random.default_rng(seed)
    slide = SimpleNamespace(path="a.svs", dimensions=(6400, 4800), mpp=(0.5, 0.5))
    polygons = [
        [(rng.random(2) * (6800, 5200) - 400 + rng.normal(0, 250, (rng.integers(3, 9), 2))) for _ in range(n)]
        for n in rng.integers(1, 4, 8)
    ]
    polygons.append([np.array(polygon(0, 0, 99, 99))])
    expected = Image.new("1", (400, 300))
    for rings in polygons:
        part = Image.new("1", expected.size)
        for i, ring in enumerate(rings):
            ImageDraw.Draw(part).polygon([tuple(p) for p in ring / 16 - 0.5], fill=int(i == 0))
        expected.paste(1, mask=part)
    path = tmp_path_factory.mktemp("holes") / "mask.geojson"
    path.write_text(json.dumps({"type": "MultiPolygon", "coordinates": [[r.tolist() for r in p] for p in polygons]}))
    assert np.count_nonzero(read_mask(path, slide).mask != np.asarray(expected)) <= 4


def test_polygons_with_holes_need_no_room_but_their_own(tmp_path) -> None:
    slide = SimpleNamespace(path="a.svs", dimensions=(6400, 4800), mpp=(0.5, 0.5))
    rings = [[polygon(x, x, x + 320, x + 160), polygon(x + 32, x + 32, x + 64, x + 64)] for x in range(0, 4000, 800)]
    (tmp_path / "mask.geojson").write_text(json.dumps({"type": "MultiPolygon", "coordinates": rings}))
    with mock.patch.object(Image, "new", wraps=Image.new) as made:
        read_mask(tmp_path / "mask.geojson", slide)
    whole, *parts = (call.args[1] for call in made.call_args_list)
    assert whole == (400, 300)
    assert len(parts) == len(rings)
    assert max(width * height for width, height in parts) <= 22 * 12


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
    assert tissue.mask.mean() == 1 / 4
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
