"""One model of a run: what identifies its weights and features, and how it is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import registry
from bench.embedding import FeatureKey
from bench.frontends import Chain
from registry import ModelCard
from registry.card import Architecture, Preprocessing, Pretraining, Weights

if TYPE_CHECKING:
    from registry.extractor import FeatureExtractor, SlideEncoder

PRECOMPUTED = "precomputed"
BYTES_PER_PARAMETER = 5  # float32 weights, and a quarter more for buffers
PRECOMPUTED_CARD = ModelCard(
    name=PRECOMPUTED,
    family=PRECOMPUTED,
    title="Features of features=DIR",
    dim=0,
    params=0,
    paper="",
    url="",
    licence="",
    architecture=Architecture(builder=""),
    preprocessing=Preprocessing(size=0, mpp=None, tile_size=0, resize=None),
    weights=Weights(layout="none"),
    pretraining=Pretraining(method="unknown", data="unknown"),
)


@dataclass(frozen=True)
class Model:
    """One model of a run.

    Attributes
    ----------
    name : str
        As in the table.
    card : ModelCard
    baseline : bool
        Whether its row says what the head does without a pretrained model.
    source : dict
        Arguments of `registry.load` and `registry.fingerprint` that say which weights.
    how : dict
        Arguments of `registry.load` alone.
    tile_encoder : Model or None
        Of a slide encoder: the model whose features it takes.
    named : bool
        Whether the user named it; the others are baselines that the run adds.
    tokens : bool
        Whether its patch tokens are stored beside its features.
    frontend : Chain
        What tiles go through before it.
    """

    name: str
    card: ModelCard
    baseline: bool
    source: dict[str, Any]
    how: dict[str, Any]
    tile_encoder: Model | None = None
    named: bool = True
    tokens: bool = False
    frontend: Chain = field(default_factory=Chain)

    @property
    def sees_pixels(self) -> bool:
        """False where the features are precomputed."""
        return self.name != PRECOMPUTED

    @property
    def tile_card(self) -> ModelCard:
        """Of the network that sees the tiles."""
        return (self.tile_encoder or self).card

    @property
    def memory_bytes(self) -> int:
        """About what the network takes on its device, beside the activations of a batch."""
        return self.card.params * BYTES_PER_PARAMETER

    @cached_property
    def weights(self) -> str:
        """What identifies its weights; reads them once.

        Raises
        ------
        UserError
            If they are not there or gated.
        """
        return registry.fingerprint(self.name, **self.source) if self.sees_pixels else ""

    def check_weights(self) -> None:
        """Find the weights of all its networks. Raises as `weights`."""
        for model in (self.tile_encoder, self):
            if model is not None:
                _ = model.weights

    def feature_key(self, source: str) -> FeatureKey:
        """The identity of its features of a source; reads the weights once."""
        compiled = "+compile" if self.how.get("compile") else ""  # fused kernels round otherwise
        return FeatureKey(
            model=self.name,
            card=self.card.digest() if self.sees_pixels else "",
            weights=self.weights,
            options=json.dumps(self.how.get("options", {}), sort_keys=True, default=str),
            frontend=self.frontend.identity,
            preprocess=self.how.get("preprocess", ""),
            precision=self.how.get("precision", "") + compiled,
            source=source,
        )

    def behind(self, frontend: Chain) -> Model:
        """The same model behind a front-end."""
        below = self.tile_encoder.behind(frontend) if self.tile_encoder else None
        return replace(self, frontend=frontend, tile_encoder=below)

    def load(self) -> FeatureExtractor:
        from registry.extractor import FeatureExtractor

        loaded = registry.load(self.name, **self.source, **self.how)
        assert isinstance(loaded, FeatureExtractor)
        return loaded

    def load_slide_encoder(self) -> SlideEncoder:
        from registry.extractor import SlideEncoder

        loaded = registry.load(self.name, **self.source, **self.how)
        assert isinstance(loaded, SlideEncoder)
        return loaded
