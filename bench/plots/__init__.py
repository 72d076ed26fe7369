"""Figures of results, as SVG and PNG: the same bytes whenever nothing changed."""

from bench.plots.plot import Plot
from bench.plots.rank_diagram import diagram
from bench.plots.robustness import PLOTS, robustness_plots

__all__ = [
    "PLOTS",
    "Plot",
    "diagram",
    "robustness_plots",
]
