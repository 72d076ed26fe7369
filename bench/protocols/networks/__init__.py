"""The networks of the multiple-instance heads, one file each, with its `Settings`.

A file of this folder that has `Settings` is a network, and its name is the network's. `Settings` derives from
`bench.protocols.networks.base.NetworkSettings`: its fields are all that a user may set, and its `build` makes the
network. No list names the networks elsewhere.
"""

from __future__ import annotations

import importlib
import pkgutil

from bench.protocols.networks.base import NetworkSettings
from registry.errors import UserError

__all__ = ["NetworkSettings", "get", "names"]


def names() -> list[str]:
    """Names of all networks."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if _settings(m.name) is not None)


def get(name: str | None) -> type[NetworkSettings]:
    """The settings of a network.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    settings = _settings(str(name)) if name in names() else None
    if settings is None:
        own = "null" if name is None else name
        raise UserError(f"network={own} of the abmil head is unknown: it must be {' or '.join(names())}.")
    return settings


def _settings(name: str) -> type[NetworkSettings] | None:
    return getattr(importlib.import_module(f"{__name__}.{name}"), "Settings", None)
