"""Settings of the linear probe, and the strengths and sample weights that they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from bench.protocols.settings import FROM_ONE, POSITIVE, check_settings
from registry.errors import UserError


@dataclass
class Config:
    """Settings of the linear probe.

    Attributes
    ----------
    c_min, c_max, n_strengths
        scikit-learn's C (inverse strength): this many values, evenly spaced in the logarithm. The default 45 from
        1e-6 to 1e5 are those of the DINOv2 linear evaluation (Oquab et al. 2023). One value needs no choosing.
    standardise
        Divide each feature by its deviation over train and validation, after taking off its mean.
    class_weight
        "balanced" weighs each class by N / (C N_c); null weighs all samples alike.
    tol
        Norm of the gradient of the mean objective at which a fit ends.
    device
        "cpu", "cuda", or "auto": a GPU where there is one.
    """

    c_min: float = 1e-6
    c_max: float = 1e5
    n_strengths: int = 45
    standardise: bool = False
    class_weight: str | None = None
    tol: float = 1e-6
    max_iter: int = 2000
    memory_gib: float = 1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        check_settings(
            "linear",
            self,
            c_min=POSITIVE,
            c_max=POSITIVE,
            n_strengths=FROM_ONE,
            class_weight=(None, "balanced"),
            tol=POSITIVE,
            max_iter=FROM_ONE,
            memory_gib=POSITIVE,
        )
        if self.c_min > self.c_max:
            raise UserError(f"c_min={self.c_min} of the linear head is above c_max={self.c_max}: exchange them.")


def strengths_of(config: Config) -> Float[np.ndarray, " strength"]:
    """The values of C to choose from."""
    return np.logspace(np.log10(config.c_min), np.log10(config.c_max), config.n_strengths)


def weights_of(
    y: Int[np.ndarray, " sample"], fit: Bool[np.ndarray, " sample"], n_classes: int, class_weight: str | None
) -> Float[np.ndarray, " sample"]:
    """Weight of each row, 0 outside the rows to fit."""
    if class_weight is None:
        return fit.astype(np.float64)
    counts = np.bincount(y[fit], minlength=n_classes)
    return np.asarray(fit * (fit.sum() / (n_classes * np.maximum(counts, 1)))[y])
