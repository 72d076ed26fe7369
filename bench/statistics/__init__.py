"""Statistics of comparisons: arrays in, arrays out; no file is read and no table is written here."""

from bench.statistics.multiplicity import benjamini_hochberg, holm
from bench.statistics.paired import LEVEL, Studentised, p_better, p_of_swaps, swaps
from bench.statistics.rank_tests import (
    Friedman,
    critical_difference,
    friedman,
    groups,
    least_p,
    signed_rank_p,
    wilcoxon_holm,
)
from bench.statistics.ranks import (
    Bounds,
    Complete,
    MeanRanks,
    TaskRanks,
    best_first_ranks,
    complete,
    mean_ranks,
    task_ranks,
)
from bench.statistics.training import (
    TRAIN_SHARE,
    corrected_error,
    difference_inflation,
    score_inflation,
    training_influence,
)

__all__ = [
    "LEVEL",
    "TRAIN_SHARE",
    "Bounds",
    "Complete",
    "Friedman",
    "MeanRanks",
    "Studentised",
    "TaskRanks",
    "benjamini_hochberg",
    "best_first_ranks",
    "complete",
    "corrected_error",
    "critical_difference",
    "difference_inflation",
    "friedman",
    "groups",
    "holm",
    "least_p",
    "mean_ranks",
    "p_better",
    "p_of_swaps",
    "score_inflation",
    "signed_rank_p",
    "swaps",
    "task_ranks",
    "training_influence",
    "wilcoxon_holm",
]
