"""Ids and groups as hashes with a salt: the same name has the same hash wherever it stands, so pairing survives."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac

import numpy as np
from jaxtyping import Shaped

from bench.rows import SavedPredictions
from registry.errors import UserError

FEWEST_CHARACTERS = 16  # of a salt; ids are often short numbers, which a shorter salt would not hide
DIGITS = 16  # of a hash, hexadecimal


class Pseudonyms:
    """Names of samples and groups, replaced.

    Parameters
    ----------
    salt : str
        Of 16 characters or more. Whoever has it and the names can tell which hash is of which name.

    Raises
    ------
    UserError
        If the salt is too short.
    """

    def __init__(self, salt: str) -> None:
        if len(salt) < FEWEST_CHARACTERS:
            raise UserError(
                f"salt= has {len(salt)} characters and must have {FEWEST_CHARACTERS} or more, as short ids could be "
                "found by trying them all: take the output of `openssl rand -hex 16` and keep it."
            )
        self._salt = salt.encode(errors="surrogatepass")

    def of(self, name: str) -> str:
        """The hash of a name."""
        return hmac.new(self._salt, name.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:DIGITS]

    def of_all(self, names: Shaped[np.ndarray, " sample"]) -> Shaped[np.ndarray, " sample"]:
        """The hash of each name; different names have different hashes.

        Raises
        ------
        UserError
            If two names have one hash.
        """
        distinct, place = np.unique(names, return_inverse=True)
        hashes = np.array([self.of(str(name)) for name in distinct.tolist()], str)
        if len(np.unique(hashes)) < len(distinct):
            raise UserError("Two ids have the same hash with this salt: take another salt.")
        return hashes[place]


def hashed(saved: SavedPredictions, pseudonyms: Pseudonyms) -> SavedPredictions:
    """The predictions with hashes for ids and groups.

    Groups stand in the order of their names, which the intervals of many groups rest on (`in_order_of_groups`), and
    the samples of a group in the order of their hashes.
    """
    ids, groups = pseudonyms.of_all(saved.ids), pseudonyms.of_all(saved.groups)
    order = np.lexsort((ids, saved.groups))
    return dataclasses.replace(
        saved,
        ids=ids[order],
        groups=groups[order],
        y_true=saved.y_true[order],
        scores=saved.scores[order],
        calibrated=None if saved.calibrated is None else saved.calibrated[order],
    )


def in_order_of_groups(groups: Shaped[np.ndarray, " sample"]) -> Shaped[np.ndarray, " sample"]:
    """Names of groups that sort as the groups first stand here: those of hashed predictions as before the hashing."""
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return np.char.zfill(rank[place].astype(str), 9)
