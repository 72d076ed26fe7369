"""Benchmarks of pathology foundation models: on the command line (``python -m bench``) and from Python.

>>> import bench
>>> found = bench.evaluate("uni", "tiles", data="/my/tiles")  # doctest: +SKIP
>>> found.leaderboard                                          # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import Features, Results, embed, evaluate, leaderboard, open_features
    from registry.errors import UserError

# HDF5 locks each file that it opens, which fails on NFS without a lock service and on Lustre mounted without flock. The
# locks protect nothing here, as files are written under temporary names and renamed. HDF5 reads the variable once, when
# h5py is first imported, and every module that imports h5py lies in this package.
os.environ.setdefault("HDF5_USE_FILE_LOCKING", "FALSE")

__all__ = ["Features", "Results", "UserError", "embed", "evaluate", "leaderboard", "open_features"]


def __getattr__(name: str) -> Any:
    if name == "UserError":
        return importlib.import_module("registry.errors").UserError
    if name in __all__:
        return getattr(importlib.import_module("bench.api"), name)
    raise AttributeError(f"module 'bench' has no attribute '{name}'")
