"""Two predictions of the same samples, metric by metric."""

from typing import Any

import numpy as np

from bench.metrics import Interval, resample


def differences(
    y_true: np.ndarray, a: np.ndarray, b: np.ndarray, groups: np.ndarray, **how: Any
) -> dict[str, Interval]:
    """Intervals of a - b on the same resamples."""
    both = resample(y_true, {"a": a, "b": b}, groups, **how)
    return {metric: (both["a"][metric] - both["b"][metric]).interval() for metric in both["a"]}
