"""Scores of predictions, with bootstrap intervals by group and paired differences."""

from bench.metrics.bootstrap import Interval, Replicates
from bench.metrics.calibration import CALIBRATION
from bench.metrics.scores import LOWER_IS_BETTER, METRICS, PRIMARY, SCALED, resample, score, score_all

__all__ = [
    "CALIBRATION",
    "LOWER_IS_BETTER",
    "METRICS",
    "PRIMARY",
    "SCALED",
    "Interval",
    "Replicates",
    "resample",
    "score",
    "score_all",
]
