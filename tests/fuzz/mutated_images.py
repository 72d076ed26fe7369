"""A process that reads mutated tiles and slides and prints, as JSON, what became of them.

    python mutated_images.py FOLDER SEED TILES SLIDES

A crash of a decoder ends the process, so the test runs it apart, with a limit of memory.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import tifffile
from PIL import Image

from bench.slides import SlideTiles, find_tissue, open_slide, plan
from bench.tiles import TileSource, read_batches
from registry.errors import UserError

SIDE, SLIDE_SIDE = 48, 320
MEMORY = 12 << 30  # bytes of addresses, most of them torch's
MAX_PX = 4_000_000


def main(folder: Path, seed: int, n_tiles: int, n_slides: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    rng = np.random.default_rng(seed)
    faults: list[str] = []
    counts = {"tiles refused": 0, "tiles read": 0, "slides refused": 0, "slides read": 0, "places left out": 0}
    _tiles(folder, rng, n_tiles, counts, faults)
    _slides(folder, rng, n_slides, counts, faults)
    print(json.dumps({"counts": counts, "faults": faults}))


def _tiles(folder: Path, rng: np.random.Generator, number: int, counts: dict[str, int], faults: list[str]) -> None:
    """All in one source, a sound tile after each, so that one may not spoil another."""
    kinds, paths, indices = _tile_kinds(), [], []
    sound = _pixels(SIDE, 99)
    Image.fromarray(sound).save(folder / "sound.png")
    for n in range(number):
        name, data = kinds[n % len(kinds)]
        path = folder / f"{n:04d}-{name}"
        path.write_bytes(_mutated(data, rng))
        paths += [str(path), str(folder / "sound.png")]
        indices += [int(rng.integers(0, 3)) if name.endswith(".h5") else -1, -1]
    # A sound tile stands first, for the size of the first is that of the batch.
    paths, indices = [str(folder / "sound.png"), *paths], [-1, *indices]
    source = TileSource([str(n) for n in range(len(paths))], paths, indices, max_px=MAX_PX)
    read = 0
    for batch in read_batches([source], 32, workers=2):
        for (_, row), error in batch.unreadable.items():
            counts["tiles refused"] += 1
            _check(error, paths[row], faults)
        for row, tile in zip(batch.rows.tolist(), batch.tiles, strict=True):
            read += 1
            if paths[row].endswith("sound.png") and not np.array_equal(tile.permute(1, 2, 0).numpy(), sound):
                faults.append(f"the sound tile {row} has other pixels")
    counts["tiles read"] = read - number - 1
    if read + counts["tiles refused"] != len(paths):
        faults.append(f"{read} tiles read and {counts['tiles refused']} refused of {len(paths)}")


def _slides(folder: Path, rng: np.random.Generator, number: int, counts: dict[str, int], faults: list[str]) -> None:
    kinds = _slide_kinds(folder)
    for n in range(number):
        name, data = kinds[n % len(kinds)]
        path = folder / f"{n:04d}-{name}"
        path.write_bytes(_mutated(data, rng))
        on_corrupt = ("error", "skip")[n % 2]
        try:
            with open_slide(path, 4.0 if n % 3 else None) as slide:
                if slide.dimensions[0] * slide.dimensions[1] > 100 * SLIDE_SIDE**2:
                    counts["slides read"] += 1  # as large as its header says: nothing to be read in a test
                    continue
                tissue = find_tissue(slide, threads=1, on_corrupt=on_corrupt)
                grid = plan(slide, 64, slide.mpp[0], tissue=tissue, min_tissue=0.0, max_tiles=20)
                for batch in read_batches([SlideTiles(slide, grid)], 16, workers=1):
                    counts["places left out"] += len(batch.unreadable)
                    for error in batch.unreadable.values():
                        _check(error, str(path), faults)
            counts["slides read"] += 1
        except UserError as error:
            counts["slides refused"] += 1
            _check(error, str(path), faults)
        except Exception as error:
            faults.append(f"{path.name}: {type(error).__name__}: {error}")
        path.unlink()


def _check(error: UserError, path: str, faults: list[str]) -> None:
    """One sentence with the path."""
    sentence = str(error)
    if path not in sentence or "\n" in sentence or not sentence.rstrip().endswith((".", "?")) or len(sentence) > 700:
        faults.append(f"{Path(path).name}: no sentence that names it: {sentence[:300]!r}")


def _pixels(side: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    smooth = np.stack([np.sin(x / 7 + seed), np.cos(y / 5), np.sin((x + y) / 11)], axis=2) * 60 + 160
    return np.clip(smooth + rng.normal(0, 8, smooth.shape), 0, 255).astype(np.uint8)


def _tile_kinds() -> list[tuple[str, bytes]]:
    pixels = _pixels(SIDE, 0)
    images: list[tuple[str, bytes]] = []
    for name, options in (
        ("a.jpg", {"format": "JPEG", "quality": 90}),
        ("progressive.jpg", {"format": "JPEG", "progressive": True}),
        ("a.png", {"format": "PNG"}),
        ("palette.png", {"format": "PNG", "mode": "P"}),
        ("alpha.png", {"format": "PNG", "mode": "RGBA"}),
        ("a.webp", {"format": "WEBP"}),
        ("lossless.webp", {"format": "WEBP", "lossless": True}),
        ("a.tif", {"format": "TIFF"}),
        ("lzw.tif", {"format": "TIFF", "compression": "tiff_lzw"}),
        ("jpeg.tif", {"format": "TIFF", "compression": "jpeg"}),
        ("deflate.tif", {"format": "TIFF", "compression": "tiff_adobe_deflate"}),
    ):
        file = io.BytesIO()
        Image.fromarray(pixels).convert(options.pop("mode", "RGB")).save(file, **options)
        images.append((name, file.getvalue()))
    for name, more in (("plain.h5", {}), ("gzip.h5", {"chunks": (1, SIDE, SIDE, 3), "compression": "gzip"})):
        file = io.BytesIO()
        with h5py.File(file, "w") as out:
            out.create_dataset("x", data=np.stack([pixels] * 3), **more)
        images.append((name, file.getvalue()))
    return images


def _slide_kinds(folder: Path) -> list[tuple[str, bytes]]:
    base = _pixels(SLIDE_SIDE, 1)
    found = []
    resolution = {"resolution": (2500.0, 2500.0), "resolutionunit": "CENTIMETER"}
    aperio = "Aperio Image Library v11\r\n320x320 [0,0 320x320] (64x64) JPEG/RGB Q=70|AppMag = 20|MPP = 4.0"
    writers: list[tuple[str, Callable[[Path], None]]] = [
        ("a.svs", lambda path: _write(path, base, tile=(64, 64), compression="jpeg", description=aperio)),
        ("jpeg.tif", lambda path: _write(path, base, tile=(64, 64), compression="jpeg", **resolution)),
        ("strips.tif", lambda path: _write(path, base, rowsperstrip=64, compression="jpeg", **resolution)),
        ("j2k.tif", lambda path: _write(path, base, tile=(64, 64), compression="jpeg2000", **resolution)),
        ("planes.tif", lambda path: _write(
            path, base.transpose(2, 0, 1), planarconfig="separate", rowsperstrip=64, compression="lzw", **resolution
        )),
        ("a.ome.tif", lambda path: _write_ome(path, base, resolution)),
    ]  # fmt: skip
    for name, write in writers:
        write(folder / name)
        found.append((name, (folder / name).read_bytes()))
    return found


def _write(path: Path, pixels: np.ndarray, **options: object) -> None:
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=None, **options)  # type: ignore[arg-type]


def _write_ome(path: Path, base: np.ndarray, resolution: dict[str, object]) -> None:
    with tifffile.TiffWriter(path, ome=True) as out:
        how = {"tile": (64, 64), "photometric": "rgb", "compression": "deflate"}
        sizes = {"axes": "YXS", "PhysicalSizeX": 4.0, "PhysicalSizeY": 4.0}
        out.write(base, subifds=1, metadata=sizes, **how, **resolution)  # type: ignore[arg-type]
        out.write(np.ascontiguousarray(base[::4, ::4]), subfiletype=1, **how)  # type: ignore[arg-type]


def _mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with some bits flipped, cut short, or with other numbers in the header or in the table of tags."""
    out = bytearray(data)
    kind = rng.integers(0, 6)
    if kind == 0:
        for at in rng.integers(0, len(out), rng.integers(1, 9)).tolist():
            out[at] ^= 1 << int(rng.integers(0, 8))
    elif kind == 1:
        del out[int(rng.integers(0, len(out))) :]
    elif kind == 2:
        _overwritten(out, int(rng.integers(0, min(len(out), 200))), rng)
    elif kind == 3:
        for _ in range(int(rng.integers(1, 4))):
            _overwritten(out, _in_table(data, rng), rng)
    elif kind == 4:
        start = int(rng.integers(0, len(out)))
        out[start : start + int(rng.integers(1, 400))] = bytes(int(rng.integers(0, 400)))
    else:
        start = int(rng.integers(0, len(out)))
        out[start:start] = rng.bytes(int(rng.integers(1, 60)))
    return _with_check_sums(bytes(out)) if data.startswith(b"\x89PNG") and rng.random() < 0.7 else bytes(out)


def _overwritten(out: bytearray, at: int, rng: np.random.Generator) -> None:
    """A number there: a small one, a very large one, or noise."""
    length = int(rng.choice([1, 2, 4, 8]))
    value = [
        bytes(length),
        b"\xff" * length,
        rng.bytes(length),
        struct.pack("<Q", int(rng.integers(0, 70_000)))[:length],
    ]
    out[at : at + length] = value[int(rng.integers(0, 4))]


def _in_table(data: bytes, rng: np.random.Generator) -> int:
    """A place in the first table of a TIFF's tags, or near the beginning of another file."""
    if data[:4] != b"II*\0":
        return int(rng.integers(0, min(len(data), 2000)))
    (start,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, start)
    return int(start + 2 + 12 * rng.integers(0, max(1, entries)) + rng.integers(0, 12))


def _with_check_sums(data: bytes) -> bytes:
    """A PNG whose chunks have the sums of what they hold now, so that its decoder looks at it."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        out += struct.pack(">I", length) + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *(int(number) for number in sys.argv[2:5]))
