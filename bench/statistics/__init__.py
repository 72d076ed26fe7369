"""Statistics of comparisons of models: arrays in, arrays out; no file is read and no table is written here."""

from bench.statistics.multiplicity import benjamini_hochberg, holm
from bench.statistics.paired import Studentised, p_better, p_of_swaps, swaps
from bench.statistics.training import (
    TRAIN_SHARE,
    corrected_error,
    difference_inflation,
    score_inflation,
    training_influence,
)

__all__ = [
    "TRAIN_SHARE",
    "Studentised",
    "benjamini_hochberg",
    "corrected_error",
    "difference_inflation",
    "holm",
    "p_better",
    "p_of_swaps",
    "score_inflation",
    "swaps",
    "training_influence",
]
