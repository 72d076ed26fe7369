"""Maps of features by t-SNE, coloured by class and by centre, from the files that runs leave."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from bench.plots.plot import Drawing, Sketch
from bench.plots.source import BEST, Source, label_of, listed, place_of, shortened
from bench.plots.style import COLOURS, GREY, MARKERS, Margins, drawn, panels_of, styled
from bench.results import AggregatedResult
from bench.rows import file_name

ORDER = 9
KINDS = ("projection",)
MOST_COLOURED = 12
"""Classes or centres with a colour and marker of their own, the most frequent ones."""


@dataclass(frozen=True)
class Projection:
    """Test samples in two dimensions, which have no unit.

    Attributes
    ----------
    label, centre : str [sample]
        "" where it is not known.
    at : float [sample, 2]
    """

    label: np.ndarray
    centre: np.ndarray
    at: Float[np.ndarray, "sample 2"]


def sketches(source: Source) -> Iterator[Sketch]:
    """One for each task, cohort and model that has a file: the best models, or all."""
    for (task, cohort), entries in source.tasks.items():
        found: dict[str, tuple[AggregatedResult, Path]] = {}
        for entry in source.ordered(entries):
            folder = source.data.folders.get(entry.rows[0].key, source.results)
            path = projection_path(folder, task, cohort, entry.key.model, entry.key.frontend)
            if path.is_file() and label_of(entry) not in found:
                found[label_of(entry)] = entry, path
        for entry, path in list(found.values())[: None if source.choice == "all" else BEST]:
            yield Sketch(
                name=place_of(
                    "projection", source.task_name(entry), f"{entry.key.model}+{entry.key.frontend}".strip("+")
                ),
                kind="projection",
                inputs=[source.task_name(entry), label_of(entry), hashlib.sha256(path.read_bytes()).hexdigest()],
                draw=functools.partial(draw, source.task_name(entry), label_of(entry), path),
                task=task,
                cohort=cohort,
                model=entry.key.model,
            )


def projection_path(results: Path, task: str, cohort: str, model: str, frontend: str = "") -> Path:
    """Where the projection of a model's features lies: as its rows do."""
    folder = file_name(model) + (f"+{file_name(frontend)}" if frontend else "")
    return results / "projections" / file_name(task) / file_name(cohort) / f"{folder}.parquet"


def read_projection(path: Path) -> Projection | None:
    """What a run wrote; None where the file is no such projection."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with contextlib.suppress(OSError, KeyError, TypeError, ValueError, pa.ArrowException):
        table = pq.ParquetFile(path).read(use_threads=False)
        at = np.stack([table[name].to_numpy() for name in ("x", "y")], axis=1).astype(np.float64)
        label, centre = (np.array(table[name].to_pylist(), str) for name in ("label", "centre"))
        if len(at) and np.isfinite(at).all():
            return Projection(label, centre, at)
    return None


@styled
def draw(task: str, model: str, path: Path) -> Drawing | None:
    """The figure of a model, a panel by class and one by centre, those that are known; None without either."""
    found = read_projection(path)
    if found is None:
        return None
    panels_by = [
        (what, values) for what, values in (("class", found.label), ("centre", found.centre)) if (values != "").any()
    ]
    if not panels_by:
        return None
    title = f"Features of {model} on {task}: {len(found.at)} test samples in two dimensions (t-SNE)"
    longest = max(len(shortened(name, 24)) for _, values in panels_by for name in values)
    legend = 0.066 * longest + 0.42
    margins = Margins(0.15, legend, 0.3, 0.35, legend + 0.1)
    figure, panels = panels_of(title, 1, len(panels_by), 2.7, (2.7,), margins, least=4.6)
    parts = []
    for axes, (what, values) in zip(panels[0], panels_by, strict=True):
        names, counts = np.unique(values, return_counts=True)
        order = names[np.argsort(-counts, kind="stable")].tolist()
        shown = order[:MOST_COLOURED]
        axes.set_title(f"by {what}")
        axes.set(xticks=[], yticks=[])
        for place, name in enumerate([*shown, None]):
            own = ~np.isin(values, shown) if name is None else values == name
            if not own.any():
                continue
            label = f"{len(order) - len(shown)} others" if name is None else shortened(name, 24) or "not known"
            axes.plot(
                *found.at[own].T,
                MARKERS[place % len(MARKERS)] if name else ".",
                color=COLOURS[place % len(COLOURS)] if name else GREY,
                markersize=3.2,
                markeredgewidth=0,
                alpha=0.75,
                label=label,
            )
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.02), fontsize=7, handletextpad=0.1, borderaxespad=0.2)
        share = neighbours_alike(found.at, values)
        several = f"{len(order)} {'classes' if what == 'class' else 'centres'}"
        names_in_words = listed([str(name) or "not known" for name in order])
        parts.append(
            f"{several} ({names_in_words}); {100 * share:.0f} % of the samples have a nearest neighbour of the same "
            f"{what}"
        )
    figure.text(0.01, 0.03, "Distances between groups of points have no meaning in such a map.", fontsize=7)
    return Drawing(title, f"{title}. {'; '.join(parts)}.", drawn(figure))


def neighbours_alike(at: Float[np.ndarray, "sample 2"], values: Sequence[str] | np.ndarray) -> float:
    """The share of samples whose nearest neighbour in the map is of the same value; NaN of one sample."""
    from scipy.spatial import cKDTree

    if len(at) < 2:
        return float("nan")
    _, nearest = cKDTree(at).query(at, k=2)
    own = np.arange(len(at))
    other = np.where(nearest[:, 0] == own, nearest[:, 1], nearest[:, 0])
    values = np.asarray(values)
    return float((values[other] == values).mean())
