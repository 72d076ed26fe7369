"""From uint8 tiles to the network's input, in the recipe of the card."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn

from .card import Preprocessing
from .errors import UserError
from .resize import resize

PEAK = np.float32(255.0)
BLOCK = 2**16  # px that are normalised at once


def resized_shape(recipe: Preprocessing, height: int, width: int) -> tuple[int, int]:
    """Height and width after the resize; with an int, the longer side is truncated, as torchvision does."""
    if recipe.resize is None:
        return height, width
    if isinstance(recipe.resize, int):
        short, side = min(height, width), recipe.resize
        return (side, int(side * width / short)) if height <= width else (int(side * height / short), side)
    return recipe.resize


def source_box(
    height: int, width: int, resized: tuple[int, int], box: tuple[int, int, int, int]
) -> tuple[float, float, float, float] | None:
    """The part of a tile, px, that becomes `box` (left, top, right, bottom) of the resized tile.

    Pillow gives the pixels of the box alone, bit for bit those of the whole, if the scale and the edges are binary
    fractions of few digits, so that nothing is rounded where it works out the place of a pixel, and if no rows are
    lost, which could change the order of its two passes (`registry.resize`); None otherwise.
    """
    if box[3] - box[1] < height:
        return None
    down, across = Fraction(height, resized[0]), Fraction(width, resized[1])
    left, top, right, bottom = box
    edges = left * across, top * down, right * across, bottom * down
    if all(is_power_of_two(edge.denominator) and edge.denominator <= 2**16 for edge in (down, across, *edges)):
        return float(edges[0]), float(edges[1]), float(edges[2]), float(edges[3])
    return None


def is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0


def centre(height: int, width: int, size: int) -> tuple[int, int]:
    """Top and left of the centre crop, halves rounded to even as torchvision does."""
    return round((height - size) / 2.0), round((width - size) / 2.0)


class Preprocess(nn.Module):
    """Resize, centre crop and normalise on the device of the module; the resize equals Pillow's bit for bit.

    On the CPU Pillow itself resizes; on CUDA its arithmetic is repeated (`registry.resize`).
    """

    peak: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, recipe: Preprocessing, model: str = "the model") -> None:
        super().__init__()
        self.recipe = recipe
        self.model = model
        # divisors are tensors: CUDA multiplies by the rounded inverse of a plain number
        self.register_buffer("peak", torch.tensor(255.0), persistent=False)
        self.register_buffer("mean", torch.tensor(recipe.mean, dtype=torch.float32).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(recipe.std, dtype=torch.float32).view(3, 1, 1), persistent=False)

    def forward(self, tiles: UInt8[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile 3 size size"]:
        self.check(*tiles.shape[-2:])
        height, width = resized_shape(self.recipe, *tiles.shape[-2:])
        top, left, bottom, right = 0, 0, height, width
        if self.recipe.crop and self.recipe.resize is not None:
            top, left = centre(height, width, self.recipe.size)
            bottom, right = top + self.recipe.size, left + self.recipe.size
        box = (left, top, right, bottom)
        device = self.mean.device
        if device.type in ("cpu", "mps"):  # Apple's GPUs have no float64
            return self._on_cpu(tiles.cpu(), height, width, box).to(device)
        return self._on_gpu(tiles.to(device), height, width, box)

    def _on_gpu(
        self, tiles: UInt8[Tensor, "tile 3 height width"], height: int, width: int, box: tuple[int, int, int, int]
    ) -> Float[Tensor, "tile 3 size size"]:
        left, top, right, bottom = box
        if tiles.shape[-2:] != (height, width):
            tiles = resize(tiles, height, width, self.recipe.interpolation)
        return tiles[..., top:bottom, left:right].float().div_(self.peak).sub_(self.mean).div_(self.std)

    def _on_cpu(
        self, tiles: UInt8[Tensor, "tile 3 height width"], height: int, width: int, box: tuple[int, int, int, int]
    ) -> Float[Tensor, "tile 3 size size"]:
        """Tile by tile, so that each step finds in a core's cache what the step before left there."""
        left, top, right, bottom = box
        side = (bottom - top, right - left, 3)
        rows = max(1, min(side[0], BLOCK // side[1]))  # that fit the cache
        # of as many rows, as NumPy's products are vectorised where nothing is broadcast along the channels
        mean, std = (
            np.broadcast_to(np.asarray(of_channel, np.float32), (rows, *side[1:])).copy()
            for of_channel in (self.recipe.mean, self.recipe.std)
        )
        pixels = tiles.permute(0, 2, 3, 1).contiguous().numpy()
        out = torch.empty((len(tiles), *side), dtype=torch.float32)
        values = out.numpy()

        filter = Image.Resampling[self.recipe.interpolation.upper()]
        part = source_box(tiles.shape[-2], tiles.shape[-1], (height, width), box)

        def process(i: int) -> None:
            tile = pixels[i]
            if tile.shape[:2] == (height, width):
                tile = tile[top:bottom, left:right]
            elif part is not None:
                tile = np.asarray(Image.fromarray(tile).resize((right - left, bottom - top), filter, part))
            else:
                tile = np.asarray(Image.fromarray(tile).resize((width, height), filter))[top:bottom, left:right]
            for row in range(0, side[0], rows):
                block = values[i, row : row + rows]
                np.divide(tile[row : row + rows], PEAK, out=block)
                np.subtract(block, mean[: len(block)], out=block)
                np.divide(block, std[: len(block)], out=block)

        threads = min(torch.get_num_threads(), len(tiles))
        if threads > 1:
            with ThreadPoolExecutor(threads, thread_name_prefix="preprocess") as pool:
                list(pool.map(process, range(len(tiles))))
        else:
            for i in range(len(tiles)):
                process(i)
        found = out.permute(0, 3, 1, 2)
        # The layout is that of Pillow's pixels or, where nothing is resized, the tiles' own: last bits depend on it.
        resized = tiles.shape[-2:] != (height, width)
        return found if resized or tiles.permute(0, 2, 3, 1).is_contiguous() else found.contiguous()

    def check(self, height: int, width: int) -> None:
        """Raise `UserError` where tiles of this height and width cannot become the network's input."""
        recipe = self.recipe
        out_height, out_width = resized_shape(recipe, height, width)
        if recipe.resize is None and recipe.multiple_of:
            if height % recipe.multiple_of or width % recipe.multiple_of:
                raise UserError(
                    f"{self.model} takes tiles whose sides are multiples of {recipe.multiple_of} px, these are "
                    f"{height} x {width}; cut them so"
                )
        elif recipe.resize is None or not recipe.crop:
            if (out_height, out_width) != (recipe.size, recipe.size):
                mpp = f" at {recipe.mpp} microns per px" if recipe.mpp else ""
                raise UserError(
                    f"{self.model} takes tiles of {recipe.tile_size} x {recipe.tile_size} px{mpp} as they are, "
                    f"these are {height} x {width}; cut tiles of that size"
                )
        elif min(out_height, out_width) < recipe.size:
            raise ValueError(f"the card of {self.model} resizes to {recipe.resize} and crops the larger {recipe.size}")


class ExactPreprocess(Preprocess):
    """The recipe as torchvision's Pillow transform, tile by tile: the oracle of `Preprocess`."""

    def forward(self, tiles: UInt8[Tensor, "tile 3 height width"]) -> Float[Tensor, "tile 3 size size"]:
        from torchvision import transforms

        recipe = self.recipe
        self.check(*tiles.shape[-2:])
        steps: list[nn.Module | transforms.ToTensor] = []
        if recipe.resize is not None:
            mode = transforms.InterpolationMode(recipe.interpolation)
            steps.append(transforms.Resize(recipe.resize, interpolation=mode))
            if recipe.crop:
                steps.append(transforms.CenterCrop(recipe.size))
        steps += [transforms.ToTensor(), transforms.Normalize(recipe.mean, recipe.std)]
        recipe_of_authors = transforms.Compose(steps)
        pixels = tiles.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return torch.stack([recipe_of_authors(Image.fromarray(tile)) for tile in pixels]).to(self.mean.device)
