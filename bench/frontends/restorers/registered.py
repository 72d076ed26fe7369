"""The models of the registry that restore, under their own names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import registry
from bench.frontends.base import WeightSources
from bench.frontends.restorers.base import NoSettings, Restorer
from bench.frontends.restorers.settings import settings_of
from registry.errors import UserError

if TYPE_CHECKING:
    import torch

    from bench.frontends.base import Apply, Images, Seeds

_ON_GPU = 4  # tiles in a batch: a network that restores works at a tile's full resolution


@dataclass(frozen=True)
class Registered(Restorer):
    """A model whose network restores, in float32.

    Attributes
    ----------
    name : str
        Of the model, ``NAME@random`` too.
    weights : WeightSources
        Where its file is looked for, as `registry.load` does.
    """

    weights: WeightSources

    @cached_property
    def card(self) -> registry.ModelCard:
        return registry.card(self.name, offline=self.weights.offline)

    @cached_property
    def identity(self) -> str:
        """Version of the code, digest of the model's card, sha256 of its weights."""
        try:
            weights = registry.fingerprint(
                self.name,
                checkpoint=self.weights.checkpoints.get(self.name),
                weights_dir=self.weights.weights_dir,
                offline=self.weights.offline,
            )
        except UserError as error:
            sentence = str(error).rstrip(".")
            raise UserError(f"{sentence}; of a front-end that is checkpoints.{self.name}=FILE.") from error
        return f"version={self.version} card={self.card.digest()} weights={weights}"

    @property
    def memory_bytes(self) -> int:
        return 4 * (self.card.params or 0)

    def batch_on(self, device: torch.device) -> int:
        """On a CPU one tile: in batches of two and four LPFM gave other bytes, and took no less time for a tile."""
        return _ON_GPU if device.type == "cuda" else 1

    def function(self, device: torch.device) -> Apply:
        model: Any = registry.load(
            self.name,
            device=device,
            checkpoint=self.weights.checkpoints.get(self.name),
            weights_dir=self.weights.weights_dir,
            offline=self.weights.offline,
            precision="float32",
        )

        def apply(tiles: Images, seeds: Seeds) -> Images:
            return model.restore(tiles)

        return apply


def restorer(name: str, settings: Mapping[str, Any], weights: WeightSources) -> Registered:
    """The model of this name as a restorer.

    Raises
    ------
    UserError
        If there is no such model, or it restores nothing.
    """
    registry.check_restores(registry.card(name, offline=weights.offline))
    return Registered(name, settings_of(name, NoSettings, settings), weights)
