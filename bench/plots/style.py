"""Figures as bytes that are the same whenever nothing changed; matplotlib is imported when one is drawn."""

from __future__ import annotations

import functools
import io
import textwrap
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
T = TypeVar("T")
FORMATS = ("svg", "png")
DPI = 150
TITLE = 9.5
CHARACTERS = 13
"""Of a title, that fit an inch."""
PART = 0.15
CHARACTER = 0.072
"""Inches of a character of a tick label, on average."""

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
    "text.parse_math": False,  # a name may have dollar signs
}


def styled(draw: Callable[P, T]) -> Callable[P, T]:
    """A function that makes and saves a figure, in the style of these plots whatever that of the process is."""

    @functools.wraps(draw)
    def with_style(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib.style

        with matplotlib.style.context(["default", dict(_STYLE)]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")  # a name may be in any script
            return draw(*args, **kwargs)

    return with_style


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size (inches), drawn by Agg: without a window system or the state of pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


class Margins(NamedTuple):
    """Inches around all panels, without the title of the figure, and between two of them."""

    left: float
    right: float
    top: float
    bottom: float
    across: float = 0.25
    down: float = 0.5


def panels_of(
    title: str,
    lines: int,
    columns: int,
    width: float,
    heights: Sequence[float],
    margins: Margins,
    least: float = 4.6,
) -> tuple[Figure, np.ndarray]:
    """A figure and its panels [line * len(heights), column], of sizes in inches.

    Such a figure takes half of the time of one whose layout matplotlib finds.

    Parameters
    ----------
    width : float
        Of a panel.
    heights : sequence of float
        Of the panels of a line, which stand below each other, `PART` apart.
    least : float
        Width of the figure at least.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    left, right, top, bottom, across, down = margins
    inner = columns * width + (columns - 1) * across
    total = max(least, left + inner + right)
    of_line = sum(heights) + PART * (len(heights) - 1)
    left += (total - left - inner - right) / 2  # what is wider than its panels need has them in the middle
    text = title_lines(title, total)
    top += 0.12 + 0.16 * len(text)
    height = top + lines * of_line + (lines - 1) * down + bottom
    figure = Figure(figsize=(total, height))
    FigureCanvasAgg(figure)
    figure.text(0.5, 1 - 0.07 / height, "\n".join(text), ha="center", va="top", fontsize=TITLE, gid="title")
    found = np.empty((lines * len(heights), columns), dtype=object)
    for line, part, column in np.ndindex(lines, len(heights), columns):
        upper = top + line * (of_line + down) + sum(heights[:part]) + PART * part
        place = (left + column * (width + across)) / total, 1 - (upper + heights[part]) / height
        box = (*place, width / total, heights[part] / height)
        found[line * len(heights) + part, column] = figure.add_axes(box)
    return figure, found


def title_lines(title: str, width: float) -> list[str]:
    """The title in lines that fit the width (inches)."""
    return textwrap.wrap(title, int(CHARACTERS * width)) or [""]


def entitle(figure: Figure, title: str) -> None:
    """Write a title above all panels, in as many lines as the width needs."""
    figure.suptitle("\n".join(title_lines(title, figure.get_figwidth())), fontsize=TITLE)


def drawn(figure: Figure) -> dict[str, bytes]:
    """The figure in each of `FORMATS`, without dates or versions.

    The canvases are called themselves: `Figure.savefig` draws everything a second time for each format.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()  # the layout is found once, not for each format
        figure.set_layout_engine("none")
    vector, raster = io.BytesIO(), io.BytesIO()
    FigureCanvasSVG(figure).print_svg(vector, metadata={"Date": None, "Creator": None})
    figure.set_dpi(DPI)
    FigureCanvasAgg(figure).print_png(raster, metadata={"Software": None})
    return dict(zip(FORMATS, (vector.getvalue(), raster.getvalue()), strict=True))


def style_of(place: int) -> dict[str, Any]:
    """Colour, marker and dashes of the n-th line of a figure; different for as many as are readable, 49."""
    dashes = ("-", "--", ":", "-.")[place // len(COLOURS) % 4]
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[place % len(MARKERS)], "linestyle": dashes}
