"""From features of a slide's tiles to one vector of the slide, by the registry's slide encoders."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.embedding.claims import Claims
from bench.embedding.embedding import Embedding, origin, weights_of
from bench.embedding.errors import explained
from bench.embedding.job import EmbeddingJob
from bench.embedding.settings import silent
from bench.embedding.store import Stored, is_cached, read_features, read_places, sweep, write_features
from bench.embedding.times import StageTimes
from bench.embedding.times_log import read_times, write_times
from bench.integrity import remember_verified
from bench.progress import progress_bar
from registry.errors import UserError

if TYPE_CHECKING:
    from registry.extractor import SlideEncoder

OF_TILES = ("file", "grid", "slide", "skipped")  # attributes of a tile file that identify its slide vector


def encode(
    tiles: Embedding,
    job: EmbeddingJob[SlideEncoder],
    *,
    label: str = "",
    progress: bool = True,
    say: Callable[[str], None] = silent,
) -> Embedding:
    """Make the slide vectors that are not yet in the store, one file a slide with features [1, D].

    Those that another process makes meanwhile are waited for at the end.

    Parameters
    ----------
    tiles : Embedding
        Of the encoder's tile encoder; slides of which no tile could be read are left out.
    job : EmbeddingJob
        The source of its key is the digest of the tile features' key.
    label : str
        What the progress bar calls the dataset.
    say : callable
        Takes a line where another process is waited for.

    Returns
    -------
    Embedding
        With the tiles' `skipped` and `notes`, and the error of the slide encoder if it fails.
    """
    result = Embedding(skipped=tiles.skipped, notes=tiles.notes)
    claims = Claims(say, label)
    encoder: SlideEncoder | None = None
    paths: dict[Path, Path] = {}  # of vectors, by those of tile features
    sweep(job.folder)

    def make(file: Path) -> None:
        nonlocal encoder
        features, attributes = read_features(file)
        if not len(features):
            return
        path = job.folder / file.name
        wanted = {**job.key.attributes, **{k: attributes[k] for k in OF_TILES if k in attributes}}
        if claims.take(path, partial(is_cached, path, wanted)):
            encoder = encoder or job.load()
            _write(path, encoder, features, file, wanted)
            claims.release(path)
        paths[file] = path

    try:
        with claims, progress_bar(f"{label}: {job.key.model}", "slides", len(tiles.files), shown=progress) as bar:
            for file in tiles.files:
                make(file)
                bar.update()
            while claims.wait():
                for file in tiles.files:
                    make(file)
    except Exception as error:
        mend = "on a slide: set a lower tasks.NAME.tiling.max_tiles, or device=cpu"
        result.error = explained(job.key.model, error, mend)
    result.files = [path for path in paths.values() if not claims.is_aside(path)]
    remember_verified(job.folder)
    if result.files:
        own = weights_of(read_features(result.files[0])[1])
        notes = [*own["notes"], *tiles.weights.get("notes", [])]
        result.weights = {**own, "notes": notes, "tile_encoder": tiles.weights}
    return result


def _write(
    path: Path,
    encoder: SlideEncoder,
    features: Stored | np.ndarray,
    file: Path,
    attributes: Mapping[str, str | int | float],
) -> None:
    import torch

    began = time.perf_counter()
    coords, meaning = read_places(file)
    with torch.inference_mode():
        vector = encoder(
            torch.from_numpy(np.asarray(features, np.float32)),
            None if coords is None else torch.from_numpy(coords),
            float(meaning["patch_size_level0"]) if "patch_size_level0" in meaning else None,
        )
    found = vector.cpu().numpy()
    if not np.isfinite(found).all():
        raise UserError(
            f"{encoder.card.name} gives a vector that is not finite for the slide "
            f"{attributes.get('slide', file.stem)}: try precision=float32, and check the checkpoint."
        )
    write_features(path, found, {**attributes, **origin(encoder)})
    own = StageTimes(forward=time.perf_counter() - began)
    write_times(path, own + read_times(file))  # a slide vector cannot be made without its tiles' features
