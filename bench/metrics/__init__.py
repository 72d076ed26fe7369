"""Scores of predictions, their resamples and their intervals over groups."""

from bench.metrics.bootstrap import Estimator, Replicates, replicate, weighted_mean
from bench.metrics.intervals import Interval, Scale, degrees_of_freedom, standard_error
from bench.metrics.measured import MEASURED
from bench.metrics.metric_sets import (
    CLASSIFIED,
    LOWER_IS_BETTER,
    METRIC_SETS,
    METRICS,
    PRIMARY,
    FittedMetric,
    Metric,
    MetricSet,
)
from bench.metrics.obuchowski import (
    AucDifference,
    ClusteredAuc,
    clustered_auc,
    clustered_auc_covariance,
    clustered_auc_difference,
)
from bench.metrics.scores import check, names, resample, score, score_all
from bench.metrics.similarity import cosines, retrieved
from bench.metrics.survival_brier import brier_times, integrated_brier
from bench.metrics.survival_curves import KaplanMeier, LogRank, kaplan_meier, log_rank, risk_groups
from bench.metrics.swapping import swapped_differences

__all__ = [
    "CLASSIFIED",
    "LOWER_IS_BETTER",
    "MEASURED",
    "METRICS",
    "METRIC_SETS",
    "PRIMARY",
    "AucDifference",
    "ClusteredAuc",
    "Estimator",
    "FittedMetric",
    "Interval",
    "KaplanMeier",
    "LogRank",
    "Metric",
    "MetricSet",
    "Replicates",
    "Scale",
    "brier_times",
    "check",
    "clustered_auc",
    "clustered_auc_covariance",
    "clustered_auc_difference",
    "cosines",
    "degrees_of_freedom",
    "integrated_brier",
    "kaplan_meier",
    "log_rank",
    "names",
    "replicate",
    "resample",
    "retrieved",
    "risk_groups",
    "score",
    "score_all",
    "standard_error",
    "swapped_differences",
    "weighted_mean",
]
