"""The datasets of an HDF5 file whose bytes lie in the file: links to other files are not followed."""

from __future__ import annotations

from collections.abc import Iterator

import h5py


def own_datasets(file: h5py.File) -> Iterator[h5py.Dataset]:
    """The datasets at the root of a file.

    Raises
    ------
    ValueError
        If a name there is a link to another file or path, or a dataset lies in other files.
    """
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"`{name}` in it is a link, which is not followed")
        found = file[name]
        if isinstance(found, h5py.Dataset):
            yield own_dataset(file, name)


def own_dataset(file: h5py.File | h5py.Group, name: str) -> h5py.Dataset:
    """The dataset of this name.

    Raises
    ------
    KeyError
        If there is none.
    ValueError
        If it is a link to another file or path, or lies in other files.
    """
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"`{name}` in it is a link, which is not followed")
    found = file[name]
    if not isinstance(found, h5py.Dataset):
        raise KeyError(f"{name} is no dataset")
    if found.external is not None or found.is_virtual:
        raise ValueError(f"the data of `{name}` lie in other files, which are not read")
    return found
