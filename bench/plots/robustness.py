"""The plots of robustness tasks: severity curves, what restorers give back, robustness against accuracy."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.plots.plot import Drawing, Sketch
from bench.plots.restorers import recovery_matrix
from bench.plots.source import Source, listed, metric_name, number
from bench.plots.style import GREY, drawn, entitle, new_figure, style_of, styled
from bench.results import AUGMENTED, Condition, Robustness, Summary, robustness_of
from bench.rows import file_name
from bench.targets import UNTOUCHED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDER = 8
KINDS = ("severity", "accuracy", "recovery")
COLUMNS = 5


def sketches(source: Source) -> Iterator[Sketch]:
    """Severity curves of features and heads, robustness against accuracy by head, a recovery matrix by encoder."""
    for robustness in robustness_of(source.data):
        yield from _of_task(robustness, source.task_names[robustness.block])


def _of_task(robustness: Robustness, name: str) -> Iterator[Sketch]:
    task, (of_task, cohort) = file_name(name), robustness.block
    none = [one for one in robustness.conditions if one.restorer == UNTOUCHED]
    for protocol in dict.fromkeys(one.protocol for one in none):
        own = [one for one in none if one.protocol == protocol]
        if not all(one.clean for one in own):
            metrics = ("cosine", "top1") if own[0].of_features else (own[0].primary,)
            yield Sketch(
                name=f"severity-{task}-{file_name(protocol)}",
                kind="severity",
                inputs=[_inputs(own), metrics],
                draw=functools.partial(_severity, own, metrics, protocol),
                task=of_task,
                cohort=cohort,
                protocol=protocol,
            )
    for protocol in dict.fromkeys(one.first.protocol for one in robustness.summaries if not one.first.of_features):
        of_head = [one for one in robustness.summaries if one.first.protocol in (protocol, protocol + AUGMENTED)]
        if not protocol.endswith(AUGMENTED):
            contrasts = [
                [one.contrast.relative_loss.difference, *one.contrast.relative_loss.interval]
                for one in of_head
                if one.contrast
            ]
            yield Sketch(
                name=f"accuracy-{task}-{file_name(protocol)}",
                kind="accuracy",
                inputs=[[_inputs(one.cases) for one in of_head], contrasts],
                draw=functools.partial(_against_accuracy, of_head, protocol),
                task=of_task,
                cohort=cohort,
                protocol=protocol,
            )
    every = [*robustness.conditions, *robustness.best]
    for model in dict.fromkeys(one.model for one in every if not one.baseline):
        own = [one for one in every if one.model == model]
        yield Sketch(
            name=f"recovery-{task}-{file_name(model)}",
            kind="recovery",
            inputs=_inputs(own),
            draw=functools.partial(recovery_matrix, model, own),
            task=of_task,
            cohort=cohort,
            model=model,
        )


def _inputs(own: Sequence[Condition]) -> list[object]:
    return [
        [*one.group, one.baseline, one.kind, *one.case, one.restorer, one.primary, dict(one.metrics)] for one in own
    ]


@styled
def _severity(own: Sequence[Condition], metrics: Sequence[str], protocol: str) -> Drawing:
    """A panel a corruption, a line an encoder over severities, 0 being clean tiles; bands are 95 % intervals.

    Further metrics have rows of panels of their own.
    """
    kinds = sorted({one.corruption for one in own} - {""})
    columns = min(COLUMNS, len(kinds))
    lines = math.ceil(len(kinds) / columns)
    figure = new_figure(max(5.0, 2.15 * columns + 0.6), 1.85 * lines * len(metrics) + 1.0)
    panels = figure.subplots(lines * len(metrics), columns, sharex=True, squeeze=False)
    models = _models(own)
    for block, metric in enumerate(metrics):
        limits = _limits(own, metric)
        for place in range(lines * columns):
            axes = panels[block * lines + place // columns, place % columns]
            if place >= len(kinds):
                axes.set_visible(False)
                continue
            axes.set_title(kinds[place].replace("_", " "))
            axes.set_ylim(*limits)
            axes.set_xticks(range(6), ["clean", *"12345"])
            axes.tick_params(labelleft=place % columns == 0, labelbottom=place + columns >= len(kinds))
            if place % columns == 0:
                axes.set_ylabel(metric_name(metric))
            for model, style in models.items():
                _curve(axes, [one for one in own if one.model == model], kinds[place], metric, style)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    for axes in panels[-1]:
        axes.set_xlabel("severity")
    what = "Features against those of clean tiles" if own[0].of_features else f"Head {protocol}"
    title = f"{what} by severity, nothing restored; bands are 95 % intervals"
    entitle(figure, title)
    return Drawing(title, f"{title}. {_worst(own, metrics[0])}", drawn(figure))


def _worst(own: Sequence[Condition], metric: str) -> str:
    """In words, from which value on clean tiles each model falls to which lowest value."""
    parts = []
    for model in _models(own):
        cases = [(value, one) for one in own if one.model == model and (value := one.value(metric)) is not None]
        clean = [value for value, one in cases if one.clean]
        corrupted = [(value, one.corruption, one.severity) for value, one in cases if not one.clean]
        if corrupted:
            value, corruption, severity = min(corrupted)
            start = f"{number(clean[0])} on clean tiles, " if clean else ""
            kind = corruption.replace("_", " ")
            parts.append(f"{model}: {start}lowest {number(value)} at {kind} of severity {severity}")
    return f"{metric_name(metric).capitalize()} of {listed(parts)}." if parts else ""


def _curve(axes: Axes, own: Sequence[Condition], kind: str, metric: str, style: Mapping[str, Any]) -> None:
    points = [
        (one.severity, value, one.metrics[metric]["ci_low"], one.metrics[metric]["ci_high"])
        for one in sorted(own, key=lambda one: one.severity)
        if one.corruption in ("", kind) and (value := one.value(metric)) is not None
    ]
    if not points:
        return
    severities = [severity for severity, *_ in points]
    axes.plot(severities, [value for _, value, *_ in points], markersize=3, linewidth=1.2, **style)
    banded = [(s, low, high) for s, _, low, high in points if low is not None and high is not None]
    if banded:
        at, low, high = zip(*banded, strict=True)
        axes.fill_between(at, low, high, color=style["color"], alpha=0.13, linewidth=0)


def _limits(own: Sequence[Condition], metric: str) -> tuple[float, float]:
    """Of all panels, so that they can be compared."""
    values = [
        bound
        for one in own
        for bound in one.metrics.get(metric, {}).values()
        if bound is not None and math.isfinite(bound)
    ]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.04 * (high - low) or 0.05
    return low - room, high + room


def _models(own: Sequence[Condition]) -> dict[str, dict[str, Any]]:
    """A style for each encoder; baselines are grey, told apart by their markers and dashes."""
    names = sorted({one.model for one in own if not one.baseline})
    baselines = sorted({one.model for one in own if one.baseline})
    found = {name: {**style_of(place), "label": name} for place, name in enumerate(names)}
    for place, name in enumerate(baselines):
        dashes = ("--", ":", "-.")[place % 3]
        marker = style_of(len(names) + place)["marker"]
        found[name] = {"color": GREY, "marker": marker, "linestyle": dashes, "label": f"{name} (baseline)"}
    return found


@styled
def _against_accuracy(of_head: Sequence[Summary], protocol: str) -> Drawing | None:
    """Relative loss over all cases against the score on clean tiles, a point an encoder and head, with intervals."""
    shown = [one for one in of_head if one.restorer == UNTOUCHED and one.contrast and one.clean]
    points = [
        (one, one.contrast, one.clean) for one in shown if one.contrast and one.clean and one.clean.score is not None
    ]
    if not points:
        return None
    figure = new_figure(6.4, 4.6)
    axes = figure.subplots()
    models = _models([one.first for one, *_ in points])
    for one, contrast, clean in points:
        style, augmented = models[one.first.model], one.first.protocol.endswith(AUGMENTED)
        low, high = contrast.relative_loss.interval
        score, loss = clean.score or 0.0, contrast.relative_loss.difference
        bounds = clean.metrics[clean.primary]
        axes.errorbar(
            score,
            loss,
            xerr=_error(score, bounds["ci_low"], bounds["ci_high"]),
            yerr=_error(loss, low, high),
            color=style["color"],
            marker=style["marker"],
            markerfacecolor="white" if augmented else style["color"],
            markersize=7,
            elinewidth=0.8,
            linestyle="none",
            label=None if augmented else style["label"],
        )
    if any(one.first.protocol.endswith(AUGMENTED) for one, *_ in points):
        label = "open: head trained on corrupted tiles too"
        axes.plot([], [], color=GREY, marker="o", markerfacecolor="white", markersize=7, linestyle="none", label=label)
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    metric = points[0][0].first.primary
    axes.set_xlabel(f"{metric_name(metric)} on clean tiles")
    axes.set_ylabel("relative loss, mean over cases (lower is better)")
    title = f"Robustness against accuracy, head {protocol}, nothing restored; 95 % intervals"
    entitle(figure, title)
    figure.legend(loc="outside lower center", ncols=2)
    parts = [
        f"{one.first.model}{', head trained on corrupted tiles too' * one.first.protocol.endswith(AUGMENTED)}: "
        f"{number(clean.score or 0.0)} on clean tiles, "
        f"relative loss {100 * contrast.relative_loss.difference:.1f} %"
        for one, contrast, clean in points
    ]
    return Drawing(title, f"{title}. {metric_name(metric).capitalize()} of {listed(parts)}.", drawn(figure))


def _error(value: float, low: float | None, high: float | None) -> list[list[float]] | None:
    """Lengths below and above; None where the interval is not known."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return None
    return [[max(0.0, value - low)], [max(0.0, high - value)]]
