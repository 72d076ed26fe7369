"""What a model is: cards of pathology foundation models, and their loading by the authors' recipe.

>>> import registry
>>> registry.names()                                    # doctest: +SKIP
>>> model = registry.load("uni", checkpoint="uni.bin")  # doctest: +SKIP
>>> features = model(tiles)                             # uint8 [B, 3, H, W] -> float32 [B, D]  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import _torchvision
from .card import ModelCard
from .catalogue import RANDOM, add, card, load_plugins, names
from .errors import UserError

if TYPE_CHECKING:
    from .cost import gmacs
    from .identity import fingerprint
    from .loading import load
    from .precision import full_float32, native_bfloat16, repeatable_float32, resolve_precision
    from .restoring import check_restores
    from .tokens import check_tokens

__all__ = [
    "RANDOM",
    "ModelCard",
    "UserError",
    "add",
    "card",
    "check_restores",
    "check_tokens",
    "fingerprint",
    "full_float32",
    "gmacs",
    "load",
    "load_plugins",
    "names",
    "native_bfloat16",
    "repeatable_float32",
    "resolve_precision",
]

_LATER = {
    "check_restores": ".restoring",
    "check_tokens": ".tokens",
    "fingerprint": ".identity",
    "full_float32": ".precision",
    "gmacs": ".cost",
    "load": ".loading",
    "native_bfloat16": ".precision",
    "repeatable_float32": ".precision",
    "resolve_precision": ".precision",
}

_torchvision.install()

if not TYPE_CHECKING:  # a type checker would take every misspelt name for one of these

    def __getattr__(name: str) -> Any:
        """Import what needs torch, and torch with it, when it is first wanted."""
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_LATER[name], __name__), name)

    def __dir__() -> list[str]:
        return __all__
