"""A target type is one object: a type made here goes from a table to the leaderboard, and no file outside knows it."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import mean_poisson_deviance

import registry
from bench import protocols, rows, targets, tasks
from bench.config import BenchConfig, Null, PlotChoice
from bench.metrics import Metric, MetricSet, weighted_mean
from bench.protocols import Predictions
from bench.rows import Row, read_predictions, write
from bench.runs import run
from bench.targets import TargetType
from registry import catalogue
from registry.errors import UserError

PATIENTS, EACH = 16, 2
MODELS = ("tones", "random_vit_s16")  # the second is a baseline
LEAST = 1e-6  # a predicted mean below it counts as this in the logarithm


def deviance(y_true, scores, groups):
    """Mean Poisson deviance of one count."""
    y, mean = y_true[:, 0].astype(float), np.maximum(scores[:, 0], LEAST)
    log = np.log(np.divide(y, mean, out=np.ones_like(mean), where=y > 0))
    return weighted_mean(2 * (y * log - y + mean), groups)


def check_counts(y_true, scores):
    if y_true.shape != scores.shape or (y_true < 0).any():
        raise ValueError("Counts must be 0 or more, a column a target.")


class Counts(TargetType):
    name = "counts"
    question = "how many of something"
    label_dtype = np.int64
    metrics = MetricSet("counts", {"deviance": Metric(deviance, lower_is_better=True)}, "deviance", check_counts)
    usual_head = "ridge"
    taken_as = "regression"

    def check_columns(self, frame, task, origin):
        super().check_columns(frame, task, origin)
        for column in task.targets:
            numbers = pd.to_numeric(frame[column]).to_numpy(float)
            self.refuse(frame, (numbers < 0) | (numbers % 1 != 0), column, task, origin, "no count")

    def strata(self, frame, task):
        return (self.labels(frame, task)[:, 0] > 4).astype(str)


@pytest.fixture
def counts() -> Iterator[TargetType]:
    target = Counts()
    targets.register(target)
    yield target
    targets.unregister("counts")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Tiles that are the darker the more there is to count."""
    rng, rows = np.random.default_rng(0), []
    for patient in range(PATIENTS):
        count = int(patient * 7 % PATIENTS)
        for number in range(EACH):
            pixels = np.clip(220 - 10 * count + rng.normal(0, 8, (32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{patient}_{number}.png")
            rows.append({"path": f"{patient}_{number}.png", "patient": f"P{patient}", "mitoses": count})
    pd.DataFrame(rows).to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path / "manifest.csv"


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[io.StringIO]:
    before, out = Path.cwd(), io.StringIO()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(out):
            yield out
    finally:
        os.chdir(before)


@pytest.mark.slow
def test_a_new_target_type_goes_from_table_to_leaderboard(
    counts: TargetType, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tones = dataclasses.replace(registry.card("colour"), name="tones")
    monkeypatch.setitem(catalogue._cards(), "tones", tones)
    task = {"name": "mitoses", "kind": "counts", "targets": ["mitoses"]}
    config = BenchConfig(
        model=list(MODELS),
        tasks={"mitoses": task},
        protocols={"ridge": {"kind": "ridge"}, "knn": {"kind": "knn"}},
        null=Null.none,
        data=str(table),
        bootstrap=50,
        device="cpu",
        workers=1,
        plots=PlotChoice.none,
    )
    with inside(table.parent) as out:
        run(config)
    results = table.parent / "results"
    rows = {m: json.loads(next(results.glob(f"rows/mitoses/*/{m}/ridge-*.json")).read_text()) for m in MODELS}
    for row in rows.values():
        assert (row["status"], row["kind"], row["primary_metric"]) == ("ok", "counts", "deviance")
        saved = read_predictions(results / row["predictions"])
        assert (saved.kind, saved.y_true.dtype) == ("counts", np.int64)
        expected = mean_poisson_deviance(saved.y_true[:, 0], np.maximum(saved.scores[:, 0], LEAST))
        assert row["metrics"]["deviance"]["value"] == pytest.approx(expected)
        assert row["metrics"].keys() == {"deviance"}
    values = {model: row["metrics"]["deviance"]["value"] for model, row in rows.items()}
    shown = out.getvalue()
    assert "primary metric deviance" in shown
    first, last = sorted(values, key=lambda model: values[model])
    assert shown.index(f" {first} ") < shown.index(f" {last} "), "the lower deviance stands above"
    paired = pd.read_csv(results / "leaderboard_paired.csv")
    assert paired["metric"].tolist() == ["deviance"]


def test_what_is_no_count_is_named(counts: TargetType, table: Path) -> None:
    frame = pd.read_csv(table)
    frame.loc[3, "mitoses"] = -2
    frame.to_csv(table, index=False)
    task = tasks.configured({"name": "mitoses", "kind": "counts", "targets": ["mitoses"]})
    with pytest.raises(UserError, match=r"1 samples whose mitoses is no count \(-2 of 1_1.png\), .* kind counts needs"):
        tasks.read(task, table, table.parent)


def test_a_type_is_known_while_it_is_registered(tmp_path: Path) -> None:
    ids = np.array(["a", "b"])
    predictions = Predictions(ids, ids, np.array([[1], [2]]), np.array([[1.0], [2.0]]), kind="counts")
    row = Row("t", "m", "", "p", 0, "ok", "deviance", kind="counts", classes=["mitoses"])
    with pytest.raises(ValueError, match="kind 'counts' is none of classes, "):
        write(tmp_path, row, predictions)
    targets.register(Counts())
    try:
        write(tmp_path, row, predictions)
        assert [r.kind for r in rows.read_rows(tmp_path)[0]] == ["counts"]
        with pytest.raises(ValueError, match="already a target type counts"):
            targets.register(Counts())
    finally:
        targets.unregister("counts")
    assert "counts" not in targets.names()


def test_every_target_type_says_what_it_is() -> None:
    for name in targets.names():
        target = targets.get(name)
        assert target.name == name == target.metrics.name
        assert target.question
        assert target.metrics.primary in target.metrics.metrics
        assert target.has_classes == target.metrics.probabilities


@pytest.mark.parametrize(("kind", "near"), [("regresion", "regression"), ("clases", "classes"), ("SURVIVAL", "")])
def test_an_unknown_kind_is_refused_with_the_near_match(kind: str, near: str) -> None:
    with pytest.raises(UserError, match=rf"^tasks.x.kind is wrong. There is no kind of target {kind}: ") as error:
        tasks.configured({"name": "x", "kind": kind})
    assert str(error.value).endswith(f" Is {near} meant?" if near else "survival.")


def test_the_usual_head_takes_the_type() -> None:
    for name in targets.names():
        target = targets.get(name)
        if isinstance(target, targets.Measurements):  # which no head predicts
            continue
        assert target.head_kind in protocols.configured({"kind": target.usual_head}).kinds


def test_metrics_know_no_target_types_and_looking_up_names_is_cheap() -> None:
    code = (
        "import sys, bench.metrics; assert 'bench.targets' not in sys.modules;"
        "import bench.targets; bench.targets.get('survival');"
        "print([m for m in ('pandas', 'torch', 'h5py', 'sklearn', 'bench.tasks') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
