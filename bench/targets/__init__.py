"""What can be predicted of a sample: one file a target type, each an object found by its name.

A module of this package that names a `TARGET` adds a target type; a plugin or a test adds one with `register`. Nothing
is imported before the first name is looked up.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil

from bench.targets.base import TargetType, TaskSettings
from bench.targets.measurements import RESTORATION, ROBUSTNESS, UNTOUCHED, Measurements
from registry.errors import UserError, near_match

__all__ = [
    "RESTORATION",
    "ROBUSTNESS",
    "UNTOUCHED",
    "Measurements",
    "TargetType",
    "TaskSettings",
    "get",
    "is_built_in",
    "names",
    "register",
    "unregister",
]

_registered: dict[str, TargetType] = {}


def names() -> list[str]:
    """Names of all target types, sorted."""
    return sorted(_every())


def get(name: str) -> TargetType:
    """The target type of this name.

    Raises
    ------
    UserError
        If there is none; the sentence names the nearest.
    """
    every = _every()
    if name not in every:
        offered = sorted(other for other, target in every.items() if not isinstance(target, Measurements))
        raise UserError(
            f"There is no kind of target {name}: choose one of {', '.join(offered)}.{near_match(name, offered)}"
        )
    return every[name]


def is_built_in(name: str) -> bool:
    """Whether a target type of this name is one of this package, and not of a plugin."""
    return name in _own() and name not in _registered


def register(target: TargetType) -> None:
    """Add a target type.

    Raises
    ------
    ValueError
        If another has its name.
    """
    if _every().get(target.name, target) is not target:
        raise ValueError(f"There is already a target type {target.name}.")
    _registered[target.name] = target


def unregister(name: str) -> None:
    """Take back what `register` added."""
    del _registered[name]


def _every() -> dict[str, TargetType]:
    return _own() | _registered


@functools.cache
def _own() -> dict[str, TargetType]:
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    own = (module.TARGET for module in modules if hasattr(module, "TARGET"))
    return {target.name: target for target in own}
