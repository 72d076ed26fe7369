"""Which models restore images, found out without reading their weights."""

from __future__ import annotations

import torch

from .build import build, named_function
from .card import ModelCard
from .errors import UserError
from .outside import REMOTE

REFUSAL = "gives features and restores no images; use lpfm"


def check_restores(card: ModelCard) -> None:
    """Find out before its weights are read whether a model restores images.

    Raises
    ------
    UserError
        If it restores none.
    """
    if not _restores(card):
        raise UserError(f"{card.name} {REFUSAL}")


def _restores(card: ModelCard) -> bool:
    """Whether the network has a method `restore`; a class is looked at as it is, what a function builds is built."""
    builder = card.architecture.builder
    if card.unit == "slide" or builder == REMOTE or builder.startswith("timm:"):
        return False
    made = named_function(builder)
    if isinstance(made, type):
        return callable(getattr(made, "restore", None))
    try:
        with torch.device("meta"):
            return callable(getattr(build(card.architecture), "restore", None))
    except Exception:  # a builder of a plugin that needs real numbers: its network answers when it is loaded
        return True
