"""The names in the released files of LPFM's second stage, and files with those names whose networks are small.

`released_names.txt` and `small_names.txt` list names and shapes as the authors' own modules have them (github.com/
XPixelGroup/DiffBIR, whose code LPFM's is, in the settings of its ``cldm.yaml`` and ``swinir.yaml``, and at the small
sizes below): those modules were made without values and their state was listed. A line is a name whose whole numbers
are replaced by #, a shape, and the numbers of every tensor of that name and shape.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).parent
Names = dict[str, tuple[int, ...]]

# of networks.Sizes; the first stage of virtual staining is small by arguments of its own
SMALL: dict[str, Any] = {
    "channels": (32, 64, 64, 64),
    "heads": (2, 4, 4, 4),
    "autoencoder_channels": (32, 64, 64, 64),
    "text_width": 32,
    "text_heads": 4,
    "text_layers": 3,
}
SMALL_SWINIR: dict[str, Any] = {"dim": 24, "depths": (2, 2), "heads": 3}
# what the authors' log of a run prints as not used of v2-1_512-ema-pruned.ckpt
BESIDE = [
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "betas",
    "log_one_minus_alphas_cumprod",
    "model_ema.decay",
    "model_ema.num_updates",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
    "posterior_variance",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
]


def names(file: str) -> dict[str, Names]:
    """Shapes by name, of each file that the list has a section for."""
    sections: dict[str, Names] = {}
    for line in (HERE / file).read_text().splitlines():
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
            continue
        pattern, shape, *numbers = line.split()
        size = () if shape == "-" else tuple(int(side) for side in shape.split("x"))
        for these in numbers or [""]:
            name = pattern
            for number in filter(None, these.split(".")):
                name = name.replace("#", number, 1)
            section[name] = size
    return sections


def by_rule(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The value of an entry, by the rule of the parity vectors (tests/parity)."""
    spec = importlib.util.spec_from_file_location("parity_rule", HERE.parent / "parity" / "rule.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return torch.from_numpy(np.asarray(module.tensor(name, shape), np.float32))


def filled(state: Names) -> dict[str, torch.Tensor]:
    return {name: by_rule(name, shape) for name, shape in state.items()}


def write(folder: Path) -> Path:
    """The files of both restorers, as published but small, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    small = names("small_names.txt")
    beside = {name: torch.zeros(1) for name in BESIDE}
    torch.save({"state_dict": filled(small["stable_diffusion"]) | beside}, folder / "v2-1_512-ema-pruned.ckpt")
    for file in ("lpfm_restore_stage2.pt", "stage2_vs.pt"):
        torch.save(filled(small["stage2"]), folder / file)
    torch.save(filled(small["stage1_vs"]), folder / "stage1_vs.pth")
    torch.save({"params": {"gain": torch.tensor(0.9)}}, folder / "lpfm_restore_stage1.pth")
    return folder


class Gain(torch.nn.Module):
    """In place of Restormer, which has one size: a multiple of the image."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.register_buffer("gain", torch.load(path)["params"]["gain"])

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image * self.gain + 0.03
