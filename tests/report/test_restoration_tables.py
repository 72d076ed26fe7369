"""Restorers against none and against the filters on numbers that are worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import AddRun, Predicted, lines, rebuild

from bench.report import table_text
from bench.results import read_leaderboard

Measure = Callable[..., None]
TILES = 6


@pytest.fixture
def measure(add_run: AddRun) -> Measure:
    """A row of these PSNR values, one a tile and a group each; the SSIM is a hundredth of it, the LPIPS 1 - SSIM."""

    def add(
        restorer: str, case: str, psnr: list[float], task: str = "restoration", *, with_lpips: bool = False
    ) -> None:
        ssim = np.array(psnr) / 100
        values = np.column_stack([psnr, ssim, 1 - ssim if with_lpips else np.full(len(psnr), np.nan)])
        ids = np.array([f"tile {i}" for i in range(len(psnr))])
        add_run(
            restorer,
            Predicted(ids, ids, np.empty((len(psnr), 0)), values, kind="image_quality"),
            task=task,
            frontend=case,
            protocol="restoration",
            kind="image_quality",
            classes=["psnr", "ssim", "lpips"],
            primary_metric="psnr",
            baseline=restorer in ("none", "median", "unsharp"),
            metrics={
                name: {"value": None if np.isnan(mean) else mean, "ci_low": None, "ci_high": None}
                for name, mean in zip(("psnr", "ssim", "lpips"), values.mean(axis=0).tolist(), strict=True)
            },
            n_test=len(psnr),
            n_groups=len(psnr),
        )

    return add


@pytest.fixture
def two_cases(results: Path, measure: Measure) -> Path:
    """On jpeg_1 lpfm is about 2 dB above none on every tile, on noise_3 1 dB below; median is above on noise_3."""
    degraded = np.array([20.0, 21, 22, 23, 24, 25])
    for case, of_median, of_unsharp, of_lpfm in (("jpeg_1", 1, -1, 2), ("noise_3", 3, -2, -1)):
        measure("none", case, list(degraded))
        measure("median", case, list(degraded + of_median + [0, 0, 0, 0, 0, 0.6]))
        measure("unsharp", case, list(degraded + of_unsharp))
        measure("lpfm", case, list(degraded + of_lpfm + [0, 0.1, 0, 0, -0.1, 0]))
    for restorer, psnr in (("none", 100.0), ("median", 30.0), ("lpfm", 40.0)):
        measure(restorer, "", [psnr] * TILES)
    return results


def of(results: Path, **where: str) -> dict[str, str]:
    rebuild(results)
    [line] = lines(results / "restoration.csv", **where)
    return line


def test_differences_to_none_and_to_the_best_filter(two_cases: Path) -> None:
    line = of(two_cases, restorer="lpfm", corruption="jpeg", metric="psnr")
    assert (line["severity"], line["value"], line["n_test"], line["n_groups"]) == ("1", "24.500000", "6", "6")
    assert line["over_none"] == "2.000000"
    assert line["best_classical"] == "median"
    assert line["over_classical"] == "0.900000"
    line = of(two_cases, restorer="lpfm", corruption="noise", metric="psnr")
    assert (line["over_none"], line["best_classical"], line["over_classical"]) == ("-1.000000", "median", "-4.100000")
    line = of(two_cases, restorer="median", corruption="noise", metric="ssim")
    assert (line["over_none"], line["best_classical"], line["over_classical"]) == ("0.031000", "", "")


def test_p_are_those_of_swaps_the_largest_over_filters_and_adjusted_over_restorers_and_cases(two_cases: Path) -> None:
    # six tiles that all differ one way: of 2^5 swaps only the one that exchanges nothing reaches the difference
    least = 1 / 32
    jpeg, noise = (of(two_cases, restorer="lpfm", corruption=kind, metric="psnr") for kind in ("jpeg", "noise"))
    assert float(jpeg["p_none"]) == least
    assert float(jpeg["p_none_holm"]) == 6 * least, "three restorers on two cases"
    assert float(jpeg["p_classical"]) == least, "better than either filter on every tile"
    assert float(jpeg["p_classical_holm"]) == 2 * least, "one restorer that is no filter, two cases"
    assert float(noise["p_classical"]) == 1.0, "better than one filter and worse than the other"


def test_clean_tiles_have_values_and_no_case(two_cases: Path) -> None:
    line = of(two_cases, restorer="lpfm", corruption="", metric="psnr")
    assert (line["value"], line["over_none"], line["best_classical"]) == ("40.000000", "", "")


def test_every_restorer_case_and_metric_has_a_line(two_cases: Path) -> None:
    rebuild(two_cases)
    table = lines(two_cases / "restoration.csv")
    assert len(table) == (2 * 4 + 3) * 2
    assert len({(line["restorer"], line["corruption"], line["metric"]) for line in table}) == len(table)


def test_only_pairs_behind_the_same_corruption_are_compared(two_cases: Path) -> None:
    rebuild(two_cases)
    pairs = lines(two_cases / "leaderboard_paired.csv", metric="psnr")
    assert {line["frontend_a"] == line["frontend_b"] for line in pairs} == {True}
    found = {(line["model_a"], line["model_b"], line["frontend_a"]) for line in pairs}
    of_case = {("lpfm", "none"), ("lpfm", "median"), ("lpfm", "unsharp"), ("median", "none"), ("unsharp", "none")}
    clean = {("lpfm", "none", ""), ("lpfm", "median", ""), ("median", "none", "")}
    assert found == clean | {(*pair, case) for pair in of_case for case in ("jpeg_1", "noise_3")}


def test_the_baseline_of_a_row_is_behind_its_corruption(two_cases: Path) -> None:
    rebuild(two_cases)
    [line] = lines(two_cases / "leaderboard.csv", model="lpfm", frontend="jpeg_1", metric="psnr")
    assert line["baseline_value"] == "23.600000", "of median on jpeg_1, and not of clean tiles"


def test_ranks_are_among_the_restorers_of_a_case(two_cases: Path) -> None:
    rebuild(two_cases)
    found = lines(two_cases / "leaderboard_ranks.csv")
    ranks = {(line["model"], line["frontend"]): line["rank"] for line in found}
    assert ranks["lpfm", "jpeg_1"] == ranks["median", "noise_3"] == ranks["none", ""] == "1.0"
    assert ranks["unsharp", "noise_3"] == "4.0"
    assert {line["n_models"] for line in found if line["frontend"]} == {"4"}
    assert lines(two_cases / "leaderboard_suites.csv") == []


def test_what_is_printed_counts_the_cases_won(two_cases: Path) -> None:
    shown = table_text(read_leaderboard(two_cases)).splitlines()
    assert shown[0] == (
        "restoration  psnr and ssim against the clean tiles, 6 tiles, 6 groups, 2 cases of 2 corruptions"
    )
    cells = {line.split()[0]: line.split() for line in shown[1:] if line}
    assert cells["jpeg"] == ["jpeg", "22.50", "23.60", "21.50", "24.50"]
    assert any(line.startswith("  cases won, of 2 (psnr / ssim)") for line in shown)
    filters, none, harmed = ["1", "(0)", "/", "1", "(1)"], ["1", "(0)", "/", "1", "(1)"], ["0", "/", "1"]
    assert cells["lpfm"] == ["lpfm", *filters, *none, *harmed, "40.00", "/", "0.400", "41.3"]
    assert cells["median"][:7] == ["median", "-", "/", "-", "2", "(0)", "/"]
    assert not any("over baseline" in line for line in shown)


def test_other_tasks_are_shown_beside_it(two_cases: Path, add_run: AddRun) -> None:
    add_run("uni", values={"balanced_accuracy": 0.9})
    shown = table_text(read_leaderboard(two_cases))
    assert "demo  primary metric balanced_accuracy" in shown
    assert shown.count("cases won, of 2") == 1
    assert "over baseline" in shown


def test_without_restoration_there_is_no_such_table(results: Path, add_run: AddRun) -> None:
    add_run("uni", values={"auroc": 0.9})
    rebuild(results)
    assert not (results / "restoration.csv").exists()


def test_a_restorer_that_was_measured_on_some_cases_is_counted_on_these(results: Path, measure: Measure) -> None:
    for case in ("jpeg_1", "jpeg_2"):
        measure("none", case, [20.0, 21, 22, 23])
        measure("median", case, [21.0, 22, 23, 25])
    measure("siren", "jpeg_2", [30.0, 31, 32, 33])
    shown = table_text(read_leaderboard(results)).splitlines()
    cells = {line.split()[0]: line.split() for line in shown[1:] if line}
    assert cells["jpeg"] == ["jpeg", "21.50", "22.75", "-"]
    assert cells["siren"][1:3] == ["1", "(0)"]


def test_filters_alone_have_no_column_over_filters(results: Path, measure: Measure) -> None:
    measure("none", "jpeg_1", [20.0, 21, 22, 23])
    measure("median", "jpeg_1", [21.0, 22, 23, 25])
    shown = table_text(read_leaderboard(results))
    assert "over none" in shown
    assert "over filters" not in shown.split("against filters")[0]


def test_where_lpips_was_measured_a_lower_one_wins(results: Path, measure: Measure) -> None:
    none, median = [20.0, 21, 22, 23, 24, 25], [21.0, 22, 23, 24, 25, 27]
    for case in ("jpeg_1", ""):
        measure("none", case, none, with_lpips=True)
        measure("median", case, median, with_lpips=True)
        measure("lpfm", case, [value - 3 for value in none], with_lpips=True)
    shown = table_text(read_leaderboard(results)).splitlines()
    assert "psnr, ssim and lpips against the clean tiles" in shown[0]
    [heads] = [line for line in shown if line.startswith("  cases won, of 1 (psnr / ssim / lpips)")]
    cells = {line.split()[0]: " ".join(line.split()[1:]) for line in shown[shown.index(heads) + 1 :]}
    nothing_lost = ["0", "/", "0", "/", "0"]
    assert cells["median"].split()[5:19] == ["1", "(0)", "/", "1", "(1)", "/", "1", "(1)", *nothing_lost, "23.67"]
    assert cells["median"].split()[19:23] == ["/", "0.237", "/", "0.763"]
    assert cells["lpfm"].startswith("0 (0) / 0 (0) / 0 (0) 0 (0) / 0 (0) / 0 (0) 0 / 1 / 1 ")
    assert " ".join(" ".join(shown).split()).endswith("An LPIPS is better the lower it is.")
    line = of(results, restorer="median", corruption="jpeg", metric="lpips")
    assert line["over_none"] == "-0.011667"
    line = of(results, restorer="lpfm", corruption="jpeg", metric="lpips")
    assert (line["value"], line["best_classical"], line["over_classical"]) == ("0.805000", "median", "0.041667")


def test_rows_with_and_without_lpips_are_in_one_table(results: Path, measure: Measure) -> None:
    measure("none", "jpeg_1", [20.0, 21, 22, 23])
    measure("median", "jpeg_1", [21.0, 22, 23, 25], with_lpips=True)
    line = of(results, restorer="none", corruption="jpeg", metric="lpips")
    assert (line["value"], line["over_none"]) == ("", "")
    line = of(results, restorer="median", corruption="jpeg", metric="lpips")
    assert (line["value"], line["over_none"]) == ("0.772500", "")
