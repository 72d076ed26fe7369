"""A small cohort of tiles and one of slides' features, and the command in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "runs"))

from command_helpers import Done, bench

FAULTS = ("Traceback", "fault of the harness", "Error: ")


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of 24 tiles of 16 px, of 12 patients and two classes."""
    folder = tmp_path_factory.mktemp("few") / "tiles"
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["path,label,patient"]
    for number in range(24):
        name = f"p{number // 2:02d}_{number}.png"
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(folder / name)
        lines.append(f"{name},{'ab'[number // 2 % 2]},p{number // 2:02d}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def plan(tmp_path: Path, tiles: Path, forget: None) -> Callable[..., Done]:
    """``python -m bench plan`` of the smallest run with the arguments of a test."""

    def planned(*arguments: str, step: str = "plan") -> Done:
        return bench(
            tmp_path, step, "task=tiles", f"data={tiles}", "model=colour", "null=none", "protocol=knn", *arguments
        )

    return planned
