"""All plots of a results folder: each module of this package that has `sketches` gives those of its sort."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import json
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.files import atomic_write, digest
from bench.plots.plot import Plot, Sketch
from bench.plots.source import Choice, Source
from bench.results import LeaderboardData
from bench.rows import warn_once

FOLDER = "plots"
RECORD = "json"
"""The ending of the file beside a plot that has its title, its words and the digest of its inputs."""


def plots_of(data: LeaderboardData, results: Path, choice: Choice = "best") -> Iterator[Plot]:
    """Every plot of these results, one at a time; those of unchanged inputs are read from ``results/plots/``.

    Parameters
    ----------
    results : Path
        The results folder, in whose ``plots`` earlier plots are; rows of other folders are found by the data.
    choice : "best", "all" or "none"
        Predictions of the best models of each task and head are drawn, those of all models and baselines, or no plot.
    """
    if choice == "none":
        return
    source = Source(data, results, choice)
    for module in _modules():
        for sketch in module.sketches(source):
            inputs = digest([_code(), sketch.kind, sketch.name, sketch.inputs])
            plot = _earlier(results / FOLDER, sketch, inputs) or _new(sketch, inputs)
            if plot is not None:
                yield plot


def save_plots(folder: Path, plots: Sequence[Plot]) -> set[Path]:
    """Write the files of plots, those that differ from what is there; remove plots that are not among them.

    Parameters
    ----------
    folder : Path
        ``results/plots``. Files whose names do not begin as those of plots stay.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    paths: set[Path] = set()
    for plot in plots:
        record = {name: value for name, value in asdict(plot).items() if name not in ("forms", "name")}
        record["sha256"] = {ending: _sha256(content) for ending, content in plot.forms.items()}
        text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
        for ending, content in {**plot.forms, RECORD: text.encode()}.items():
            path = folder / f"{plot.name}.{ending}"
            paths.add(path)
            if not _holds(path, content):
                with atomic_write(path) as temporary:
                    temporary.write_bytes(content)
    starts = [kind for module in _modules() for kind in module.KINDS]
    for path in {path for start in starts for path in folder.glob(f"{start}-*.*")} - paths:
        path.unlink(missing_ok=True)
    return paths


def _new(sketch: Sketch, inputs: str) -> Plot | None:
    try:
        drawing = sketch.draw()
    except Exception as error:  # tables and other plots are made all the same
        warn_once(f"The plot {sketch.name} could not be drawn ({type(error).__name__}: {error}): please report this.")
        return None
    if drawing is None:
        return None
    return Plot(title=drawing.title, alt=drawing.alt, forms=drawing.forms, inputs=inputs, **_place(sketch))


def _earlier(folder: Path, sketch: Sketch, inputs: str) -> Plot | None:
    """The plot of these inputs as it was written before; None where it was not, or where a file of it changed."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        record = json.loads((folder / f"{sketch.name}.{RECORD}").read_bytes())
        if record["inputs"] != inputs:
            return None
        forms = {ending: (folder / f"{sketch.name}.{ending}").read_bytes() for ending in sorted(record["sha256"])}
        if {ending: _sha256(content) for ending, content in forms.items()} != record["sha256"]:
            return None
        return Plot(title=str(record["title"]), alt=str(record["alt"]), forms=forms, inputs=inputs, **_place(sketch))
    return None


def _place(sketch: Sketch) -> dict[str, Any]:
    return {name: getattr(sketch, name) for name in ("name", "kind", "task", "cohort", "protocol", "head", "model")}


@functools.cache
def _modules() -> list[ModuleType]:
    package = __name__.rpartition(".")[0]
    folder = [str(Path(__file__).parent)]
    names = sorted(f"{package}.{module.name}" for module in pkgutil.iter_modules(folder))
    modules = [importlib.import_module(name) for name in names if name != __name__]
    return sorted((one for one in modules if hasattr(one, "sketches")), key=lambda one: (one.ORDER, one.__name__))


@functools.cache
def _code() -> str:
    """Digest of what draws: a figure of another version of it is drawn again."""
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))]
    return digest([version("matplotlib"), *map(_sha256, sources)])


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
