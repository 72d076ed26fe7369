"""P values adjusted for how many comparisons are made; the mark of a model against all of its baselines."""

from __future__ import annotations

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import AddRun, lines, predicted, rebuild
from scipy import stats

from bench.results import read_leaderboard
from bench.statistics import holm


@pytest.fixture
def three_tasks(results: Path, add_run: AddRun) -> Path:
    for task in ("a", "b", "c"):
        for number, model in enumerate(("uni", "virchow2", "resnet50", "colour", "random_vit_s16")):
            add_run(model, predicted(1.6 - 0.3 * number, seed=10 * number + ord(task)), task=task)
    return results


def test_adjusted_p_values_are_of_the_pairs_of_a_task_and_of_the_suite(three_tasks: Path) -> None:
    rebuild(three_tasks)
    table = lines(three_tasks / "leaderboard_paired.csv")
    assert {line["p_by"] for line in table if line["metric"] == "balanced_accuracy"} == {"exact swap"}
    assert {line["p_by"] for line in table if line["metric"] != "balanced_accuracy"} == {"t"}
    families = defaultdict(list)
    for line in table:
        families[line["task"], line["metric"]].append(line)
    for (_, metric), own in families.items():
        p = np.array([float(line["p"]) for line in own])
        assert len(p) == 3 + 3 * 2
        assert [float(line["p_holm"]) for line in own] == pytest.approx(holm(p), abs=2e-5)
        assert [float(line["p_bh"]) for line in own] == pytest.approx(stats.false_discovery_control(p), abs=2e-5)
        assert {line["p_holm_suite"] == "" for line in own} == {metric != "balanced_accuracy"}
    primary = [line for line in table if line["metric"] == "balanced_accuracy"]
    expected = holm(np.array([float(line["p"]) for line in primary]))
    assert [float(line["p_holm_suite"]) for line in primary] == pytest.approx(expected, abs=5e-5)


def test_a_model_is_marked_only_where_it_beats_every_baseline(results: Path, add_run: AddRun) -> None:
    add_run("uni", predicted(4.0, seed=1))
    add_run("resnet50", predicted(1.0, seed=2))
    add_run("worse", predicted(-3.0, seed=3))
    add_run("colour", predicted(0.2, seed=4))
    add_run("random_vit_s16", predicted(1.1, seed=5))
    data = read_leaderboard(results)
    found = {key.model: over for key, over in data.over_baselines.items()}
    assert {model: over.mark for model, over in found.items()} == {"uni": "*+", "resnet50": "", "worse": "*-"}
    for over in found.values():
        entry = over.comparison.a
        own = [c for c in data.differences.values() if c.a is entry and c.primary and c.b.rows[0].baseline]
        assert over.n_baselines == len(own) == 2
        worst = min(own, key=lambda c: c.difference.difference)
        assert over.comparison is worst
        one_way = len({c.difference.difference > 0 for c in own}) == 1
        assert over.p == (max(c.p for c in own) if one_way else 1.0)
    p = {model: over.p for model, over in found.items()}
    adjusted = dict(zip(p, holm(np.array(list(p.values()))), strict=True))
    assert {model: over.p_holm for model, over in found.items()} == pytest.approx(adjusted)


def test_identical_predictions_differ_by_nothing_that_is_known(results: Path, add_run: AddRun) -> None:
    for model in ("uni", "resnet50"):
        add_run(model, predicted(1.0))
    rebuild(results)
    for line in lines(results / "leaderboard_paired.csv"):
        assert (line["difference"], line["p"], line["p_holm"], line["p_better"]) == (
            *("0.000000", "1.000000", "1.000000"), "0.500000",
        )  # fmt: skip
        assert [line[name] for name in ("ci_low", "ci_high", "p_equivalent", "detectable")] == [""] * 4


def test_equivalence_is_only_of_metrics_with_two_bounds(results: Path, add_run: AddRun) -> None:
    from test_means import of_kind

    for number, model in enumerate(("uni", "resnet50")):
        predictions, names = of_kind("regression", number)
        add_run(model, predictions, kind="regression", classes=names, primary_metric="mae")
    data = read_leaderboard(results)
    found = {c.metric: c.p_equivalent(0.02) for c in data.differences.values()}
    assert {metric for metric, p in found.items() if math.isnan(p)} == {"mae", "r2"}
    (mae,) = (c for c in data.differences.values() if c.metric == "mae")
    assert mae.a_is_better == (mae.difference.difference < 0)
