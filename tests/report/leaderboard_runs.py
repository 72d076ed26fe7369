"""Runs to fill a results folder with."""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.plots import Choice
from bench.report import table_text, write_tables
from bench.results import read_leaderboard
from bench.rows import Row, RunKey

HEAD = "1f2e3d4c"
CLASSES = ["normal", "stroma", "tumour"]


@dataclass(frozen=True)
class Predicted:
    ids: np.ndarray
    groups: np.ndarray
    y_true: np.ndarray
    scores: np.ndarray
    calibrated: np.ndarray | None = None
    kind: str = "classes"


def predicted(skill: float, *, n: int = 60, seed: int = 0) -> Predicted:
    """Predictions on one and the same test set; a higher skill is right more often."""
    truth = np.random.default_rng(99)
    y = truth.integers(0, 3, n)
    logits = np.random.default_rng(seed).normal(size=(n, 3))
    logits[np.arange(n), y] += skill
    scores = np.exp(logits)
    return Predicted(
        ids=np.array([f"tile-{i}" for i in range(n)]),
        groups=np.array([f"patient-{i % 10}" for i in range(n)]),
        y_true=y,
        scores=scores / scores.sum(axis=1, keepdims=True),
    )


def run_key(model: str, task: str = "demo", seed: int = 0, fold: int = 0) -> RunKey:
    """The key of a run that `add_run` writes unless it is told otherwise."""
    return RunKey(task, model, "", "linear", seed, fold, cohort=task, head=HEAD)


AddRun = Callable[..., Row]


def rebuild(results: Path, plots: Choice = "none") -> dict[str, Path]:
    """The tables, and plots where they are wanted, from what stands in the folder."""
    return write_tables(results, read_leaderboard(results), plots=plots)


def lines(path: Path, **where: str) -> list[dict[str, str]]:
    """The lines of a table with these values."""
    with open(path, newline="", encoding="utf-8") as handle:
        return [line for line in csv.DictReader(handle) if all(line[name] == value for name, value in where.items())]


def block(results: Path, cohort: str) -> list[str]:
    """The lines of what is shown of one cohort."""
    return text(results, cohort=cohort).split("\n\n")[0].splitlines()


def text(results: Path, **where: str) -> str:
    """The table of the blocks with these values in their keys."""
    data = read_leaderboard(results)
    keys = [entry.key for entry in data.entries]
    return table_text(data, {key.block for key in keys if all(getattr(key, n) == v for n, v in where.items())})
