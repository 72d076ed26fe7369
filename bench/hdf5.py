"""New HDF5 files that appear when they are complete."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import h5py

from bench.files import atomic_write

CHUNK = 4 << 20  # bytes that are copied at once


@contextlib.contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """A new HDF5 file, which gets its name when the block ends well and leaves nothing when it does not.

    The library cannot close a file on a disk that is full or gone: it raises errors of several kinds and may crash when
    the process ends. So the file is made in memory where the system has files there, and is then copied to the disk.

    Parameters
    ----------
    path : Path
        Its folder is made if it is not there.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written.
    """
    with atomic_write(path) as temporary, contextlib.ExitStack() as stack:
        memory = _file_in_memory()
        if memory is None:
            yield stack.enter_context(h5py.File(temporary, "w", libver="v110"))
            return
        stack.enter_context(memory)
        place = f"/proc/self/fd/{memory.fileno()}"
        # the driver that takes a name which is no path; its bytes are those of the usual one
        with h5py.File(place, "w", driver="stdio", libver="v110") as file:
            yield file
        with open(temporary, "wb") as disk:  # buffered: a raw write may end early without an error
            shutil.copyfileobj(memory, disk, CHUNK)


def _file_in_memory() -> io.FileIO | None:
    """An empty file without a name; None where the system has none."""
    if not hasattr(os, "memfd_create") or not os.path.exists("/proc/self/fd"):
        return None
    try:
        return io.FileIO(os.memfd_create("hdf5"), "r")
    except OSError:
        return None
