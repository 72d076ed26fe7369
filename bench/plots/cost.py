"""Score against cost with the Pareto front: the models than which none is both cheaper and better."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bench.plots.plot import Drawing, Sketch
from bench.plots.source import (
    Source,
    label_of,
    listed,
    lower_is_better,
    metric_label,
    number,
    place_of,
    shortened,
)
from bench.plots.style import COLOURS, GREY, Margins, drawn, panels_of, styled
from bench.results import AggregatedResult, Block
from bench.rows import RowInfo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDER = 3
KINDS = ("cost",)
COLUMNS = 2
COSTS = {"gmacs": "billions of multiply-adds per tile", "params_m": "millions of parameters"}
"""By the field of the model's card; the first one that most models have is drawn."""
AROUND = [
    *[(0.0, 1), (0.09, -1), (-0.09, 1), (0.0, -1), (0.2, -1), (-0.2, 1), (0.2, 1), (-0.2, -1)],
    *[(0.32, -1), (-0.32, 1), (0.32, 1), (-0.32, -1)],
]
"""Where a name may stand: inches above its point, and to the right (1) or left (-1)."""
MOST_NAMED = 15
"""Points of a panel up to which all are named; of more only those of the front."""

Point = tuple[float, float, AggregatedResult]
"""Cost and score."""
Box = tuple[float, float, float, float]
"""Left, lower, right and upper edge in inches."""


def sketches(source: Source) -> Iterator[Sketch]:
    """One for each task and cohort, of two models or more whose cost is known."""
    tasks: dict[tuple[str, str], dict[Block, list[AggregatedResult]]] = {}
    for block in source.blocks:
        tasks.setdefault(block[0].key.block[:2], {})[block[0].key.block] = block
    for (task, cohort), blocks in tasks.items():
        entries = [entry for block in blocks.values() for entry in block]
        field = cost_field(entries)
        if field:
            name = source.task_name(entries[0])
            values = [(source.interval(entry), cost_of(entry, field), entry) for entry in entries]
            yield Sketch(
                name=place_of("cost", name),
                kind="cost",
                inputs=[
                    [*entry.key, source.protocol_name(entry), entry.rows[0].baseline, cost, found and found.value]
                    for found, cost, entry in values
                ]
                + [field, name],
                draw=functools.partial(draw, source, list(blocks.values()), field),
                task=task,
                cohort=cohort,
            )


def cost_field(entries: Sequence[AggregatedResult]) -> str:
    """The field of `COSTS` that is known of the most models; "" where it is known of fewer than two."""
    known = {
        field: len({entry.key.model for entry in entries if not entry.rows[0].baseline and cost_of(entry, field)})
        for field in COSTS
    }
    field = max(known, key=lambda name: known[name])
    return field if known[field] > 1 else ""


def cost_of(entry: AggregatedResult, field: str) -> float | None:
    """The cost that the row tells, above 0; None where it tells none."""
    for row in entry.successful:
        card = RowInfo(row).card
        amounts = {"gmacs": card.gmacs, "params_m": row.params_m if card.params_m is None else card.params_m}
        value = amounts[field]
        if value is not None and math.isfinite(value) and value > 0:
            return float(value)
    return None


def pareto_front(costs: Sequence[float], goodness: Sequence[float]) -> list[int]:
    """The places of points than which none costs less and is as good, or costs the same and is better; by cost."""
    order = sorted(range(len(costs)), key=lambda place: (costs[place], -goodness[place]))
    front: list[int] = []
    for place in order:
        same = front and costs[place] == costs[front[-1]] and goodness[place] == goodness[front[-1]]
        if not front or same or goodness[place] > goodness[front[-1]]:
            front.append(place)
    return front


@styled
def draw(source: Source, blocks: Sequence[Sequence[AggregatedResult]], field: str) -> Drawing:
    """The figure of a task, a panel a head."""
    columns = min(COLUMNS, len(blocks))
    lines = -(-len(blocks) // columns)
    task = source.task_name(blocks[0][0])
    title = f"Score against cost on {task}: the line joins the models than which none is both cheaper and better"
    figure, panels = panels_of(title, lines, columns, 3.6, (2.5,), Margins(0.6, 0.3, 0.3, 0.75, 0.6, 0.85), least=5.6)
    parts = []
    for place, axes in enumerate(panels.flat):
        if place >= len(blocks):
            axes.set_visible(False)
            continue
        block = blocks[place]
        axes.set_title(f"head {shortened(source.protocol_name(block[0]))}")
        axes.set_xlabel(COSTS[field])
        if place % columns == 0:
            axes.set_ylabel(metric_label(block[0]), fontsize=7.5)
        parts.append(f"head {source.protocol_name(block[0])}: {_panel(source, axes, block, field)}")
    figure.text(0.01, 0.02, "Grey: baselines; a dashed line is one without a network.", fontsize=7)
    return Drawing(title, f"{title}. Cost is in {COSTS[field]}. {listed(parts)}.", drawn(figure))


def _panel(source: Source, axes: Axes, block: Sequence[AggregatedResult], field: str) -> str:
    points: list[Point] = []
    for entry in block:
        found, cost = source.interval(entry), cost_of(entry, field)
        if found is None:
            continue
        if cost is not None:
            points.append((cost, found.value, entry))
        elif entry.rows[0].baseline:
            axes.axhline(found.value, color=GREY, linestyle="--", linewidth=0.9)
            axes.annotate(
                label_of(entry),
                (0.995, found.value),
                xycoords=("axes fraction", "data"),
                xytext=(0, 2),
                textcoords="offset points",
                ha="right",
                fontsize=6.5,
                color=GREY,
            )
    sign = -1 if lower_is_better(block[0]) else 1
    models = [point for point in points if not point[2].rows[0].baseline]
    front = pareto_front([cost for cost, *_ in models], [sign * value for _, value, _ in models])
    on = [models[place] for place in front]
    axes.set_xscale("log")
    axes.margins(0.12, 0.14)
    axes.step([cost for cost, *_ in on], [value for _, value, _ in on], where="post", color=COLOURS[1], linewidth=1.1)
    for cost, value, entry in points:
        baseline, best = entry.rows[0].baseline, any(entry is one for *_, one in on)
        colour = GREY if baseline else COLOURS[1] if best else COLOURS[0]
        axes.plot(cost, value, "s" if baseline else "o", color=colour, markersize=5.5 if best else 4.5)
    _name(axes, on if len(points) > MOST_NAMED else points, on)
    _plain_ticks(axes)
    words = [f"{label_of(entry)} at {cost:.3g} with {number(value)}" for cost, value, entry in on]
    return f"on the front are {', '.join(words)}" if words else "no model has a cost"


def _name(axes: Axes, points: Sequence[Point], front: Sequence[Point]) -> None:
    """Names beside the points, where they meet neither points, the line of the front, nor each other; else none."""
    if not points:
        return
    axes.autoscale_view()
    (x0, x1), (y0, y1) = map(math.log10, axes.get_xlim()), axes.get_ylim()
    box = axes.get_position()
    figure = axes.get_figure()
    assert figure is not None
    width, height = box.width * figure.get_figwidth(), box.height * figure.get_figheight()  # type: ignore[union-attr]

    def spot(point: Point) -> tuple[float, float]:
        return (math.log10(point[0]) - x0) / (x1 - x0) * width, (point[1] - y0) / (y1 - y0) * height

    taken: list[Box] = [(x - 0.04, y - 0.04, x + 0.04, y + 0.04) for x, y in map(spot, points)]
    corners = [spot(point) for point in front]
    for (x, y), (after, above) in itertools.pairwise(corners):
        taken += [(x, y - 0.02, after, y + 0.02), (after - 0.02, min(y, above), after + 0.02, max(y, above))]
    for cost, value, entry in sorted(points, key=spot):
        text = label_of(entry)
        length, (x, y) = 0.056 * len(text), spot((cost, value, entry))
        free = (
            box
            for shift, side in AROUND
            for left in (x + 0.08 if side > 0 else x - 0.08 - length,)
            for box in ((left, y + shift - 0.055, left + length, y + shift + 0.055),)
            if box[0] >= 0 and box[2] <= width + 0.3 and box[1] >= 0 and box[3] <= height
            if not any(_meet(box, other) for other in taken)
        )
        best = next(free, None)
        if best is None:
            continue
        taken.append(best)
        axes.annotate(
            text,
            (cost, value),
            xytext=(72 * (best[0] - x), 72 * (best[1] + 0.055 - y)),
            textcoords="offset points",
            va="center",
            fontsize=6.8,
        )


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _plain_ticks(axes: Axes) -> None:
    """1, 2 and 5 in each power of ten as plain numbers."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = axes.get_xlim()
    every = [factor * 10.0**power for power in range(-6, 7) for factor in (1, 2, 5)]
    ticks = [tick for tick in every if low <= tick <= high]
    if len(ticks) > 7:
        ticks = [tick for tick in ticks if f"{tick:e}".startswith("1")]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(low, high)
