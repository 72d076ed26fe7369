"""The networks as users call them: uint8 tiles to features, and tile features to slide features."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from .card import ModelCard, Pooling
from .errors import UserError
from .inputs import as_batch
from .precision import Precision, full_float32, resolve_precision
from .preprocess import ExactPreprocess, Preprocess
from .restoring import REFUSAL
from .tokens import Grid, TokenReader, class_attention, reader
from .weights import LoadedWeights


def pool(output: Float[Tensor, "tile *token feature"], pooling: Pooling) -> Float[Tensor, "tile pooled"]:
    """One vector a tile from the network's output; sums over tokens are taken in float32."""
    if pooling.kind == "none":
        return output.float()
    if pooling.kind == "cls":
        return output[:, 0].float()
    patches = output[:, pooling.patch_start :].float().mean(dim=1)
    return patches if pooling.kind == "mean" else torch.cat([output[:, 0].float(), patches], dim=1)


@dataclass(frozen=True)
class Tokens:
    """Vectors and patch tokens of a batch, of one forward pass.

    Attributes
    ----------
    vectors : float32 [B, D]
        What the extractor gives for these tiles, bit for bit.
    patches : float32 [B, T, C]
        After the network's last norm, without class and register tokens. T is rows times columns, row by row from the
        upper left; C is the network's width, which can differ from D.
    grid : (int, int)
        Rows and columns of patches of the network's input, which is the tile after resize and crop.
    """

    vectors: Float[Tensor, "tile feature"]
    patches: Float[Tensor, "tile token channel"]
    grid: Grid


class _Encoder(nn.Module):
    """A network with its card, the origin of its weights, and the precision that was set, None for the card's."""

    def __init__(
        self, card: ModelCard, network: nn.Module, weights: LoadedWeights, precision: Precision | None
    ) -> None:
        super().__init__()
        self.card = card
        self.weights = weights
        self.network = network
        self._precision = precision

    def precision_on(self, device: str | torch.device) -> Precision:
        """What the network runs in on a device (`registry.resolve_precision`)."""
        return resolve_precision(self.card, self._precision, device)

    def _numerics(self, device: torch.device) -> AbstractContextManager[object]:
        precision = self.precision_on(device)
        if precision == "float32":
            return full_float32()
        return torch.autocast(device.type, dtype=getattr(torch, precision))


class FeatureExtractor(_Encoder):
    """Tiles (or regions) in, one vector each out: preprocessing, network and pooling of one card.

    Attributes
    ----------
    card : ModelCard
    weights : LoadedWeights
    network : nn.Module
        Maps normalised float tiles to what the card's pooling expects.
    """

    def __init__(
        self,
        card: ModelCard,
        network: nn.Module,
        weights: LoadedWeights,
        *,
        precision: Precision | None = None,
        preprocess: Literal["device", "exact"] = "device",
    ) -> None:
        super().__init__(card, network, weights, precision)
        recipe = ExactPreprocess if preprocess == "exact" else Preprocess
        self.preprocess = recipe(card.preprocessing, card.name)

    @property
    def device(self) -> torch.device:
        """Where tiles are preprocessed and features come out."""
        return self.preprocess.mean.device

    def forward(self, tiles: UInt8[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile feature"]:
        """Features of a batch.

        Parameters
        ----------
        tiles : uint8 tensor [B, 3, H, W]
            RGB, on any device. A PIL image, a list of them, and a uint8 array [B, H, W, 3] or [H, W, 3] are taken too.

        Returns
        -------
        float32 tensor [B, D]
            On the module's device.

        Raises
        ------
        UserError
            If these are no tiles, or tiles of this size cannot become the network's input.
        """
        inputs = self._inputs(tiles)
        with self._numerics(inputs.device):
            output = self.network(inputs)
        return pool(output, self.card.pooling)

    def tokens(self, tiles: UInt8[Tensor, "tile 3 height width"]) -> Tokens:
        """Patch tokens of a batch, and its features from the same forward pass.

        Parameters
        ----------
        tiles : uint8 tensor [B, 3, H, W]
            As for `forward`.

        Raises
        ------
        UserError
            If the network gives no patch tokens or is compiled, or tiles of this size cannot become its input.
        """
        found = self._reader()
        if self.network._compiled_call_impl is not None:  # what is compiled is `forward`, with last bits of its own
            raise UserError(f"{self.card.name} is compiled, and gives patch tokens uncompiled alone; leave compile out")
        inputs = self._inputs(tiles)
        with self._numerics(inputs.device):
            output, patches, grid = found.forward(inputs)
        return Tokens(pool(output, self.card.pooling), patches.float(), grid)

    def attention(self, tiles: UInt8[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile head row column"]:
        """Attention of the class token to the patches in the last block, a map a head.

        Parameters
        ----------
        tiles : uint8 tensor [B, 3, H, W]
            As for `forward`.

        Returns
        -------
        float32 tensor [B, heads, rows, columns]
            Softmax over all tokens, of which the patches' part is returned: a map sums to 1 less what the class token
            gives itself and the registers.

        Raises
        ------
        UserError
            If the network gives no patch tokens or has no class token.
        """
        found = self._reader()
        if found.attention is None:
            raise UserError(f"{self.card.name} has no class token whose attention to the patches is known here")
        inputs = self._inputs(tiles)
        return class_attention(found, inputs, self._numerics(inputs.device))

    @property
    def gives_tokens(self) -> bool:
        """Whether `tokens` can be called; `registry.check_tokens` finds it out before the weights are read."""
        return not isinstance(reader(self.network), str)

    @property
    def gives_attention(self) -> bool:
        """Whether `attention` can be called."""
        found = reader(self.network)
        return not isinstance(found, str) and found.attention is not None

    def _reader(self) -> TokenReader:
        found = reader(self.network)
        if isinstance(found, str):
            raise UserError(f"{self.card.name} {found}")
        return found

    def _inputs(self, tiles: UInt8[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile 3 row column"]:
        return self.preprocess(as_batch(tiles))

    def restore(self, tiles: UInt8[Tensor, "tile 3 height width"]) -> UInt8[Tensor, "tile 3 height width"]:
        """Images as the network restores them, of their own size; only of models that are restorers (``lpfm``).

        Raises
        ------
        UserError
            If the network is no restorer.
        """
        restore = getattr(self.network, "restore", None)
        if not callable(restore):
            raise UserError(f"{self.card.name} {REFUSAL}")
        with self._numerics(next(self.network.parameters()).device):
            return restore(tiles)


class SlideEncoder(_Encoder):
    """Features of a slide's tiles in, one vector of the slide out.

    Attributes
    ----------
    card : ModelCard
        Its `tile_encoder` names the model whose features are taken.
    weights : LoadedWeights
    network : nn.Module
        Maps features [slide, tile, feature], coordinates [slide, tile, 2] and the tiles' side to [slide, feature].
    width : int or None
        Of the features of `tile_encoder`, which others are refused by; None takes any.
    """

    def __init__(
        self,
        card: ModelCard,
        network: nn.Module,
        weights: LoadedWeights,
        precision: Precision | None,
        width: int | None = None,
    ) -> None:
        super().__init__(card, network, weights, precision)
        self.width = width

    def forward(
        self,
        features: Float[Tensor, "*slide tile feature_in"],
        coords: Int[Tensor, "*slide tile 2"] | None = None,
        tile_size: float | None = None,
    ) -> Float[Tensor, "slide feature"]:
        """The slide's vector.

        Parameters
        ----------
        features : float tensor [N, F] or [B, N, F]
            Of the card's `tile_encoder`.
        coords : tensor [N, 2] or [B, N, 2], optional
            Of the tiles' upper left corners, x and y, level-0 px. Only encoders that look at no places (``chief``) do
            without.
        tile_size : float, optional
            Side of a tile, level-0 px: the card's tile size times its mpp over the slide's. Given none, the card's tile
            size is taken, which is right where level 0 has the card's mpp.

        Returns
        -------
        float32 tensor [B, D]
            B is 1 where the inputs had no slide axis.

        Raises
        ------
        UserError
            If the features are not as wide as those of the card's `tile_encoder`, the slide has no tiles, or has no
            `coords` where they are needed.
        """
        if features.ndim not in (2, 3) or self.width not in (None, features.shape[-1]):
            raise UserError(
                f"{self.card.name} takes features [N, {self.width or 'F'}] of {self.card.tile_encoder}, and these are "
                f"{list(features.shape)}: embed the tiles by {self.card.tile_encoder}"
            )
        if features.ndim == 2:
            features = features[None]
        if coords is not None and coords.ndim == 2:
            coords = coords[None]
        if features.shape[1] == 0:
            raise UserError(f"{self.card.name} was given a slide without tiles; leave the slide out")
        device = next((p.device for p in self.network.parameters()), features.device)
        with self._numerics(device):
            side = float(tile_size or self.card.preprocessing.tile_size)
            places = None if coords is None else coords.to(device)
            return self.network(features.to(device).float(), places, side).float()
