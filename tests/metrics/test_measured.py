"""Means of measurements by hand, over resamples of groups, and with values that are not defined."""

from __future__ import annotations

import numpy as np
import pytest

from bench.metrics import MEASURED, METRIC_SETS, resample, score, swapped_differences
from bench.metrics.bootstrap import group_weights

QUALITY, SIMILARITY = MEASURED["image_quality"], MEASURED["feature_similarity"]


def none(n: int) -> np.ndarray:
    return np.empty((n, 0))


def test_a_metric_is_the_mean_of_its_column() -> None:
    values = np.array([[20.0, 0.5, 0.3], [30.0, 0.9, np.nan], [40.0, 1.0, 0.1]])
    found = score(none(3), values, np.array(["a", "b", "c"]), kind=QUALITY)
    assert found["psnr"].value == 30.0
    assert found["ssim"].value == pytest.approx(0.8)
    # three groups left out one by one: influences -+5 sqrt(2/3), a standard error of 10 / sqrt(3), Student's t of 2
    half = 4.302652729911275 * 10 / np.sqrt(3)
    assert [found["psnr"].ci_low, found["psnr"].ci_high] == pytest.approx([30 - half, 30 + half])
    assert found["ssim"].ci_high < 1.0
    assert found["lpips"].value == pytest.approx(0.2)
    assert found["lpips"].ci_low > 0.0


def test_an_lpips_that_was_not_measured_is_undefined_and_a_lower_one_is_better() -> None:
    values = np.column_stack([np.linspace(20, 30, 6), np.linspace(0.5, 0.9, 6), np.full(6, np.nan)])
    found = score(none(6), values, np.arange(6), kind=QUALITY)
    assert np.isnan([found["lpips"].value, found["lpips"].ci_low, found["lpips"].ci_high]).all()
    assert found["psnr"].value == 25.0
    assert {name for name, of in QUALITY.metrics.items() if of.lower_is_better} == {"lpips"}


def test_groups_weigh_by_their_tiles() -> None:
    values = np.array([[10.0, 0.0, 0.0], [10.0, 0.0, 0.0], [10.0, 0.0, 0.0], [50.0, 1.0, 1.0]])
    groups = np.array(["p", "p", "p", "q"])
    found = resample(none(4), {"": values}, groups, kind=QUALITY, n_boot=50, seed=3)[""]
    assert found["psnr"].value == 20.0
    weights = np.concatenate(list(group_weights(2, 50, 3, 64)), axis=1)
    assert found["psnr"].draws.tolist() == pytest.approx(
        (30 * weights[0] + 50 * weights[1]) / (3 * weights[0] + weights[1])
    )


def test_recovery_is_of_sums_over_the_tiles_that_have_both_cosines() -> None:
    values = np.array([[0.9, 1.0, 1.0, np.nan], [0.7, 0.0, 1.0, 0.5], [0.8, 1.0, 1.0, 0.6]])
    found = score(none(3), values, np.arange(3), kind=SIMILARITY)
    assert found["cosine"].value == pytest.approx(0.8)
    assert found["recovery"].value == pytest.approx(1 - (0.3 + 0.2) / (0.5 + 0.4))
    values[:, 3] = 0.95, 0.9, 0.9
    assert score(none(3), values, np.arange(3), kind=SIMILARITY)["recovery"].value < 0, "further away than before"
    values[:, 3] = 1.0
    assert np.isnan(score(none(3), values, np.arange(3), kind=SIMILARITY)["recovery"].value), "nothing was lost"
    values[:, 3] = np.nan
    assert np.isnan(score(none(3), values, np.arange(3), kind=SIMILARITY)["recovery"].value)


def test_a_share_that_is_1_for_every_tile_has_an_interval_below_1() -> None:
    values = np.column_stack([np.linspace(0.5, 0.9, 30), np.ones(30), np.ones(30), np.zeros(30)])
    found = score(none(30), values, np.arange(30), kind=SIMILARITY)
    assert found["top1"].value == 1.0
    assert 0.8 < found["top1"].ci_low < 1.0 == found["top1"].ci_high


def test_swapping_two_measurements_of_every_group_turns_the_sign() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 2))
    groups = np.array([0, 0, 1, 1, 2, 2])
    swaps = np.array([[0, 1, 1], [0, 1, 0], [0, 1, 0]])
    found = swapped_differences(QUALITY.metrics["psnr"], none(6), a, b, groups, swaps)
    mean = (a - b)[:, 0].mean()
    exchanged = ((a - b)[2:, 0].sum() - (a - b)[:2, 0].sum()) / 6
    assert found.tolist() == pytest.approx([mean, -mean, exchanged])


@pytest.mark.parametrize(
    ("kind", "labels", "values", "says"),
    [
        (QUALITY, none(2), np.ones((2, 2)), r"must have the columns psnr, ssim, lpips, not shape \(2, 2\)"),
        (QUALITY, none(2), np.ones(2), r"must have the columns psnr, ssim, lpips"),
        (QUALITY, np.ones((2, 1)), np.ones((2, 3)), r"must be of shape \(2, 0\), not \(2, 1\)"),
        (QUALITY, none(1), np.array([[np.inf, 1, 1]]), "1 of 1 samples have a measurement that is not finite"),
        (QUALITY, none(1), np.array([[np.nan, 1, 1]]), "1 of 1 samples have a measurement that is not finite"),
        (QUALITY, none(1), np.array([[1, np.nan, 1]]), "1 of 1 samples have a measurement that is not finite"),
        (QUALITY, none(1), np.array([[1, 1, np.inf]]), "1 of 1 samples have a measurement that is not finite"),
        (SIMILARITY, none(1), np.array([[1, 1, 1, -np.inf]]), "1 of 1 samples have a measurement that is not finite"),
    ],
)
def test_what_is_no_measurement_is_refused(kind, labels, values, says) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=says):
        score(labels, values, np.arange(len(values)), kind=kind, n_boot=0)


def test_measurements_are_no_form_of_labels() -> None:
    assert MEASURED.keys().isdisjoint(METRIC_SETS)
