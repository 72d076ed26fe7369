"""Confusion matrices, reliability diagrams and survival curves against plain computations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import CLASSES, AddRun, Predicted, predicted
from plot_helpers import SURVIVAL, drawn_by, panels, survival

from bench.metrics import score
from bench.plots.confusion import confusion_of
from bench.plots.reliability import BINS, bins_of
from bench.plots.source import BEST, PANELS, PooledPredictions
from bench.rows import SavedPredictions


def part_of(every: Predicted, own: np.ndarray) -> Predicted:
    return Predicted(every.ids[own], every.groups[own], every.y_true[own], every.scores[own])


def saved(every: Predicted) -> SavedPredictions:
    return SavedPredictions(every.ids, every.groups, every.y_true, every.scores, CLASSES, every.kind)


def test_a_confusion_matrix_counts_each_sample_of_all_folds_once(results: Path, add_run: AddRun) -> None:
    every = predicted(1.0)
    fold = np.arange(60) % 3 + 1
    for seed in (0, 1):
        for number in (1, 2, 3):
            add_run("uni", part_of(predicted(1.0 + 5 * seed), fold == number), fold=number, seed=seed)
    ((_, drawing, figure),) = drawn_by("confusion", results)
    expected = np.zeros((3, 3), int)
    for true, scores in zip(every.y_true, every.scores, strict=True):
        expected[true, scores.argmax()] += 1
    shares = panels(figure)["uni"].images[0].get_array()
    assert np.allclose(shares, expected / expected.sum(axis=1, keepdims=True))
    texts = [text.get_text() for text in panels(figure)["uni"].texts]
    assert [int(text.split("\n")[-1]) for text in texts] == expected.ravel().tolist()
    assert "60 out-of-fold samples of 3 folds, seed 0" in drawing.title
    assert f"predicts {np.trace(expected)} of 60 rightly" in drawing.alt


def test_a_class_without_samples_has_no_shares(results: Path, add_run: AddRun) -> None:
    every = predicted(1.0)
    add_run("uni", part_of(every, every.y_true < 2))
    ((_, _, figure),) = drawn_by("confusion", results)
    texts = [text.get_text() for text in panels(figure)["uni"].texts]
    assert texts[6:] == ["–"] * 3


def test_predictions_of_one_class_are_counted() -> None:
    every = predicted(1.0)
    only = replace(part_of(every, every.y_true == 1), scores=np.eye(3)[np.ones(int((every.y_true == 1).sum()), int)])
    counts = confusion_of(PooledPredictions((saved(only),), 0))
    assert counts.sum() == counts[1, 1] == (every.y_true == 1).sum()
    assert bins_of(only.y_true, only.scores).error == 0.0


def test_the_bins_are_those_of_the_calibration_error() -> None:
    every = predicted(1.0, n=200)
    found = bins_of(every.y_true, every.scores)
    for place in range(BINS):
        own = [
            (scores.max(), scores.argmax() == true)
            for true, scores in zip(every.y_true, every.scores, strict=True)
            if place / BINS < scores.max() <= (place + 1) / BINS
        ]
        assert found.samples[place] == len(own)
        if own:
            assert found.confidence[place] == pytest.approx(np.mean([confidence for confidence, _ in own]))
            assert found.right[place] == pytest.approx(np.mean([right for _, right in own]))
    scored = score(every.y_true, every.scores, every.groups, kind="classes", metrics=["ece"], n_boot=0)
    assert found.error == pytest.approx(scored["ece"].value)


def test_a_reliability_diagram_has_both_series_and_the_samples_of_each_bin(results: Path, add_run: AddRun) -> None:
    every = predicted(1.0)
    scaled = every.scores**0.5 / (every.scores**0.5).sum(axis=1, keepdims=True)
    add_run("uni", replace(every, calibrated=scaled))
    add_run("dino", predicted(0.5, seed=3))
    ((_, drawing, figure),) = drawn_by("reliability", results)
    place = next(number for number, axes in enumerate(figure.axes) if axes.get_title() == "uni")
    above = figure.axes[place]
    bars = [axes for axes in figure.axes if axes.patches]
    heights = [patch.get_height() for axes in bars for patch in axes.patches]
    before, after = bins_of(every.y_true, every.scores), bins_of(every.y_true, scaled)
    assert any([patch.get_height() for patch in axes.patches] == [*before.samples, *after.samples] for axes in bars), (
        heights
    )
    series = [
        list(line.get_ydata()) for line in above.lines if line.get_marker() in ("o", "s") and len(line.get_xdata())
    ]
    assert series == [list(bins.right[bins.samples > 0]) for bins in (before, after)]
    assert f"calibration error {before.error:.3f} as predicted and {after.error:.3f} after" in drawing.alt


def test_the_best_models_alone_are_drawn_unless_all_are_wanted(results: Path, add_run: AddRun) -> None:
    for number in range(PANELS + 2):
        add_run(f"m{number}", predicted(0.5 * number, seed=number))
    add_run("colour", predicted(9.0, seed=50))
    ((sketch, _, figure),) = drawn_by("confusion", results)
    assert set(panels(figure)) == {f"m{number}" for number in range(PANELS + 1, PANELS + 1 - BEST, -1)}
    first, second = drawn_by("confusion", results, "all")
    assert [one[0].name for one in (first, second)] == [f"{sketch.name}-1", f"{sketch.name}-2"]
    assert len(panels(first[2])) + len(panels(second[2])) == PANELS + 3


def test_predictions_that_cannot_be_read_have_no_plot(results: Path, add_run: AddRun) -> None:
    row = add_run("uni", predicted(1.0))
    (results / row.predictions).write_bytes(b"torn")
    assert drawn_by("confusion", results) == drawn_by("reliability", results) == []


def cohort(seed: int = 0, n: int = 40) -> Predicted:
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=n)
    time = np.round(rng.exponential(10 * np.exp(-risk)), 1) + 0.1
    return survival(time, (rng.random(n) < 0.6).astype(float), risk)


def plain_curve(time: np.ndarray, event: np.ndarray) -> tuple[list[float], list[float]]:
    """Kaplan and Meier's product, time by time."""
    times, values, survival_ = [0.0], [1.0], 1.0
    for moment in sorted(set(time.tolist())):
        at_risk = sum(one >= moment for one in time)
        died = sum(one == moment and happened == 1 for one, happened in zip(time, event, strict=True))
        survival_ *= 1 - died / at_risk
        times.append(moment)
        values.append(survival_)
    return times, values


def test_survival_curves_are_those_of_the_halves_with_the_numbers_at_risk(results: Path, add_run: AddRun) -> None:
    every = cohort()
    add_run("uni", every, **SURVIVAL)
    ((_, drawing, figure),) = drawn_by("kaplan_meier", results)
    axes = panels(figure)["uni"]
    time, event = every.y_true.T
    high = every.scores[:, 0] > np.median(every.scores[:, 0])
    curves = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    for line, own in zip(curves, (high, ~high), strict=True):
        times, values = plain_curve(time[own], event[own])
        assert list(line.get_xdata()) == times
        assert list(line.get_ydata()) == pytest.approx(values)
    ticks = axes.get_xticks()
    texts = [text.get_text() for text in axes.texts if text.get_text().isdigit()]
    assert texts == [str(int((time[own] >= tick).sum())) for own in (high, ~high) for tick in ticks]
    assert f"high risk, {int(event[high].sum())} events of {high.sum()}" in drawing.alt
    compare = pytest.importorskip("sksurv.compare").compare_survival
    of_both = np.array(list(zip(event == 1, time, strict=True)), dtype=[("event", bool), ("time", float)])
    p = compare(of_both, high)[1]
    shown = axes.get_legend().get_title().get_text()
    assert shown == (f"log-rank p = {p:.3f}" if p >= 0.001 else "log-rank p < 0.001")


def test_the_risk_is_cut_at_the_median_of_each_fold(results: Path, add_run: AddRun) -> None:
    every = cohort()
    for fold in (1, 2):
        own = np.arange(40) % 2 == fold - 1
        risk = every.scores[own] + 100 * fold  # another scale in each fold
        add_run(
            "uni",
            Predicted(every.ids[own], every.ids[own], every.y_true[own], risk, kind="survival"),
            fold=fold,
            **SURVIVAL,
        )
    ((_, drawing, _),) = drawn_by("kaplan_meier", results)
    assert "of 20, " in drawing.alt
    assert "median of each fold" in drawing.alt


@pytest.mark.parametrize("risk", [np.arange(12.0), np.zeros(12)])
def test_no_events_or_one_group_have_curves_and_no_p(results: Path, add_run: AddRun, risk: np.ndarray) -> None:
    events = np.zeros(12) if risk.any() else np.ones(12)
    metrics = {"c_index": {"value": 0.5, "ci_low": None, "ci_high": None}}
    add_run("uni", survival(np.arange(1.0, 13.0), events, risk), **SURVIVAL, metrics=metrics)
    ((_, drawing, _),) = drawn_by("kaplan_meier", results)
    assert "log-rank p not known" in drawing.alt
    assert "nan" not in drawing.alt
