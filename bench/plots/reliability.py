"""Reliability diagrams of the best models of each task and head: how often predictions of a confidence are right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from bench.metrics import CLASSIFIED
from bench.plots.confusion import of_block
from bench.plots.plot import Drawing, Sketch
from bench.plots.source import PooledPredictions, Source, label_of, listed, number
from bench.plots.style import COLOURS, GREY, Margins, drawn, panels_of, styled
from bench.results import AggregatedResult
from bench.targets import get

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ORDER = 6
KINDS = ("reliability",)
BINS = 15
"""Equally wide and closed as those of the metric ``ece``."""
COLUMNS = 3
TICKS = (0, 0.5, 1)
SERIES = (("as predicted", COLOURS[0], "o"), ("after temperature scaling", COLOURS[1], "s"))


class Bins(NamedTuple):
    """Samples by the confidence of their prediction, in `BINS` bins; NaN in those without samples.

    Attributes
    ----------
    samples : int [bin]
    confidence, right : float [bin]
        The mean confidence, and the share that is predicted rightly.
    error : float
        The expected calibration error, 0..1.
    """

    samples: Int[np.ndarray, " bin"]
    confidence: Float[np.ndarray, " bin"]
    right: Float[np.ndarray, " bin"]
    error: float


def sketches(source: Source) -> Iterator[Sketch]:
    """For each task with classes and each head one of the best models, or as many as all need."""
    for block in source.blocks:
        if get(block[0].rows[0].kind).head_kind in CLASSIFIED:
            yield from of_block(source, block, "reliability", draw)


def bins_of(y_true: Int[np.ndarray, " sample"], scores: Float[np.ndarray, "sample class"]) -> Bins:
    """The bins of probabilities; the confidence is that of the predicted class, the first of equals."""
    confidence = scores.max(axis=1)
    right = scores.argmax(axis=1) == y_true
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence, side="left")
    count = np.bincount(bins, minlength=BINS)
    sums = [np.bincount(bins, weights=values, minlength=BINS) for values in (confidence, right.astype(np.float64))]
    error = float(np.abs(sums[0] - sums[1]).sum() / len(y_true))
    means = [np.divide(of, count, out=np.full(BINS, np.nan), where=count > 0) for of in sums]
    return Bins(count, means[0], means[1], error)


@styled
def draw(source: Source, entries: Sequence[AggregatedResult]) -> Drawing | None:
    """The figure of some entries of a block; None where no predictions can be read."""
    found = source.all_tested(entries)
    if not found:
        return None
    columns = min(COLUMNS, len(found))
    lines = -(-len(found) // columns)
    task, head = source.task_name(entries[0]), source.protocol_name(entries[0])
    title = f"Can the probabilities be trusted? {task}, head {head}: {found[0][1].of_what}"
    bottom = 0.75 if columns > 1 else 1.05  # for the legend
    figure, panels = panels_of(title, lines, columns, 2.0, (1.85, 0.6), Margins(0.62, 0.15, 0.3, bottom, 0.42, 0.9))
    parts = []
    for place in range(lines * columns):
        line, column = divmod(place, columns)
        axes, below = panels[2 * line, column], panels[2 * line + 1, column]
        if place >= len(found):
            axes.set_visible(False)
            below.set_visible(False)
            continue
        entry, tested = found[place]
        bins = _panel(axes, below, tested)
        axes.set_title(label_of(entry))
        below.set_xlabel("confidence of the prediction (0 to 1)", fontsize=7.5)
        if column == 0:
            axes.set_ylabel("share predicted rightly")
            below.set_ylabel("samples")
        parts.append(f"{label_of(entry)}: {_in_words(bins, len(tested.y_true))}")
    series = [SERIES[0], *([SERIES[1]] if any(tested.calibrated is not None for _, tested in found) else [])]
    for what, colour, marker in series:
        panels[0, 0].plot([], [], color=colour, marker=marker, markersize=3.5, linewidth=1.1, label=what)
    panels[0, 0].plot([], [], color=GREY, linewidth=0.8, linestyle="--", label="perfectly calibrated")
    figure.legend(loc="lower center", ncols=3 if columns > 1 else 1, fontsize=7.5, borderaxespad=0.2)
    return Drawing(title, f"Reliability diagram. {title}. {listed(parts)}.", drawn(figure))


def _panel(axes: Axes, below: Axes, tested: PooledPredictions) -> list[Bins]:
    """Shares by confidence numbers of samples below; gives the bins of each series."""
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
    found = []
    for place, scores in enumerate((tested.scores, tested.calibrated)):
        if scores is None:
            continue
        _, colour, marker = SERIES[place]
        bins = bins_of(tested.y_true, scores)
        shown = bins.samples > 0
        axes.plot(bins.confidence[shown], bins.right[shown], color=colour, marker=marker, markersize=3.5, linewidth=1.1)
        left = (np.arange(BINS) + 0.05 + 0.45 * place) / BINS
        below.bar(left, bins.samples, 0.45 / BINS, align="edge", color=colour)
        found.append(bins)
    errors = " → ".join(number(bins.error) for bins in found)
    axes.text(0.02, 1.1, f"calibration error {errors}", va="top", fontsize=6.8)
    axes.set(xlim=(0, 1), ylim=(-0.03, 1.12), xticks=TICKS, yticks=TICKS)
    axes.tick_params(labelbottom=False)
    below.set(xlim=(0, 1), xticks=TICKS)
    below.locator_params(axis="y", nbins=3, integer=True)
    return found


def _in_words(series: Sequence[Bins], n_samples: int) -> str:
    errors = " and ".join(f"{number(bins.error)} {what}" for bins, (what, *_) in zip(series, SERIES, strict=False))
    fullest = int(series[0].samples.argmax())
    span = f"{fullest / BINS:.2f} to {(fullest + 1) / BINS:.2f}"
    return f"calibration error {errors}; {series[0].samples[fullest]} of {n_samples} have a confidence of {span}"
