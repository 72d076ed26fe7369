"""A front-end as a plain function of tiles."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import torch

from registry.errors import UserError

if TYPE_CHECKING:
    from bench.frontends.base import FrontEnd, Images


def restore(front_end: FrontEnd, tiles: Images, *, prompt: str | None = None, seed: int = 0) -> Images:
    """Tiles as a front-end gives them, on the device where they are.

    Parameters
    ----------
    front_end : FrontEnd
    tiles : uint8 [B, 3, H, W]
    prompt : str, optional
        Taken for the setting ``prompt`` of a restorer that has one.
    seed : int
        From 0 to 2^63 - 1, of every tile: a tile is the same alone and among others.

    Raises
    ------
    UserError
        If the tiles are too small for it, its weights are not there, or it takes no prompt.
    """
    front_end.check(*tiles.shape[-2:])
    if prompt is not None:
        front_end = _prompted(front_end, prompt)
    seeds = torch.full((len(tiles),), seed, dtype=torch.int64, device=tiles.device)
    return front_end.load(tiles.device)(tiles, seeds)


def _prompted(front_end: Any, prompt: str) -> FrontEnd:
    settings = getattr(front_end, "settings", None)
    if not dataclasses.is_dataclass(settings) or "prompt" not in {f.name for f in dataclasses.fields(settings)}:
        raise UserError(f"The front-end {front_end.name} takes no prompt: leave it out.")
    return dataclasses.replace(front_end, settings=dataclasses.replace(settings, prompt=prompt))  # type: ignore[type-var]
