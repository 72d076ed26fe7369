"""The result of embedding: the files of features, what was left out of them, and how they were made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from bench.embedding.store import read_features
from bench.embedding.times import StageTimes
from bench.embedding.times_log import times_of
from bench.embedding.token_store import grid_of, read_tokens, tokens_path
from bench.integrity import remember_verified
from registry.errors import UserError

if TYPE_CHECKING:
    from bench.embedding.job import EmbeddingJob, Shard
    from registry.extractor import FeatureExtractor, SlideEncoder


@dataclass
class Embedding:
    """The result of a job.

    Attributes
    ----------
    files : list of Path
        One a shard, in their order.
    rows : int64 [N]
        Positions, counted over all shards, of the tiles that could be read.
    skipped : dict of str to int
        Tiles that could not be read, by shard.
    notes : list of str
        Notes for the rows on shards that were left out.
    weights : dict
        sha256, commit and notes of the weights that the features were made with, and for slide vectors, as
        `tile_encoder`, those of their tiles' features; empty if they were precomputed.
    error : Exception or None
        Why features are missing; files that were written before it stay valid.
    """

    files: list[Path] = field(default_factory=list)
    rows: Int[np.ndarray, " tile"] = field(default_factory=lambda: np.zeros(0, np.int64))
    skipped: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    weights: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None

    def features(self) -> Float[np.ndarray, "tile feature"]:
        """All features as float32 [N, D]."""
        return np.concatenate([np.asarray(read_features(file)[0], dtype=np.float32) for file in self.files])

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches of the tiles, where tokens are stored.

        Raises
        ------
        UserError
            If shards differ in it, as they do where their tiles differ in size and the model takes them as they are.
        """
        found = {
            grid_of(attributes)
            for tokens, attributes in (read_tokens(tokens_path(file)) for file in self.files)
            if len(tokens)
        }
        if len(found) != 1:
            grids = " and ".join(f"{rows} x {columns}" for rows, columns in sorted(found))
            raise UserError(f"The tiles differ in size, and so in patches ({grids}): take tiles of one size.")
        return found.pop()

    @cached_property
    def times(self) -> StageTimes:
        """What the stages took to make the features; zero if nothing recorded it."""
        return times_of(self.files)

    @property
    def seconds(self) -> float:
        """What the features took, the waiting for tiles included; 0 if nothing recorded it."""
        return self.times.seconds

    @property
    def tiles_per_s(self) -> float | None:
        """Rate at which the features were made, the waiting for tiles included; None if nothing recorded it."""
        return self.times.tiles_per_s


@cache
def _versions() -> str:
    return json.dumps({package: version(package) for package in ("pfmbench", "torch", "timm")})


def origin(model: FeatureExtractor | SlideEncoder) -> dict[str, str]:
    """Attributes that say with what a file was made and cannot be known before the model is loaded."""
    return {
        "weights_commit": model.weights.commit or "",
        "weights_notes": json.dumps(model.weights.notes),
        "versions": _versions(),
    }


def weights_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What a feature file says of the weights that it was made with."""
    return {
        "sha256": attributes.get("key_weights", ""),
        "commit": attributes["weights_commit"],
        "notes": json.loads(attributes["weights_notes"]),
    }


def gather(job: EmbeddingJob[Any], shards: Sequence[Shard], on_corrupt: str) -> Embedding:
    """The features of all shards, which are in the store; tiles that were left out are an error or are counted."""
    found = Embedding()
    rows, offset = [found.rows], 0
    for shard in shards:
        path = job.path(shard.name)
        attributes = read_features(path)[1]
        skipped = json.loads(attributes["skipped"])
        found.weights = weights_of(attributes)
        if skipped and on_corrupt != "skip":
            first = f"position {offset + skipped[0]}"
            if shard.coords is not None:
                first = "level-0 pixel ({}, {})".format(*shard.coords[skipped[0]])
            found.error = UserError(
                f"{len(skipped)} tile{'' if len(skipped) == 1 else 's'} of {shard.attributes.get('slide', shard.name)} "
                f"could not be read when they were embedded, the first at {first}: mend or remove them, or set "
                "on_corrupt=skip to leave such tiles out."
            )
            return found
        if skipped:
            found.skipped[shard.name] = len(skipped)
        rows.append(offset + np.setdiff1d(np.arange(len(shard.tiles)), skipped))
        offset += len(shard.tiles)
        found.files.append(path)
    found.rows = np.concatenate(rows)
    remember_verified(job.folder)
    if halved := found.times.halved:
        tiles = f"{halved} tile{'' if halved == 1 else 's'}"
        found.notes.append(f"GPU memory ran out: features were made with batches halved to {tiles}")
    if shards and not len(found.rows):
        found.error = UserError("None of the tiles can be read: check the data folder.")
    return found
