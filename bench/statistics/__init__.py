"""Statistics of comparisons: arrays in, arrays out; no file is read and no table is written here."""

from bench.statistics.multiplicity import benjamini_hochberg, holm
from bench.statistics.paired import LEVEL, Studentised, p_better, p_of_swaps, swaps
from bench.statistics.rank_agreement import (
    Agreement,
    Reversal,
    agreement,
    kendall_tau,
    orders,
    pairs_of,
    reversals,
    tau_of_redraws,
)
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
from bench.statistics.variance_shares import VarianceParts, variance_parts

__all__ = [
    "LEVEL",
    "TRAIN_SHARE",
    "Agreement",
    "Bounds",
    "Complete",
    "Friedman",
    "MeanRanks",
    "Reversal",
    "Studentised",
    "TaskRanks",
    "VarianceParts",
    "agreement",
    "benjamini_hochberg",
    "best_first_ranks",
    "complete",
    "corrected_error",
    "critical_difference",
    "difference_inflation",
    "friedman",
    "groups",
    "holm",
    "kendall_tau",
    "least_p",
    "mean_ranks",
    "orders",
    "p_better",
    "p_of_swaps",
    "pairs_of",
    "reversals",
    "score_inflation",
    "signed_rank_p",
    "swaps",
    "task_ranks",
    "tau_of_redraws",
    "training_influence",
    "variance_parts",
    "wilcoxon_holm",
]
