"""Scores by how many labels a head was trained on: shots a class, or a share of the labelled samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bench.plots.plot import Drawing, Sketch
from bench.plots.source import Source, amount_of, label_of, listed, metric_label, number, place_of
from bench.plots.style import GREY, Margins, drawn, panels_of, style_of, styled
from bench.results import AggregatedResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDER = 4
KINDS = ("few_shot", "label_efficiency")
OF = {"shots": "few_shot", "percent": "label_efficiency"}
AXIS = {"shots": "training samples of each class (shots)", "percent": "share of the labelled samples used (%)"}
OVER = {"episodes": "draws of training samples", "repeats": "orders of the training groups"}
MOST = 12
"""Models of a figure, the best ones at the largest amount; baselines besides."""


def sketches(source: Source) -> Iterator[Sketch]:
    """One for each task and each head that was trained on two amounts of labels or more."""
    for (task, cohort), entries in source.tasks.items():
        heads: dict[tuple[str, str], list[AggregatedResult]] = {}
        for entry in entries:
            amount = amount_of(entry)
            if amount is not None:
                heads.setdefault((amount[0], entry.key.protocol.rpartition("-")[0]), []).append(entry)
        for (unit, protocol), own in heads.items():
            if len({amount_of(entry) for entry in own}) < 2:
                continue
            kind = OF[unit]
            yield Sketch(
                name=place_of(kind, source.task_name(own[0]), protocol),
                kind=kind,
                inputs=[[*entry.key, entry.rows[0].baseline, amount_of(entry), _bounds(source, entry)] for entry in own]
                + [source.task_name(own[0])],
                draw=functools.partial(draw, source, own, unit, protocol),
                task=task,
                cohort=cohort,
                protocol=protocol,
            )


def _bounds(source: Source, entry: AggregatedResult) -> list[float] | None:
    found = source.interval(entry)
    return None if found is None else [found.value, found.ci_low, found.ci_high]


def curve_of(source: Source, entries: Sequence[AggregatedResult]) -> list[tuple[float, float, float, float]]:
    """Amount, value and bounds of one model, by the amount; of several settings of one amount the first."""
    points: dict[float, tuple[float, float, float, float]] = {}
    for entry in sorted(entries, key=lambda entry: entry.key):
        amount, found = amount_of(entry), source.interval(entry)
        if amount is not None and found is not None:
            points.setdefault(amount[1], (amount[1], found.value, found.ci_low, found.ci_high))
    return [points[amount] for amount in sorted(points)]


@styled
def draw(source: Source, entries: Sequence[AggregatedResult], unit: str, protocol: str) -> Drawing:
    """The figure of one head on one task, a line a model."""
    largest = max(amount[1] for entry in entries if (amount := amount_of(entry)) is not None)
    at_most = [entry for entry in entries if amount_of(entry) == (unit, largest)]
    best = dict.fromkeys(_model(entry) for entry in source.ordered(at_most) if not entry.rows[0].baseline)
    rest = dict.fromkeys(_model(entry) for entry in entries if not entry.rows[0].baseline)
    models = [*best, *(one for one in rest if one not in best)][:MOST]
    baselines = list(dict.fromkeys(_model(entry) for entry in source.ordered(entries) if entry.rows[0].baseline))
    longest = max(len(label_of(entry)) for entry in entries)
    title = f"Scores on {source.task_name(entries[0])} by the number of labels, head {protocol}"
    right = 0.062 * (longest + len(" (baseline)")) + 0.6
    height = max(2.6, 0.17 * (len(models) + len(baselines)) + 0.2)
    figure, panels = panels_of(title, 1, 1, 4.0, (height,), Margins(0.6, right, 0.1, 0.7))
    axes = panels[0, 0]
    parts = []
    for place, model in enumerate([*models, *baselines]):
        own = [entry for entry in entries if _model(entry) == model]
        baseline = model in baselines
        points = curve_of(source, own)
        style = style_of(place) | ({"color": GREY} if baseline else {})
        label = f"{label_of(own[0])}{' (baseline)' if baseline else ''}"
        _line(axes, points, label, style)
        if points:
            (first, low, *_), (last, high, *_) = points[0], points[-1]
            parts.append(f"{label}: {number(low)} at {_amount(first, unit)}, {number(high)} at {_amount(last, unit)}")
    amounts = sorted({amount[1] for entry in entries if (amount := amount_of(entry)) is not None})
    axes.set_xscale("log")
    axes.set_xticks(amounts, [f"{amount:g}" for amount in amounts])
    axes.minorticks_off()
    axes.set_xlabel(AXIS[unit])
    axes.set_ylabel(metric_label(entries[0]), fontsize=7.5)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.02), fontsize=7.2, handlelength=2.6)
    over = OVER.get(entries[0].interval_of(entries[0].rows[0].primary_metric), "test patients")
    figure.text(0.01, 0.02, f"Bands hold 95 % of the {over}.", fontsize=7)
    return Drawing(title, f"{title}. {listed(parts)}.", drawn(figure))


def _line(
    axes: Axes, points: Sequence[tuple[float, float, float, float]], label: str, style: dict[str, object]
) -> None:
    axes.plot(
        [amount for amount, *_ in points],
        [value for _, value, *_ in points],
        label=label,
        markersize=4,
        linewidth=1.3,
        **style,  # type: ignore[arg-type]
    )
    banded = [(amount, low, high) for amount, _, low, high in points if not math.isnan(low) and not math.isnan(high)]
    if banded:
        at, low, high = zip(*banded, strict=True)
        axes.fill_between(at, low, high, color=style["color"], alpha=0.1, linewidth=0)


def _model(entry: AggregatedResult) -> tuple[str, str]:
    return entry.key.model, entry.key.frontend


def _amount(value: float, unit: str) -> str:
    return f"{value:g} shots" if unit == "shots" else f"{value:g} % of the labels"
