"""Image files decoded in their place: the pixels, and the errors, of Pillow."""

import io
import os
import resource
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_images import DAMAGED, JPEG, MADE, PIXELS, TIFF, by_pillow, encoded, in_place, picture, same, tiff
from PIL import Image

from bench.tiles import TileSource, contents, decode_tile, images
from bench.tiles.decode import decode_image
from bench.tiles.images import decode_into, read_image_into
from bench.tiles.plain import NotPlain
from bench.tiles.tiff import decode_plain


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("shape", [(61, 83), (5, 5)], ids=["fits", "other size"])
def test_made_files_have_the_pixels_of_pillow(tmp_path, name, shape):
    path = tmp_path / "tile.jpg"
    path.write_bytes(MADE[name])
    expected = by_pillow(path)
    assert expected.shape == (61, 83, 3)
    np.testing.assert_array_equal(in_place(path, shape), expected)


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_files_have_the_pixels_or_the_error_of_pillow(tmp_path, name):
    path = tmp_path / "tile.jpg"
    path.write_bytes(DAMAGED[name])
    assert same(in_place(path, (61, 83)), by_pillow(path))


@pytest.mark.parametrize("made", [lambda path: None, lambda path: path.mkdir()], ids=["gone", "a folder"])
def test_what_is_no_file_has_the_error_of_pillow(tmp_path, made):
    made(tmp_path / "tile.jpg")
    found = in_place(tmp_path / "tile.jpg", (8, 8))
    assert "tile.jpg cannot be read" in found
    assert found == by_pillow(tmp_path / "tile.jpg")


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from(["RGB", "L", "CMYK"]),
    st.integers(1, 100),
    st.sampled_from([0, 1, 2]),
    st.booleans(),
    st.integers(0, 9),
)
def test_jpeg_of_every_size_and_setting_is_pillows(size, mode, quality, subsampling, progressive, seed):
    data = encoded(picture(*size, seed), mode=mode, quality=quality, subsampling=subsampling, progressive=progressive)
    out = np.zeros((*size, 3), np.uint8)
    assert decode_into(out, data) is None
    np.testing.assert_array_equal(out, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 70), st.integers(1, 70)),
    st.sampled_from(["RGB", "L", "RGBA"]),
    st.integers(1, 80),
    st.sampled_from([None, "packbits"]),
    st.sampled_from("<>"),
    st.integers(0, 9),
)
def test_tiff_and_png_of_every_size_are_pillows(size, mode, rows, compression, byteorder, level):
    pixels = np.asarray(Image.fromarray(picture(*size)).convert(mode))
    strips = {"rowsperstrip": rows, "compression": compression, "byteorder": byteorder}
    for data in (
        tiff(pixels, **strips, **({"extrasamples": ["unassalpha"]} if mode == "RGBA" else {}))
        if mode != "L"
        else encoded(pixels, "TIFF", "L"),
        encoded(picture(*size), "PNG", mode, compress_level=level),
    ):
        out = np.zeros((*size, 3), np.uint8)
        assert decode_into(out, data) is None
        np.testing.assert_array_equal(out, decode_image(io.BytesIO(data)))


def with_tag(data, tag, value):
    """A little-endian TIFF with a tag of one value changed, or written in the place of its resolution unit."""
    start = struct.unpack_from("<I", data, 4)[0] + 2
    entries = range(start, start + 12 * struct.unpack_from("<H", data, start - 2)[0], 12)
    tags = {struct.unpack_from("<H", data, at)[0]: at for at in entries}
    at = tags.get(tag, tags[296])
    return data[:at] + struct.pack("<HHII", tag, 3, 1, value) + data[at + 12 :]


@pytest.mark.parametrize(
    ("tag", "value"),
    [(258, 16), (262, 6), (266, 2), (274, 3), (277, 4), (284, 2), (322, 16), (338, 2), (339, 2), (0xBC01, 1), (259, 5)],
)
def test_a_tiff_with_a_tag_that_is_not_plain_is_pillows(tmp_path, tag, value):
    for data in (MADE["TIFF, raw, strips"], TIFF):
        out = np.empty((61, 83, 3), np.uint8)
        assert decode_plain(out, with_tag(data, 296, 2), 10**6) is out
        with pytest.raises(NotPlain, match=f"tag {tag} |compression"):
            decode_plain(out, with_tag(data, tag, value), 10**6)
        (tmp_path / "tile.tif").write_bytes(with_tag(data, tag, value))
        assert same(in_place(tmp_path / "tile.tif", (61, 83)), by_pillow(tmp_path / "tile.tif"))


def test_the_common_formats_need_no_pillow(tmp_path, shared, monkeypatch):
    def refuse(*_):
        raise AssertionError("Pillow is called")

    monkeypatch.setattr(images, "decode_image", refuse)
    monkeypatch.setattr(images, "decode_tile", refuse)
    for name in ("JPEG 4:2:0", "4:4:4", "grey", "progressive", "PNG", "PNG, resolution, text", "TIFF, raw"):
        assert decode_into(np.empty((61, 83, 3), np.uint8), MADE[name.removeprefix("JPEG ")]) is None
    for path in [str(path) for path in (shared / "data/nct_crc_sample").rglob("*.*")]:
        assert read_image_into(np.empty((224, 224, 3), np.uint8), path) is None


@settings(max_examples=150)
@given(st.sampled_from(sorted(MADE)), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes_give_the_pixels_or_the_error_of_pillow(tmp_path_factory, name, changes):
    data = bytearray(MADE[name])
    for place, value in changes:
        data[min(int(place * len(data)), len(data) - 1)] = value
    path = tmp_path_factory.getbasetemp() / "changed.jpg"
    path.write_bytes(data)
    assert same(in_place(path, (61, 83)), by_pillow(path))


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["pcam_sample", "nct_crc_sample"])
def test_every_real_tile_has_the_pixels_of_pillow(shared, dataset):
    paths = sorted(str(path) for path in (shared / "data" / dataset).rglob("*.*"))
    with TileSource(paths, paths, [-1] * len(paths)).open() as tiles:
        out = np.empty((len(paths), *tiles.shape, 3), np.uint8)
        found = tiles.read_into(out, range(len(paths)))
    assert not found.unreadable
    assert not found.other_size
    differ = [path for path, tile in zip(paths, out, strict=True) if not np.array_equal(tile, decode_tile(path))]
    assert not differ


def claiming(data, height, width):
    """The same JPEG with another size in its header."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def test_the_largest_picture_that_a_jpeg_can_hold_is_no_false_claim(tmp_path):
    for i, options in enumerate([{}, {"progressive": True}, {"mode": "L"}, {"mode": "L", "progressive": True}]):
        path = tmp_path / f"{i}.jpg"
        path.write_bytes(encoded(np.full((4000, 4000, 3), 128, np.uint8), quality=1, optimize=True, **options))
        assert in_place(path, (5, 5)).shape == (4000, 4000, 3)


def test_a_header_that_claims_to_be_huge_takes_no_memory(tmp_path):
    (tmp_path / "huge.jpg").write_bytes(claiming(JPEG, 60_000, 60_000))
    assert by_pillow(tmp_path / "huge.jpg") == (
        f"The tile {tmp_path / 'huge.jpg'} cannot be read (its header claims 60000 x 60000 px, more than its "
        f"{len(JPEG)} bytes can hold): mend or remove it, or set on_corrupt=skip to leave such tiles out."
    )
    Image.fromarray(PIXELS).save(tmp_path / "tile.jpg")
    program = """
import sys
from bench.tiles import TileSource
import numpy as np
with TileSource("ab", sys.argv[1:], [-1, -1]).open() as tiles:
    print(tiles.shape, *tiles.read_into(np.empty((2, *tiles.shape, 3), np.uint8), range(2)).unreadable)
with open("/proc/self/status", encoding="ascii") as status:  # getrusage starts from that of the process before it
    (peak,) = [line.split()[1] for line in status if line.startswith("VmHWM:")]
print(int(peak) // 1024)
"""
    paths = [str(tmp_path / "huge.jpg"), str(tmp_path / "tile.jpg")]
    done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True, env=os.environ)
    found, mebibytes = done.stdout.splitlines()
    assert found == "(61, 83) 0"
    assert int(mebibytes) < 1500, "60,000 px squared are 10 GB"


def test_a_tile_is_decoded_in_its_place(tmp_path):
    """The row of the batch itself is filled, and nothing beside it."""
    path = tmp_path / "tile.jpg"
    path.write_bytes(JPEG)
    batch = np.full((3, 61, 83, 3), 7, np.uint8)
    assert read_image_into(batch[1], str(path)) is None
    np.testing.assert_array_equal(batch[1], decode_tile(str(path)))
    assert (batch[[0, 2]] == 7).all()


def test_a_place_that_is_not_contiguous_is_filled_too(tmp_path):
    path = tmp_path / "tile.jpg"
    path.write_bytes(JPEG)
    planes = np.zeros((3, 61, 83), np.uint8)
    assert read_image_into(planes.transpose(1, 2, 0), str(path)) is None
    np.testing.assert_array_equal(planes.transpose(1, 2, 0), decode_tile(str(path)))


def test_a_large_file_is_left_to_pillow(tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "LARGEST", len(JPEG) - 1)
    monkeypatch.setattr(images, "decode_into", None)
    (tmp_path / "tile.jpg").write_bytes(JPEG)
    np.testing.assert_array_equal(in_place(tmp_path / "tile.jpg", (61, 83)), by_pillow(tmp_path / "tile.jpg"))
    with open(tmp_path / "large.jpg", "wb") as file:
        file.truncate(1 << 40)  # takes no room, and reading it would take all memory
    assert "large.jpg cannot be read (cannot identify image file" in in_place(tmp_path / "large.jpg", (61, 83))


def test_files_are_closed(tmp_path):
    for i, data in enumerate([JPEG, MADE["PNG"], DAMAGED["truncated"]] * 40):
        (tmp_path / f"{i}.jpg").write_bytes(data)
    paths = [str(tmp_path / f"{i}.jpg") for i in range(120)]
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 100), hard))
    try:
        with TileSource(paths, paths, [-1] * 120).open() as tiles:
            found = tiles.read_into(np.empty((120, 61, 83, 3), np.uint8), range(120))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(found.unreadable) == 40
    assert before is None or len(os.listdir("/proc/self/fd")) <= before
