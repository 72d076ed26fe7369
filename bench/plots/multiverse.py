"""The figure of one task under several protocols: how far their rankings agree, and where each puts each model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from bench.plots.plot import Drawing
from bench.plots.source import listed, metric_name, number, shortened
from bench.plots.style import DIVERGING, drawn, entitle, new_figure, style_of, styled

MOST_NUMBERS = 16
"""Protocols up to which the values stand in the cells of the matrix."""
UNDEFINED = "0.8"
"""The grey of a pair of protocols without a tau: white is a tau of 0."""


@styled
def multiverse_figure(
    task: str,
    metric: str,
    protocols: Sequence[str],
    models: Sequence[str],
    tau: Float[np.ndarray, "protocol protocol"],
    values: Float[np.ndarray, "protocol model"],
    ranks: Float[np.ndarray, "protocol model"],
) -> Drawing:
    """Tau of any two protocols as a matrix, and beside it the rank of each model under each protocol, 1 on top.

    Parameters
    ----------
    task : str
        Its name, and how many samples were tested, for the title.
    tau : float [protocol, protocol]
        -1 to 1; NaN where it is not defined.
    values : float [protocol, model]
        The scores, for the words.
    ranks : float [protocol, model]
        1 for the best.
    """
    n = len(protocols)
    names, lines = [shortened(name, 32) for name in protocols], [shortened(name, 32) for name in models]
    figure = new_figure(max(8.0, 0.62 * n + 4.6), max(3.6, 0.3 * n + 2.0))
    matrix, places = figure.subplots(1, 2, width_ratios=(1, 1.15))
    image = matrix.imshow(tau, cmap=DIVERGING, vmin=-1, vmax=1, aspect="auto")
    matrix.set_xticks(range(n), names, rotation=60, ha="right", rotation_mode="anchor")
    matrix.set_yticks(range(n), names)
    matrix.grid(visible=False)
    for a, b in np.ndindex(n, n) if n <= MOST_NUMBERS else ():
        if not np.isnan(tau[a, b]):
            colour = "white" if abs(tau[a, b]) > 0.7 else "black"
            matrix.text(b, a, f"{tau[a, b]:.2f}", ha="center", va="center", fontsize=6.5, color=colour)
    undefined = int(np.isnan(tau[np.triu_indices(n, 1)]).sum())
    matrix.set_facecolor(UNDEFINED)
    grey = " (grey: not defined)" if undefined else ""
    figure.colorbar(image, ax=matrix, shrink=0.8, label=f"Kendall's tau{grey}")
    for place, name in enumerate(lines):
        style = style_of(place)
        places.plot(range(n), ranks[:, place], markersize=4.5, linewidth=1.2, label=name, **style)
    places.set_xticks(range(n), names, rotation=60, ha="right", rotation_mode="anchor")
    places.set_yticks(range(1, len(models) + 1))
    places.invert_yaxis()
    places.set_ylabel(f"rank by {metric_name(metric)}\n(1 is best)")
    figure.legend(loc="outside lower center", ncols=min(4, len(models)))
    title = f"{task}: how far the ranking of {len(models)} models depends on the protocol"
    entitle(figure, title)
    best = []
    for protocol, own, scores in zip(protocols, ranks, values, strict=True):
        first = np.flatnonzero(own == np.nanmin(own)).tolist()
        best.append(f"{protocol}: {' = '.join(models[m] for m in first)} {number(scores[first[0]])}")
    apart = sorted((float(tau[a, b]), protocols[a], protocols[b]) for a in range(n) for b in range(a + 1, n))
    low = [f"{a} and {b} {value:.2f}" for value, a, b in apart if not np.isnan(value)][:3]
    words = [f"Kendall's tau is lowest between {listed(low)}."] if low else []
    words += [f"Tau is not defined of {undefined} of the pairs of protocols."] if undefined else []
    alt = " ".join([f"{title}. The best model under {listed(best, 20)}.", *words])
    return Drawing(title, alt, drawn(figure))
