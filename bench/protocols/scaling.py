"""Units of features and of the numbers that are predicted."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from registry.errors import UserError

OVERFLOW = "The regression overflows: the task's numbers are too large, give them in a larger unit."


def spread(features: Float[np.ndarray, "sample feature"]) -> Float[np.ndarray, " feature"]:
    """Standard deviation of each feature in float64; 1 where it is constant."""
    deviations = np.asarray(features.std(axis=0, dtype=np.float64))
    deviations[deviations == 0] = 1
    return deviations


def standardised(
    features: Float[np.ndarray, "sample feature"], test_features: Float[np.ndarray, "query feature"]
) -> tuple[Float[np.ndarray, "sample feature"], Float[np.ndarray, "query feature"]]:
    """Both arrays, less the mean of the former and divided by its deviation, as float64."""
    mean, deviation = features.mean(axis=0, dtype=np.float64), spread(features)
    return (features - mean) / deviation, (test_features - mean) / deviation


def deviation(y: Float[np.ndarray, "sample target"]) -> Float[np.ndarray, " target"]:
    """Standard deviation of each target, taken of the share of its largest value, so that its square is a number."""
    largest = np.abs(y).max(axis=0)
    largest[largest == 0] = 1
    deviations = (y / largest).std(axis=0) * largest
    return np.asarray(np.where(deviations > 0, deviations, largest))


def finite(values: Float[np.ndarray, "sample target"]) -> Float[np.ndarray, "sample target"]:
    """The values as they are.

    Raises
    ------
    UserError
        If some are not finite.
    """
    if not np.isfinite(values).all():
        raise UserError(OVERFLOW)
    return values
