"""Whether predictions have anything to do with the labels: a permutation test over groups.

Under the hypothesis that a control says nothing of the label, it does not matter which group got which prediction.
Heads are trained on other samples than these, so the test is exact for one test set. Of folds, groups of one fold are
permuted among themselves; their heads share training samples, which the test leaves out of account.

Counting stops once `ENOUGH` permutations reach the score (Besag & Clifford 1991, Biometrika 78, 301-304), so that only
scores that stand out take all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Int

from bench.audit.predicted import Predicted
from bench.metrics import METRIC_SETS

PERMUTATIONS = 3999
ENOUGH = 20
TOLERANCE = 1e-12


def p_permuted(kind: str, metric: str, predicted: Predicted, seed: int = 0) -> float:
    """One-sided p of a score as high as this one where predictions and labels are independent; 1 at most.

    - Where all samples of a group have one prediction, groups exchange their predictions.
    - Where they have one label, groups exchange their labels.
    - Where both differ within groups, samples exchange labels within their group.
    """
    one = predicted.ordered()
    of = METRIC_SETS[kind].metrics[metric]
    group = np.unique(one.groups, return_inverse=True)[1]
    once = np.ones((group.max() + 1, 1), np.int32)

    def score(y_true: np.ndarray, scores: np.ndarray) -> float:
        return float(of(y_true, scores, group)(once)[0])

    observed, rng = score(one.y_true, one.scores), np.random.default_rng(seed)
    draw = _drawing(one, group)
    reached = 0
    for count in range(1, PERMUTATIONS + 1):
        value = score(*draw(rng))
        reached += not value < observed - TOLERANCE  # an undefined one counts
        if reached >= ENOUGH:
            return reached / count
    return (1 + reached) / (1 + PERMUTATIONS)


def _drawing(
    one: Predicted, group: Int[np.ndarray, " sample"]
) -> Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]:
    """What draws labels and predictions of a permutation."""
    first = np.unique(group, return_index=True)[1]
    fold = one.folds[first]
    if np.array_equal(one.scores, one.scores[first][group]):
        return lambda rng: (one.y_true, one.scores[first][_within(fold, rng)][group])
    if np.array_equal(one.y_true, one.y_true[first][group]):
        return lambda rng: (one.y_true[first][_within(fold, rng)][group], one.scores)
    return lambda rng: (one.y_true[_within(group, rng)], one.scores)


def _within(part: Int[np.ndarray, " item"], rng: np.random.Generator) -> Int[np.ndarray, " item"]:
    """A permutation that leaves each item in its part."""
    order = np.argsort(part, kind="stable")
    shuffled = np.lexsort((rng.random(len(part)), part))
    found = np.empty(len(part), np.int64)
    found[order] = shuffled
    return found
