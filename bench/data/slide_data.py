"""A cohort of slides: every slide becomes a bag of tiles at the resolution that a model's authors mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.data.cohort import EmbeddingPlan, Model, PixelPlan, gathered
from bench.data.precomputed import GivenPlan
from bench.data.slide_units import SlideUnits, TileSpec, counted, file_name, slide_content
from bench.embedding import Embedding, read_features
from bench.files import digest
from bench.protocols import Bags, Samples
from bench.tasks import Manifest

DEFAULT_MPP = 0.5  # for models whose authors mean none


class SlideCohort:
    """The slides of a manifest.

    Parameters
    ----------
    manifest : Manifest
        With the columns ``mpp`` (NaN where the slide is to say) and ``mask`` ("" where tissue is to be found).
    cache, results : Path
        Grids are kept in the one, previews for people written to the other.
    on_corrupt : {"error", "skip"}
        Whether a slide that cannot be read stops the run or is left out.
    coords, features : Path or None
        Folders of CLAM's or TRIDENT's coordinates, which are taken instead of a grid, and of their features.
    progress : bool
        Whether progress bars are shown.
    """

    noun = "slides"

    def __init__(
        self,
        manifest: Manifest,
        cache: Path,
        results: Path,
        on_corrupt: str,
        coords: Path | None = None,
        features: Path | None = None,
        progress: bool = True,
    ):
        frame = manifest.frame
        self.manifest = manifest
        self.content = digest([(slide.id, slide_content(slide, coords)) for slide in frame.itertuples()])
        self._cache, self._on_corrupt, self._progress = cache, on_corrupt, progress
        self._coords, self._features = coords, features
        self._previews = results / "previews" / manifest.task.name
        self._row = {file_name(name): row for row, name in enumerate(frame["id"])}

    def plans(self, models: Sequence[Model]) -> list[EmbeddingPlan]:
        """One for each size and mpp of tiles that the models want, and one for features that a user gives."""
        by_spec: dict[TileSpec, list[Model]] = {}
        for model in models:
            if model.sees_pixels:
                by_spec.setdefault(self._spec(model), []).append(model)
        found: list[EmbeddingPlan] = [self._plan(spec, wanting) for spec, wanting in by_spec.items()]
        ids = self.manifest.frame["id"].tolist()
        if self._features is not None:
            given = [model for model in models if not model.sees_pixels]
            found += [GivenPlan([model], self._features, ids, self._on_corrupt) for model in given]
        return found

    def bags(self, embedding: Embedding) -> Bags:
        """All slides that have tiles that could be read, each a bag of them."""
        files = {file.stem: read_features(file)[0] for file in embedding.files}
        full = {name: features for name, features in files.items() if len(features)}
        rows = np.array([self._row[name] for name in full])
        return gathered(self.manifest, rows, list(full.values()), Bags)

    def samples(self, embedding: Embedding) -> Samples:
        """The same slides, each the mean of its tiles."""
        return self.bags(embedding).pooled()

    def notes(self, embedding: Embedding) -> list[str]:
        """What a reader of the rows must know of slides and tiles that were left out."""
        notes = list(embedding.notes)
        if embedding.skipped:
            names = [self.manifest.frame["id"].iloc[self._row[name]] for name in embedding.skipped]
            notes.append(
                f"{counted(sum(embedding.skipped.values()), 'tile')} that cannot be read left out, of "
                f"{counted(len(names), 'slide')}: {', '.join(names)}"
            )
        return notes

    def slides_of(self, embedding: Embedding, sample: str) -> Mapping[str, Path]:
        """The slide itself."""
        own = [file for file in embedding.files if file.stem == file_name(sample)]
        return {sample: own[0]} if own else {}

    def _spec(self, model: Model) -> TileSpec:
        wanted, tiling = model.tile_card.preprocessing, self.manifest.task.tiling
        return TileSpec(tiling.size or wanted.tile_size, tiling.mpp or wanted.mpp or DEFAULT_MPP)

    def _plan(self, spec: TileSpec, models: Sequence[Model]) -> PixelPlan:
        units = SlideUnits(
            self.manifest, spec, self._cache, self._previews, self._on_corrupt, self._coords, self._progress
        )
        return PixelPlan(models, units.source, spec.size, units.make, units.known, units.pictures)
