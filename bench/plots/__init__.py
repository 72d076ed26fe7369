"""Figures of results, as SVG and PNG: the same bytes whenever nothing changed."""

from bench.plots.every import plots_of, save_plots
from bench.plots.multiverse import multiverse_figure
from bench.plots.plot import Drawing, Plot
from bench.plots.projections import projection_path
from bench.plots.rank_diagram import diagram
from bench.plots.source import CHOICES, Choice

__all__ = [
    "CHOICES",
    "Choice",
    "Drawing",
    "Plot",
    "diagram",
    "multiverse_figure",
    "plots_of",
    "projection_path",
    "save_plots",
]
