"""Cheap front-ends of the tests, a folder of tiles, and the command on it."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_helpers import Done, bench
from lpips_helpers import hide_lpips
from PIL import Image

from bench.frontends import WeightSources, corruptions, restorers
from registry.errors import UserError

TRACK = (
    "tasks.restoration.track.corruptions=[darker,speckled]",
    "tasks.restoration.track.severities=[1,2]",
    "tasks.restoration.track.restorers=[median,lighter]",
)
CASES = ["", "darker_1", "darker_2", "speckled_1", "speckled_2"]
APPLIED: collections.Counter[str] = collections.Counter()
"""Tiles that each front-end was given."""
STOPS: set[str] = set()
"""Front-ends at which the run is stopped."""
IDENTITIES: dict[str, str] = {}
"""What the tests change of a front-end's identity."""


@dataclass(frozen=True)
class Stand:
    """`darker_S` takes 5 S grey levels off, `speckled_S` adds noise by the tile's seed; `lighter` adds 10, `idle` 0."""

    name: str
    restores: bool
    memory_bytes: int = 0

    @property
    def identity(self) -> str:
        if self.name == "weightless":
            raise UserError("weightless needs its checkpoint: set checkpoints.weightless=FILE.")
        return IDENTITIES.get(self.name, "1")

    def check(self, height: int, width: int) -> None:
        if self.name == "picky" and height != 64:
            raise UserError(f"picky takes tiles of 64 px, not {height}.")

    def load(self, device: torch.device) -> Any:
        kind, _, severity = self.name.partition("_")

        def apply(tiles: torch.Tensor, seeds: torch.Tensor) -> torch.Tensor:
            if self.name in STOPS:
                raise KeyboardInterrupt
            APPLIED[self.name] += len(tiles)
            values = tiles.int()
            if kind == "darker":
                values = values - 5 * int(severity)
            elif kind == "speckled":
                for value, seed in zip(values, seeds.tolist(), strict=True):
                    noise = np.random.default_rng(seed).integers(-9, 10, value.shape) * int(severity)
                    value += torch.from_numpy(noise)
            elif kind == "lighter":
                values = values + 10
            elif kind == "broken":
                raise RuntimeError("out of order")
            return values.clamp(0, 255).to(torch.uint8)

        return apply


def _corruption(kind: str, severity: int) -> Stand:
    if not 1 <= severity <= 5:
        raise UserError(f"severity {severity}")
    return Stand(f"{kind}_{severity}", False)


def _restorer(name: str, settings: Mapping[str, Any], weights: WeightSources) -> Stand:
    return Stand(name, True)


@pytest.fixture
def stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> collections.Counter[str]:
    """The front-ends above in place of all others, and no weights of LPIPS; gives the tiles that each was given."""
    hide_lpips(monkeypatch, tmp_path / "hub")
    monkeypatch.setattr(corruptions, "KINDS", ("darker", "speckled"), raising=False)
    monkeypatch.setattr(corruptions, "corruption", _corruption, raising=False)
    every = ("median", "lighter", "idle", "broken", "weightless", "picky")
    monkeypatch.setattr(restorers, "NAMES", every, raising=False)
    monkeypatch.setattr(restorers, "restorer", _restorer, raising=False)
    APPLIED.clear()
    IDENTITIES.clear()
    STOPS.clear()
    return APPLIED


def write_tiles(folder: Path, n: int = 24, side: int = 32, groups: int = 8) -> Path:
    """Smooth tiles with some texture, as PNG files of so many patients without classes."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["path,patient"]
    for number in range(n):
        base = rng.integers(60, 180, (4, 4, 3)).astype(np.uint8)
        pixels = np.asarray(Image.fromarray(base).resize((side, side), Image.Resampling.BICUBIC)).astype(int)
        pixels = np.clip(pixels + rng.integers(-8, 9, pixels.shape), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
        lines.append(f"{number:02d}.png,p{number % groups}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tiles(tmp_path / "tiles")
    return tmp_path


def restore(folder: Path, *arguments: str, data: str = "tiles") -> Done:
    return bench(folder, "task=restoration", f"data={data}", *TRACK, "bootstrap=50", *arguments)
