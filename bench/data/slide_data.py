"""A cohort of slides: every slide, or all slides of a patient, are a bag of tiles at the scale that a model wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.data.cohort import EmbeddingPlan, Model, Part, PixelPlan, gathered
from bench.data.grid_cache import slide_content
from bench.data.laying import Laying
from bench.data.precomputed import PrecomputedPlan
from bench.data.slide_units import MPP_DEFAULT, SlideUnits, TileSpec, counted, file_name
from bench.data.stacked import Stacked
from bench.embedding import Embedding, Shard, read_features, read_places, read_tokens, tokens_path
from bench.files import digest
from bench.files import file_name as folder_name
from bench.protocols import Bags, Samples
from bench.slides import Scratch
from bench.tasks import Manifest, SampleLevel
from registry.errors import first_few

DEFAULT_MPP = 0.5  # for models whose authors mean none


class SlideCohort:
    """The slides of a manifest, each of them a sample, or all of a patient together.

    Parameters
    ----------
    manifest : Manifest
        Its `slides` have ``mpp`` (NaN where the slide's own is used) and ``mask`` ("" where tissue is to be found).
    cache : Path
        Grids are cached in it.
    results : Path or None
        Previews for people are written to it; None draws none.
    on_corrupt : {"error", "skip"}
        Whether a slide that cannot be read stops the run or is left out.
    coords, features : Path or None
        Folders of CLAM's or TRIDENT's coordinates, which are taken instead of a grid, and of their features.
    progress : bool
        Whether progress bars are shown.
    scratch : Scratch or None
        Where slides are copied before their tiles are read.
    """

    def __init__(
        self,
        manifest: Manifest,
        cache: Path,
        results: Path | None,
        on_corrupt: str,
        coords: Path | None = None,
        features: Path | None = None,
        progress: bool = True,
        scratch: Scratch | None = None,
    ):
        slides = manifest.slides
        self.manifest = manifest
        self.noun = f"{manifest.task.unit.value}s"
        self.content = digest(
            [(slide.id, slide_content(slide, coords, manifest.task.mpp_default)) for slide in slides.itertuples()]
        )
        self._cache, self._on_corrupt, self._progress = cache, on_corrupt, progress
        self._coords, self._features, self._scratch = coords, features, scratch
        self._previews = results / "previews" / folder_name(manifest.task.name) if results else None
        self._slide = {file_name(name): name for name in slides["id"]}
        self._sample = dict(zip(slides["id"], slides["sample"], strict=True))
        self._row = {name: row for row, name in enumerate(manifest.frame["id"])}

    def plans(self, models: Sequence[Model]) -> list[EmbeddingPlan]:
        """One for each size and mpp of tiles that the models want, and one for precomputed features."""
        by_spec: dict[TileSpec, list[Model]] = {}
        for model in models:
            if model.sees_pixels:
                by_spec.setdefault(self._spec(model), []).append(model)
        found: list[EmbeddingPlan] = [self._plan(spec, wanting) for spec, wanting in by_spec.items()]
        ids = self.manifest.slides["id"].tolist()
        if self._features is not None:
            precomputed = [model for model in models if not model.sees_pixels]
            found += [PrecomputedPlan([model], self._features, ids, self._on_corrupt) for model in precomputed]
        return found

    def bags(self, embedding: Embedding) -> Bags:
        """All samples that have tiles that could be read; the slides of a patient one after another."""
        found = self._of_samples(embedding, lambda file: read_features(file)[0])
        bags = gathered(self.manifest, np.array([self._row[sample] for sample in found]), [*found.values()], Bags)
        if self.manifest.task.unit is SampleLevel.slide:
            return bags
        return replace(
            bags, ends=[own.ends if isinstance(own, Stacked) else np.array([len(own)]) for own in bags.features]
        )

    def samples(self, embedding: Embedding) -> Samples:
        """The same samples, each the mean over all its tiles, or over the vectors of its slides."""
        return self.bags(embedding).pooled()

    def tokens(self, embedding: Embedding) -> Sequence[Any]:
        """Of each sample the tokens of its tiles, [N, T, C]."""
        return [*self._of_samples(embedding, lambda file: read_tokens(tokens_path(file))[0]).values()]

    def notes(self, embedding: Embedding) -> list[str]:
        """What a reader of the rows must know of slides and tiles that were left out."""
        notes = [*embedding.notes, *self._default_mpp(embedding)]
        if embedding.skipped:
            names = [self._slide[name] for name in embedding.skipped]
            notes.append(
                f"{counted(sum(embedding.skipped.values()), 'tile')} that cannot be read left out, of "
                f"{counted(len(names), 'slide')}: {', '.join(names)}"
            )
        return notes

    def _default_mpp(self, embedding: Embedding) -> list[str]:
        """That the resolution of some slides is the task's default, and which slides these are."""
        default, name = self.manifest.task.mpp_default, self.manifest.task.name
        if default is None:
            return []
        setting = f"tasks.{name}.mpp_default={default:g}"
        places = {slide: read_places(file)[1] for slide, file in self.feature_files(embedding).items()}
        if not all(places.values()):  # vectors of slide encoders
            return [f"slides without a resolution are taken at {setting}"]
        slides = sorted(slide for slide, meaning in places.items() if meaning.get("mpp_source") == MPP_DEFAULT)
        named = f"{counted(len(slides), 'slide')} without a resolution taken at {setting}: {first_few(slides)}"
        return [named] if slides else []

    def slide_names(self) -> Mapping[str, Sequence[str]]:
        """The slides of each patient; nothing where every slide is a sample."""
        if self.manifest.task.unit is SampleLevel.slide:
            return {}
        found: dict[str, list[str]] = {}
        for slide, sample in self._sample.items():
            found.setdefault(sample, []).append(slide)
        return found

    def slides_of(self, embedding: Embedding, sample: str) -> Mapping[str, Path]:
        """Feature files of the slides of a sample that have tiles, in the order of its bag."""
        own = {name: file for name, file in self.feature_files(embedding).items() if self._sample[name] == sample}
        return {name: file for name, file in own.items() if len(read_features(file)[0])}

    def feature_files(self, embedding: Embedding) -> Mapping[str, Path]:
        """Feature file of each slide that could be read, by its id."""
        return {self._slide[file.stem]: file for file in embedding.files}

    def _of_samples(self, embedding: Embedding, read: Callable[[Path], Any]) -> dict[str, Any]:
        """What is read of the slides by sample, those of a patient one after another; none of slides without tiles."""
        parts: dict[str, list[Any]] = {}
        for file in embedding.files:
            found = read(file)
            if len(found):
                parts.setdefault(self._sample[self._slide[file.stem]], []).append(found)
        return {sample: own[0] if len(own) == 1 else Stacked(own) for sample, own in parts.items()}

    def _spec(self, model: Model) -> TileSpec:
        wanted, tiling = model.tile_card.preprocessing, self.manifest.task.tiling
        return TileSpec(tiling.size or wanted.tile_size, tiling.mpp or wanted.mpp or DEFAULT_MPP)

    def _plan(self, spec: TileSpec, models: Sequence[Model]) -> PixelPlan:
        units = SlideUnits(
            self.manifest, spec, self._cache, self._previews, self._on_corrupt, self._coords, self._scratch
        )

        def make(part: Part) -> tuple[Iterable[Shard], list[str]]:
            laying = Laying(units, part, progress=self._progress)
            return laying, laying.notes

        return PixelPlan(models, units.source, spec.size, make, units.known, units.pictures)
