"""Benchmarks of pathology foundation models: on the command line (``python -m bench``) and from Python.

>>> import bench
>>> found = bench.evaluate("uni", "tiles", data="/my/tiles")  # doctest: +SKIP
>>> found.leaderboard                                          # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.api import Features, Results, embed, evaluate, leaderboard, open_features
    from registry.errors import UserError

__all__ = ["Features", "Results", "UserError", "embed", "evaluate", "leaderboard", "open_features"]


def __getattr__(name: str) -> Any:
    if name == "UserError":
        return importlib.import_module("registry.errors").UserError
    if name in __all__:
        return getattr(importlib.import_module("bench.api"), name)
    raise AttributeError(f"module 'bench' has no attribute '{name}'")
