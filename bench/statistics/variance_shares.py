"""What scores of models under several protocols vary by: the model, the protocol, both together, seed and patients.

The models and protocols are those of the table and not a draw from others: their variance is that among the cells of
the table, split into main effects and what is left. Scores of finitely many patients and seeds scatter, and a sum of
squares holds the variance of the scatter beside that of the effects. A resample of the patients is the same in all
cells, so the part of the scatter in each sum of squares is found by splitting the resamples in the same way, and is
taken off (the method of moments: Searle, Casella & McCulloch 1992, "Variance Components", chapter 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Table = Float[np.ndarray, "protocol model"]


@dataclass(frozen=True)
class VarianceParts:
    """Variances of one score, in the square of its unit; none below 0.

    Attributes
    ----------
    model, protocol : float
        Of the means of models over protocols, and of protocols over models.
    interaction : float
        Of what a model is better under one protocol than under others: what changes rankings. NaN in a table of one
        row or column.
    seed : float
        Of one run by its seed; NaN where no protocol was run with two.
    patient : float
        Of one score by the draw of so many test patients; NaN without resamples, and the effects are then not freed of
        it.
    """

    model: float
    protocol: float
    interaction: float
    seed: float
    patient: float

    @property
    def shares(self) -> dict[str, float]:
        """Of the sum of those that are known, 0 to 1; NaN for the others, and for all where the sum is 0."""
        parts = {name: getattr(self, name) for name in ("model", "protocol", "interaction", "seed", "patient")}
        total = float(np.nansum(list(parts.values())))
        return {name: value / total if total > 0 else np.nan for name, value in parts.items()}


def split(table: Float[np.ndarray, "protocol model ..."]) -> np.ndarray:
    """Mean squares of the effects of models, of protocols and of both together; [effect, ...].

    The three are orthogonal: their sum is the variance of the table about its mean, by the number of its cells.
    """
    mean = table.mean(axis=(0, 1), keepdims=True)
    model, protocol = table.mean(axis=0, keepdims=True) - mean, table.mean(axis=1, keepdims=True) - mean
    left = table - mean - model - protocol
    return np.stack([np.square(part).mean(axis=(0, 1)) for part in (model, protocol, left)])


def variance_parts(
    runs: Float[np.ndarray, "protocol model seed"],
    draws: Float[np.ndarray, "protocol model resample"],
    n_patients: int,
) -> VarianceParts:
    """The variances of scores.

    Parameters
    ----------
    runs : float [protocol, model, seed]
        The score of each run on all test patients.
    draws : float [protocol, model, resample]
        The means over seeds on the same resamples of the patients in all cells; those with an undefined value are left
        out.
    n_patients : int
        How many of them are drawn.

    Raises
    ------
    ValueError
        If the shapes do not agree, or a run has no score.
    """
    if runs.ndim != 3 or draws.ndim != 3 or runs.shape[:2] != draws.shape[:2] or np.isnan(runs).any():
        raise ValueError(f"Runs of shape {runs.shape} and draws of shape {draws.shape} are not of one complete table.")
    effects = split(runs.mean(axis=2))
    n_seeds = runs.shape[2]
    defined = draws[:, :, ~np.isnan(draws).any(axis=(0, 1))]
    seed = patient = np.nan
    if n_seeds > 1:
        scatter = runs - runs.mean(axis=2, keepdims=True)
        seed = float(np.square(scatter).sum(axis=2).mean() / (n_seeds - 1))
        effects = effects - split(scatter).sum(axis=-1) / (n_seeds - 1) / n_seeds
    if defined.shape[2] > 1 and n_patients > 1:
        scatter = defined - defined.mean(axis=2, keepdims=True)
        unbiased = n_patients / (n_patients - 1) / (defined.shape[2] - 1)  # a resample of n varies as n - 1 of n do
        patient = float(np.square(scatter).sum(axis=2).mean() * unbiased)
        effects = effects - split(scatter).sum(axis=-1) * unbiased
    model, protocol, interaction = np.maximum(effects, 0.0).tolist()
    return VarianceParts(model, protocol, interaction if min(runs.shape[:2]) > 1 else np.nan, seed, patient)
