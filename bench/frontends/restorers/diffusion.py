"""`lpfm2`, LPFM's two stages together, and `virtual_stain`, a tile in another stain: both sample images.

Both are built to the layout of the released files (github.com/ziniBRC/LPFM, whose second stage is DiffBIR's) and need
those files, which are not part of this package. The files themselves were not available when this was written: names
and shapes are checked against the authors' code at full size, numbers at reduced size, and how well the real weights
restore tiles has not been measured.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from bench.frontends.base import WeightSources
from bench.frontends.seeds import mixed
from registry.errors import UserError, near_match

from .stable_diffusion import files, prompts

if TYPE_CHECKING:
    from torch import nn

    from bench.frontends.base import Apply, Images, Seeds

    from .stable_diffusion.networks import Sizes

VERSION = 1
PACKAGES = ("diffusers", "transformers")
_SHARED = 865_910_724 + 83_653_863 + 363_153_280  # U-Net, autoencoder, ControlNet
PARAMETERS = {"lpfm2": _SHARED + 26_111_668, "virtual_stain": _SHARED + 15_792_587}


@dataclass(frozen=True)
class DiffusionSettings:
    """What can be set of a restorer that samples.

    Attributes
    ----------
    prompt, negative_prompt : str
        What the image is to show, and what not; the negative one counts only where `cfg_scale` is not 1.
    steps : int
        Of the sampler, 2 to 1000.
    seed : int
        Beside the tile's own, for another sample of every tile.
    cfg_scale : float
        Classifier-free guidance, 1 (none, as released) to 20; any other value doubles the time.
    strength : float
        Of the first stage's hold on the sample, 0 to 2.
    colours_of_stage1 : bool
        Whether the low frequencies of the first stage's image replace those of the sample (the wavelet colour fix).
    size : int
        Tiles whose shorter side is below this many px are enlarged to it, 64 to 2048.
    """

    prompt: str = ""
    negative_prompt: str = "low quality, blurry, low-resolution, noisy"
    steps: int = 50
    seed: int = 231
    cfg_scale: float = 1.0
    strength: float = 1.0
    colours_of_stage1: bool = True
    size: int = 512


# as the authors run them; the prompt of the second is the one that their test of the released HEMIT weights reads
DEFAULTS = {
    "lpfm2": DiffusionSettings(),
    "virtual_stain": DiffusionSettings(
        prompt="Restore the low-quality multiplex-immunohistochemistry image.", colours_of_stage1=False
    ),
}
_KINDS: dict[type, str] = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_RANGES: dict[str, tuple[float, float]] = {
    "steps": (2, 1000),
    "seed": (0, 2**63 - 1),
    "cfg_scale": (1, 20),
    "strength": (0, 2),
    "size": (64, 2048),
}


def restorer(
    name: str, settings: Mapping[str, Any] | None = None, weights: WeightSources | None = None
) -> DiffusionRestorer:
    """One of the two restorers.

    Parameters
    ----------
    name : {"lpfm2", "virtual_stain"}
    settings : mapping, optional
        Of `DiffusionSettings`, in place of those in `DEFAULTS`.
    weights : WeightSources, optional
        Where its three files are looked for (`stable_diffusion.files.locate`).

    Raises
    ------
    UserError
        If the name or a setting is unknown, or a value is of another type or out of range.
    """
    if name not in DEFAULTS:
        raise UserError(f"there is no restorer '{name}' that samples; choose one of {', '.join(DEFAULTS)}.")
    return DiffusionRestorer(name, _checked(name, settings or {}), weights or WeightSources())


def _checked(name: str, settings: Mapping[str, Any]) -> DiffusionSettings:
    known: dict[str, type] = {each.name: type(each.default) for each in dataclasses.fields(DiffusionSettings)}
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in known:
            raise UserError(f"{name} has no setting '{key}'; it has {', '.join(known)}.{near_match(key, known)}")
        kind = known[key]
        whole = kind is float and type(value) is int
        if type(value) is not kind and not whole:
            raise UserError(f"{key} of {name} is {value!r}; give it as {_KINDS[kind]}.")
        values[key] = kind(value)
        low, high = _RANGES.get(key, (None, None))
        if low is not None and high is not None and not low <= values[key] <= high:
            raise UserError(f"{key} of {name} is {value}; set it to {low} to {high}.")
    return dataclasses.replace(DEFAULTS[name], **values)


@dataclass(frozen=True)
class DiffusionRestorer:
    """A `FrontEnd` that samples an image around that of a first stage, one tile at a time.

    Attributes
    ----------
    name : str
    settings : DiffusionSettings
    weights : WeightSources
    sizes : Sizes or None
        Of the networks; None for the released ones.
    load_stage1 : function of a path, or None
        The first stage's network, which maps images in 0..1; None for the released one.
    """

    name: str
    settings: DiffusionSettings
    weights: WeightSources
    sizes: Sizes | None = None
    load_stage1: Callable[[Path], nn.Module] | None = field(default=None, compare=False)
    restores: bool = field(default=True, init=False)

    @property
    def identity(self) -> str:
        """Settings, version and the sha256 of its files; hashing them takes some seconds at the first time."""
        hashes = ", ".join(f"{role} {files.digest(path)}" for role, path in self._files.items())
        return f"{self.name} version {VERSION}, {self.settings}, {hashes}"

    @property
    def memory_bytes(self) -> int:
        """Its networks in float32, without the text tower, which stays on the CPU."""
        return 4 * PARAMETERS[self.name]

    def check(self, height: int, width: int) -> None:
        """Raise UserError if a package or file that it needs is not there; it takes tiles of any size."""
        _ = self._files

    @cached_property
    def _files(self) -> dict[str, Path]:
        lacking = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
        if lacking:
            raise UserError(
                f"{self.name} needs the package{'s' if len(lacking) > 1 else ''} {' and '.join(lacking)}: "
                "`pip install 'pfmbench[diffusion]'`."
            )
        found = files.locate(self.name, self.weights)
        if any(prompts.cleaned(prompt) for prompt in self._prompts):
            found["vocabulary"] = files.vocabulary(self.name, self.weights)
            for prompt in self._prompts:
                prompts.tokens(prompt, found["vocabulary"])
        return found

    @property
    def _prompts(self) -> list[str]:
        """Those that count, the negative one last."""
        guided = self.settings.cfg_scale != 1
        return [self.settings.prompt] + ([self.settings.negative_prompt] if guided else [])

    def load(self, device: torch.device) -> Apply:
        """The function itself; see `FrontEnd.load`.

        Tiles go through the networks one by one, in float32, so that a batch changes nothing.
        """
        found = self._files  # first of all, as the packages are imported below

        from registry import full_float32

        from .stable_diffusion import networks
        from .stable_diffusion.first_stages import FIRST_STAGES
        from .stable_diffusion.pipeline import Pipeline

        sizes = self.sizes or networks.RELEASED
        loaded, text_tower = networks.load(found["stable_diffusion"], found["stage2"], sizes)
        with full_float32():
            texts = [
                networks.text_features(text_tower, prompts.tokens(prompt, found.get("vocabulary"))).to(device)
                for prompt in self._prompts
            ]
        settings = self.settings
        pipeline = Pipeline(
            stage1=(self.load_stage1 or FIRST_STAGES[self.name])(found["stage1"]).to(device),
            networks=loaded.to(device),
            text=texts[0],
            negative_text=texts[1] if len(texts) > 1 else None,
            guidance=settings.cfg_scale,
            strength=settings.strength,
            steps=settings.steps,
            size=settings.size,
            colours_of_stage1=settings.colours_of_stage1,
        )

        @torch.no_grad()
        def apply(tiles: Images, seeds: Seeds) -> Images:
            restored = torch.empty_like(tiles)
            with full_float32():
                for i, seed in enumerate(seeds.tolist()):
                    restored[i : i + 1] = pipeline(tiles[i : i + 1], self._seed(seed))
            return restored

        return apply

    def _seed(self, of_tile: int) -> int:
        return mixed(of_tile, f"{self.name} {self.settings.seed}")
