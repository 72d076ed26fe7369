"""Conditions, corruption errors and recovery on numbers that are worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from leaderboard_runs import AddRun
from robustness_rows import add_head, add_similarity

from bench.results import read_leaderboard
from bench.results.chains import parse, starts_with
from bench.results.conditions import BEST_CLASSICAL, Condition, best_classical, clean_of, conditions, left_out
from bench.results.robustness_measures import (
    corruption_errors,
    mean_corruption_error,
    mean_over_cases,
    recovery,
    relative_error,
    same_cases,
    score_recovery,
)


def test_front_ends_that_fit_and_that_do_not() -> None:
    assert parse("") == parse("none") == ("", 0, "none")
    assert parse("jpeg_3") == ("jpeg", 3, "none")
    assert parse("gaussian_noise_5+median5") == ("gaussian_noise", 5, "median5")
    assert parse("median") == ("", 0, "median")
    assert parse("jpeg_3+vit_s16@random") == ("jpeg", 3, "vit_s16@random")
    for other in ("median+jpeg_3", "jpeg_3+blur_2", "jpeg_3+median+unsharp", "median+unsharp", "jpeg_3+median+blur_1"):
        assert parse(other) is None, other
    assert parse("jpeg_6") == ("", 0, "jpeg_6"), "severities end at 5"


def test_a_chain_starts_with_its_parts_and_with_clean_tiles() -> None:
    assert starts_with("jpeg_3+median", "jpeg_3")
    assert starts_with("jpeg_3", "")
    assert not starts_with("jpeg_3", "jpeg_3")
    assert not starts_with("jpeg_30", "jpeg_3")


def heads(results: Path, restorer: str = "none") -> list[Condition]:
    found = conditions(read_leaderboard(results))
    return [one for one in found if not one.of_features and one.restorer == restorer]


@pytest.fixture
def two_corruptions(results: Path, add_run: AddRun) -> Path:
    """20 tiles of each class: 2 are wrong on clean tiles (an error of .1), behind jpeg 4 and 8, behind blur 2."""
    add_similarity(add_run, "uni", "", [1.0, 1.0])
    for frontend, wrong in (("", 2), ("jpeg_1", 4), ("jpeg_5", 8), ("blur_1", 2)):
        add_head(add_run, "uni", frontend, wrong)
    # median takes back 2 of jpeg_1 and none of jpeg_5, and makes 3 wrong on blur_1 and on clean tiles
    for frontend, wrong in (("median", 3), ("jpeg_1+median", 2), ("jpeg_5+median", 8), ("blur_1+median", 5)):
        add_head(add_run, "uni", frontend, wrong)
    for frontend, wrong in (("jpeg_1+unsharp", 3), ("jpeg_5+unsharp", 6), ("blur_1+unsharp", 5), ("jpeg_1+lpfm", 1)):
        add_head(add_run, "uni", frontend, wrong)
    return results


def test_ce_mce_and_rce(two_corruptions: Path) -> None:
    none = heads(two_corruptions)
    clean = clean_of(none)
    assert clean is not None
    assert clean.error == pytest.approx(0.1)
    # errors: jpeg .2 and .4, blur .1
    errors = corruption_errors(none)
    assert errors == pytest.approx({"jpeg": 0.3, "blur": 0.1})
    mce = mean_corruption_error(errors)
    assert mce == pytest.approx(0.2), "corruptions weigh alike, whatever their severities: not .7 / 3"
    assert relative_error(mce, clean.error) == pytest.approx(2.0), "twice as many errors as on clean tiles"
    assert relative_error(mce, 0.0) is None
    assert mean_corruption_error({}) is None
    assert mean_over_cases(none, "balanced_accuracy") == pytest.approx(0.8)


def test_what_a_restorer_gives_back_of_the_score(two_corruptions: Path) -> None:
    none, median = heads(two_corruptions), heads(two_corruptions, "median")
    # above the clean error of .1: without it .2 of jpeg and 0 of blur, behind it .15 of either
    assert score_recovery(median, none, 0.1) == pytest.approx(1 - 0.15 / 0.1)
    of_jpeg = [one for one in median if one.corruption == "jpeg"]
    assert score_recovery(of_jpeg, none, 0.1) == pytest.approx(1 - 0.3 / 0.4)
    assert [one.case for one in same_cases(none, of_jpeg)] == [("jpeg", 1), ("jpeg", 5)]
    blur = [one for one in median if one.corruption == "blur"]
    assert score_recovery(blur, none, 0.1) is None, "nothing was lost"
    assert score_recovery(median, none, None) is None


def test_the_best_filter_of_each_case(two_corruptions: Path) -> None:
    best = best_classical(conditions(read_leaderboard(two_corruptions)))
    assert {one.case: one.entry.key.frontend for one in best} == {
        ("blur", 1): "blur_1+unsharp",  # as good as median, and the first of them in the list of filters
        ("jpeg", 1): "jpeg_1+median",
        ("jpeg", 5): "jpeg_5+unsharp",
    }
    assert {one.restorer for one in best} == {BEST_CLASSICAL}
    assert [one.error for one in best] == pytest.approx([0.25, 0.1, 0.3])
    assert mean_corruption_error(corruption_errors(best)) == pytest.approx(0.225)
    assert score_recovery(best, heads(two_corruptions), 0.1) == pytest.approx(1 - 0.125 / 0.1)


def test_recovery_of_features_is_of_distances_over_all_cases(results: Path, add_run: AddRun) -> None:
    add_similarity(add_run, "uni", "", [1.0, 1.0])
    for frontend, unrestored, restored in (("jpeg_1", [0.9, 0.7], [0.9, 0.9]), ("blur_2", [0.99, 0.99], [0.97, 0.97])):
        add_similarity(add_run, "uni", frontend, unrestored)
        add_similarity(add_run, "uni", f"{frontend}+lpfm", restored, unrestored)
    found = conditions(read_leaderboard(results))
    none, lpfm = ([one for one in found if one.restorer == name] for name in ("none", "lpfm"))
    # distances: jpeg .2 to .1, blur .01 to .03; blur alone is -2, and the mean of both would be -.75
    assert recovery(lpfm, none) == pytest.approx(1 - 0.13 / 0.21)
    assert {one.case: one.value("recovery") for one in lpfm} == pytest.approx({("jpeg", 1): 0.5, ("blur", 2): -2.0})
    assert mean_over_cases(lpfm, "cosine") == pytest.approx((0.9 + 0.97) / 2)
    assert all(one.of_features and one.error is None for one in found)
    assert recovery(lpfm, []) is None


def test_other_chains_are_left_out_and_named(two_corruptions: Path, add_run: AddRun) -> None:
    before = conditions(read_leaderboard(two_corruptions))
    add_head(add_run, "uni", "median+jpeg_3", 5)
    add_head(add_run, "uni", "jpeg_3+blur_2", 5)
    add_head(add_run, "uni", "jpeg_2", 5)
    data = read_leaderboard(two_corruptions)
    assert len(conditions(data)) == len(before) + 1
    assert [entry.key.frontend for entry in left_out(data)] == ["jpeg_3+blur_2", "median+jpeg_3"]


def test_rows_of_other_tasks_and_failed_ones_are_no_conditions(two_corruptions: Path, add_run: AddRun) -> None:
    before = conditions(read_leaderboard(two_corruptions))
    add_run("uni", task="demo", frontend="jpeg_1", values={"balanced_accuracy": 0.5})
    add_run("gpfm", task="robustness", frontend="jpeg_1", status="failed", error="gpfm is gated.")
    data = read_leaderboard(two_corruptions)
    assert [one.entry.key for one in conditions(data)] == [one.entry.key for one in before]
    assert left_out(data) == []


def test_the_threshold_moves_by_the_mean_over_runs(results: Path, add_run: AddRun) -> None:
    add_similarity(add_run, "uni", "", [1.0, 1.0])
    add_head(add_run, "uni", "jpeg_1", 4, shift=-0.25)
    add_head(add_run, "uni", "jpeg_2", 4)
    assert [one.threshold_shift for one in heads(results)] == [-0.25, None]


def test_errors_of_scores_without_an_upper_bound_of_one_are_unknown(results: Path, add_run: AddRun) -> None:
    add_similarity(add_run, "uni", "", [1.0, 1.0])
    values = {"mae": 0.3, "pearson": 0.8}
    for metric in values:
        for frontend in ("", "jpeg_1"):
            add_run(
                "uni",
                task="robustness",
                frontend=frontend,
                protocol=metric,
                kind="regression",
                primary_metric=metric,
                values=values,
            )
    found = {one.protocol: one.error for one in heads(results) if not one.clean}
    assert found == {"mae": None, "pearson": pytest.approx(0.2)}
