"""New HDF5 files that appear when they are complete, and what of a user's file lies in the file itself."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py

from bench.files import atomic_write
from bench.integrity import append_footer, footer_of

CHUNK = 4 << 20  # bytes that are copied at once
MOST_STEPS = 64  # of a path through groups and links in a file, which may lead in a circle


@contextlib.contextmanager
def new_hdf5(path: Path, record: Mapping[str, Any] | None = None) -> Iterator[h5py.File]:
    """A new HDF5 file, which gets its name when the block ends well and leaves nothing when it does not.

    The library cannot close a file on a disk that is full or gone: it raises errors of several kinds and may crash when
    the process ends. So the file is made in memory where the system has files there, and is then copied to the disk.

    Parameters
    ----------
    path : Path
        Its folder is made if it is not there.
    record : mapping or None
        What the footer says of the file (`bench.integrity`), which the block may add to; None writes no footer.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written.
    """
    with atomic_write(path) as temporary, contextlib.ExitStack() as stack:
        memory = _file_in_memory()
        if memory is None:
            with h5py.File(temporary, "w", libver="v110") as file:
                yield file
            if record is not None:
                append_footer(temporary, record)
            return
        stack.enter_context(memory)
        place = f"/proc/self/fd/{memory.fileno()}"
        # the driver that takes a name which is no path; its bytes are those of the usual one
        with h5py.File(place, "w", driver="stdio", libver="v110") as file:
            yield file
        with open(temporary, "wb") as disk:  # buffered: a raw write may end early without an error
            shutil.copyfileobj(memory, disk, CHUNK)
            if record is not None:
                disk.write(footer_of(memory, record))


def layout_of(*datasets: h5py.Dataset) -> dict[str, list[Any]]:
    """Where the numbers of contiguous datasets lie in their file: by name the offset, the shape and the dtype.

    The offset of a dataset without elements is None.
    """
    for dataset in datasets:
        dataset.file.flush()  # until then the library may not have placed them
    return {
        dataset.name.lstrip("/"): [dataset.id.get_offset(), list(dataset.shape), dataset.dtype.str]
        for dataset in datasets
    }


class OtherFile(ValueError):
    """Raised where a name in a file leads to another file, or to a link that is not followed.

    Attributes
    ----------
    name : str
        The name in the file.
    is_link : bool
        Whether it is a link; False for a dataset whose numbers lie in other files.
    """

    def __init__(self, name: str, *, is_link: bool):
        reason = f"the data of `{name}` lie in other files, which are not read"
        super().__init__(f"`{name}` in it is a link, which is not followed" if is_link else reason)
        self.name, self.is_link = name, is_link


def own_dataset(file: h5py.File, name: str, *, follow_links: bool = True) -> h5py.Dataset | h5py.Group | None:
    """What lies under a name in a file that a user gives, as far as it is in this file; None where there is nothing.

    HDF5 can refer to other files: links, datasets whose numbers lie in raw files, and virtual datasets. A file that
    comes from elsewhere could so show any file that its reader may open.

    Parameters
    ----------
    follow_links : bool
        Whether links to other names of the same file are followed; False refuses them too.

    Raises
    ------
    OtherFile
        If another file would be read, or a link is not followed.
    """
    parts, found, steps = [part for part in name.split("/") if part], file["/"], 0
    place: list[str] = []
    while parts:
        part = parts.pop(0)
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
        steps += 1
        if link is None or steps > MOST_STEPS:
            return None
        if isinstance(link, h5py.ExternalLink) or (isinstance(link, h5py.SoftLink) and not follow_links):
            raise OtherFile(name, is_link=True)
        if isinstance(link, h5py.SoftLink):
            own = [*(() if link.path.startswith("/") else place), *link.path.split("/")]
            parts, found, place = [one for one in own if one not in ("", ".")] + parts, file["/"], []
            continue
        found = found[part]
        place.append(part)
    if isinstance(found, h5py.Dataset) and (found.is_virtual or found.external):
        raise OtherFile(name, is_link=False)
    return found


def own_array(file: h5py.File, name: str) -> h5py.Dataset:
    """The dataset of this name; no link is followed.

    Raises
    ------
    KeyError
        If there is none.
    OtherFile
        If it is a link, or lies in other files.
    """
    found = own_dataset(file, name, follow_links=False)
    if not isinstance(found, h5py.Dataset):
        raise KeyError(f"{name} is no dataset")
    return found


def own_arrays(file: h5py.File) -> Iterator[h5py.Dataset]:
    """The datasets at the root of a file; no link is followed.

    Raises
    ------
    OtherFile
        If a name there is a link, or a dataset lies in other files.
    """
    for name in file:
        found = own_dataset(file, name, follow_links=False)
        if isinstance(found, h5py.Dataset):
            yield found


def _file_in_memory() -> io.FileIO | None:
    """An empty file without a name; None where the system has none."""
    if not hasattr(os, "memfd_create") or not os.path.exists("/proc/self/fd"):
        return None
    try:
        return io.FileIO(os.memfd_create("hdf5"), "r")
    except OSError:
        return None
