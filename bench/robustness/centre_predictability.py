"""How well a linear probe tells the centre of samples whose group (patient) it has not seen."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Float, Int, Shaped

FOLDS = 5


def centre_predictions(
    features: Float[np.ndarray, "sample feature"],
    centres: Int[np.ndarray, " sample"],
    groups: Shaped[np.ndarray, " sample"],
    seed: int = 0,
) -> Int[np.ndarray, " sample"] | None:
    """The centre of each sample as a logistic regression predicts it that was fitted on the other folds of groups.

    Features are standardised on the fitted folds and C is 1, as PathoROB's confounder prediction has it. There are five
    folds, or as many as the centre with the fewest groups has.

    Parameters
    ----------
    centres : int [N]
        0..K-1, two or more.

    Returns
    -------
    int [N], or None where a centre has one group only.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold
    from sklearn.preprocessing import StandardScaler

    present = np.unique(centres)
    folds = min(FOLDS, *(len(np.unique(groups[centres == i])) for i in present))
    if folds < 2:
        return None
    found = np.empty(len(centres), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of folds in which a centre is rare, and of fits that end at `max_iter`
        cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
        for fit, held_out in cut.split(features, centres, groups):
            scaler = StandardScaler().fit(features[fit].astype(np.float64))
            model = LogisticRegression(max_iter=200).fit(scaler.transform(features[fit]), centres[fit])
            found[held_out] = model.predict(scaler.transform(features[held_out]))
    return found
