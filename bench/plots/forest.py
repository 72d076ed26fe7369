"""Forests of scores: a line a model and baseline with its 95 % interval, a panel a head, a figure a task."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence

from bench.plots.plot import Drawing, Sketch
from bench.plots.source import (
    Source,
    amount_of,
    label_of,
    listed,
    lower_is_better,
    metric_label,
    place_of,
    shortened,
    with_bounds,
)
from bench.plots.style import CHARACTER, COLOURS, GREY, Margins, drawn, panels_of, styled
from bench.results import AggregatedResult, Block, ResultKey
from bench.rows import RowInfo

ORDER = 1
KINDS = ("forest",)
COLUMNS = 3
LINE = 0.21
"""Inches of a model."""
MOST = 60
"""Models of a figure: the best ones, and all baselines."""
CONTAMINATED = ("stated", "inferred")

Entrant = tuple[str, str]
"""Model and front-end."""


def sketches(source: Source) -> Iterator[Sketch]:
    """One for each task and cohort."""
    for (task, cohort), entries in source.tasks.items():
        own = [entry for entry in entries if amount_of(entry) is None]
        if own:
            yield Sketch(
                name=place_of("forest", source.task_name(own[0])),
                kind="forest",
                inputs=[[_inputs(source, entry), source.task_name(entry)] for entry in own],
                draw=functools.partial(draw, source, own),
                task=task,
                cohort=cohort,
            )


def _inputs(source: Source, entry: AggregatedResult) -> list[object]:
    found = source.interval(entry)
    bounds = None if found is None else [found.value, found.ci_low, found.ci_high]
    return [*entry.key, source.protocol_name(entry), entry.rows[0].baseline, contaminated(entry), bounds]


def contaminated(entry: AggregatedResult) -> bool:
    """Whether the model saw the task's cohorts in pretraining, by its authors' word or by what follows from it."""
    return any(RowInfo(row).contamination.level in CONTAMINATED for row in entry.rows)


@styled
def draw(source: Source, entries: Sequence[AggregatedResult]) -> Drawing:
    """The figure of the entries of one task and cohort, one at least."""
    blocks: dict[Block, list[AggregatedResult]] = {}
    for entry in entries:
        blocks.setdefault(entry.key.block, []).append(entry)
    order = _order(source, blocks)
    columns = min(COLUMNS, len(blocks))
    lines = math.ceil(len(blocks) / columns)
    names = [_label(source, one, entries) for one in order]
    title = f"Scores on {source.task_name(entries[0])} with 95 % intervals"
    notes = _notes(entries, len(order))
    height = LINE * len(order) + 0.1
    bottom = 0.5 + 0.14 * len(notes)
    margins = Margins(CHARACTER * max(map(len, names)) + 0.25, 0.2, 0.3, bottom, 0.2, 0.75)
    figure, panels = panels_of(title, lines, columns, 2.45, (height,), margins)
    for place, axes in enumerate(panels.flat):
        if place >= len(blocks):
            axes.set_visible(False)
            continue
        own = {_entrant(entry.key): entry for entry in list(blocks.values())[place]}
        first = next(iter(own.values()))
        axes.set_title(f"head {shortened(source.protocol_name(first))}")
        axes.set_xlabel(metric_label(first), fontsize=7.5)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.set_yticks(range(len(order)), names)
        axes.tick_params(axis="y", length=0, labelleft=place % columns == 0)
        axes.locator_params(axis="x", nbins=5)
        best = [source.interval(entry) for entry in source.ordered([e for e in own.values() if e.rows[0].baseline])[:1]]
        for found in best:
            if found is not None:
                axes.axvline(found.value, color=GREY, linestyle="--", linewidth=0.9, gid="best-baseline")
        for y, entrant in enumerate(order):
            found = source.interval(own[entrant]) if entrant in own else None
            if found is None:
                axes.text(
                    0.01, y, "no score", transform=axes.get_yaxis_transform(), va="center", fontsize=6.5, color=GREY
                )
                continue
            baseline = own[entrant].rows[0].baseline
            colour = GREY if baseline else COLOURS[0]
            if not math.isnan(found.ci_low) and not math.isnan(found.ci_high):
                axes.plot([found.ci_low, found.ci_high], [y, y], color=colour, linewidth=1.6, gid="interval")
            face = "white" if baseline else colour
            axes.plot(found.value, y, "s" if baseline else "o", color=colour, markerfacecolor=face, markersize=4.8)
    figure.text(0.01, 0.02, "\n".join(notes), fontsize=7)
    return Drawing(title, _alt(source, list(blocks.values()), source.task_name(entries[0])), drawn(figure))


def _notes(entries: Sequence[AggregatedResult], n_shown: int) -> list[str]:
    """What the marks of a figure mean."""
    found = []
    if any(entry.rows[0].baseline for entry in entries):
        found.append("Grey squares are baselines, the dashed line is the best of them.")
    if any(contaminated(entry) for entry in entries):
        found.append("† The model saw this task's data in pretraining.")
    n_entrants = len({_entrant(entry.key) for entry in entries})
    if n_shown < n_entrants:
        found.append(f"{n_shown} of {n_entrants} models and baselines are shown, the best ones.")
    return found


def _order(source: Source, blocks: dict[Block, list[AggregatedResult]]) -> list[Entrant]:
    """By the mean rank over the heads that have the model; models that no head ranks among its best are left out."""
    ranks: dict[Entrant, list[float]] = {}
    baselines: set[Entrant] = set()
    for block in blocks.values():
        for rank, entry in enumerate(source.ordered(block)):
            ranks.setdefault(_entrant(entry.key), []).append(rank / len(block))
            if entry.rows[0].baseline:
                baselines.add(_entrant(entry.key))
    ordered = sorted(ranks, key=lambda one: (math.fsum(ranks[one]) / len(ranks[one]), one))
    models = [one for one in ordered if one not in baselines]
    shown = {*models[:MOST], *baselines}
    return [one for one in ordered if one in shown]


def _entrant(key: ResultKey) -> Entrant:
    return key.model, key.frontend


def _label(source: Source, entrant: Entrant, entries: Sequence[AggregatedResult]) -> str:
    own = [entry for entry in entries if _entrant(entry.key) == entrant]
    mark = " †" if any(contaminated(entry) for entry in own) else ""
    return label_of(own[0]) + mark


def _alt(source: Source, blocks: Sequence[Sequence[AggregatedResult]], name: str) -> str:
    sentences = []
    for block in blocks:
        ordered = source.ordered(block)
        parts = []
        for entry in ordered:
            found = source.interval(entry)
            if found is not None:
                baseline = ", a baseline" if entry.rows[0].baseline else ""
                parts.append(f"{label_of(entry)}{baseline}: {with_bounds(found)}")
        best = "lowest" if lower_is_better(block[0]) else "highest"
        sentences.append(f"Head {source.protocol_name(block[0])}, {best} first: {listed(parts)}.")
    return f"Scores on {name} with 95 % intervals, {metric_label(blocks[0][0])}. {' '.join(sentences)}"
