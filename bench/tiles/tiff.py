"""Plain TIFF tiles, as NCT-CRC-HE-100K has them: 8-bit RGB in strips, uncompressed or by PackBits.

Pillow takes more than five times as long for them. Whatever is not plain, or not complete to the byte,
is left to Pillow.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import imagecodecs
import numpy as np
from jaxtyping import UInt8

from bench.tiles.plain import NotPlain, place_of

ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
WIDTH, HEIGHT, COMPRESSION, OFFSETS, ROWS, COUNTS = 256, 257, 259, 273, 278, 279
RAW, PACKBITS = 1, 32773
SHORT, LONG = 3, 4
BYTES = {1: 1, 2: 1, SHORT: 2, LONG: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # of a value, by its type
# What makes the pixels 8-bit RGB, upright and in one plane. An absent tag has the value that None stands for.
PLAIN: Mapping[int, tuple[tuple[int, ...] | None, ...]] = {
    258: ((8, 8, 8),),  # bits a sample
    262: ((2,),),  # photometric interpretation: RGB
    266: (None, (1,)),  # order of the bits in a byte
    274: (None, (1,)),  # orientation, which Pillow turns pictures by
    277: ((3,),),  # samples a pixel
    284: (None, (1,)),  # planes
    322: (None,),  # width of tiles: there are none
    338: (None,),  # further samples, such as transparency
    339: (None, (1,), (1, 1, 1)),  # unsigned integers
    0xBC01: (None,),  # of another format, which Pillow refuses
}
NEEDED = {*PLAIN, WIDTH, HEIGHT, COMPRESSION, OFFSETS, ROWS, COUNTS}


def decode_plain(
    out: UInt8[np.ndarray, "height width 3"], data: bytes, max_px: int
) -> UInt8[np.ndarray, "other_height other_width 3"]:
    """The first picture of a TIFF: in `out`, which is returned, where this is of its size and contiguous.

    Raises
    ------
    NotPlain
        If it is anything but one complete picture of 8-bit RGB in strips, of at most `max_px`; `out` may be filled in
        part.
    """
    try:
        tags = _tags(data)
        for tag, values in PLAIN.items():
            if tags.get(tag) not in values:
                raise NotPlain(f"tag {tag} is {tags.get(tag)}")
        (height,), (width,), (compression,) = tags[HEIGHT], tags[WIDTH], tags[COMPRESSION]
        offsets, counts, (rows,) = tags[OFFSETS], tags[COUNTS], tags.get(ROWS, (height,))
    except (KeyError, ValueError, struct.error) as error:
        raise NotPlain(str(error)) from error
    strips = -(-height // rows) if rows else 0
    if compression not in (RAW, PACKBITS) or not len(offsets) == len(counts) == strips:
        raise NotPlain(f"compression {compression}, {len(offsets)} strips of {rows} rows")
    # PackBits makes at most 128 bytes of two, so a picture that is too large for its file takes no memory.
    if height * width * 3 > 64 * len(data):
        raise NotPlain(f"{width} x {height} px in {len(data)} bytes")
    picture = place_of(out, height, width, max_px)
    for strip, (offset, count) in enumerate(zip(offsets, counts, strict=True)):
        part = picture[strip * rows : (strip + 1) * rows].reshape(-1)
        stored = data[offset : offset + count]
        if len(stored) != count:
            raise NotPlain("the file ends before a strip")
        _unpack(part, stored, compression)
    return picture


def _unpack(part: UInt8[np.ndarray, " byte"], stored: bytes, compression: int) -> None:
    """Fill `part` with a strip; neither may be longer than the other."""
    if compression == RAW:
        if len(stored) != len(part):
            raise NotPlain(f"a strip of {len(stored)} bytes, not {len(part)}")
        part[...] = np.frombuffer(stored, np.uint8)
        return
    try:
        decoded = imagecodecs.packbits_decode(stored, out=part.data)  # raises if there is not room for all of it
    except (ValueError, RuntimeError) as error:
        raise NotPlain(str(error)) from error
    if len(decoded) != len(part):
        raise NotPlain(f"a strip of {len(decoded)} bytes, not {len(part)}")


def _tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """The tags of the first picture that say how its pixels are stored."""
    order = ORDERS[data[:4]]
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (n_entries,) = struct.unpack_from(f"{order}H", data, start)
    found: dict[int, tuple[int, ...]] = {}
    for entry in range(start + 2, start + 2 + 12 * n_entries, 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, entry)
        size = BYTES.get(kind, len(data)) * count
        (at,) = struct.unpack_from(f"{order}I", data, entry + 8) if size > 4 else (entry + 8,)
        if at + size > len(data):  # Pillow reads no tag behind such a one
            raise NotPlain(f"tag {tag} of type {kind} lies outside the file")
        if tag in NEEDED:
            if tag in found or kind not in (SHORT, LONG):
                raise NotPlain(f"tag {tag} of type {kind}, or twice")
            found[tag] = struct.unpack_from(f"{order}{count}{'H' if kind == SHORT else 'I'}", data, at)
    if struct.unpack_from(f"{order}I", data, start + 2 + 12 * n_entries) != (0,):
        raise NotPlain("further pictures")
    return found
