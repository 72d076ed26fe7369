"""Rows that a run of a board's own protocol would leave, with made-up scores."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import rows
from bench.published import Figure, figures_folder, read_figures
from bench.rows import Row
from bench.runs.configuration import load_settings
from bench.runs.row_settings import plain, task_settings

FIGURES = read_figures(figures_folder())


def figure_of(board: str, dataset: str, model: str, **changes: Any) -> Figure:
    """The published figure, with changes."""
    found = next(one for one in FIGURES if (one.board, one.dataset, one.model) == (board, dataset, model))
    return replace(found, **changes)


def row_like(figure: Figure, value: float, **changes: Any) -> Row:
    """A row of the figure's task, protocol and samples; `info` replaces settings of the task and the head by name."""
    info = changes.pop("info", {})
    settings = {
        "model": figure.model,
        "tasks": {figure.task: task_settings(load_settings("task", figure.task)[figure.task])},
        "protocols": {figure.protocol: plain(load_settings("protocol", figure.protocol)[figure.protocol])},
    }
    row = Row(
        task=figure.task,
        model=figure.model,
        frontend="",
        protocol=figure.protocol,
        seed=0,
        status="ok",
        primary_metric=figure.metric,
        cohort_hash="c0ffee",
        head_config_hash="1f2e",
        metrics={figure.metric: {"value": value, "ci_low": value - 0.004, "ci_high": value + 0.004}},
        n_test=figure.samples,
        feature_dim=figure.dim,
        info={"config": {**settings, **info}},
    )
    return replace(row, **changes)


def save(results: Path, *made: Row) -> None:
    """Write rows without predictions."""
    for row in made:
        rows.write(results, row, None)
