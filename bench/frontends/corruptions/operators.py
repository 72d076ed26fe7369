"""The functions behind the kinds of corruption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch

from .blur import defocus, gaussian_blur, motion
from .colour import brightness, hue, saturation, stain
from .levels import Level
from .lpfm_degradation import lpfm_chain
from .noise import gaussian_noise, shot_noise
from .overlay import bubbles, marking
from .resolution import downsample, jpeg, pixelate

if TYPE_CHECKING:
    from bench.frontends.base import Apply

OPERATORS: Mapping[str, Callable[[Level, torch.device], Apply]] = {
    "pixelate": pixelate,
    "jpeg": jpeg,
    "defocus": defocus,
    "motion": motion,
    "brightness": brightness,
    "saturation": saturation,
    "hue": hue,
    "bubbles": bubbles,
    "marking": marking,
    "gaussian_blur": gaussian_blur,
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "downsample": downsample,
    "stain": stain,
    "lpfm_chain": lpfm_chain,
}

WITH_THREADS = frozenset({"jpeg"})
"""Those that share the tiles of a batch among threads of the processor."""
