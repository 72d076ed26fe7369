"""The file format of a pack: the encoded bytes of image files one after another, and where each lies.

A word names the format. Behind it come the bytes of the files, an index as JSON, and a tail of fixed length that says
where the index begins, how long it is and what its sha256 is. Each entry has a CRC-32, so that damage is found when a
tile is read and not before.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Int

from bench.progress import progress_bar
from bench.tiles.contents import read_contents

WORD = b"PFMPACK1"
TAIL = struct.Struct("<QQ32s8s")  # first byte and length of the index, its sha256, the word
READERS = 16  # threads that wait for slow storage; they decode nothing
AHEAD = 2 * READERS  # files in memory while a pack is written


class Damaged(ValueError):
    """A file that is no pack, no complete one, or not that of a dataset."""


@dataclass(frozen=True, eq=False)
class Index:
    """Where the bytes of each tile of a dataset lie in a pack.

    Attributes
    ----------
    offsets, lengths : int64 [N]
        Bytes. The length is 0 where the tile is a row of an array, or its file could not be read.
    checks : int64 [N]
        CRC-32 of the bytes.
    """

    offsets: Int[np.ndarray, " tile"]
    lengths: Int[np.ndarray, " tile"]
    checks: Int[np.ndarray, " tile"]


def write_pack(
    file: Path, source: str, ids: Sequence[str], paths: Sequence[str], stamps: Sequence[str], *, progress: bool = False
) -> None:
    """Write the pack of a dataset.

    Parameters
    ----------
    source : str
        Digest of the dataset.
    ids, paths, stamps : sequences of str
        Of each tile its identity, its image file ("" for a row of an array) and the stamp of the file. A file of
        several tiles is packed once.
    progress : bool
        Whether a progress bar is shown.

    Raises
    ------
    OSError
        If the pack cannot be written. An image file that cannot be read is left to those who read the tile.
    """
    files = [path for path in dict.fromkeys(paths) if path]
    places = {"": (0, 0, 0)}
    at = len(WORD)
    with (
        open(file, "wb") as out,
        progress_bar("packing", "tiles", len(files), shown=progress) as bar,
    ):
        out.write(WORD)
        for path, data in zip(files, _contents(files), strict=True):
            out.write(data)
            places[path] = (at, len(data), zlib.crc32(data))
            at += len(data)
            bar.update()
        offsets, lengths, checks = zip(*(places[path] for path in paths), strict=True)
        fields = {"source": source, "ids": ids, "stamps": stamps}
        index = json.dumps({**fields, "offsets": offsets, "lengths": lengths, "checks": checks}).encode()
        out.write(index)
        out.write(TAIL.pack(at, len(index), hashlib.sha256(index).digest(), WORD))


def read_index(file: Path, source: str, n_tiles: int) -> Index:
    """The index of the pack of a dataset.

    Raises
    ------
    OSError
        If there is no such file.
    Damaged
        If it is not complete, or not of this dataset.
    """
    with open(file, "rb") as opened:
        size = opened.seek(0, os.SEEK_END)
        opened.seek(max(0, size - TAIL.size))
        tail = opened.read()
        if len(tail) != TAIL.size:
            raise Damaged("too short")
        start, length, check, word = TAIL.unpack(tail)
        if word != WORD or start + length + TAIL.size != size:
            raise Damaged("not complete")
        opened.seek(start)
        data = opened.read(length)
    if hashlib.sha256(data).digest() != check:
        raise Damaged("damaged index")
    found = json.loads(data)
    if found["source"] != source or len(found["ids"]) != n_tiles:
        raise Damaged("of another dataset")
    return Index(*(np.array(found[name], np.int64) for name in ("offsets", "lengths", "checks")))


def read_entries(descriptor: int, index: Index, rows: range) -> list[bytes | None]:
    """The bytes of neighbouring tiles, in one read where they lie beside each other.

    Parameters
    ----------
    descriptor : int
        Of the open pack.

    Returns
    -------
    list of bytes or None
        None where the pack has no bytes of a tile, or others than were written.
    """
    found: list[bytes | None] = []
    for start, stop in _beside(index, rows):
        first = int(index.offsets[start])
        block = _read(descriptor, int(index.offsets[stop - 1] + index.lengths[stop - 1]) - first, first)
        for row in range(start, stop):
            at, length = int(index.offsets[row]) - first, int(index.lengths[row])
            data = block[at : at + length]
            found.append(data if length and zlib.crc32(data) == index.checks[row] else None)
    return found


def _beside(index: Index, rows: range) -> Iterator[tuple[int, int]]:
    """Runs of rows whose bytes follow each other."""
    start = rows.start
    for row in range(rows.start + 1, rows.stop + 1):
        if row == rows.stop or index.offsets[row] != index.offsets[row - 1] + index.lengths[row - 1]:
            yield start, row
            start = row


def _read(descriptor: int, length: int, offset: int) -> bytes:
    """As many bytes as there are; fewer where the disk fails, which the checks of the entries tell."""
    parts: list[bytes] = []
    try:
        while length and (part := os.pread(descriptor, length, offset)):  # one read gives 2 GB at most
            parts.append(part)
            length, offset = length - len(part), offset + len(part)
    except OSError:
        pass
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _contents(files: Sequence[str]) -> Iterator[bytes]:
    """The bytes of each file in order, read ahead; none of one that cannot be read."""
    rest = iter(files)
    with ThreadPoolExecutor(READERS, thread_name_prefix="pack") as pool:
        reading: deque[Future[bytes]] = deque(pool.submit(_content, path) for path in islice(rest, AHEAD))
        try:
            while reading:
                yield reading.popleft().result()
                reading.extend(pool.submit(_content, path) for path in islice(rest, 1))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _content(path: str) -> bytes:
    try:
        return read_contents(path)
    except OSError:
        return b""
