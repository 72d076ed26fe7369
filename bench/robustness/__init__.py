"""Measures of what a model's features say of centre, scanner and staining: arrays in, numbers and estimators out."""

from bench.robustness.average_performance_drop import (
    Trial,
    accuracies_of,
    average_performance_drop,
    drop_estimator,
    summary,
    trials,
)
from bench.robustness.centre_predictability import centre_predictions
from bench.robustness.consistency import KINDS as PAIR_KINDS
from bench.robustness.consistency import PairedViews, consistency_estimators, paired_views
from bench.robustness.correlated_splits import CorrelatedSplits, correlated_splits, cramers_v, in_domain_centres
from bench.robustness.croma import lower_tail_mean, margin_estimators, margins, median
from bench.robustness.robustness_index import (
    PUBLISHED_K,
    candidate_ks,
    chosen_k,
    index_estimator,
    margin_weights,
    robustness_index,
    votes_accuracy,
)
from bench.robustness.typed_neighbours import TypedNeighbours, typed_neighbours, types_of

__all__ = [
    "PAIR_KINDS",
    "PUBLISHED_K",
    "CorrelatedSplits",
    "PairedViews",
    "Trial",
    "TypedNeighbours",
    "accuracies_of",
    "average_performance_drop",
    "candidate_ks",
    "centre_predictions",
    "chosen_k",
    "consistency_estimators",
    "correlated_splits",
    "cramers_v",
    "drop_estimator",
    "in_domain_centres",
    "index_estimator",
    "lower_tail_mean",
    "margin_estimators",
    "margin_weights",
    "margins",
    "median",
    "paired_views",
    "robustness_index",
    "summary",
    "trials",
    "typed_neighbours",
    "types_of",
    "votes_accuracy",
]
