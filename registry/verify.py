"""Does a model load and run here: real tissue through it, and what came out, in numbers to compare."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

import registry

from .card import ModelCard
from .errors import UserError
from .extractor import SlideEncoder

_REGION = Path(__file__).parent / "data" / "cmu1_region.jpg"
_TILES = 4


def verify(name: str, tiles: str | Path | None = None, **arguments: Any) -> dict[str, str]:
    """Load a model and run it on tissue.

    Parameters
    ----------
    name : str
        As for `registry.load`.
    tiles : path, optional
        Folder of images instead of the region of CMU-1 in the package.
    **arguments
        Of `registry.load`.

    Returns
    -------
    dict of str
        What was loaded and what came out: shape, mean, standard deviation, sha256 of the weights, times.
    """
    start = time.perf_counter()
    model = registry.load(name, **arguments)
    loaded = time.perf_counter()
    if isinstance(model, SlideEncoder):
        inputs: tuple[Tensor, ...] = _slide(registry.card(model.card.tile_encoder).dim)
        what = f"{len(inputs[0])} seeded random tile features on a grid"
    else:
        inputs = (_from_folder(Path(tiles), model.card) if tiles else _from_region(model.card),)
        what = f"{len(inputs[0])} tiles of {inputs[0].shape[-1]} x {inputs[0].shape[-2]} px from {tiles or 'CMU-1'}"
    with torch.inference_mode():
        features = model(*inputs).cpu()
    ran = time.perf_counter()
    if features.shape[-1] != model.card.dim:
        raise UserError(f"{name} gives {features.shape[-1]} features and its card says {model.card.dim}")
    if not torch.isfinite(features).all():
        raise UserError(f"{name} gives features that are not finite on {what}; the weights or the precision are wrong")
    return {
        "model": model.card.name,
        "weights": model.weights.origin,
        "sha256": model.weights.sha256 or "-",
        "commit": model.weights.commit or "-",
        "note": "; ".join(model.weights.notes) or "-",
        "input": what,
        "shape": " x ".join(map(str, features.shape)),
        "mean": f"{features.mean():.6f}",
        "deviation": f"{features.std():.6f}",
        "between tiles": f"{features.std(0).mean():.6f}" if len(features) > 1 else "-",
        "load": f"{loaded - start:.2f} s",
        "run": f"{ran - loaded:.2f} s",
    }


def _from_region(card: ModelCard) -> UInt8[Tensor, "tile 3 height width"]:
    region = np.asarray(Image.open(_REGION).convert("RGB"))
    side = min(card.preprocessing.tile_size, min(region.shape[:2]))
    places = np.linspace(0, min(region.shape[:2]) - side, _TILES).astype(int)
    cut = [region[y : y + side, x : x + side] for y, x in zip(places, places[::-1], strict=True)]
    return _batch(cut[: 1 if side == min(region.shape[:2]) else _TILES])


def _from_folder(folder: Path, card: ModelCard) -> UInt8[Tensor, "tile 3 height width"]:
    suffixes = Image.registered_extensions()
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes) if folder.is_dir() else []
    if not paths:
        raise UserError(f"there is no image in {folder}; give tiles= a folder of tiles for {card.name}")
    try:
        images = [np.asarray(Image.open(path).convert("RGB")) for path in paths[: 4 * _TILES]]
    except OSError as problem:
        raise UserError(f"a tile in {folder} cannot be read: {problem}") from problem
    return _batch([image for image in images if image.shape == images[0].shape])


def _batch(images: list[np.ndarray]) -> UInt8[Tensor, "tile 3 height width"]:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def _slide(dim: int, side: int = 8) -> tuple[Tensor, Tensor]:
    features = torch.randn(side * side, dim, generator=torch.Generator().manual_seed(0))
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return features, torch.stack([x.flatten(), y.flatten()], dim=1) * 256
