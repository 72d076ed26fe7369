"""Where the files of a run lie: tables, page, plots, predictions, pictures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from registry.text_table import aligned, wrapped

FOLDERS = {
    "predictions": "predictions of every run, and attention of tiles (.attention.h5)",
    "previews": "pictures of tissue and tiles, a folder a task",
    "projections": "places of samples in plots of features",
    "rows": "a row a run: scores, settings, errors",
}
ATTENTION = "attention"


def files_text(folder: Path, written: Mapping[str, Path], results: Sequence[Path] | None = None) -> str:
    """A line a file that was written and a folder that is there, relative to `folder` where they lie in it.

    Parameters
    ----------
    folder : Path
        Of the tables.
    written : dict of what a file is -> path
        As `bench.report.write_tables` returns it.
    results : sequence of Path, optional
        The folders of rows and predictions; by default that of the tables.
    """
    lines = [[_relative(path, folder), what] for what, path in written.items()]
    for one in [folder] if results is None else results:
        lines += [[_relative(path, folder), what] for path, what in _folders(one)]
    return "\n".join([*wrapped(f"Files in {folder}:"), *(f"  {line}" for line in aligned(lines))])


def _folders(results: Path) -> Iterator[tuple[Path, str]]:
    for name, what in FOLDERS.items():
        if (results / name).is_dir():
            yield results / name, what
        if name == "previews":
            yield from ((path, "heatmaps of attention over slides") for path in _heatmaps(results / name))


def _heatmaps(previews: Path) -> list[Path]:
    """The folders of heatmaps, ``previews/TASK/TILES/attention``; of many the one that holds them all."""
    found = sorted(path for path in previews.glob(f"*/*/{ATTENTION}") if path.is_dir())
    tasks = [task for task, _ in itertools.groupby(path.parents[1] for path in found)]
    return found if len(found) <= 2 else [task / "*" / ATTENTION for task in tasks]


def _relative(path: Path, folder: Path) -> str:
    relative = path.relative_to(folder) if path.is_relative_to(folder) else path
    return f"{relative}/" if path.is_dir() or path.name == ATTENTION else str(relative)
