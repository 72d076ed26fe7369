"""A plugin of the tests: networks that say which tiles they embed and can be held up, and a small ViT.

Every network appends a line with its name, its process and its number of tiles to a file before a batch. It waits in
front of the batch with which a limit would be passed, as long as a file with this limit is there: so a test can stop
all jobs at the same tile, without a race.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import torch
from torch import nn

from registry.card import Architecture, ModelCard, Preprocessing, Pretraining, Weights

PATH = Path(__file__)
FOLDER = "PFMBENCH_TEST_WATCHED"  # variable that names the folder of these files
NAMES = tuple(f"watched_{number}" for number in range(8))
DIM = 9


class Watched(nn.Module):
    """Nine means of each tile: of the colour channels over it, its upper half and its left half."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.factor = nn.Parameter(torch.ones(DIM))

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        if FOLDER in os.environ and tiles.device.type != "meta":  # on which costs are counted
            self._wait(Path(os.environ[FOLDER]), len(tiles))
        height, width = tiles.shape[2:]
        parts = (tiles, tiles[:, :, : height // 2], tiles[:, :, :, : width // 2])
        return torch.cat([part.mean((2, 3)) for part in parts], dim=1) * self.factor

    def _wait(self, folder: Path, n_tiles: int) -> None:
        with (folder / "embedded.txt").open("a") as lines:
            lines.write(f"{self.name} {os.getpid()} {n_tiles}\n")
        while (limit := hold_of(folder, self.name)) is not None and embedded(folder, self.name) > limit:
            time.sleep(0.02)


def hold(folder: Path, name: str, n_tiles: int) -> None:
    """Let the network embed no more than so many tiles, counted over all processes, until it is released."""
    (folder / f"{name}.hold").write_text(str(n_tiles))


def release(folder: Path, name: str) -> None:
    (folder / f"{name}.hold").unlink()


def hold_of(folder: Path, name: str) -> int | None:
    """The limit in tiles; None where there is none."""
    try:
        return int((folder / f"{name}.hold").read_text())
    except OSError:
        return None


def embedded(folder: Path, name: str) -> int:
    """Tiles that the network embedded, or waits with, in all processes."""
    return sum(n_tiles for _, n_tiles in _lines(folder, name))


def processes(folder: Path, name: str) -> list[int]:
    """Pids of the processes that embedded with the network, the first one first."""
    return list(dict.fromkeys(pid for pid, _ in _lines(folder, name)))


def _lines(folder: Path, name: str) -> list[tuple[int, int]]:
    file = folder / "embedded.txt"
    lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    return [(int(pid), int(n_tiles)) for own, pid, n_tiles in lines if own == name]


def _watched(name: str) -> ModelCard:
    architecture = Architecture(builder=f"{PATH.stem}:Watched", kwargs={"name": name})
    return _card(name, architecture, 64, DIM, "none")


def _card(name: str, architecture: Architecture, size: int, dim: int, weights: str) -> ModelCard:
    return ModelCard(
        name=name,
        family="watched",
        title=f"Stand-in {name}",
        dim=dim,
        params=0,
        paper="none",
        url="none",
        licence="none",
        architecture=architecture,
        preprocessing=Preprocessing(
            size=size, mpp=None, tile_size=224, resize=size, crop=False, mean=(0, 0, 0), std=(1, 1, 1), multiple_of=1
        ),
        weights=Weights(layout=weights),
        pretraining=Pretraining(method="none", data="none"),
    )


_SMALL_VIT = {"num_classes": 0, "img_size": 64, "embed_dim": 48, "depth": 2, "num_heads": 3}

CARDS = (
    *(
        _card(name, Architecture(builder=f"{PATH.stem}:Watched", kwargs={"name": name}), 64, DIM, "none")
        for name in NAMES
    ),
    _card("small_vit", Architecture(builder="timm:vit_tiny_patch16_224", kwargs=_SMALL_VIT), 64, 48, "random"),
)
