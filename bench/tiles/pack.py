"""The packed tiles of a dataset in the cache, for repeated sweeps over slow storage.

A pack holds the bytes of the image files as they are, so pixels, errors and the digest of the dataset are those of the
files. A tile whose bytes are damaged in the pack is read from its file.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.files import atomic_write, digest, stamp, unwritable
from bench.tiles.pack_file import Damaged, Index, read_entries, read_index, write_pack
from registry.errors import UserError

SWITCH_OFF = "cache=DIR, or set pack=false"
ABANDONED_AFTER_S = 24 * 3600  # a temporary file this old has no living writer


class Pack:
    """The pack of a dataset, made when it is first opened. Safe to use from several threads.

    Parameters
    ----------
    folder : Path
        Where packs lie.
    ids, paths, indices : sequences
        Those of the `bench.tiles.TileSource`.
    source : str
        Its digest.
    digest_of : callable
        Gives its digest if its files have these stamps.
    progress : bool
        Whether a progress bar is shown while it is made.
    """

    def __init__(
        self,
        folder: Path,
        ids: Sequence[str],
        paths: Sequence[str],
        indices: Sequence[int],
        source: str,
        digest_of: Callable[[Mapping[str, str]], str],
        *,
        progress: bool,
    ):
        self._folder, self._ids, self._paths, self._indices = folder, ids, paths, indices
        self._source, self._digest_of, self._progress = source, digest_of, progress
        self._index: Index | None = None
        self._lock = threading.Lock()

    @functools.cached_property
    def file(self) -> Path:
        """Named by ids and paths, so that the pack of a dataset whose files have changed is replaced."""
        return self._folder / f"{digest([self._ids, [os.path.abspath(p) for p in dict.fromkeys(self._paths)]])}.pack"

    @contextlib.contextmanager
    def open(self) -> Iterator[OpenPack]:
        """The pack, after it was made if there was none, or a stale or damaged one.

        Raises
        ------
        UserError
            If it cannot be written, or the image files change while they are packed.
        """
        with self._lock:
            try:
                self._index = self._index or read_index(self.file, self._source, len(self._ids))
                descriptor = os.open(self.file, os.O_RDONLY)
            except (OSError, Damaged):
                self._make()
                self._index = read_index(self.file, self._source, len(self._ids))
                descriptor = os.open(self.file, os.O_RDONLY)
            opened = OpenPack(descriptor, self._index)
        try:
            yield opened
        finally:
            os.close(descriptor)
            if opened.damaged:  # is made anew when it is opened again
                with self._lock, contextlib.suppress(OSError):
                    self._index = None
                    self.file.unlink()

    def _make(self) -> None:
        stamps = {path: stamp(path) for path in dict.fromkeys(self._paths)}
        images = [path if index < 0 else "" for path, index in zip(self._paths, self._indices, strict=True)]
        of_tiles = [stamps[path] for path in self._paths]
        try:
            self._sweep()
            self._check_room(sum(int(stamps[path].partition("-")[0]) for path in set(images) if path))
            with atomic_write(self.file) as temporary:
                write_pack(temporary, self._source, self._ids, images, of_tiles, progress=self._progress)
                after = {path: stamp(path) for path in stamps}
                if self._digest_of(stamps) != self._source or after != stamps:
                    raise UserError("Image files of the dataset changed since the run began: run it again.")
        except OSError as error:
            raise unwritable(self.file, error, SWITCH_OFF) from error

    def _check_room(self, wanted: int) -> None:
        """Refuse what cannot fit before hours of reading."""
        self._folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self._folder).free
        if wanted > free:
            raise UserError(
                f"The image files of the dataset take {wanted / 2**30:.1f} GiB packed and the disk of {self._folder} "
                f"has {free / 2**30:.1f} GiB left: make room, name another folder with {SWITCH_OFF}."
            )

    def _sweep(self) -> None:
        """Remove what killed writers left behind: nothing reads such files, and they are large."""
        for stray in self._folder.glob(".*.pack.*.tmp"):
            with contextlib.suppress(OSError):
                if time.time() - stray.stat().st_mtime > ABANDONED_AFTER_S:
                    stray.unlink()


class OpenPack:
    """An open pack.

    Attributes
    ----------
    damaged : bool
        Whether an entry was found that is not what was written.
    """

    def __init__(self, descriptor: int, index: Index):
        self._descriptor, self._index = descriptor, index
        self.damaged = False

    def read(self, rows: range) -> list[bytes | None]:
        """The bytes of neighbouring tiles; None where the pack has none, or damaged ones."""
        found = read_entries(self._descriptor, self._index, rows)
        if any(data is None and self._index.lengths[row] for row, data in zip(rows, found, strict=True)):
            self.damaged = True
        return found
