"""Scores of predictions, with bootstrap intervals by group and paired differences."""

from bench.metrics.bootstrap import Estimator, Replicates, replicate, weighted_mean
from bench.metrics.intervals import Interval, Scale
from bench.metrics.metric_sets import CLASSIFIED, LOWER_IS_BETTER, METRIC_SETS, METRICS, PRIMARY, Metric, MetricSet
from bench.metrics.scores import check, names, resample, score, score_all

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
    "names",
    "replicate",
    "resample",
    "score",
    "score_all",
    "weighted_mean",
]
