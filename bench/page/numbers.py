"""Numbers of JSON: short, finite, and without a negative zero."""

from __future__ import annotations

import math

DIGITS = 5


def rounded(value: float | None) -> float | None:
    """To `DIGITS` decimal places; None where it is not known or not finite."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), DIGITS) + 0.0


def significant(value: float) -> float | None:
    """To three digits, however small: a p value."""
    return float(f"{value:.3g}") if math.isfinite(value) else None
