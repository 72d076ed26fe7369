"""The recovery matrix: restorers by corruptions, a figure an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.plots.plot import Drawing
from bench.plots.style import DIVERGING, drawn, entitle, new_figure, styled
from bench.results import AUGMENTED, BEST_CLASSICAL, CLASSICAL, Condition, mean_of, recovery
from bench.targets import UNTOUCHED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_POINTS = 5.0
"""What the colours of the changes of a score reach to at least, so that small ones look small."""

Cells = dict[tuple[str, str], float | None]
"""By restorer and corruption, "" for clean tiles."""


def recovery_matrix(model: str, own: Sequence[Condition]) -> Drawing | None:
    """The figure of an encoder; None where it was not measured behind restorers and corruptions.

    On top what comes back of the features, below by how much the score of each head changes, in points; both are over
    the severities of a corruption. Below 0 a restorer harms.

    Parameters
    ----------
    own : sequence of Condition
        Of the encoder, the best filters among them.
    """
    restorers = _restorers(own)
    kinds = sorted({one.corruption for one in own} - {""})
    heads = [
        protocol
        for protocol in dict.fromkeys(one.protocol for one in own if not one.of_features)
        if not protocol.endswith(AUGMENTED)
    ]
    features = [one for one in own if one.of_features]
    matrices: list[tuple[str, Cells, int]] = []
    if features:
        matrices.append(
            ("Features: share of the distance to the clean feature that comes back", _recovered(features), 2)
        )
    for protocol in heads:
        of_head = [one for one in own if one.protocol == protocol]
        name = of_head[0].primary.replace("_", " ")
        matrices.append((f"Change of {name}, head {protocol} (points)", _changed(of_head), 1))
    if not (restorers and kinds and matrices):
        return None
    title = f"{model}: what restorers give back, over severities"
    alt = f"{title}. {' '.join(_extremes(*matrix) for matrix in matrices)}"
    return Drawing(title, alt, _drawn(model, restorers, kinds, matrices))


def _extremes(title: str, cells: Cells, digits: int) -> str:
    """The best and the worst cell of a matrix in words."""
    known = [(value, restorer, kind or "clean tiles") for (restorer, kind), value in cells.items() if value is not None]
    if not known:
        return ""
    (low, *worst), (high, *best) = min(known), max(known)
    return f"{title}: from {low:+.{digits}f} ({worst[0]} on {worst[1]}) to {high:+.{digits}f} ({best[0]} on {best[1]})."


def _restorers(own: Sequence[Condition]) -> list[str]:
    """Filters, the best of them, then the others."""
    names = {one.restorer for one in own} - {UNTOUCHED}
    filters = [name for name in CLASSICAL if name in names]
    best = [BEST_CLASSICAL] if BEST_CLASSICAL in names and len(filters) > 1 else []
    return [*filters, *best, *sorted(names - {*CLASSICAL, BEST_CLASSICAL})]


def _recovered(own: Sequence[Condition]) -> Cells:
    none = [one for one in own if one.restorer == UNTOUCHED]
    return {
        (restorer, kind): recovery(cases, none)
        for (restorer, kind), cases in _by_cell(own).items()
        if kind and restorer != UNTOUCHED
    }


def _changed(own: Sequence[Condition]) -> Cells:
    """The score less that of the same cases without a restorer, the mean over severities, times 100."""
    none = {one.case: one.score for one in own if one.restorer == UNTOUCHED}
    found: Cells = {}
    for (restorer, kind), cases in _by_cell(own).items():
        pairs = [(one.score, none.get(one.case)) for one in cases]
        found[restorer, kind] = mean_of(
            None if after is None or before is None else 100 * (after - before) for after, before in pairs
        )
    return found


def _by_cell(own: Sequence[Condition]) -> dict[tuple[str, str], list[Condition]]:
    found: dict[tuple[str, str], list[Condition]] = {}
    for one in own:
        found.setdefault((one.restorer, one.corruption), []).append(one)
    return found


@styled
def _drawn(
    model: str, restorers: Sequence[str], kinds: Sequence[str], matrices: Sequence[tuple[str, Cells, int]]
) -> dict[str, bytes]:
    columns = ["", *kinds]
    height = 0.27 * len(restorers) + 1.5
    figure = new_figure(max(6.5, 0.44 * len(columns) + 2.6), height * len(matrices) + 0.6)
    panels = figure.subplots(len(matrices), 1, squeeze=False)[:, 0]
    for axes, (title, cells, digits) in zip(panels, matrices, strict=True):
        _matrix(figure, axes, title, cells, digits, restorers, columns)
    entitle(figure, f"{model}: what restorers give back, over severities; below 0 (orange) they harm, a dot: not known")
    return drawn(figure)


def _matrix(
    figure: Figure,
    axes: Axes,
    title: str,
    cells: Cells,
    digits: int,
    restorers: Sequence[str],
    columns: Sequence[str],
) -> None:
    import numpy as np

    values = np.array([[cells.get((name, kind)) for kind in columns] for name in restorers], dtype=np.float64)
    most = 1.0 if digits == 2 else max(LEAST_POINTS, float(np.nanmax(np.abs(values), initial=0.0)))
    image = axes.imshow(values, cmap=DIVERGING, vmin=-most, vmax=most, aspect="auto")
    axes.grid(False)
    axes.set_title(title, loc="left")
    axes.set_yticks(range(len(restorers)), restorers)
    names = [kind.replace("_", " ") or "clean tiles" for kind in columns]
    axes.set_xticks(range(len(columns)), names, rotation=40, ha="right", rotation_mode="anchor")
    for spine in axes.spines.values():
        spine.set_visible(False)
    for y, x in np.ndindex(*values.shape):
        value = values[y, x]
        known = not np.isnan(value)
        dark = known and abs(value) > 0.62 * most
        text = f"{value:+.{digits}f}" if known else "·"
        axes.text(x, y, text, ha="center", va="center", fontsize=6.3, color="white" if dark else "black")
    figure.colorbar(image, ax=axes, shrink=0.9, pad=0.01, extend="min" if digits == 2 else "neither")
