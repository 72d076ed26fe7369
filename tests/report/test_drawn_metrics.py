"""Only metrics whose draws are used are drawn; the tables are those of drawing all."""

from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import AddRun, predicted, rebuild

from bench.results import resampling
from bench.results.aggregated_result import aggregated
from bench.results.resampling import Passes, recomputable
from bench.rows import read_rows


@pytest.mark.parametrize("primary", ["balanced_accuracy", "brier", "unknown"])
def test_tables_are_those_of_drawing_every_metric(
    add_run: AddRun, results: Path, monkeypatch: pytest.MonkeyPatch, primary: str
) -> None:
    for place, model in enumerate(("uni", "resnet50", "colour")):
        for seed in (0, 1):
            add_run(model, predicted(place, seed=9 * seed + place), seed=seed, primary_metric=primary)
    rebuild(results)
    tables = {path.name: path.read_bytes() for path in results.glob("*.csv")}
    drawn: list[int] = []
    original = resampling.resample

    def all_drawn(*arguments: object, n_boot: int, **named: object) -> object:
        drawn.append(n_boot)
        return original(*arguments, n_boot=resampling.N_BOOT, **named)

    monkeypatch.setattr(resampling, "resample", all_drawn)
    rebuild(results)
    assert {path.name: path.read_bytes() for path in results.glob("*.csv")} == tables
    assert set(drawn) <= {1, 1000}


def test_metrics_of_intervals_alone_have_their_influences_and_no_draws(add_run: AddRun, results: Path) -> None:
    add_run("uni", predicted(1.0))
    entries = aggregated(read_rows(results)[0])
    passes = Passes(lambda row: results / row.predictions, entries)
    passes.resample(lambda row: {*recomputable(row), "brier", "mcc"})
    ((one,),) = (of.values() for of in passes.of.values())
    found = passes.replicates(one)
    assert {name for name, of in found.items() if len(of.draws) == 1000} == {
        *("accuracy", "balanced_accuracy", "f1_macro", "auroc")
    }
    assert len(found["brier"].influence) == 10
    assert not np.isnan(found["mcc"].interval().ci_low)
