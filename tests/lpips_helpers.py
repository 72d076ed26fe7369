"""Random weights of LPIPS in the layout of the published files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.frontends import perceptual

SHAPES = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}


def random_weights() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Of the convolutions, whose outputs have about the size of their inputs, and of the heads, which are above 0."""
    rng = np.random.default_rng(7)
    backbone, heads = {}, {}
    for number, (n, m, k) in SHAPES.items():
        weight = rng.standard_normal((n, m, k, k), np.float32) * np.float32(np.sqrt(2 / (m * k * k)))
        backbone[f"features.{number}.weight"] = torch.from_numpy(weight)
        backbone[f"features.{number}.bias"] = torch.from_numpy(rng.standard_normal(n, np.float32) * np.float32(0.1))
    for layer, (n, *_) in enumerate(SHAPES.values()):
        heads[f"lin{layer}.model.1.weight"] = torch.from_numpy(rng.random((1, n, 1, 1), np.float32))
    return backbone, heads


def write_backbone(hub: Path) -> Path:
    path = hub / "checkpoints" / perceptual.BACKBONE
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(random_weights()[0], path)
    return path


def write_heads(folder: Path) -> Path:
    """A package `lpips` that has the heads and fails where it is imported."""
    path = folder / "lpips" / perceptual.HEADS
    path.parent.mkdir(parents=True, exist_ok=True)
    (folder / "lpips" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    torch.save(random_weights()[1], path)
    return path


def hide_lpips(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Neither a package `lpips` nor a backbone, whatever this machine has; the hub is at `folder`."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(folder))
    monkeypatch.setattr(perceptual, "find_spec", lambda name: None)


def show_package(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The package of `write_heads` is found."""
    from importlib.machinery import PathFinder

    monkeypatch.setattr(perceptual, "find_spec", lambda name: PathFinder.find_spec(name, [str(folder)]))
