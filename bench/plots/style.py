"""Figures as bytes that are the same whenever nothing changed; matplotlib is imported when one is drawn."""

from __future__ import annotations

import functools
import io
import textwrap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
T = TypeVar("T")
FORMATS = ("svg", "png")
DPI = 150
TITLE = 9.5
CHARACTERS = 13
"""Of a title, that fit an inch."""

# Okabe & Ito 2008, "Color Universal Design": told apart by readers with any colour vision. Yellow is left out, as it
# is too light for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#777777"
DIVERGING = "PuOr"
"""Orange below 0, purple above: told apart without red and green."""

_STYLE: Mapping[str, Any] = {
    "svg.hashsalt": "pfmbench",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """A function that makes and saves a figure, in the style of these plots whatever that of the process is."""

    @functools.wraps(draw)
    def with_style(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib.style

        with matplotlib.style.context(["default", dict(_STYLE)]):
            return draw(*args, **kwargs)

    return with_style


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size (inches), drawn by Agg: without a window system or the state of pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def entitle(figure: Figure, title: str) -> None:
    """Write a title above all panels, in as many lines as the width needs."""
    figure.suptitle("\n".join(textwrap.wrap(title, int(CHARACTERS * figure.get_figwidth()))), fontsize=TITLE)


def drawn(figure: Figure) -> dict[str, bytes]:
    """The figure in each of `FORMATS`, without dates or versions."""
    metadata: dict[str, dict[str, Any]] = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    figure.draw_without_rendering()  # the layout is found once, not for each format
    figure.set_layout_engine("none")
    found = {}
    for form in FORMATS:
        file = io.BytesIO()
        figure.savefig(file, format=form, dpi=DPI, metadata=metadata[form])
        found[form] = file.getvalue()
    return found


def style_of(place: int) -> dict[str, Any]:
    """Colour, marker and dashes of the n-th line of a figure; different for as many as are readable, 49."""
    dashes = ("-", "--", ":", "-.")[place // len(COLOURS) % 4]
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)], "linestyle": dashes}
