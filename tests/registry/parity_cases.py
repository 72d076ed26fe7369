"""The parity vectors: official key lists filled by the rule, in the official nesting, and the official outputs."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "parity"

Spec = dict[str, Any]
State = dict[str, torch.Tensor]


@cache
def rule() -> ModuleType:
    spec = importlib.util.spec_from_file_location("parity_rule", FOLDER / "rule.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(name: str) -> Spec:
    return json.loads((FOLDER / f"{name}.json").read_text())


def official(name: str) -> np.lib.npyio.NpzFile:
    return np.load(FOLDER / f"{name}.npz")


def tensors(spec: Spec) -> State:
    """The weight file's entries, by the rule."""
    return {key: torch.from_numpy(np.asarray(value)) for key, value in rule().build(spec).items()}


def nested(spec: Spec, state: State) -> dict[str, Any]:
    """The entries as the published file nests them."""
    content: dict[str, Any] = state
    for key in reversed(spec["nesting"]["path_to_dict"]):
        content = {key: content}
    return content


def save(name: str, path: Path) -> Path:
    """The model's weight file as published, filled by the rule."""
    spec = read(name)
    torch.save(nested(spec, tensors(spec)), path)
    return path


def tile(name: str) -> torch.Tensor:
    """uint8 [1, 3, H, W] of ``"file.png"`` or ``"file.png#x,y,width,height"``."""
    file, _, box = name.partition("#")
    image = Image.open(FOLDER / "tiles" / file).convert("RGB")
    if box:
        x, y, width, height = map(int, box.split(","))
        image = image.crop((x, y, x + width, y + height))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]


def slide_input(length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tile features [N, 1536] and coordinates [N, 2] of the slide vectors."""
    i = np.arange(length)
    coords = np.stack([(i % 40) * 256 * 3 + 131, (i // 40) * 256 * 2 + 77], axis=1)
    return torch.from_numpy(rule().tensor("tile_embeds", [1, length, 1536]))[0], torch.from_numpy(coords)
