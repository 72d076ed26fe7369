"""One module a storage format: ``read(task, root, cache) -> Table``, and ``OPTIONS``, the names it looks up in options.

`root` is what the user set as ``data`` (or None), `cache` a folder that a reader may write to. A reader says what the
files say; `bench.tasks.manifest` checks it, draws what split is missing and leaves out what the task leaves out.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

from registry.errors import UserError, near_match

if TYPE_CHECKING:
    import pandas as pd

IMAGE_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp"})
HDF5_SUFFIXES = frozenset({".h5", ".hdf5"})


@dataclass
class Table:
    """What a reader found.

    Attributes
    ----------
    frame : DataFrame
        Text columns ``path`` (absolute) and ``label`` (or the task's ``targets``), and where known ``id``, ``index``
        (row of an HDF5 file, -1 for an image), ``group``, ``split`` or ``fold`` and anything else a tile is described
        by.
    origin : str
        The folder or file read, for messages.
    notes : list of str
    """

    frame: pd.DataFrame
    origin: str
    notes: list[str] = field(default_factory=list)


def get(name: str) -> ModuleType:
    """The reader's module."""
    known = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if name not in known:
        raise UserError(
            f"No reader is called {name}: the storage formats are {', '.join(known)}.{near_match(name, known)}"
        )
    return importlib.import_module(f"{__name__}.{name}")
