"""Features that a user has already: CLAM's and TRIDENT's files, taken into the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.cohort import ALL, Known, Part, in_part
from bench.data.laying import SHOWN
from bench.data.slide_units import counted, file_name
from bench.embedding import (
    Embedding,
    EmbeddingJob,
    EmbeddingSettings,
    FeatureKey,
    is_cached,
    read_features,
    write_features,
)
from bench.files import digest, stamp
from bench.integrity import remember_verified
from bench.slides import find_bag, read_bag
from registry.errors import UserError


@dataclass(frozen=True)
class PrecomputedPlan:
    """Features of slides that need no embedding.

    Attributes
    ----------
    models : sequence of one model
        The model `precomputed`, under whose name these features are in the tables.
    folder : Path
        Of CLAM's or TRIDENT's feature files.
    slides : sequence of str
        Their ids.
    on_corrupt : {"error", "skip"}
        Whether a slide without usable features is an error or is left out.
    """

    models: Sequence[Any]
    folder: Path
    slides: Sequence[str]
    on_corrupt: str
    tile_size: int = field(default=0, init=False)
    pictures: Path | None = field(default=None, init=False)

    @property
    def source(self) -> str:
        return str(self.folder.absolute())

    @cached_property
    def content(self) -> str:
        return content(self.folder, self.slides)

    def known(self) -> Known:
        return Known()

    def run(
        self, jobs: Sequence[EmbeddingJob[Any]], how: EmbeddingSettings, *, label: str, part: Part = ALL
    ) -> dict[FeatureKey, Embedding]:
        slides = in_part(self.slides, part)
        return {job.key: take_in(self.folder, slides, job, on_corrupt=self.on_corrupt) for job in jobs}


def content(folder: Path, slides: Sequence[str]) -> str:
    """Digest of name, size and modification time of the slides' files."""
    return digest([(slide, _stamp(folder, slide)) for slide in slides])


def take_in(folder: Path, slides: Sequence[str], job: EmbeddingJob[Any], *, on_corrupt: str) -> Embedding:
    """Copy the slides' features to the store's format, where they are mapped and not read again and again.

    Parameters
    ----------
    folder : Path
        Of CLAM or TRIDENT, see `bench.slides.read_bag`.
    slides : sequence of str
        Their ids.
    job : EmbeddingJob
        Says where to and with which attributes; nothing is loaded.
    on_corrupt : {"error", "skip"}
        Whether a slide without usable features is an error or is left out.

    Returns
    -------
    Embedding
        With an error if slides lack features, or their features differ in width.

    Raises
    ------
    UserError
        If the disk is full or the store cannot be written.
    """
    taken = Embedding()
    wrong: dict[str, str] = {}
    widths: dict[int, str] = {}
    for slide in slides:
        path = job.path(file_name(slide))
        try:
            source = stamp(find_bag(folder, slide))
            attributes = {**job.key.attributes, "file": source, "slide": slide, "skipped": "[]"}
            bag = None if is_cached(path, attributes) else _checked(folder, slide)
        except UserError as error:
            wrong[slide] = str(error)
            continue
        if bag is not None:
            features, coords, meaning = bag
            write_features(path, features, attributes, coords, meaning if coords is not None else None)
        widths.setdefault(read_features(path)[0].shape[1], slide)
        taken.files.append(path)
    remember_verified(job.folder)
    if wrong and (on_corrupt != "skip" or not taken.files):
        sentences = list(dict.fromkeys(wrong.values()))  # of a folder that is not there they are one
        more = [f"{len(sentences) - SHOWN} more slides have none either."] if len(sentences) > SHOWN else []
        taken.error = UserError("\n".join([*sentences[:SHOWN], *more]))
    elif len(widths) > 1:
        named = ", ".join(f"{slide} {width}" for width, slide in widths.items())
        taken.error = UserError(f"The features in {folder} are of several widths ({named}): take those of one model.")
    elif wrong:
        taken.notes.append(f"{counted(len(wrong), 'slide')} without usable features left out: {', '.join(wrong)}")
    return taken


def _checked(folder: Path, slide: str) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]]:
    features, coords, meaning = read_bag(folder, slide)
    if not len(features):
        raise UserError(f"The features of the slide {slide} in {folder} are of no tile: make them again.")
    if not np.isfinite(features).all():
        raise UserError(f"The features of the slide {slide} in {folder} are not all finite numbers: make them again.")
    return features, coords, meaning


def _stamp(folder: Path, slide: str) -> str:
    try:
        return stamp(find_bag(folder, slide))
    except UserError:
        return ""
