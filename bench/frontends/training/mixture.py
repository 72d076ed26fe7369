"""Which degradation a tile gets in training."""

from __future__ import annotations

import math

import numpy as np

from bench.frontends.training.degradations import ENLARGEMENTS, Degradation, Enlargement

# Shares of the kinds. LPFM's chain so blurs a tile that little can be learnt of it: it gets the smallest share.
SHARES = {"clean": 0.1, "shrink": 0.2, "blur": 0.2, "noise": 0.2, "jpeg": 0.08, "mild": 0.15, "lpfm": 0.07}


def drawn(rng: np.random.Generator) -> Degradation:
    """A kind of `SHARES` with parameters drawn from its ranges."""
    kind = rng.choice(list(SHARES), p=list(SHARES.values()))
    if kind == "shrink":
        shrink = float(rng.choice([2, 4, 8])) if rng.random() < 0.5 else rng.uniform(1.5, 8)
        return Degradation(shrink=shrink, averaged=bool(rng.random() < 0.9), enlarge=_enlarged(rng))
    if kind == "blur":
        if rng.random() < 0.2:
            return Degradation(disc=rng.uniform(0.5, 5))
        sigma = rng.uniform(0.3, 4) if rng.random() < 0.8 else rng.uniform(4, 6)
        second = sigma if rng.random() < 0.7 else rng.uniform(0.1, 4)  # a narrow one is close to motion
        return Degradation(blur=(sigma, second), turn=rng.uniform(-math.pi, math.pi))
    if kind == "noise":
        sigma = rng.uniform(0, 55) if rng.random() < 0.8 else rng.uniform(55, 100)
        return Degradation(noise=sigma, shot=bool(rng.random() < 0.2))
    if kind == "jpeg":
        return Degradation(quality=rng.uniform(7, 95))
    if kind == "mild":
        return _mild(rng)
    return lpfm(rng) if kind == "lpfm" else Degradation()


def lpfm(rng: np.random.Generator) -> Degradation:
    """LPFM's own chain (arXiv 2509.01071, its released training data): blur, shrinking without averaging, noise."""
    sigma = rng.uniform(0.1, 12)
    return Degradation(
        blur=(sigma, sigma if rng.random() < 0.5 else rng.uniform(0.1, 12)),
        turn=rng.uniform(-math.pi, math.pi),
        shrink=rng.uniform(1, 12),
        averaged=False,
        enlarge="bilinear",
        noise=rng.uniform(0, 15),
    )


def _mild(rng: np.random.Generator) -> Degradation:
    sigma = rng.uniform(0.1, 3)
    return Degradation(
        blur=(sigma, sigma),
        shrink=rng.uniform(1, 4) if rng.random() < 0.5 else 1.0,
        enlarge=_enlarged(rng),
        noise=rng.uniform(0, 25),
        quality=rng.uniform(30, 100) if rng.random() < 0.5 else None,
    )


def _enlarged(rng: np.random.Generator) -> Enlargement:
    return ENLARGEMENTS[rng.choice(len(ENLARGEMENTS), p=[0.7, 0.2, 0.1])]
