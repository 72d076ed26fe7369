"""Scores of predictions, with bootstrap intervals by group and paired differences."""

from bench.metrics.bootstrap import Interval, Replicates
from bench.metrics.scores import LOWER_IS_BETTER, METRICS, PRIMARY, paired, resample, score, score_all

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "PRIMARY",
    "Interval",
    "Replicates",
    "paired",
    "resample",
    "score",
    "score_all",
]
