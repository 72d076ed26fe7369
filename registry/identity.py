"""Which weights a model would be loaded with, without loading it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .catalogue import find
from .checkpoint import sha256
from .source import Source
from .weights import locate


def fingerprint(
    name: str,
    checkpoint: str | Path | None = None,
    *,
    weights_dir: str | Path | None = None,
    revision: str | None = None,
    offline: bool = False,
    token: str | None = None,
) -> str:
    """What identifies the values of the weights, for the key of a cache.

    Parameters
    ----------
    name, checkpoint, weights_dir, revision, offline, token
        As for `registry.load`; a file that is only on the hub is downloaded.

    Returns
    -------
    str
        The sha256 that `registry.load` records; ``"random"`` or ``"none"`` for a model that takes no weight file.

    Raises
    ------
    UserError
        If the model is unknown, or its weights are not there or gated.
    """
    source = Source(checkpoint=checkpoint, weights_dir=weights_dir, revision=revision, offline=offline, token=token)
    card = find(name, None, source)
    if card.weights.layout in ("random", "none"):
        return card.weights.layout
    return of_files({file: sha256(path) for file, path in locate(card, source).files.items()})


def of_files(hashes: dict[str, str]) -> str:
    """One sha256 for a model's files: its own where it is one, that of their hashes in the order of names otherwise."""
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    return hashlib.sha256("\n".join(hashes[name] for name in sorted(hashes)).encode()).hexdigest()
