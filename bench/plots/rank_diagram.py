"""A critical-difference diagram as SVG text: a line a model from the best mean rank on, and bars that join groups.

After Demsar 2006 (J. Mach. Learn. Res. 7, figure 1), but with the models below each other: 60 of them can be read,
names never overlap, and a bar has a dot at each model that it joins, as a group need not consist of neighbours.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

# Pixels.
LINE, TEXT, MARGIN, AXIS, LANE = 20, 12, 16, 360, 12
CHARACTER = 0.62 * TEXT  # width, in the monospaced fonts that browsers have
RANK = 7 * CHARACTER  # column of the mean ranks

LIGHT = {"page": "#ffffff", "text": "#1f2328", "grid": "#d1d9e0", "mark": "#0550ae", "bar": "#8a3b00"}
DARK = {"page": "#0d1117", "text": "#e6edf3", "grid": "#3d444d", "mark": "#79c0ff", "bar": "#ffa657"}
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def diagram(
    names: Sequence[str], mean_ranks: Sequence[float], groups: Sequence[Sequence[int]] | None, cd: float, title: str
) -> str:
    """The diagram as a complete SVG document that needs nothing else, in the colours of a light or a dark page.

    Parameters
    ----------
    names : sequence of str
        Of the models; any characters.
    mean_ranks : sequence of float
        In 1..K for K models, 1 for the best.
    groups : sequence of sequence of int, or None
        Indices of models that do not differ; each group gets a bar with a dot at each of its models. None where pairs
        were not compared: the legend then says that the absence of bars means nothing.
    cd : float
        Nemenyi's critical difference, drawn to the scale of the axis; NaN for none.

    Raises
    ------
    ValueError
        If there are fewer than two models, a rank is not in 1..K, or a group is not of two models or more.
    """
    count = len(names)
    if count < 2 or len(mean_ranks) != count:
        raise ValueError(f"A diagram takes two models or more, each with a rank: {count} and {len(mean_ranks)}.")
    if not all(1 <= rank <= count for rank in mean_ranks):
        raise ValueError(f"A mean rank of {count} models is not in 1..{count}.")
    if any(len(set(group)) < 2 or not set(group) <= set(range(count)) for group in groups or ()):
        raise ValueError("A group is of fewer than two models, or has an index of none.")
    labels, title = [_printable(name) for name in names], _printable(title)
    order = sorted(range(count), key=lambda index: (mean_ranks[index], labels[index], index))
    bars = [sorted(order.index(index) for index in set(group)) for group in groups or ()]
    lanes = lanes_of(bars)
    legend = _legend(groups, not math.isnan(cd))
    shown = ["critical difference"] if not math.isnan(cd) else []
    left = MARGIN + CHARACTER * max(map(_columns, labels + shown)) + RANK + LANE
    top = MARGIN + (3 if math.isnan(cd) else 4) * LINE

    def x(rank: float) -> float:
        return left + AXIS * (rank - 1) / (count - 1)

    def y(place: int) -> float:
        return top + LINE * (place + 0.5)

    parts = [_text(MARGIN, MARGIN + TEXT, title, "title")]
    if not math.isnan(cd):
        parts += _measured(x(1), x(1 + cd), top - 2 * LINE, "critical difference", cd, "cd")
    for tick in ticks_of(count):
        parts.append(_line(x(tick), top - 0.4 * LINE, x(tick), top + LINE * count, "grid"))
        parts.append(_text(x(tick), top - 0.6 * LINE, str(tick), "tick", "middle"))
    for place, index in enumerate(order):
        parts += _measured(left, x(mean_ranks[index]), y(place), labels[index], mean_ranks[index], "model")
    for places, lane in zip(bars, lanes, strict=True):
        across = left + AXIS + LANE * (lane + 2)
        dots = "".join(_circle(across, y(place), 3, "member") for place in places)
        parts.append(f'<g class="group">{_line(across, y(places[0]), across, y(places[-1]), "bar")}{dots}</g>')
    parts += [_text(MARGIN, top + LINE * (count + 1 + row), line, "legend") for row, line in enumerate(legend)]

    ends = [
        left + AXIS + LANE * (max(lanes, default=-1) + 3),
        MARGIN + CHARACTER * max(map(_columns, [title, *legend])),
    ]
    size = f"{max([*ends, *([] if math.isnan(cd) else [x(1 + cd)])]) + MARGIN:.0f}", f"{top + LINE * (count + 3.5):.0f}"
    return "\n".join([*_opened(*size, title), *parts, "</svg>", ""])


def _legend(groups: Sequence[Sequence[int]] | None, cd: bool) -> list[str]:
    scale = "Mean rank over tasks, 1 is best."
    nemenyi = " Critical difference: Nemenyi, level 0.05." if cd else ""
    pairs = "signed ranks, Holm, level 0.05"
    if groups is None:
        bars = "There are no bars, as pairs of models could not be compared."
    else:
        bars = f"A bar joins models that do not differ: {pairs}." if groups else f"All models differ: {pairs}."
    return [scale + nemenyi, bars]


def ticks_of(count: int) -> list[int]:
    """At most 13 whole ranks, 1 among them."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 10 ** len(str(count))) if count <= 12 * step)
    return sorted({1, *range(step, count + 1, step)})


def lanes_of(bars: Sequence[list[int]]) -> list[int]:
    """A lane for each bar, such that no two bars of a lane touch."""
    ends: list[int] = []
    lanes = {}
    for bar in sorted(range(len(bars)), key=lambda bar: bars[bar]):
        lane = next((lane for lane, end in enumerate(ends) if end < bars[bar][0]), len(ends))
        ends[lane : lane + 1] = [bars[bar][-1]]
        lanes[bar] = lane
    return [lanes[bar] for bar in range(len(bars))]


def _measured(start: float, end: float, y: float, label: str, value: float, kind: str) -> Iterator[str]:
    """A line of the list: its name, its value, and the value on the scale of the axis."""
    yield _text(start - LANE - RANK, y + 0.35 * TEXT, label, "name", "end")
    yield _text(start - LANE, y + 0.35 * TEXT, f"{value:.2f}", "value", "end")
    yield _line(start, y, end, y, "span" if kind == "model" else "cd")
    if kind == "model":
        yield _circle(end, y, 4, "model")


def _opened(width: str, height: str, title: str) -> list[str]:
    def colours(of: dict[str, str]) -> str:
        return (
            f".page{{fill:{of['page']}}}text{{fill:{of['text']}}}.grid{{stroke:{of['grid']}}}"
            f".span,.cd{{stroke:{of['mark']}}}.model{{fill:{of['mark']}}}"
            f".bar{{stroke:{of['bar']}}}.member{{fill:{of['bar']}}}"
        )

    style = (
        f"text{{font:{TEXT}px ui-monospace,Menlo,Consolas,monospace}}.title{{font-weight:bold}}.cd{{stroke-width:3}}"
    )
    style += f".bar{{stroke-width:2}}{colours(LIGHT)}@media(prefers-color-scheme:dark){{{colours(DARK)}}}"
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f"<title>{escape(title)}</title><style>{style}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
    ]


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _circle(x: float, y: float, radius: float, kind: str) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'


def _printable(text: str) -> str:
    """On one line, with a replacement character for each that XML cannot hold."""
    return " ".join(NOT_XML.sub("\ufffd", text).split())


def _columns(text: str) -> int:
    """How many columns of a monospaced font the text fills."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
