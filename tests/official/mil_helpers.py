"""Bags, weights and orders of bags from seeds, for the scripts that run the authors' code and for the tests."""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import zlib
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import torch

HERE = Path(__file__).parent
CONF = HERE.parent.parent / "conf" / "protocol"
NO_GRADIENT = re.compile(r"w(\.\d+)?\.bias")


def bags(seed: int, sizes: list[int], dim: int) -> list[np.ndarray]:
    """Tiles [T, dim] of each bag, float32."""
    return [np.random.default_rng([seed, i]).normal(size=(n, dim)).astype(np.float32) for i, n in enumerate(sizes)]


def values(name: str, shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    """The weights that a parameter of that name starts with; the same ones in whatever shape of as many rows."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    spread = 1 / np.sqrt(np.prod(shape[1:])) if len(shape) > 1 else 0.1
    return torch.from_numpy((spread * rng.normal(size=shape)).astype(np.float32))


def fill(network: torch.nn.Module, seed: int = 0) -> None:
    """Give our network the weights of `values`."""
    for name, parameter in network.named_parameters():
        parameter.data.copy_(values(name, tuple(parameter.shape), seed))


Names = Mapping[str, str | tuple[str, ...]]
"""For each parameter of ours the authors' one, or several whose rows are ours one below the other."""


def fill_official(network: torch.nn.Module, names: Names, seed: int = 0) -> None:
    """Give the authors' network the weights of `values`; those that have no name of ours stay as they are."""
    parameters = dict(network.named_parameters())
    for own, others in names.items():
        theirs = [parameters[other] for other in ([others] if isinstance(others, str) else others)]
        rows = [len(p) for p in theirs]
        all_rows = values(own, (sum(rows), *theirs[0].shape[1:]), seed)
        for parameter, part in zip(theirs, all_rows.split(rows), strict=True):
            parameter.data.copy_(part)


def summary(parameters: Mapping[str, torch.Tensor]) -> np.ndarray:
    """Sum and norm of each parameter, in the order of the names.

    The bias of an attention is left out: a softmax does not depend on it, so that its steps are rounding errors alone.
    """
    rows = [p.detach().double() for name, p in sorted(parameters.items()) if not NO_GRADIENT.fullmatch(name)]
    return np.array([[float(p.sum()), float(p.norm())] for p in rows])


def summary_official(network: torch.nn.Module, names: Names) -> np.ndarray:
    """As `summary`, of the authors' network in our names."""
    own = dict(network.named_parameters())
    parts = {name: [others] if isinstance(others, str) else others for name, others in names.items()}
    return summary({name: torch.cat([own[other] for other in others]) for name, others in parts.items()})


def orders(seed: int, epochs: int, bags: int) -> list[np.ndarray]:
    """The order of the bags in each epoch of our training."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(bags) for _ in range(epochs)]


def balanced_orders(seed: int, epochs: int, labels: list[int]) -> list[np.ndarray]:
    """The bags of each epoch of our training where they are drawn by class."""
    rng, classes = np.random.default_rng(seed), np.array(labels)
    weights = 1 / np.bincount(classes)[classes]
    return [rng.choice(len(labels), len(labels), p=weights / weights.sum()) for _ in range(epochs)]


def checkout(*without: str) -> tuple[Path, str]:
    """The folder named by `--official` and its commit; modules `without` count as installed and are empty."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--official", type=Path, required=True, help="a checkout of the authors' repository")
    parser.add_argument("--commit", help="its commit, where the folder is no git checkout")
    options = parser.parse_args()
    for name in without:
        empty(name)
    sys.path.insert(0, str(options.official))
    commit = options.commit or subprocess.check_output(
        ["git", "-C", str(options.official), "rev-parse", "--short", "HEAD"], text=True
    )
    return options.official, commit.strip()


def empty(name: str) -> None:
    """Let a module that the compared code does not use be imported, with anything in it."""
    if name not in sys.modules:
        module = MagicMock(name=name)
        module.__spec__ = ModuleSpec(name, None)
        module.__path__ = []
        sys.modules[name] = module


def load_file(path: Path) -> ModuleType:
    """One file as a module, without the package about it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def save(name: str, commit: str, **arrays: Any) -> None:
    """Write NAME.npz beside this file."""
    path = HERE / f"{name}.npz"
    np.savez_compressed(path, commit=np.array(commit), **arrays)
    print(f"{path}: {path.stat().st_size} bytes")


def golden(name: str) -> dict[str, np.ndarray]:
    """The arrays of NAME.npz."""
    with np.load(HERE / f"{name}.npz") as arrays:
        return dict(arrays)


def preset(name: str, **changes: Any) -> Any:
    """The settings of `conf/protocol/NAME.yaml`, some of them changed."""
    from omegaconf import OmegaConf

    from bench import protocols

    settings: Any = OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml"))
    return protocols.configured({**settings, "device": "cpu", **changes}).config


def as_bags(tiles: list[np.ndarray], labels: list[int]) -> Any:
    """Bags of ours, in the order of the list."""
    from bench.protocols import Bags

    ids = np.array([f"{i:03d}" for i in range(len(tiles))])
    return Bags(ids, ids, tiles, np.array(labels))


def outputs(network: torch.nn.Module, tiles: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Logits [B, K] and the attention of all tiles, bag after bag, of our network without dropout."""
    network.eval()
    found = []
    with torch.no_grad():
        for bag in tiles:
            x = torch.from_numpy(bag)
            found.append(network(x, torch.zeros(len(x), dtype=torch.int64), 1))
    return torch.cat([o.logits for o in found]).numpy(), torch.cat([o.attention for o in found]).numpy()


def check_stopping(how: Any, golden: Mapping[str, np.ndarray]) -> None:
    """Our early stopping saves the epochs, ends and has the best one as theirs on each of their sequences of losses."""
    from bench.protocols.abmil_stopping import BestEpoch

    for losses, saved, last in zip(
        golden["stopping_losses"], golden["stopping_saved"], golden["stopping_last"], strict=True
    ):
        rule = BestEpoch(how.patience, how.min_epochs, how.ties)
        for epoch, loss in enumerate(losses):
            assert rule.improves(epoch, float(loss)) == saved[epoch]
            if rule.ends(epoch):
                break
        assert epoch == last
        assert rule.epoch == np.flatnonzero(saved)[-1]
