"""What HEST-bench makes of features before a regression (Jaume et al. 2024, arXiv:2406.16192)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

SEED = 1  # of HEST's randomised components, whatever the seed of a run


@dataclass
class Preparation:
    """What the heads of HEST-bench do with features first.

    Attributes
    ----------
    pca
        Principal components to keep (as many as there are, if fewer); null projects nothing.
    standardise
        Subtract each feature's mean and divide by its deviation before the projection.
    """

    pca: int | None = 256
    standardise: bool = True


def prepared(
    features: Float[np.ndarray, "sample feature"],
    test_features: Float[np.ndarray, "query feature"],
    pca: int | None,
    *,
    standardise: bool,
) -> tuple[Float[np.ndarray, "sample dim"], Float[np.ndarray, "query dim"]]:
    """Both arrays in float32 by scikit-learn's scaler and principal components, fitted on the former.

    scikit-learn chooses among the ways to principal components by the shape of the features: beyond 500 samples or
    dimensions these are estimated with random numbers, here those of HEST.

    Parameters
    ----------
    pca
        Principal components; as many as there are, if fewer, and None projects nothing.
    standardise
        Subtract each feature's mean and divide by its deviation first.
    """
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    x, queries = (np.asarray(part, dtype=np.float32) for part in (features, test_features))
    steps = [StandardScaler()] if standardise else []
    if pca is not None:
        steps.append(PCA(min(pca, *x.shape), random_state=SEED))
    for step in steps:
        x, queries = step.fit_transform(x), step.transform(queries)
    return x.astype(np.float32), queries.astype(np.float32)
