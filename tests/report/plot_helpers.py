"""What the tests of plots share: figures before they become bytes, and predictions of survival."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from leaderboard_runs import Predicted

from bench.plots.source import Choice, Source
from bench.results import read_leaderboard


@contextmanager
def figures_of(module: str) -> Iterator[list[Any]]:
    """The figures that a module of plots draws meanwhile; they are not rendered."""
    found: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"bench.plots.{module}.drawn", lambda figure: found.append(figure) or {"svg": b"s", "png": b"p"})
        yield found


def drawn_by(module: str, results: Path, choice: Choice = "best") -> list[tuple[Any, Any, Any]]:
    """Sketch, drawing and figure of each plot of a module that is not empty."""
    source = Source(read_leaderboard(results), results, choice)
    found = []
    for sketch in importlib.import_module(f"bench.plots.{module}").sketches(source):
        with figures_of(module) as figures:
            drawing = sketch.draw()
        if drawing is not None:
            found.append((sketch, drawing, figures[0]))
    return found


def panels(figure: Any) -> dict[str, Any]:
    """The panels of a figure by their titles."""
    return {axes.get_title(): axes for axes in figure.axes if axes.get_visible() and axes.get_title()}


def survival(time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> Predicted:
    """Predictions of a patient each."""
    names = np.array([f"p{number}" for number in range(len(time))])
    y_true = np.stack([time, event], axis=1).astype(np.float64)
    return Predicted(names, names, y_true, risk[:, None].astype(np.float64), kind="survival")


SURVIVAL = {"classes": ["risk"], "kind": "survival", "primary_metric": "c_index", "protocol": "cox"}
