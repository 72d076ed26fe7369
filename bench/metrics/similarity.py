"""How near features of corrupted or restored tiles are to those of the same tiles as they were."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

FIRST = (1, 10)  # how many of the nearest clean tiles are looked through for the own one
BLOCK = 2**22  # similarities that are held at once


def unit(features: Float[np.ndarray, "tile feature"]) -> Float[np.ndarray, "tile feature"]:
    """Features of length 1, float64; one of zeros stays."""
    values = np.asarray(features, np.float64)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), np.finfo(np.float64).tiny)


def cosines(
    features: Float[np.ndarray, "tile feature"], clean: Float[np.ndarray, "tile feature"]
) -> Float[np.ndarray, " tile"]:
    """Cosine of each feature and that of its clean tile, -1 to 1."""
    return np.clip(np.einsum("nd,nd->n", unit(features), unit(clean)), -1.0, 1.0)


def retrieved(
    features: Float[np.ndarray, "tile feature"], clean: Float[np.ndarray, "tile feature"]
) -> Float[np.ndarray, "tile first"]:
    """1 where the own clean tile is among the first 1, or 10, of all clean tiles by cosine, and 0 elsewhere.

    Cosine alone rewards an encoder that gives all tiles nearly one feature, and this does not (PLISM, arXiv
    2501.16239). Clean tiles that are as near as the own one count as nearer, so that such an encoder retrieves nothing.
    """
    ours, theirs = unit(features), unit(clean)
    out = np.empty((len(ours), len(FIRST)))
    rows = max(1, BLOCK // max(1, len(theirs)))
    for start in range(0, len(ours), rows):
        near = ours[start : start + rows] @ theirs.T
        at = np.arange(len(near))
        own = near[at, start + at].copy()
        near[at, start + at] = -np.inf
        nearer = (near >= own[:, None]).sum(axis=1)
        out[start : start + rows] = nearer[:, None] < np.array(FIRST)
    return out
