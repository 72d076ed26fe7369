"""The DDPM sampler on a part of the training's time steps (Ho et al. 2020; Nichol and Dhariwal 2021)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate, repeat

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

TRAINING_STEPS = 1000
_FIRST_BETA, _LAST_BETA = 0.00085, 0.0120

Latent = Float[Tensor, "tile channel height width"]
Predict = Callable[[Latent, Tensor], Latent]


def training_alphas() -> Float[np.ndarray, " step"]:
    """Share of the signal's variance that is left at each of the 1000 training steps.

    The square roots of Stable Diffusion's betas rise linearly.
    """
    betas = np.linspace(_FIRST_BETA**0.5, _LAST_BETA**0.5, TRAINING_STEPS) ** 2
    return np.cumprod(1 - betas)


def time_steps(steps: int) -> list[int]:
    """The training steps that are used, rising from 0 to 999 in equal distances before rounding.

    Parameters
    ----------
    steps : int
        2 to 1000.
    """
    distance = (TRAINING_STEPS - 1) / (steps - 1)
    return [round(position) for position in accumulate(repeat(distance, steps - 1), initial=0.0)]


def sample(predict: Predict, noise: Iterator[Latent], steps: int) -> Latent:
    """A latent from noise.

    Parameters
    ----------
    predict : function of a latent [B, C, H, W] and int64 training steps [B]
        The noise in the latent.
    noise : iterator of float32 tensors [B, C, H, W]
        Standard normal; the first is the start, and one is added after each step but the last: `steps` tensors.
    steps : int
        2 to 1000.

    Returns
    -------
    float32 tensor [B, C, H, W]
    """
    used = time_steps(steps)
    alphas = training_alphas()[used]
    before = np.append(1.0, alphas[:-1])
    x = next(noise)
    for i in reversed(range(steps)):
        beta = 1 - alphas[i] / before[i]
        time = torch.full((len(x),), used[i], dtype=torch.int64, device=x.device)
        clean = x * (1 / alphas[i]) ** 0.5 - predict(x, time) * (1 / alphas[i] - 1) ** 0.5
        of_clean = beta * before[i] ** 0.5 / (1 - alphas[i])
        of_noisy = (1 - before[i]) * (1 - beta) ** 0.5 / (1 - alphas[i])
        x = clean * of_clean + x * of_noisy
        if i > 0:
            variance = beta * (1 - before[i]) / (1 - alphas[i])
            x = x + next(noise) * variance**0.5
    return x
