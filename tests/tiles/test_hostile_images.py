"""Image files that are no tile, or more than one: each is one tile that is named, whatever its decoder raises."""

import io
import struct
import subprocess
import sys
import zlib

import h5py
import numpy as np
import pytest
from made_images import chunk, encoded, picture
from PIL import Image, ImageFile

from bench.tiles import TileSource, decode_tile, read_batches
from bench.tiles import images as images_module
from registry.errors import UserError

HEADER_ONLY = b"\x89PNG\r\n\x1a\n"


def png_of_size(width, height):
    """A PNG whose header claims a size, with the pixels of a few rows."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return HEADER_ONLY + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(3000))) + chunk(b"IEND", b"")


def read(paths, indices=None, **options):
    source = TileSource(paths, [str(path) for path in paths], indices or [-1] * len(paths), **options)
    return list(read_batches([source], 8, workers=1))


def beside_complete_ones(folder, name, data):
    """The one tile that cannot be read among sound ones."""
    paths = [folder / "a.png", folder / name, folder / "z.png"]
    for path in (paths[0], paths[2]):
        path.write_bytes(encoded(picture(96, 96), "PNG"))
    paths[1].write_bytes(data)
    batches = read(paths)
    [(place, error)] = [item for batch in batches for item in batch.unreadable.items()]
    assert place == (0, 1)
    assert sum(map(len, batches)) == 2
    sentence = str(error)
    assert str(paths[1]) in sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("size", [(30_000, 30_000), (2**31 - 1, 2**31 - 1), (70_000, 1_000)])
def test_a_picture_of_more_pixels_than_a_tile_may_have(tmp_path, size) -> None:
    sentence = beside_complete_ones(tmp_path, "b.png", png_of_size(*size))
    assert f"{size[0]} x {size[1]} px, more than max_tile_px=64000000 allows" in sentence


def test_the_limit_is_an_option(tmp_path) -> None:
    for name, data in (("a.png", encoded(picture(64, 64), "PNG")), ("b.jpg", encoded(picture(50, 50)))):
        (tmp_path / name).write_bytes(data)
    paths = [tmp_path / "a.png", tmp_path / "b.jpg"]
    assert sum(map(len, read(paths, max_px=64 * 64))) == 2
    [batch] = read(paths, max_px=64 * 64 - 1)
    assert list(batch.unreadable) == [(0, 0)]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("decoder"), ZeroDivisionError(), struct.error("short")])
def test_any_error_of_a_decoder(tmp_path, monkeypatch, error) -> None:
    plain = Image.Image.convert

    def fails(image, *arguments, **options):
        if image.format == "WEBP":
            raise error
        return plain(image, *arguments, **options)

    monkeypatch.setattr(Image.Image, "convert", fails)
    monkeypatch.setattr(ImageFile.ImageFile, "convert", fails, raising=False)
    beside_complete_ones(tmp_path, "b.webp", encoded(picture(96, 96), "WEBP"))


def test_an_error_of_the_fast_decoder_leaves_the_tile_to_pillow(tmp_path, monkeypatch) -> None:
    def fails(*arguments):
        raise MemoryError

    monkeypatch.setattr(images_module, "DECODERS", ((HEADER_ONLY, fails),))
    (tmp_path / "a.png").write_bytes(encoded(picture(96, 96), "PNG"))
    [batch] = read([tmp_path / "a.png"])
    assert (len(batch), batch.unreadable) == (1, {})


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 96 96\n%%EndComments\nshowpage\n%%EOF\n"


@pytest.mark.parametrize("format", ["EPS", "GIF", "BMP", "AVIF", "PPM", "ICO"])
def test_other_formats_are_not_opened(tmp_path, monkeypatch, format) -> None:
    def called(*arguments, **options):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "check_call", called)
    monkeypatch.setattr(subprocess, "Popen", called)
    data = EPS if format == "EPS" else encoded(picture(96, 96), format)
    assert "cannot identify image file" in beside_complete_ones(tmp_path, "b.png", data)


def animated(format, **options):
    first, second = (Image.fromarray(picture(96, 96, seed)) for seed in (0, 1))
    file = io.BytesIO()
    first.save(file, format, save_all=True, append_images=[second], **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", animated("PNG")),
        ("a.webp", animated("WEBP", lossless=True)),
        ("a.tif", animated("TIFF")),
        ("a.tiff", animated("TIFF", compression="tiff_lzw")),
    ],
)
def test_the_first_of_several_pictures_is_taken_and_counted(tmp_path, name, data) -> None:
    for place in ("first", "last"):
        (tmp_path / place).mkdir()
        own, plain = tmp_path / place / name, tmp_path / place / "plain.png"
        own.write_bytes(data)
        plain.write_bytes(encoded(picture(96, 96, 2), "PNG"))
        [batch] = read([own, plain] if place == "first" else [plain, own])
        assert batch.several == {0: 1}
        taken = batch.tiles[0 if place == "first" else 1].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(taken, picture(96, 96, 0))


def hdf5(path, make):
    with h5py.File(path, "w") as file:
        make(file)
    return str(path)


def test_arrays_of_absurd_sizes(tmp_path) -> None:
    path = hdf5(
        tmp_path / "a.h5",
        lambda file: file.create_dataset("x", (4, 300_000, 300_000, 3), np.uint8, chunks=(1, 512, 512, 3)),
    )
    for row in range(2):
        with pytest.raises(UserError, match="its tiles are 300000 x 300000 px, more than max_tile_px=64000000 allows"):
            decode_tile(path, row)
    (tmp_path / "b.png").write_bytes(encoded(picture(96, 96), "PNG"))
    batches = read([path, tmp_path / "b.png"], [0, -1])
    assert sum(map(len, batches)) == 1
    assert [place for batch in batches for place in batch.unreadable] == [(0, 0)]


def external_link(file, other):
    file["x"] = h5py.ExternalLink(other, "x")


def external_storage(file, other):
    file.create_dataset("x", (2, 8, 8, 3), np.uint8, external=[(other, 0, 2 * 8 * 8 * 3)])


def virtual(file, other):
    layout = h5py.VirtualLayout((2, 8, 8, 3), np.uint8)
    layout[:] = h5py.VirtualSource(other, "x", (2, 8, 8, 3))
    file.create_virtual_dataset("x", layout)


def soft_link(file, other):
    file["folder/other"] = h5py.ExternalLink(other, "x")
    file["x"] = h5py.SoftLink("/folder/other")


@pytest.mark.parametrize("make", [external_link, external_storage, virtual, soft_link])
def test_pixels_of_other_files_are_not_read(tmp_path, make) -> None:
    other = hdf5(tmp_path / "other.h5", lambda file: file.create_dataset("x", data=np.ones((2, 8, 8, 3), np.uint8)))
    path = hdf5(tmp_path / "a.h5", lambda file: make(file, other))
    with pytest.raises(UserError, match=r"a.h5 \(row 0\) cannot be read \(.*(link|other files)"):
        decode_tile(path, 0)
    [batch] = read([path], [0])
    assert list(batch.unreadable) == [(0, 0)]


def test_a_batch_that_does_not_fit_the_memory(tmp_path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(picture(96, 96), "PNG"))
    source = TileSource(["a"], [str(tmp_path / "a.png")], [-1])
    with pytest.raises(UserError, match="A batch of 100000000000 tiles of 96 x 96 px does not fit the memory"):
        list(read_batches([source], 10**11, workers=1))


BOMB = """
import sys
from bench.tiles import TileSource, read_batches
source = TileSource(["a"], [sys.argv[1]], [-1])
[batch] = read_batches([source], 32, workers=1)
assert len(batch.unreadable) == 1
with open("/proc/self/status", encoding="ascii") as status:  # getrusage starts from that of the process before it
    (peak,) = [line.split()[1] for line in status if line.startswith("VmHWM:")]
print(int(peak) // 1024)
"""


@pytest.mark.slow
def test_a_large_picture_takes_no_memory(tmp_path) -> None:
    """30,000 x 30,000 px were 12 GB in memory."""
    (tmp_path / "a.png").write_bytes(png_of_size(30_000, 30_000))
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(tmp_path / "a.png")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1_500  # MiB, most of it torch
