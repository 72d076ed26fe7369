"""A whole-slide DICOM of one level, written by hand: the least that a viewer needs (PS3.3 A.32.8, PS3.5 A.4)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import simplejpeg

LONG = {b"OB", b"SQ", b"UN", b"UT"}
VL_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"


def write_dicom(path: Path, pixels: np.ndarray, mpp: float, tile: int = 256, image_type: str = "VOLUME") -> None:
    """Write uint8 RGB [H, W, 3] as TILED_FULL JPEG frames."""
    height, width = pixels.shape[:2]
    rows, columns = -(-height // tile), -(-width // tile)
    whole = np.pad(pixels, ((0, rows * tile - height), (0, columns * tile - width), (0, 0)), mode="edge")
    frames = [
        simplejpeg.encode_jpeg(
            np.ascontiguousarray(whole[r * tile : (r + 1) * tile, c * tile : (c + 1) * tile]), quality=85
        )
        for r in range(rows)
        for c in range(columns)
    ]
    spacing = f"{mpp / 1000:.8f}\\{mpp / 1000:.8f}"
    measures = _item(_tag(0x0018, 0x0050, "DS", "0.001") + _tag(0x0028, 0x0030, "DS", spacing))
    kind = _item(_tag(0x0008, 0x0008, "CS", f"ORIGINAL\\PRIMARY\\{image_type}\\NONE"))
    shared = _item(_tag(0x0028, 0x9110, "SQ", measures) + _tag(0x0040, 0x0710, "SQ", kind))
    optical = _item(
        _tag(0x0022, 0x0019, "SQ", b"") + _tag(0x0048, 0x0106, "SH", "1") + _tag(0x0048, 0x0112, "DS", "20")
    )
    body = b"".join(
        [
            _tag(0x0008, 0x0008, "CS", f"ORIGINAL\\PRIMARY\\{image_type}\\NONE"),
            _tag(0x0008, 0x0016, "UI", VL_WHOLE_SLIDE),
            _tag(0x0008, 0x0018, "UI", "1.2.3.4.5"),
            _tag(0x0008, 0x0060, "CS", "SM"),
            _tag(0x0020, 0x000D, "UI", "1.2.3.4"),
            _tag(0x0020, 0x000E, "UI", "1.2.3.4.1"),
            _tag(0x0020, 0x9311, "CS", "TILED_FULL"),
            _tag(0x0028, 0x0002, "US", 3),
            _tag(0x0028, 0x0004, "CS", "YBR_FULL_422"),
            _tag(0x0028, 0x0006, "US", 0),
            _tag(0x0028, 0x0008, "IS", str(len(frames))),
            _tag(0x0028, 0x0010, "US", tile),
            _tag(0x0028, 0x0011, "US", tile),
            _tag(0x0028, 0x0100, "US", 8),
            _tag(0x0028, 0x0101, "US", 8),
            _tag(0x0028, 0x0102, "US", 7),
            _tag(0x0028, 0x0103, "US", 0),
            _tag(0x0048, 0x0006, "UL", width),
            _tag(0x0048, 0x0007, "UL", height),
            _tag(0x0048, 0x0105, "SQ", optical),
            _tag(0x0048, 0x0303, "UL", 1),
            _tag(0x5200, 0x9229, "SQ", shared),
            _frames(frames),
        ]
    )
    meta = b"".join(
        [
            _tag(0x0002, 0x0001, "OB", b"\0\1"),
            _tag(0x0002, 0x0002, "UI", VL_WHOLE_SLIDE),
            _tag(0x0002, 0x0003, "UI", "1.2.3.4.5"),
            _tag(0x0002, 0x0010, "UI", JPEG_BASELINE),
            _tag(0x0002, 0x0012, "UI", "1.2.3.9"),
        ]
    )
    path.write_bytes(bytes(128) + b"DICM" + _tag(0x0002, 0x0000, "UL", len(meta)) + meta + body)


def _tag(group: int, element: int, representation: str, value: str | int | bytes) -> bytes:
    if representation == "US":
        raw = struct.pack("<H", value)
    elif representation == "UL":
        raw = struct.pack("<I", value)
    elif isinstance(value, str):
        raw = value.encode()
        raw += (b"\0" if representation == "UI" else b" ") * (len(raw) % 2)
    else:
        assert isinstance(value, bytes)
        raw = value
    kind = representation.encode()
    length = b"\0\0" + struct.pack("<I", len(raw)) if kind in LONG else struct.pack("<H", len(raw))
    return struct.pack("<HH", group, element) + kind + length + raw


def _item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def _frames(frames: list[bytes]) -> bytes:
    """Encapsulated pixel data with a basic offset table."""
    padded = [frame + b"\0" * (len(frame) % 2) for frame in frames]
    offsets = np.cumsum([0, *(len(frame) + 8 for frame in padded[:-1])])
    head = struct.pack("<HH", 0x7FE0, 0x0010) + b"OB\0\0" + struct.pack("<I", 0xFFFFFFFF)
    table = _item(b"".join(struct.pack("<I", int(o)) for o in offsets))
    return head + table + b"".join(map(_item, padded)) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
