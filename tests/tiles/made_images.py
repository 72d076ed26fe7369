"""Image files of all kinds, sound and damaged, and what Pillow and the faster decoders make of a file."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import simplejpeg
import tifffile
from PIL import Image

from bench.tiles import decode_tile
from bench.tiles.images import read_image_into
from registry.errors import UserError


def picture(height, width, seed=0):
    """Smooth colours with noise, so that chroma and luma have all frequencies."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([np.sin(x / 7 + seed), np.cos(y / 5), np.sin((x + y) / 11)], axis=2) * 100 + 128
    return np.clip(smooth + rng.normal(0, 20, smooth.shape), 0, 255).astype(np.uint8)


def encoded(pixels, format="JPEG", mode="RGB", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, format, **options)
    return file.getvalue()


def ycck(pixels):
    """A CMYK JPEG whose Adobe marker says YCCK, as Photoshop writes them."""
    data = encoded(pixels, mode="CMYK")
    at = data.index(b"Adobe") + len(b"Adobe") + 6
    return data[:at] + b"\x02" + data[at + 1 :]


def tiff(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, photometric="rgb", **options)
    return file.getvalue()


def png(pixels, **chunks):
    """A PNG with further chunks behind its header, such as tRNS."""
    data = encoded(pixels, "PNG")
    extra = b"".join(chunk(name.encode(), body) for name, body in chunks.items())
    return data[:33] + extra + data[33:]


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def exif(orientation):
    found = Image.Exif()
    found[274], found[282] = orientation, 72.0
    return found


PIXELS = picture(61, 83)
JPEG = encoded(PIXELS)
MADE = {
    "4:2:0": JPEG,
    "4:4:4": encoded(PIXELS, subsampling=0),
    "4:2:2": encoded(PIXELS, subsampling=1),
    "4:4:0": simplejpeg.encode_jpeg(PIXELS, colorsubsampling="440"),
    "4:1:1": simplejpeg.encode_jpeg(PIXELS, colorsubsampling="411"),
    "grey": encoded(PIXELS, mode="L"),
    "CMYK": encoded(PIXELS, mode="CMYK"),
    "YCCK": ycck(PIXELS),
    "RGB, with Adobe's marker": encoded(PIXELS, keep_rgb=True),
    "progressive": encoded(PIXELS, progressive=True),
    "progressive grey": encoded(PIXELS, mode="L", progressive=True),
    "restart markers": encoded(PIXELS, restart_marker_blocks=1),
    "optimised tables": encoded(PIXELS, optimize=True, quality=35),
    "turned by EXIF": encoded(PIXELS, exif=exif(6)),
    "profile, comment": encoded(PIXELS, icc_profile=bytes(range(256)) * 600, comment=b"scanner", dpi=(300, 300)),
    "bytes behind the end": JPEG + b"\0\xff\xd9 and more" * 9,
    "two pictures, MPO": encoded(PIXELS, "MPO", save_all=True, append_images=[Image.fromarray(PIXELS[::-1])]),
    "PNG": encoded(PIXELS, "PNG"),
    "PNG, resolution, text": png(PIXELS, pHYs=struct.pack(">IIB", 2000, 2000, 1), tEXt=b"Author\0scanner"),
    "PNG, a colour is clear": png(PIXELS, tRNS=struct.pack(">3H", *PIXELS[3, 4].tolist())),
    "PNG, profile": encoded(PIXELS, "PNG", icc_profile=b"profile" * 9),
    "PNG, grey": encoded(PIXELS, "PNG", "L"),
    "PNG, two levels": encoded(PIXELS, "PNG", "1"),
    "PNG, 16 bits": imagecodecs.png_encode(PIXELS.astype(np.uint16) * 257),
    "PNG of another library": imagecodecs.png_encode(PIXELS),
    "PNG, bytes behind the end": encoded(PIXELS, "PNG") + b"more" * 9,
    "PNG, palette": encoded(PIXELS, "PNG", "P"),
    "PNG, transparent": encoded(PIXELS, "PNG", "RGBA"),
    "WebP": encoded(PIXELS, "WEBP"),
    **{
        f"TIFF, {name}": encoded(PIXELS, "TIFF", compression=name)
        for name in ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg")
    },
    "TIFF, strips, big-endian": tiff(PIXELS, rowsperstrip=7, byteorder=">"),
    "TIFF, raw, strips": tiff(PIXELS, rowsperstrip=7),
    "TIFF, strips, PackBits": tiff(PIXELS, rowsperstrip=7, compression="packbits"),
    "TIFF, BigTIFF": tiff(PIXELS, bigtiff=True),
    "TIFF, tiled": tiff(PIXELS, tile=(32, 48)),
    "TIFF, planes": tiff(np.moveaxis(PIXELS, -1, 0), planarconfig="separate"),
    "TIFF, two pictures": tiff(np.stack([PIXELS, PIXELS[::-1]])),
    "TIFF, turned": tiff(PIXELS, extratags=[(274, 3, 1, 3, True)]),
    "TIFF, transparent": tiff(np.dstack([PIXELS, PIXELS[..., :1]]), extrasamples=["unassalpha"]),
    "TIFF, grey": encoded(PIXELS, "TIFF", "L"),
}
PNG, TIFF = MADE["PNG"], MADE["TIFF, strips, PackBits"]
with tifffile.TiffFile(io.BytesIO(TIFF)) as opened:
    STRIP = opened.pages[0].dataoffsets[0]


def resized_png(data, height, width):
    """The same PNG with another size in its header, which has the right check sum."""
    return data[:8] + chunk(b"IHDR", struct.pack(">II", width, height) + data[24:29]) + data[33:]


DAMAGED = {
    "truncated": JPEG[: len(JPEG) // 2],
    "truncated in the header": JPEG[:200],
    "last bytes missing": JPEG[:-2],
    "corrupt in the middle": JPEG[:900] + b"\xff\xc4\x00\x03" * 9 + JPEG[936:],
    "zeros in the middle": JPEG[:900] + bytes(300) + JPEG[1200:],
    "restart markers out of order": MADE["restart markers"].replace(b"\xff\xd3", b"\xff\xd6"),
    "no pixels": JPEG[:2],
    "PNG, truncated": PNG[: len(PNG) // 2],
    "PNG, last chunk missing": PNG[:-12],
    "PNG, a byte changed": PNG[:500] + b"?" + PNG[501:],
    "PNG, fewer rows than it says": resized_png(PNG, 70, 83),
    "PNG, more rows than it says": resized_png(PNG, 40, 83),
    "PNG, claims to be huge": resized_png(PNG, 90_000, 90_000),
    "TIFF, truncated": TIFF[: len(TIFF) // 2],
    "TIFF, a run that is longer": TIFF[:STRIP] + b"\x7f" + TIFF[STRIP + 1 :],
    "TIFF, a run that is shorter": TIFF[:STRIP] + b"\x01" + TIFF[STRIP + 1 :],
    "empty": b"",
    "text": b"not an image",
    "JPEG that is text": b"\xff\xd8\xff not an image",
}


def by_pillow(path):
    try:
        return decode_tile(str(path))
    except UserError as error:
        return str(error)


def in_place(path, shape):
    """What `read_image_into` makes of a file: the tile, wherever it is, or the sentence of its error."""
    out = np.zeros((*shape, 3), np.uint8)
    try:
        other = read_image_into(out, str(path))
    except UserError as error:
        return str(error)
    return out if other is None else other


def same(one, other):
    return one == other if isinstance(one, str) or isinstance(other, str) else np.array_equal(one, other)
