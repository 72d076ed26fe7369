"""A task on slides: every slide becomes a bag of tiles at the resolution that a model's authors mean."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from bench.embed import Embedding, read_features
from bench.files import digest
from bench.models import Model
from bench.precomputed import content, take_in
from bench.protocols import Bags, Samples
from bench.slide_units import Cut, SlideUnits, counted, file_name, slide_content
from bench.tasks import Manifest
from bench.tile_data import Pass, gathered

DEFAULT_MPP = 0.5  # for models whose authors mean none


class SlideData:
    """The slides of a manifest, of which every sample is one.

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
    ):
        frame = manifest.frame
        self.manifest = manifest
        self.content = digest([(slide.id, slide_content(slide, coords)) for slide in frame.itertuples()])
        self._cache, self._on_corrupt = cache, on_corrupt
        self._coords, self._features = coords, features
        self._previews = results / "previews" / manifest.task.name
        self._row = {file_name(name): row for row, name in enumerate(frame["id"])}

    def passes(self, models: list[Model]) -> list[Pass]:
        """One for each cut that the models want, and one for features that are given."""
        by_cut: dict[Cut, list[Model]] = {}
        for model in models:
            if model.sees_pixels:
                by_cut.setdefault(self._cut(model), []).append(model)
        found = [self._pass(cut, wanting) for cut, wanting in by_cut.items()]
        for model in models:
            if not model.sees_pixels:
                assert self._features is not None
                ids = self.manifest.frame["id"].tolist()
                given = partial(take_in, self._features, ids, on_corrupt=self._on_corrupt)
                key = {"features": str(self._features.absolute())}
                found.append(Pass([model], key, content(self._features, ids), given=given))
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

    def _cut(self, model: Model) -> Cut:
        wanted, tiling = (model.tile_encoder or model).card.preprocessing, self.manifest.task.tiling
        return Cut(tiling.size or wanted.tile_size, tiling.mpp or wanted.mpp or DEFAULT_MPP)

    def _pass(self, cut: Cut, models: list[Model]) -> Pass:
        units = SlideUnits(self.manifest, cut, self._cache, self._previews, self._on_corrupt, self._coords)
        return Pass(models, units.key, side=cut.size, units=units.make, pictures=units.pictures)
