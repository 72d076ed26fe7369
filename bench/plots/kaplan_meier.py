"""Survival curves of the halves that the best models predict to be at high and at low risk, after Kaplan and Meier."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from bench.metrics import KaplanMeier, LogRank, kaplan_meier, log_rank
from bench.plots.confusion import of_block
from bench.plots.plot import Drawing, Sketch
from bench.plots.source import PooledPredictions, Source, label_of, listed
from bench.plots.style import COLOURS, Margins, drawn, panels_of, styled
from bench.results import AggregatedResult
from bench.targets import get

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDER = 7
KINDS = ("kaplan_meier",)
COLUMNS = 3
GROUPS = (("high risk", COLOURS[1]), ("low risk", COLOURS[0]))
ROWS = (-0.43, -0.53)
"""Where the numbers at risk stand, in heights of a panel."""
TIMES = 4
"""At which the numbers at risk are told, the first one 0."""


def sketches(source: Source) -> Iterator[Sketch]:
    """For each survival task and head one of the best models, or as many as all need."""
    for block in source.blocks:
        if get(block[0].rows[0].kind).head_kind == "survival":
            yield from of_block(source, block, "kaplan_meier", draw)


def high_risk(tested: PooledPredictions) -> Bool[np.ndarray, " sample"]:
    """Whether a sample's risk is above the median of its fold: risks of two fits have no common scale."""
    return np.concatenate([one.scores[:, 0] > np.median(one.scores[:, 0]) for one in tested.predictions])


def separation(tested: PooledPredictions) -> LogRank:
    """The log-rank test between the halves; NaN where a patient has several samples, which are not independent."""
    time, event = tested.y_true.T
    if len(np.unique(tested.groups)) < len(tested.groups):
        return LogRank(math.nan, math.nan)
    return log_rank(time, event, high_risk(tested))


@styled
def draw(source: Source, entries: Sequence[AggregatedResult]) -> Drawing | None:
    """The figure of some entries of a block; None where no predictions can be read."""
    found = source.all_tested(entries)
    if not found:
        return None
    columns = min(COLUMNS, len(found))
    lines = -(-len(found) // columns)
    task, head = source.task_name(entries[0]), source.protocol_name(entries[0])
    title = f"Survival by predicted risk on {task}, head {head}: {found[0][1].of_what}"
    figure, panels = panels_of(title, lines, columns, 2.5, (1.9,), Margins(0.95, 0.2, 0.3, 1.2, 0.35, 1.5))
    parts = []
    for place, axes in enumerate(panels.flat):
        if place >= len(found):
            axes.set_visible(False)
            continue
        entry, tested = found[place]
        axes.set_title(label_of(entry))
        axes.set_xlabel("time (in the unit of the data)")
        if place % columns == 0:
            axes.set_ylabel("share surviving")
        axes.tick_params(labelleft=place % columns == 0)
        parts.append(f"{label_of(entry)}: {_panel(axes, tested, first=place % columns == 0)}")
    what = "; the risk is cut at the median of each fold" if len(found[0][1].predictions) > 1 else ""
    alt = f"Kaplan-Meier curves. {title}{what}. {listed(parts)}."
    return Drawing(title, alt, drawn(figure))


def _panel(axes: Axes, tested: PooledPredictions, *, first: bool) -> str:
    """Two curves, their censorings and the numbers at risk below; gives in words what they show."""
    time, event = tested.y_true.T
    high = high_risk(tested)
    ticks = _ticks(float(time.max()))
    words = []
    for line, ((name, colour), own) in enumerate(zip(GROUPS, (high, ~high), strict=True)):
        if not own.any():
            continue
        curve = kaplan_meier(time[own], event[own])
        axes.step(
            np.append(0.0, curve.time),
            np.append(1.0, curve.survival),
            where="post",
            color=colour,
            linewidth=1.4,
            linestyle="-" if line else "--",
            label=f"{name} ({int(event[own].sum())} events of {own.sum()})",
        )
        censored = curve.time[(curve.at_risk - np.append(curve.at_risk[1:], 0) - curve.events) > 0]
        axes.plot(censored, curve.at(censored), "|", color=colour, markersize=4, markeredgewidth=0.8)
        for tick in ticks:
            axes.text(
                tick,
                ROWS[line],
                str(int((time[own] >= tick).sum())),
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="center",
                fontsize=7,
                color=colour,
            )
        if first:
            axes.text(
                -0.33,
                ROWS[line],
                name.removesuffix(" risk"),
                transform=axes.transAxes,
                va="center",
                fontsize=7,
                color=colour,
            )
        words.append(f"{name}, {int(event[own].sum())} events of {own.sum()}, {_median(curve)}")
    if first:
        axes.text(-0.33, -0.33, "at risk", transform=axes.transAxes, va="center", fontsize=7)
    test = separation(tested)
    p = "log-rank p not known" if math.isnan(test.p) else f"log-rank p {in_words(test.p)}"
    axes.set(xlim=(0, max(float(time.max()), ticks[-1]) * 1.02), ylim=(0, 1.3), xticks=ticks)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.legend(loc="upper right", fontsize=6.6, borderaxespad=0.0, title=p, title_fontsize=6.8, labelspacing=0.2)
    return f"{', '.join(words)}, {p}"


def in_words(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _median(curve: KaplanMeier) -> str:
    return "more than half survive" if math.isnan(curve.median) else f"median survival {curve.median:.3g}"


def _ticks(last: float) -> list[float]:
    """Round times from 0 on, `TIMES` or a few more."""
    step = 10 ** math.floor(math.log10(last / TIMES)) if last > 0 else 1.0
    step *= next(factor for factor in (1, 2, 2.5, 5, 10) if last / (step * factor) <= TIMES + 0.5)
    return [step * place for place in range(int(last / step + 1e-9) + 1)]
