"""How far a like-for-like row may be from a published figure, by a rule that is the same for all.

Where the source prints the spread of its runs, both scores are taken for single runs of the same test samples: the
tolerance is 1.96 standard deviations of their difference, of which one variance is the published spread's and the other
that of our own runs (the published one again where we have a single run), plus half a unit of the last printed digit.
Where it prints none, the tolerance is the board's default. Neither has anything of the interval over test patients: the
test samples are the same on both sides, so that this interval would forgive faults far larger than those of a rerun.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.published.figures import Figure

RULE = (
    "Tolerance, of rows that are like for like or nearly so: with a published spread 1.96 times the root of its square "
    "and the square of the spread of our runs (the published one again for a single run), plus half a unit of the last "
    "printed digit; without one the default of the board. The interval over test patients has no part in it, as the "
    "test samples are the same."
)


@dataclass(frozen=True)
class Tolerance:
    """A tolerance and where it is from: "spread", "board" or "option"."""

    value: float
    origin: str


def tolerance(figure: Figure, spread_here: float | None, default: float, option: float | None = None) -> Tolerance:
    """The tolerance of one comparison.

    Parameters
    ----------
    spread_here : float or None
        Standard deviation over our runs; None where there is one.
    default : float
        Of the board.
    option : float or None
        What the user wants instead of both rules.
    """
    if option is not None:
        return Tolerance(option, "option")
    if figure.spread is None:
        return Tolerance(default, "board")
    own = figure.spread if spread_here is None else spread_here
    return Tolerance(1.96 * math.hypot(figure.spread, own) + figure.rounding, "spread")
