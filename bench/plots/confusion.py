"""Confusion matrices of the best models of each task and head: shares of each true class, and counts."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from bench.metrics import CLASSIFIED
from bench.plots.plot import Drawing, Sketch
from bench.plots.source import PooledPredictions, Source, label_of, listed, place_of, shortened
from bench.plots.style import CHARACTER, Margins, drawn, panels_of, styled
from bench.results import AggregatedResult
from bench.targets import get

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

Draw = Callable[[Source, Sequence[AggregatedResult]], Drawing | None]

ORDER = 5
KINDS = ("confusion",)
MOST_WRITTEN = 12
"""Classes up to which each cell has its numbers."""
MOST_CLASSES = 60
"""Classes up to which there is a figure."""
COLUMNS = 3
FEW = 5
"""Classes up to which three matrices stand side by side, and not two."""


def sketches(source: Source) -> Iterator[Sketch]:
    """For each task with classes and each head one of the best models, or as many as all need."""
    for block in source.blocks:
        if get(block[0].rows[0].kind).head_kind not in CLASSIFIED or len(block[0].rows[0].classes) > MOST_CLASSES:
            continue
        yield from of_block(source, block, "confusion", draw)


def of_block(source: Source, block: Sequence[AggregatedResult], kind: str, drawing: Draw) -> Iterator[Sketch]:
    """The figures of one sort of the predictions of a block."""
    parts = source.panels(block)
    for place, entries in enumerate(parts, 1):
        several = [str(place)] if len(parts) > 1 else []
        first = entries[0]
        yield Sketch(
            name=place_of(kind, source.task_name(first), source.protocol_name(first), *several),
            kind=kind,
            inputs=[source.task_name(first), source.protocol_name(first), source.digests(entries)],
            draw=functools.partial(drawing, source, entries),
            task=first.key.task,
            cohort=first.key.cohort,
            protocol=first.key.protocol,
            head=first.key.head,
            model=first.key.model if len(entries) == 1 else "",
        )


def confusion_of(tested: PooledPredictions) -> Int[np.ndarray, "true predicted"]:
    """Counts of samples by true and predicted class, the first of equally probable ones."""
    n_classes = tested.scores.shape[1]
    cells = tested.y_true.astype(np.int64) * n_classes + tested.scores.argmax(axis=1)
    return np.bincount(cells, minlength=n_classes**2).reshape(n_classes, n_classes)


@styled
def draw(source: Source, entries: Sequence[AggregatedResult]) -> Drawing | None:
    """The figure of some entries of a block; None where no predictions can be read."""
    found = source.all_tested(entries)
    if not found:
        return None
    classes = [shortened(name, 22) for name in entries[0].rows[0].classes]
    n = len(classes)
    columns = min(COLUMNS if n <= FEW else COLUMNS - 1, len(found))
    lines = -(-len(found) // columns)
    side = min(max(1.7, (0.52 if n <= FEW else 0.44 if n <= MOST_WRITTEN else 0.16) * n), 7.0)
    task, head = source.task_name(entries[0]), source.protocol_name(entries[0])
    which = f"{found[0][1].of_what}{_of_seed(entries[0], found[0][1])}"
    title = f"Confusion matrices on {task}, head {head}: {which}"
    names = CHARACTER * max(map(len, classes))
    margins = Margins(names + 0.45, 0.85, 0.3, 0.72 * names + 0.45, 0.2, 0.4)
    figure, panels = panels_of(title, lines, columns, side, (side,), margins)
    image = None
    for place, axes in enumerate(panels.flat):
        if place >= len(found):
            axes.set_visible(False)
            continue
        entry, tested = found[place]
        lowest = place + columns >= len(found)
        image = _matrix(axes, confusion_of(tested))
        axes.set_title(label_of(entry))
        axes.set_yticks(range(n), classes, fontsize=7)
        axes.set_xticks(range(n), classes, rotation=40, ha="right", rotation_mode="anchor", fontsize=7)
        axes.tick_params(length=0, labelleft=place % columns == 0, labelbottom=lowest)
        if place % columns == 0:
            axes.set_ylabel("true class")
        if lowest:
            axes.set_xlabel("predicted class")
    if image is not None:
        right = panels[0, columns - 1].get_position()
        width = figure.get_figwidth()
        bar = figure.colorbar(
            image, cax=figure.add_axes((right.x1 + 0.12 / width, right.y0, 0.1 / width, right.height))
        )
        bar.set_label("share of the true class")
        bar.outline.set_visible(False)
    parts = [f"{label_of(entry)} {_in_words(confusion_of(tested), classes)}" for entry, tested in found]
    return Drawing(title, f"{title}. {listed(parts)}.", drawn(figure))


def _of_seed(entry: AggregatedResult, tested: PooledPredictions) -> str:
    return f", seed {tested.seed}" if len(entry.seeds) > 1 else ""


def _matrix(axes: Axes, counts: Int[np.ndarray, "true predicted"]) -> AxesImage:
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if len(counts) <= MOST_WRITTEN:
        for y, x in np.ndindex(*counts.shape):
            share = shares[y, x]
            known = f"{100 * share:.0f} %\n{counts[y, x]}" if counts[y, x] else "0"
            text = "–" if np.isnan(share) else known
            colour = "white" if share > 0.6 else "black"
            axes.text(x, y, text, ha="center", va="center", fontsize=6.2, color=colour)
    return image


def _in_words(counts: Int[np.ndarray, "true predicted"], classes: Sequence[str]) -> str:
    """The share that is right, and the mistake that is made most often."""
    right, total = int(np.trace(counts)), int(counts.sum())
    wrong = counts - np.diag(np.diag(counts))
    words = f"predicts {right} of {total} rightly"
    if wrong.sum():
        true, predicted = divmod(int(wrong.argmax()), len(wrong))
        words += f", most often mistakes {classes[true]} for {classes[predicted]} ({wrong[true, predicted]})"
    return words
