"""Scores of predictions, with bootstrap intervals by group and paired differences."""

from bench.metrics.bootstrap import Estimator, Replicates, replicate, weighted_mean
from bench.metrics.intervals import Interval, Scale, degrees_of_freedom, standard_error
from bench.metrics.metric_sets import CLASSIFIED, LOWER_IS_BETTER, METRIC_SETS, METRICS, PRIMARY, Metric, MetricSet
from bench.metrics.scores import check, names, resample, score, score_all
from bench.metrics.swapping import swapped_differences

__all__ = [
    "CLASSIFIED",
    "LOWER_IS_BETTER",
    "METRICS",
    "METRIC_SETS",
    "PRIMARY",
    "Estimator",
    "Interval",
    "Metric",
    "MetricSet",
    "Replicates",
    "Scale",
    "check",
    "degrees_of_freedom",
    "names",
    "replicate",
    "resample",
    "score",
    "score_all",
    "standard_error",
    "swapped_differences",
    "weighted_mean",
]
