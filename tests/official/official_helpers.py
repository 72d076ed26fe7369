"""What the scripts that run the authors' code and the tests that compare with it share.

The scripts run in environments that have the authors' packages and not this one, so this file needs NumPy only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
PEERS = "PFMBENCH_PEERS_PYTHON"
"""The environment variable that names interpreters which have the authors' packages, separated as in PATH."""

LARGEST = 60_000  # bytes of a file of golden vectors


def arguments(about: str) -> argparse.Namespace:
    """The command line of a script: `--official` and `--to`."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--official", type=Path, help="checkout of the authors' repository, where it is no package")
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder of the npz file")
    return parser.parse_args()


def vectors(n: int, classes: int, dim: int, seed: int, separation: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    """Features float32 [n, dim] and classes int64 [n] of overlapping Gaussian classes of nearly equal size.

    The means depend on `classes` and `dim` only, so that several seeds give the sides of one split.
    """
    means = np.random.default_rng([classes, dim]).normal(size=(classes, dim)) * separation
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    features = means[labels] + 2 * rng.normal(size=(n, dim)) + 1
    return features.astype(np.float32), labels.astype(np.int64)


def bags(n: int, classes: int, dim: int, seed: int, tiles: tuple[int, int]) -> tuple[list[np.ndarray], np.ndarray]:
    """Bags of between `tiles` tiles, float32 [T, dim], of which a third tells the class, and the classes int64 [n]."""
    centres, labels = vectors(n, classes, dim, seed, separation=1.0)
    rng = np.random.default_rng([seed, n])
    made = []
    for centre in centres:
        count = int(rng.integers(tiles[0], tiles[1] + 1))
        telling = rng.random(count) < 1 / 3
        made.append((rng.normal(size=(count, dim)) + telling[:, None] * centre).astype(np.float32))
    return made, labels


def write(folder: Path, name: str, version: str, arrays: dict[str, np.ndarray]) -> None:
    """Write NAME.npz with the arrays and the version or commit of the authors' code."""
    path = folder / f"{name}.npz"
    np.savez_compressed(path, version=np.array(version), **arrays)
    size = path.stat().st_size
    if size > LARGEST:
        raise SystemExit(f"{path} has {size} bytes, above {LARGEST}: take smaller inputs.")
    print(f"{path}: {len(arrays)} arrays, {size} bytes, {version}")


def read(name: str, folder: Path = FOLDER) -> dict[str, np.ndarray]:
    """The arrays of NAME.npz."""
    with np.load(folder / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def samples(features: np.ndarray, labels: np.ndarray, side: int) -> Any:
    """Samples of our heads in the order of the rows, each of a group of its own; `side` is part of their ids."""
    from bench.protocols import Samples

    ids = np.array([f"{side}-{i:05d}" for i in range(len(labels))])
    return Samples(ids, ids, features, labels)


def slides(features: list[np.ndarray], labels: np.ndarray, side: int) -> Any:
    """Bags of our heads, as `samples`."""
    from bench.protocols import Bags

    ids = np.array([f"{side}-{i:05d}" for i in range(len(labels))])
    return Bags(ids, ids, features, labels)


def preset(name: str, train: Any, val: Any, test: Any, seed: int = 0, **changes: Any) -> Any:
    """The predictions of the head of conf/protocol/NAME.yaml, some of its settings changed to suit small inputs."""
    from omegaconf import OmegaConf

    from bench import protocols

    settings = OmegaConf.merge(OmegaConf.load(FOLDER.parents[1] / "conf" / "protocol" / f"{name}.yaml"), changes)
    return protocols.configured(settings).fit_predict(train, val, test, seed)


def interpreter_of(distribution: str) -> str:
    """An interpreter that has the distribution: this one, or one of those that the environment variable names.

    The test is skipped where there is none.
    """
    import pytest

    named = [path for path in os.environ.get(PEERS, "").split(os.pathsep) if path]
    installed = f"import importlib.metadata; importlib.metadata.version({distribution!r})"
    for python in (sys.executable, *named):
        if subprocess.run([python, "-c", installed], check=False, capture_output=True).returncode == 0:
            return python
    pytest.skip(f"neither this interpreter nor one that {PEERS} names has {distribution}")


def made_again(script: str, distribution: str, folder: Path) -> dict[str, np.ndarray]:
    """The arrays that the script makes with the distribution now; the test is skipped without it."""
    name = script.removeprefix("make_").removesuffix(".py")
    command = [interpreter_of(distribution), str(FOLDER / script), "--to", str(folder)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return read(name, folder)
