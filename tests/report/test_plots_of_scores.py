"""Forests, score against cost, curves over labels and critical differences: what stands where in the figures."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leaderboard_runs import AddRun, predicted
from plot_helpers import drawn_by, panels

from bench.plots import multiverse_figure
from bench.plots.cost import pareto_front
from bench.results import read_leaderboard

CARD = {"model_card": {"gmacs": 2.0}}


def lines_of(axes: object) -> dict[tuple[float, ...], list[float]]:
    """The heights of the lines of a panel by their x."""
    return {tuple(np.atleast_1d(line.get_xdata())): list(np.atleast_1d(line.get_ydata())) for line in axes.lines}  # type: ignore[attr-defined]


def test_the_bars_of_a_forest_end_where_the_intervals_do(filled: Path) -> None:
    data = read_leaderboard(filled)
    ((_, drawing, figure),) = [one for one in drawn_by("forest", filled) if one[0].task == "demo"]
    (axes,) = panels(figure).values()
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names[0] == "uni"
    assert set(names) == {"uni", "resnet50", "colour", "random_vit_s16", "uni@random"}
    own = {
        key.model: found
        for (key, metric), found in data.intervals.items()
        if (key.task, metric) == ("demo", "balanced_accuracy")
    }
    drawn = lines_of(axes)
    for y, name in enumerate(names):
        found = own[name]
        assert drawn[found.ci_low, found.ci_high] == [y, y]
        assert drawn[(found.value,)] == [y]
    best = max(own[name].value for name in ("colour", "random_vit_s16", "uni@random"))
    assert drawn[best, best] == [0, 1], "the dashed line is the best baseline"
    assert f"uni: {own['uni'].value:.3f} ({own['uni'].ci_low:.3f} to {own['uni'].ci_high:.3f})" in drawing.alt
    assert "colour, a baseline" in drawing.alt


def test_baselines_and_models_that_saw_the_data_are_marked(results: Path, add_run: AddRun) -> None:
    add_run("uni", predicted(2.0), info={"contamination": {"level": "inferred", "evidence": "its card"}})
    add_run("dino", predicted(1.0, seed=1), info={"contamination": {"level": "none"}})
    add_run("colour", predicted(0.5, seed=2))
    ((_, _, figure),) = drawn_by("forest", results)
    (axes,) = panels(figure).values()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["uni †", "dino", "colour"]
    faces = [line.get_markerfacecolor() for line in axes.lines if line.get_marker() in ("o", "s")]
    assert [face == "white" for face in faces] == [False, False, True]


def test_a_model_without_interval_is_a_point(results: Path, add_run: AddRun) -> None:
    add_run("uni", replace(predicted(1.0), groups=np.array(["one"] * 60)))
    ((_, drawing, figure),) = drawn_by("forest", results)
    (axes,) = panels(figure).values()
    assert [len(np.atleast_1d(line.get_xdata())) for line in axes.lines] == [1]
    assert "nan" not in drawing.alt


def test_failed_rows_alone_have_no_plot(results: Path, add_run: AddRun) -> None:
    add_run("uni", status="failed", error="Out of memory.")
    assert drawn_by("forest", results) == drawn_by("cost", results) == drawn_by("confusion", results) == []


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), max_size=9))
def test_the_front_has_the_points_than_which_none_is_cheaper_and_as_good_or_as_cheap_and_better(
    points: list[tuple[int, int]],
) -> None:
    found = pareto_front([cost for cost, _ in points], [good for _, good in points])
    beaten = [any(c <= cost and g >= good and (c, g) != (cost, good) for c, g in points) for cost, good in points]
    assert sorted(found) == [place for place, worse in enumerate(beaten) if not worse]


def test_score_against_cost_has_a_point_a_model_and_a_line_a_baseline_without_a_network(
    results: Path, add_run: AddRun
) -> None:
    for model, skill, params in (("small", 1.0, 5.0), ("large", 3.0, 300.0), ("worse", 0.5, 80.0)):
        add_run(model, predicted(skill, seed=len(model)), params_m=params)
    colour = add_run("colour", predicted(0.2, seed=9), params_m=None)
    ((_, drawing, figure),) = drawn_by("cost", results)
    (axes,) = panels(figure).values()
    value = {entry.key.model: entry.mean("balanced_accuracy") for entry in read_leaderboard(results).entries}
    drawn = lines_of(axes)
    assert drawn[(5.0,)] == [value["small"]]
    assert drawn[(80.0,)] == [value["worse"]]
    assert drawn[5.0, 300.0] == [value["small"], value["large"]], "the front"
    assert [colour.value("balanced_accuracy")] * 2 in drawn.values()
    assert "millions of parameters" in axes.get_xlabel()
    assert "small at 5" in drawing.alt
    assert "worse" not in drawing.alt


def test_cost_is_in_multiply_adds_where_more_models_tell_them(results: Path, add_run: AddRun) -> None:
    for model in ("uni", "dino"):
        add_run(model, predicted(1.0, seed=len(model)), params_m=1.0, info=CARD)
    ((_, _, figure),) = drawn_by("cost", results)
    assert "multiply-adds" in panels(figure)["head linear"].get_xlabel()


def test_a_single_model_has_no_plot_of_cost(results: Path, add_run: AddRun) -> None:
    add_run("uni", predicted(1.0))
    add_run("colour", predicted(1.0, seed=1), params_m=None)
    assert drawn_by("cost", results) == []


def add_shots(add_run: AddRun, model: str, shots: int, value: float) -> None:
    metrics = {
        "balanced_accuracy": {"value": value, "ci_low": value - 0.1, "ci_high": value + 0.05, "interval": "episodes"}
    }
    add_run(
        model, predicted(1.0), protocol=f"simpleshot-{shots}shot", info={"shots": shots}, metrics=metrics,
        head_config_hash=f"h{shots}",
    )  # fmt: skip


def test_few_shot_curves_have_the_values_and_bounds_of_the_rows(results: Path, add_run: AddRun) -> None:
    for model, start in (("uni", 0.6), ("colour", 0.4)):
        for place, shots in enumerate((1, 4, 16)):
            add_shots(add_run, model, shots, start + 0.1 * place)
    ((sketch, drawing, figure),) = drawn_by("curves", results)
    assert (sketch.kind, sketch.name) == ("few_shot", "few_shot-demo-simpleshot")
    (axes,) = [axes for axes in figure.axes if axes.lines]
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert drawn["uni"] == ([1, 4, 16], pytest.approx([0.6, 0.7, 0.8]))
    assert drawn["colour (baseline)"][1] == pytest.approx([0.4, 0.5, 0.6])
    band = axes.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((0.5, 0.85))
    assert "uni: 0.600 at 1 shots, 0.800 at 16 shots" in drawing.alt
    assert drawn_by("forest", results) == [], "they are no heads of a forest"


def test_one_amount_of_labels_is_no_curve(results: Path, add_run: AddRun) -> None:
    add_shots(add_run, "uni", 4, 0.5)
    assert drawn_by("curves", results) == []


def test_ranks_stand_where_their_means_are(results: Path, add_run: AddRun) -> None:
    for task in range(5):
        for place, (model, skill) in enumerate((("uni", 4.0), ("resnet50", 1.5), ("dino", 0.2))):
            add_run(model, predicted(skill, seed=10 * task + place), task=f"t{task}")
    ((_, drawing, figure),) = drawn_by("critical_difference", results)
    (axes,) = [axes for axes in figure.axes if axes.lines]
    dots = [(float(line.get_xdata()[0]), line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "o"]
    assert dots[:3] == [(1.0, 0), (2.0, 1), (3.0, 2)]
    assert "uni 1.00; resnet50 2.00; dino 3.00" in drawing.alt
    assert math.isclose(axes.get_xlim()[1], 3)


@pytest.mark.slow  # draws the figure
def test_the_figure_of_protocols_names_all_models_that_tie_and_counts_what_has_no_tau() -> None:
    tau, values = np.array([[1.0, np.nan], [np.nan, 1.0]]), np.array([[0.7, 0.6], [0.5, 0.5]])
    ranks = np.array([[1.0, 2.0], [1.5, 1.5]])
    drawing = multiverse_figure("demo", "balanced_accuracy", ["knn", "level"], ["a", "b"], tau, values, ranks)

    assert "The best model under knn: a 0.700; level: a = b 0.500." in drawing.alt
    assert drawing.alt.endswith("Tau is not defined of 1 of the pairs of protocols.")
