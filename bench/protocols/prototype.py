"""Nearest class mean of centred unit vectors: SimpleShot's CL2N classifier (Wang et al. 2019, arXiv:1911.04623)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bench.protocols.base import Predictions, Samples
from bench.protocols.checks import check_classes
from bench.protocols.held_out import held_out_info_of
from bench.protocols.selection import inner_cv_where_possible, pool
from bench.protocols.temperature import scaled


@dataclass
class Config:
    """The prototype head has no settings."""


def fit_predict(train: Samples, val: Samples | None, test: Samples, config: Config, seed: int) -> Predictions:
    """Class means of all train and validation samples are the prototypes.

    Scores are a softmax of minus the squared distances (prototypical networks, Snell et al. 2017).

    Raises
    ------
    UserError
        Samples that cannot be classified.
    """
    n_classes = check_classes(train, val, test)
    choice = inner_cv_where_possible(train, val, seed)
    scores = _scores(choice.samples if choice else pool(train, val), test, n_classes)
    held_out = held_out_info_of(choice, n_classes, lambda fit, query: _scores(fit, query, n_classes))
    calibrated = scaled(scores, held_out["temperature"]) if held_out else None
    return Predictions.of(test, scores, held_out, calibrated=calibrated)


def _scores(samples: Samples, test: Samples, n_classes: int) -> Float[np.ndarray, "query class"]:
    centre = samples.features.mean(axis=0, dtype=np.float64)
    units, queries = centred_units(samples.features, centre), centred_units(test.features, centre)
    prototypes = np.stack([units[samples.labels == c].mean(axis=0) for c in range(n_classes)])
    closeness = 2 * queries @ prototypes.T - (prototypes**2).sum(axis=1)
    odds = np.exp(closeness - closeness.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def centred_units(
    features: Float[np.ndarray, "sample feature"], centre: Float[np.ndarray, " feature"]
) -> Float[np.ndarray, "sample feature"]:
    """Features about the centre, each scaled to length one; float64."""
    moved = np.asarray(features - centre)
    norms = np.sqrt(np.einsum("nd,nd->n", moved, moved))
    moved /= np.where(norms > 0, norms, 1)[:, None]
    return moved
