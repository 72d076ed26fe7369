"""An implicit neural representation that is fitted to each tile and stopped before it has learnt the noise.

The network is SIREN (Sitzmann et al., NeurIPS 2020): a perceptron from the place of a pixel to its colour, with sines
between its layers. Nothing is trained before: it is zero-shot, and what it restores follows from smooth functions being
learnt first (Ulyanov et al., CVPR 2018, who stop early for the same reason).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bench.frontends.base import WeightSources
from bench.frontends.restorers.base import Restorer
from bench.frontends.restorers.pixels import from_uint8, to_uint8
from bench.frontends.restorers.settings import setting, settings_of
from bench.frontends.seeds import mixed

if TYPE_CHECKING:
    from bench.frontends.base import Apply, Images, Seeds

OMEGA = 30.0  # what every layer's input to the sine is multiplied by
_ON_GPU = 8  # tiles that are fitted together
_LOOK = 5  # steps between two looks at the pixels that are held out

Layer = tuple[Float[Tensor, "tile input output"], Float[Tensor, "tile 1 output"]]


@dataclass(frozen=True)
class SirenSettings:
    """Settings of `siren`.

    Attributes
    ----------
    hidden : int
        Width of the layers.
    layers : int
        Number of hidden layers after the first.
    steps : int
        Largest number of steps of Adam, each with all pixels.
    learning_rate : float
    held_out : float
        Share of the pixels that are not fitted and tell when to stop; with 0 all steps are taken.
    patience : int
        Steps without a new least error of the pixels held out after which the fit ends. The weights of that least error
        are used.
    """

    hidden: int = setting(256, 1, 4096)
    layers: int = setting(3, 0, 16)
    steps: int = setting(200, 1, 100_000)
    learning_rate: float = setting(1e-4, 1e-8, 1.0)
    held_out: float = setting(0.05, 0.0, 0.5)
    patience: int = setting(30, 1, 100_000)


class Siren(Restorer):
    """A SIREN a tile, seeded by the tile's seed."""

    settings: SirenSettings

    def batch_on(self, device: torch.device) -> int:
        return _ON_GPU if device.type == "cuda" else 1

    def function(self, device: torch.device) -> Apply:
        def apply(tiles: Images, seeds: Seeds) -> Images:
            with torch.inference_mode(False), torch.enable_grad():
                return fitted(tiles.clone(), [int(seed) for seed in seeds.tolist()], self.settings)

        return apply


def fitted(tiles: Images, seeds: list[int], settings: SirenSettings) -> Images:
    """Tiles as their networks paint them; each is fitted by itself, all of them in the same products."""
    count, _, height, width = tiles.shape
    device = tiles.device
    target = (from_uint8(tiles) * 2 - 1).permute(0, 2, 3, 1).reshape(count, height * width, 3)
    places = coordinates(height, width).to(device).expand(count, -1, -1)
    draws = [np.random.Generator(np.random.Philox(mixed(seed, "siren"))) for seed in seeds]
    layers = [
        (weight.to(device).requires_grad_(), bias.to(device).requires_grad_())
        for weight, bias in initial(draws, settings.hidden, settings.layers)
    ]
    held_out = torch.stack([_held_out(draw, height * width, settings.held_out) for draw in draws]).to(device)
    best = _fit(layers, places, target, held_out, settings)
    with torch.no_grad():
        painted = painting(best, places).view(count, height, width, 3).permute(0, 3, 1, 2)
    return to_uint8(painted / 2 + 0.5)


def coordinates(height: int, width: int) -> Float[Tensor, "1 pixel 2"]:
    """Row and column of each pixel, from -1 to 1, row by row."""
    rows, columns = torch.linspace(-1, 1, height), torch.linspace(-1, 1, width)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).view(1, -1, 2)


def initial(draws: list[np.random.Generator], hidden: int, layers: int) -> list[Layer]:
    """Weights and biases of a network a generator, by the authors' rule.

    Weights of the first layer are uniform within 1 / inputs, those of all others within sqrt(6 / inputs) / 30; biases
    within 1 / sqrt(inputs), torch's own.
    """
    sizes = [2, *[hidden] * (layers + 1), 3]
    made: list[Layer] = []
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        bound = math.sqrt(6 / inputs) / OMEGA if i else 1 / inputs
        weight = np.stack([draw.uniform(-bound, bound, (inputs, outputs)) for draw in draws])
        own = 1 / math.sqrt(inputs)
        bias = np.stack([draw.uniform(-own, own, (1, outputs)) for draw in draws])
        made.append((torch.from_numpy(weight).float(), torch.from_numpy(bias).float()))
    return made


def painting(layers: list[Layer], places: Float[Tensor, "tile pixel 2"]) -> Float[Tensor, "tile pixel 3"]:
    """Colours, about -1 to 1, at these places."""
    x = places
    for weight, bias in layers[:-1]:
        x = torch.sin(OMEGA * torch.baddbmm(bias, x, weight))
    weight, bias = layers[-1]
    return torch.baddbmm(bias, x, weight)


def _held_out(draw: np.random.Generator, pixels: int, share: float) -> Bool[Tensor, " pixel"]:
    chosen = torch.zeros(pixels, dtype=torch.bool)
    chosen[torch.from_numpy(draw.permutation(pixels)[: round(share * pixels)])] = True
    return chosen


def _fit(
    layers: list[Layer],
    places: Float[Tensor, "tile pixel 2"],
    target: Float[Tensor, "tile pixel 3"],
    held_out: Bool[Tensor, "tile pixel"],
    settings: SirenSettings,
) -> list[Layer]:
    """The weights of each tile where its pixels held out had their least error.

    A tile whose fit has ended no longer takes new weights, however long the others of its batch go on.
    """
    parameters = [values for layer in layers for values in layer]
    optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate)
    share = 1 / (3 * (~held_out).sum(dim=1, keepdim=True))
    fit_weight = torch.where(held_out, 0, share)[..., None]
    looking = bool(held_out.any())
    least = torch.full((len(target),), math.inf, device=target.device)
    since = torch.zeros(len(target), dtype=torch.int64, device=target.device)
    best = [values.detach().clone() for values in parameters]
    for step in range(settings.steps + 1):
        squares = (painting(layers, places) - target).square()
        if looking and (step % _LOOK == 0 or step == settings.steps):
            error = (squares.detach() * held_out[..., None]).sum(dim=(1, 2))
            better = (error < least) & (since < settings.patience)
            least = torch.where(better, error, least)
            since = torch.where(better, 0, since + _LOOK * (since < settings.patience))
            for kept, values in zip(best, parameters, strict=True):
                kept.copy_(torch.where(better.view(-1, 1, 1), values.detach(), kept))
            if bool((since >= settings.patience).all()):
                break
        if step == settings.steps:
            break
        optimiser.zero_grad(set_to_none=True)
        (squares * fit_weight).sum().backward()
        optimiser.step()
    chosen = best if looking else [values.detach() for values in parameters]
    return list(zip(chosen[::2], chosen[1::2], strict=True))


def restorer(name: str, settings: Mapping[str, Any], weights: WeightSources) -> Siren:
    """The restorer `siren`."""
    return Siren(name, settings_of(name, SirenSettings, settings))
