"""Scores of predictions, with bootstrap intervals by group and paired differences."""

from bench.metrics.bootstrap import Interval, Replicates, replicate, weighted_mean
from bench.metrics.checks import check
from bench.metrics.scores import CLASSIFIED, LOWER_IS_BETTER, METRICS, PRIMARY, names, resample, score, score_all

__all__ = [
    "CLASSIFIED",
    "LOWER_IS_BETTER",
    "METRICS",
    "PRIMARY",
    "Interval",
    "Replicates",
    "check",
    "names",
    "replicate",
    "resample",
    "score",
    "score_all",
    "weighted_mean",
]
