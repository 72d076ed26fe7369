"""Critical-difference diagrams: mean ranks of models over the tasks of a head, and bars that join those alike."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

import numpy as np

from bench.plots.plot import Drawing, Sketch
from bench.plots.rank_diagram import lanes_of, ticks_of
from bench.plots.source import Source, listed, place_of, shortened
from bench.plots.style import CHARACTER, COLOURS, Margins, drawn, panels_of, styled
from bench.results import SuiteRanks, suite_ranks

ORDER = 2
KINDS = ("critical_difference",)
FIGURE_SPACE = "\u2007"
"""As wide as a digit."""
LINE = 0.22
LANE = 0.14
"""Inches of a model, and of a bar that joins some."""


def sketches(source: Source) -> Iterator[Sketch]:
    """One for each head that was fitted on enough tasks for its models to be compared."""
    suites = suite_ranks([block for block in source.data.ranked if not block.measured])
    for suite in suites:
        found = suite.comparisons
        if found.mean is None or (found.adjusted is None and math.isnan(found.critical_difference)):
            continue
        several = [suite.head] if sum(one.protocol == suite.protocol for one in suites) > 1 else []
        groups = None if found.adjusted is None else found.groups
        yield Sketch(
            name=place_of("critical_difference", suite.protocol, *several),
            kind="critical_difference",
            inputs=[
                suite.tasks,
                suite.metric,
                [str(model) for model in suite.models],
                found.mean.mean.tolist(),
                found.critical_difference,
                groups,
            ],
            draw=functools.partial(draw, suite),
            protocol=suite.protocol,
            head=suite.head,
        )


@styled
def draw(suite: SuiteRanks) -> Drawing | None:
    """The figure of a suite: a line a model, the best mean rank on top."""
    found = suite.comparisons
    if found.mean is None:
        return None
    ranks, cd = np.asarray(found.mean.mean, np.float64), found.critical_difference
    names = [shortened(str(model)) for model in suite.models]
    order = sorted(range(len(names)), key=lambda place: (ranks[place], names[place]))
    bars = [sorted(order.index(place) for place in set(group)) for group in found.groups]
    lanes = lanes_of(bars)
    title = f"Mean ranks over {len(suite.tasks)} tasks, head {suite.protocol}; 1 is best"
    right = 0.35 + LANE * (max(lanes, default=-1) + 1)
    margins = Margins(CHARACTER * (max(19, max(map(len, names)) + 8)), right, 0.45, 0.5)
    n_lines = len(names) + (not math.isnan(cd))
    figure, panels = panels_of(title, 1, 1, 3.6, (LINE * n_lines + 0.1,), margins, least=5.2)
    axes = panels[0, 0]
    axes.set(xlim=(1, len(names)), ylim=(n_lines - 0.4, -0.6))
    labels = [f"{names[place]}   {f'{ranks[place]:.2f}'.rjust(5, FIGURE_SPACE)}" for place in order]
    axes.set_yticks(range(n_lines), [*labels, *(["critical difference"] * (n_lines - len(names)))])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xticks(ticks_of(len(names)))
    axes.spines["bottom"].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.grid(axis="y", visible=False)
    for line, place in enumerate(order):
        axes.plot([1, ranks[place]], [line, line], color=COLOURS[0], linewidth=1.2, clip_on=False)
        axes.plot(ranks[place], line, "o", color=COLOURS[0], markersize=5, clip_on=False)
    if not math.isnan(cd):
        end = min(1 + cd, len(names) + 0.5)
        axes.plot([1, end], [len(names)] * 2, color="#444444", linewidth=2.5, clip_on=False, gid="critical-difference")
    for places, lane in zip(bars, lanes, strict=True):
        x = 1 + (0.18 + LANE * lane) / 3.6
        shared = {"transform": axes.get_yaxis_transform(), "color": COLOURS[1], "clip_on": False}
        axes.plot([x, x], [places[0], places[-1]], linewidth=1.6, **shared)
        axes.plot([x] * len(places), places, "o", markersize=3.5, **shared)
    notes = ["A bar joins models that do not differ (signed ranks, Holm, level 0.05)."]
    if found.adjusted is None:
        notes = ["There are no bars, as pairs of models could not be compared."]
    elif not bars:
        notes = ["All models differ (signed ranks, Holm, level 0.05)."]
    if not math.isnan(cd):
        notes.append(f"Critical difference of Nemenyi's test at level 0.05: {cd:.2f} ranks.")
    figure.text(0.01, 0.02, "\n".join(notes), fontsize=7)
    parts = [f"{names[place]} {ranks[place]:.2f}" for place in order]
    joined = [", ".join(names[order[line]] for line in bar) for bar in bars]
    alike = f" Do not differ: {listed(joined)}." if joined else ""
    return Drawing(title, f"{title}. {listed(parts, 10)}.{alike} {' '.join(notes)}", drawn(figure))
