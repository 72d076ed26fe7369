"""The tiles of a dataset, from image files and HDF5 arrays."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.files import stamp
from bench.tiles.batch import OpenTiles
from bench.tiles.decode import MAX_TILE_PX
from bench.tiles.pack import Pack
from bench.tiles.reading import OpenFiles

LINES = 10_000  # tiles that enter the digest at once


class TileSource:
    """The tiles of a dataset in a fixed order.

    Parameters
    ----------
    ids : sequence of str
        Identity of each tile.
    paths, indices : sequences
        Image file of each tile and -1, or an HDF5 file and the row in it.
    max_px : int
        Pixels of a tile at most; larger ones cannot be read.
    """

    def __init__(self, ids: Sequence[str], paths: Sequence[str], indices: Sequence[int], *, max_px: int = MAX_TILE_PX):
        self.ids, self.paths, self.indices = list(ids), list(paths), [int(i) for i in indices]
        self._max_px = max_px
        self._pack: Pack | None = None
        self._packed_from = 0  # row of the pack that is our first
        self._gpu: str | None = None  # that decodes JPEG files

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, start: int, stop: int) -> TileSource:
        """The tiles `start` to `stop`."""
        own = slice(start, stop)
        part = TileSource(self.ids[own], self.paths[own], self.indices[own], max_px=self._max_px)
        part._pack, part._packed_from, part._gpu = self._pack, self._packed_from + start, self._gpu
        return part

    def decoded_on(self, device: str) -> TileSource:
        """The same tiles, whose JPEG files are decoded on a GPU: their pixels differ by some grey levels.

        Raises
        ------
        UserError
            If this installation cannot decode there.
        """
        from bench.tiles.nvjpeg import check_available

        check_available(device)
        found = self.part(0, len(self))
        found._gpu = device
        return found

    def packed(self, folder: Path, digest: str, *, progress: bool = False) -> TileSource:
        """The same tiles, of which the image files are read from one file in `folder`, made when they are first opened.

        Parameters
        ----------
        digest : str
            That of this source.
        progress : bool
            Whether a progress bar is shown while the file is made.
        """
        packed = self.part(0, len(self))
        if any(index < 0 for index in self.indices):
            tiles = (packed.ids, packed.paths, packed.indices)
            packed._pack = Pack(folder, *tiles, digest, packed._digest_of, progress=progress)
        return packed

    def digest(self) -> str:
        """Digest of what the tiles are: id, row, and size and modification time of the file, of each in order.

        Reading all bytes would cost as much as embedding; where a dataset lies does not matter.
        """
        return self._digest_of({path: stamp(path) for path in dict.fromkeys(self.paths)})

    def _digest_of(self, stamps: Mapping[str, str]) -> str:
        hashed = hashlib.sha256()
        for start in range(0, len(self), LINES):
            part = slice(start, start + LINES)
            lines = zip(self.ids[part], self.indices[part], self.paths[part], strict=True)
            hashed.update("".join([f"{tile}\0{index}\0{stamps[path]}\n" for tile, index, path in lines]).encode())
        return hashed.hexdigest()[:16]

    def prepare(self) -> None:
        """Pack the tiles where they are to be packed and are not. Raises as `open`."""
        if self._pack is not None:
            with self._pack.open():
                pass

    @contextlib.contextmanager
    def open(self) -> Iterator[OpenTiles]:
        """The tiles for reading by runs of rows, from several threads; closes what it opened.

        Raises
        ------
        UserError
            If the tiles are to be packed and cannot be.
        """
        with contextlib.ExitStack() as opened:
            pack = opened.enter_context(self._pack.open()) if self._pack else None
            files = OpenFiles(self.paths, self.indices, pack, self._packed_from, self._max_px)
            opened.callback(files.close)
            if self._gpu is None:
                yield files
            else:
                from bench.tiles.nvjpeg import OnGpu

                yield OnGpu(files, self._gpu)
