"""In what a measured result is not the run that a figure is of: the reasons why the two are not like for like."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import registry
from bench.published.figures import Figure
from bench.results import AggregatedResult
from bench.rows import Row, RowInfo

NOT_COMPARED = {"name", "data", "folder", "notes", "cohorts", "tile_size", "synthetic"}
"""Fields of a task that say where it lies or what it is called, and the tile size, which has a reason of its own."""
MOST_SETTINGS = 3


@dataclass(frozen=True)
class Expected:
    """The settings of the run that gives a figure, as a row has them in ``info.config``.

    Attributes
    ----------
    task : mapping
        Fields of the task that are not the default.
    protocol : mapping
        Settings of the head.
    """

    task: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)


def reasons(
    result: AggregatedResult, figure: Figure, expected: Expected | None, *, own_model: bool = True
) -> list[str]:
    """Why a result is not like for like with a figure, a phrase each; nothing where no reason is known.

    Parameters
    ----------
    result : AggregatedResult
        Has one successful row at least.
    expected : Expected or None
        None where no run here gives the figure.
    own_model : bool
        Whether the figure is of the model of the result; else it stands for the others of its board.
    """
    row = result.successful[0]
    found = list(_of_model(row, figure) if own_model else [])
    found += _of_protocol(row, figure, expected)
    found += _of_split(result, figure)
    found += _of_metric(result, figure)
    found += _of_task(row, figure, expected)
    return found


def _of_model(row: Row, figure: Figure) -> Iterator[str]:
    """The variant of the model: what its features are, what weights it has and what tiles go through."""
    if row.frontend:
        yield f"model variant: tiles went through {row.frontend} first"
    options = RowInfo(row).config.get("options")
    if figure.dim is not None and row.feature_dim not in (None, figure.dim):
        published = f"{figure.dim:,}" + (f", {figure.variant}" if figure.variant else "")
        advice = _advice(row.model, figure.dim)
        yield f"model variant: features are {row.feature_dim:,} wide (published: {published}{advice})"
    elif figure.dim is None and isinstance(options, dict) and options:
        named = ", ".join(f"{name}={value}" for name, value in sorted(options.items()))
        yield f"model variant: {named}, and which variant is published is not known"
    if row.model in registry.names():
        pinned, loaded = registry.card(row.model).weights.sha256, RowInfo(row).weights_sha256
        if pinned and loaded and pinned != loaded:
            yield "model variant: the weights file is not the one of the card"


def _advice(model: str, dim: int) -> str:
    """The option of the card that gives features of this width."""
    options = registry.card(model).options if model in registry.names() else {}
    for name, values in options.items():
        for value, changes in values.items():
            if changes.get("dim") == dim:
                return f": options.{name}={value}"
    return ""


def _of_protocol(row: Row, figure: Figure, expected: Expected | None) -> Iterator[str]:
    if not figure.protocol:
        yield "protocol: none here is that of the figure"
        return
    settings = _settings(row, "protocols", row.protocol)
    if expected is not None and settings == expected.protocol and settings:
        return  # under whatever name
    if row.protocol != figure.protocol:
        yield f"protocol: {row.protocol} (published: {figure.protocol})"
    elif settings is None:
        yield "protocol: the row does not say its settings"
    elif expected is not None:
        yield from _differing("protocol", settings, expected.protocol)


def _of_split(result: AggregatedResult, figure: Figure) -> Iterator[str]:
    if figure.side == "val":
        yield f"split: published of {figure.split} (rows are of test)"
    elif figure.samples is not None and (found := result.successful[0].n_test) != figure.samples:
        yield f"split: {'unknown' if found is None else f'{found:,}'} test samples (published: {figure.samples:,})"
    if result.n_folds:
        yield f"split: {result.n_folds} folds (published: one test set)"


def _of_metric(result: AggregatedResult, figure: Figure) -> Iterator[str]:
    if not figure.metric:
        yield "metric: the source does not name it"
    elif not result.values(figure.metric):
        yield f"metric: the rows have no {figure.metric}"


def _of_task(row: Row, figure: Figure, expected: Expected | None) -> Iterator[str]:
    task = _settings(row, "tasks", row.task)
    if task is None:
        yield "task: the row does not say its settings"
        return
    tiles = _tile_size(row, task)
    if figure.tile_size is not None and tiles not in (None, figure.tile_size):
        yield f"tile size: {tiles:,} px (published: {figure.tile_size:,} px)"
    if expected is None:
        yield "task: no run here gives this figure"
        return
    own, other = ({k: v for k, v in of.items() if k not in NOT_COMPARED} for of in (task, expected.task))
    yield from _differing("task", own, other)


def _tile_size(row: Row, task: Mapping[str, Any]) -> int | None:
    """Side of a tile as it is stored, or as it is cut from a slide."""
    if task.get("unit") in ("slide", "patient"):
        tiling = task.get("tiling")
        size = tiling.get("size") if isinstance(tiling, dict) else None
        return size if isinstance(size, int) else RowInfo(row).card.tile_size
    size = task.get("tile_size")
    return size if isinstance(size, int) else None


def _settings(row: Row, group: str, name: str) -> Mapping[str, Any] | None:
    """The settings of the row's task or head; None where it does not say them."""
    of_group = RowInfo(row).config.get(group)
    found = of_group.get(name) if isinstance(of_group, dict) else None
    return found if isinstance(found, dict) else None


def _differing(what: str, own: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[str]:
    flat_own, flat_expected = dict(_flat(own)), dict(_flat(expected))
    names = [n for n in sorted({*flat_own, *flat_expected}) if flat_own.get(n) != flat_expected.get(n)]
    for name in names[:MOST_SETTINGS]:
        yield f"{what}: {name} is {_text(flat_own.get(name))} (published: {_text(flat_expected.get(name))})"
    if len(names) > MOST_SETTINGS:
        yield f"{what}: {len(names) - MOST_SETTINGS} more settings differ"


def _flat(values: Mapping[str, Any], start: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{start}{name}.")
        elif value is not None:
            yield f"{start}{name}", value


def _text(value: Any) -> str:
    if value is None:
        return "the default"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:37]}..."
