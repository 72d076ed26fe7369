"""Slides as bags of tile features that stay on disk until they are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Int, Shaped

from bench.protocols.base import Acquisition, Samples
from registry.errors import UserError


class Tiles(Protocol):
    """Features [T, D] of a slide's tiles: an array, or what is on disk and read when it is indexed."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...

    def __array__(self) -> np.ndarray: ...


@dataclass(frozen=True)
class Bags:
    """The labelled bags of one side of a split.

    Attributes
    ----------
    ids, groups : str arrays [S]
        Identity of each slide, and the unit (patient) that must not be split.
    features : one [T_s, D] a slide
        Float16 or float32: a bag is read when it is used.
    labels, classes, kind, metric, acquisition
        As in `Samples`, one row a slide.
    ends : one int array a bag, or ()
        Of bags of patients, the row after the last tile of each of their slides; () where a bag is one slide.
    """

    ids: np.ndarray
    groups: np.ndarray
    features: Sequence[Tiles]
    labels: Shaped[np.ndarray, "slide ..."]
    classes: tuple[str, ...] = ()
    kind: str = "classes"
    metric: str = ""
    acquisition: Acquisition = field(default_factory=dict)
    ends: Sequence[Int[np.ndarray, " part"]] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dim(self) -> int:
        return int(self.features[0].shape[1])

    def table(self) -> Samples:
        """The slides without their features."""
        return self._samples(np.empty((len(self), 0)))

    def pooled(self, pool: str = "mean") -> Samples:
        """One float32 vector a bag: the "mean" or "max" over its tiles, or with "mean_of_slides" the mean over its
        slides of the mean over the tiles of each.

        Raises
        ------
        UserError
            As `read`.
        """
        vectors = []
        for slide in range(len(self)):
            x = self.read(slide)
            if pool == "mean_of_slides" and self.ends:
                starts = np.append(0, self.ends[slide][:-1])
                means = np.add.reduceat(x, starts, axis=0, dtype=np.float64) / np.diff(starts, append=len(x))[:, None]
                vectors.append(means.mean(axis=0))
            else:
                vectors.append(x.max(axis=0) if pool == "max" else x.mean(axis=0, dtype=np.float64))
        features = np.stack(vectors).astype(np.float32) if vectors else np.zeros((0, 0), np.float32)
        return self._samples(features)

    def _samples(self, features: Float[np.ndarray, "slide feature"]) -> Samples:
        return Samples(
            self.ids, self.groups, features, self.labels, self.classes, self.kind, self.metric, self.acquisition
        )

    def take(self, rows: Shaped[np.ndarray, " row"]) -> Bags:
        """The bags at these rows (indices or mask), in their order."""
        where = np.arange(len(self))[rows]
        chosen = [self.features[i] for i in where]
        return replace(
            self,
            ids=self.ids[where],
            groups=self.groups[where],
            features=chosen,
            labels=self.labels[where],
            acquisition={name: values[where] for name, values in self.acquisition.items()},
            ends=[self.ends[i] for i in where] if self.ends else (),
        )

    def read(self, slide: int, tiles: Int[np.ndarray, " tile"] | None = None) -> Float[np.ndarray, "tile feature"]:
        """Features of one slide, or of some of its tiles, as float32.

        Raises
        ------
        UserError
            If the slide has no tiles, or its features are not finite or all the same.
        """
        bag = self.features[slide]
        x = np.asarray(bag if tiles is None else bag[tiles], dtype=np.float32)
        if not len(x):
            raise UserError(f"The slide {self.ids[slide]} has no tiles: leave it out, or look at its tissue mask.")
        if not np.isfinite(x).all():
            raise UserError(f"The features of the slide {self.ids[slide]} are not finite: embed it again in float32.")
        if len(x) > 1 and (x == x[0]).all():
            raise UserError(
                f"The features of all {len(x)} tiles of the slide {self.ids[slide]} are the same: "
                "the model does not see its input; look at the tiles and the weights."
            )
        return x
