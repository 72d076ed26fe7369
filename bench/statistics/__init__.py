"""Statistics of comparisons of many models: arrays in, arrays out; no file is read and no table is written here."""

from bench.statistics.multiplicity import benjamini_hochberg, holm
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

__all__ = [
    "Bounds",
    "Complete",
    "Friedman",
    "MeanRanks",
    "TaskRanks",
    "benjamini_hochberg",
    "best_first_ranks",
    "complete",
    "critical_difference",
    "friedman",
    "groups",
    "holm",
    "least_p",
    "mean_ranks",
    "signed_rank_p",
    "task_ranks",
    "wilcoxon_holm",
]
