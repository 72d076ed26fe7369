"""Scores of predictions, with bootstrap intervals by group and paired differences."""

from bench.metrics.bootstrap import Interval, Replicates
from bench.metrics.scores import METRICS, paired, resample, score

__all__ = ["METRICS", "Interval", "Replicates", "paired", "resample", "score"]
