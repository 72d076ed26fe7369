"""Restorers: filters, networks, and what is fitted to each tile."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import registry
from bench.frontends.base import FrontEnd, WeightSources
from registry.errors import UserError, near_match

if TYPE_CHECKING:
    from bench.frontends.restorers.plain import restore

__all__ = ["CLASSICAL", "NAMES", "restore", "restorer"]

# The module of this package that makes a restorer, with a function `restorer(name, settings, weights)`. It is imported
# when the restorer is wanted, so that a package which only one of them needs is not needed by the others.
_MODULES = {
    "bicubic": "classical",
    "unsharp": "classical",
    "median": "classical",
    "median5": "classical",
    "nlm": "classical",
    "wiener": "classical",
    "wiener2": "classical",
    "macenko": "stain",
    "reinhard": "stain",
    "siren": "siren",
    "lpfm": "registered",
    "lpfm2": "diffusion",
    "virtual_stain": "diffusion",
}

NAMES: tuple[str, ...] = tuple(_MODULES)
CLASSICAL = tuple(name for name, module in _MODULES.items() if module == "classical")
"""The filters: the best of them on a case is the baseline that other restorers are measured by."""


def restorer(name: str, settings: Mapping[str, Any] | None = None, weights: WeightSources | None = None) -> FrontEnd:
    """A restorer by its name.

    Parameters
    ----------
    name : str
        One of `NAMES`, or any other model of the registry whose network restores, ``NAME@random`` too.
    settings : mapping, optional
        Its settings by name; the others have their defaults.
    weights : WeightSources, optional
        Where weights are looked for.

    Raises
    ------
    UserError
        If there is no restorer of that name, or a setting is unknown or cannot have its value. Weights are looked for
        later, for its `identity` and when it is loaded.
    """
    module = _MODULES.get(name, "registered")
    if name not in _MODULES:
        _check_registered(name)
    made: FrontEnd = importlib.import_module(f"{__name__}.{module}").restorer(
        name, settings or {}, weights or WeightSources()
    )
    return made


def _check_registered(name: str) -> None:
    model = name.removesuffix(registry.RANDOM)
    if model not in registry.names() and not model.startswith(("timm:", "hf-hub:")):
        raise UserError(
            f"There is no restorer '{name}': the restorers are {', '.join(NAMES)}.{near_match(name, NAMES)}"
        )


def __getattr__(name: str) -> Any:
    """Import `restore`, and torch with it, when it is first wanted."""
    if name == "restore":
        return importlib.import_module(f"{__name__}.plain").restore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
