"""A results folder as runs would leave it."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from leaderboard_runs import CLASSES, HEAD, AddRun, Predicted, predicted
from merged_folders import copy_run

from bench import targets
from bench.metrics import score
from bench.rows import Row, warn_once, write


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def add_run(results: Path) -> AddRun:
    """Write a run's row and predictions; metrics are those of the predictions unless `values` replaces them."""
    return _adding(results)


@pytest.fixture(scope="session")
def add_run_to() -> Callable[[Path], AddRun]:
    """`add_run` of a results folder, for fixtures that several tests share."""
    return _adding


def _adding(results: Path) -> AddRun:
    def add(
        model: str,
        predictions: Predicted | None = None,
        *,
        task: str = "demo",
        protocol: str = "linear",
        frontend: str = "",
        seed: int = 0,
        fold: int = 0,
        values: dict[str, float | None] | None = None,
        **changes: Any,
    ) -> Row:
        row = Row(
            task=task,
            model=model,
            frontend=frontend,
            protocol=protocol,
            seed=seed,
            fold=fold,
            cohort_hash=task,
            head_config_hash=HEAD,
            status="ok",
            primary_metric="balanced_accuracy",
            n_train=100,
            n_val=20,
            feature_dim=384,
            params_m=22.0567,
            tiles_per_s=41.26,
            baseline=model in ("colour", "random_vit_s16") or model.endswith("@random"),
            run_hash="0123456789abcdef",
            version="0.1.0",
            classes=CLASSES,
        )
        if predictions is not None:
            kind = targets.get(predictions.kind).metrics
            scored = score(predictions.y_true, predictions.scores, predictions.groups, kind=kind, n_boot=50)
            row = replace(
                row,
                metrics={name: asdict(interval) for name, interval in scored.items()},
                n_test=len(predictions.ids),
                n_groups=len(set(predictions.groups)),
            )
        if values is not None:
            metrics = {name: {"value": value, "ci_low": None, "ci_high": None} for name, value in values.items()}
            row = replace(row, metrics=metrics)
        return write(results, replace(row, **changes), predictions)

    return add


@pytest.fixture
def filled(results: Path, add_run: AddRun) -> Path:
    """Two tasks, each with two models, two baselines and a random-init baseline; and a failure."""
    for task in ("demo", "other"):
        add_run("uni", predicted(3.0, seed=1), task=task)
        add_run("resnet50", predicted(1.5, seed=2), task=task)
        add_run("colour", predicted(0.5, seed=3), task=task)
        add_run("random_vit_s16", predicted(0.3, seed=4), task=task)
        add_run("uni@random", predicted(0.8, seed=5), task=task)
    add_run("virchow2", task="demo", status="failed", error="virchow2 is gated:\n ask at its page, or checkpoint=FILE.")
    return results


@pytest.fixture
def two(results: Path, add_run: AddRun, tmp_path: Path) -> tuple[Path, Path]:
    """Two folders, with uni and colour in both, resnet50 in the first and dino in the second."""
    a, b = tmp_path / "a", tmp_path / "b"
    for model, folders in (("uni", (a, b)), ("colour", (a, b)), ("resnet50", (a,)), ("dino", (b,))):
        row = add_run(model, predicted(2.0, seed=len(model)))
        for folder in folders:
            copy_run(results, row, folder)
    return a, b


@pytest.fixture
def each_warning_anew() -> None:
    warn_once.cache_clear()
