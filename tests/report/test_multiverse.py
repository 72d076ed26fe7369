"""Scores of models under several protocols: the comparison follows from rows and predictions alone."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import AddRun, Predicted, predicted

from bench.multiverse import Multiverse, analysed, paragraph, write_multiverse
from bench.multiverse.tables import scores_text
from bench.results import AcrossProtocols, across_protocols
from bench.results.protocol_scores import NOT_KNOWN
from bench.rows import read_rows, rows_of

SKILLS = {
    "linear": {"a": 3.0, "b": 1.5, "c": 0.2},
    "knn": {"a": 2.5, "b": 1.2, "c": 0.1},
    "odd": {"a": 0.1, "b": 1.5, "c": 3.0},
}
"""Of each model under each protocol; `odd` turns the order of the others around."""


def fill(add: AddRun, seeds: tuple[int, ...]) -> None:
    for place, (protocol, skills) in enumerate(SKILLS.items()):
        for number, (model, skill) in enumerate(skills.items()):
            for seed in seeds:
                made = predicted(skill, seed=100 * place + 10 * number + seed)
                add(model, made, protocol=protocol, seed=seed, info={"seconds": {"fit": 2.0 + place}})


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, add_run_to: Callable[[Path], AddRun]) -> Path:
    """Three models under three protocols with two seeds, which the tests only read."""
    results = tmp_path_factory.mktemp("results")
    fill(add_run_to(results), (0, 1))
    return results


@pytest.fixture
def more(results: Path, add_run: AddRun) -> Path:
    """The same with one seed, for tests that add runs."""
    fill(add_run, (0,))
    return results


def scores_of(results: Path) -> AcrossProtocols:
    (found,) = across_protocols(rows_of(results), {row.key for row in read_rows(results)[0]})
    return found


def of(results: Path) -> Multiverse:
    return analysed(scores_of(results))


def test_scores_are_those_of_the_rows_on_resamples_that_all_cells_share(three: Path) -> None:
    scores = scores_of(three)

    assert (scores.protocols, scores.models) == (("knn", "linear", "odd"), ("a", "b", "c"))
    rows = {(row.protocol, row.model, row.seed): row.value("balanced_accuracy") for row in read_rows(three)[0]}
    assert scores.runs[1][0].tolist() == pytest.approx([rows["linear", "a", 0], rows["linear", "a", 1]])
    assert scores.values[1, 0] == pytest.approx(np.mean([rows["linear", "a", 0], rows["linear", "a", 1]]))
    assert scores.draws.shape == (3, 3, 1000)
    assert scores.draws.mean(axis=2) == pytest.approx(scores.values, abs=0.03)
    assert scores.differences["linear", "a", "c"].difference == pytest.approx(scores.values[1, 0] - scores.values[1, 2])
    assert scores.seconds == {"linear": (2.0,) * 6, "knn": (3.0,) * 6, "odd": (4.0,) * 6}
    assert (scores.n_test, scores.n_groups, scores.left_out) == (60, 10, {})


def test_protocols_that_turn_the_order_around_are_found_and_named(three: Path) -> None:
    found = of(three)

    assert found.tau("knn", "linear") == found.tau("odd", "odd") == 1.0
    assert found.tau("linear", "odd") == -1.0
    assert found.winners == {"knn": ("a",), "linear": ("a",), "odd": ("c",)}
    ends = next(one for one in found.reversed if (one.first, one.second) == ("a", "c"))
    assert (ends.first_better, ends.second_better) == (("knn", "linear"), ("odd",))
    assert found.parts is not None
    assert max(found.parts.shares, key=lambda name: found.parts.shares[name]) == "interaction"
    words = paragraph(found, ["Not run: cox."])
    assert "The ranking of the models mostly depends on the protocol" in words
    assert "lowest between knn and odd, -1.00" in words
    assert "Of 9 orders of two models under a protocol, 9 are beyond chance by themselves. It is lowest" in words
    assert "the best model is a under 2, c under 1" in words
    assert "Of 3 pairs of models, 3 change places between protocols" in words
    assert "a is better than c under knn and linear and worse under odd" in words
    assert "Fitting and scoring took 54.0 s in all, 4.5 times the 12.0 s of the linear probe alone" in words
    assert words.endswith("Not run: cox.")


@pytest.mark.slow  # draws the figure twice
def test_the_files_are_the_same_each_time_and_hold_the_numbers(three: Path) -> None:
    paths, text = write_multiverse(three, of(three))
    before = {path: path.read_bytes() for path in paths}

    assert write_multiverse(three, of(three))[1] == text
    assert {path: path.read_bytes() for path in paths} == before
    assert {path.name for path in paths} == {
        *("multiverse.csv", "multiverse.md", "multiverse.svg", "multiverse.png", "tau.csv", "variance.csv"),
        "pairs.csv",
    }
    folder = paths[0].parent
    assert folder == three / "multiverse" / "demo" / "demo"
    tables = {path.stem: list(csv.DictReader(path.open())) for path in folder.glob("*.csv")}
    assert [len(tables[name]) for name in ("multiverse", "tau", "variance", "pairs")] == [9, 3, 5, 9]
    (first,) = [one for one in tables["multiverse"] if (one["protocol"], one["model"]) == ("odd", "c")]
    assert (first["rank"], first["n_runs"], first["seconds"], first["times_linear"]) == ("1", "2", "24", "2")
    assert {one["tau"] for one in tables["tau"] if one["protocol_b"] == "odd"} == {"-1"}
    assert sum(float(one["share"]) for one in tables["variance"]) == pytest.approx(1, abs=1e-3)
    assert "Kendall's tau is lowest between knn and odd -1.00" not in text
    assert "![demo, 60 test samples: how far the ranking of 3 models" in (folder / "multiverse.md").read_text()


def test_one_model_is_named_and_no_comparison_of_an_earlier_run_is_left(more: Path) -> None:
    folder = more / "multiverse" / "demo" / "demo"
    folder.mkdir(parents=True)
    for name in ("tau.csv", "variance.csv", "pairs.csv", "multiverse.svg", "multiverse.png"):
        (folder / name).touch()
    one_model = {row.key for row in read_rows(more)[0] if row.model == "a"}
    (scores,) = across_protocols(rows_of(more), one_model)
    again, text = write_multiverse(more, analysed(scores))

    assert "needs two models and two protocols, and this run has 1 model under 3 protocols" in " ".join(text.split())
    assert "tau" not in text
    assert sorted(path.name for path in folder.iterdir()) == ["multiverse.csv", "multiverse.md"]
    assert {path.name for path in again} == {"multiverse.csv", "multiverse.md"}


def test_what_lacks_a_score_is_left_out_by_name_and_the_rest_compared(more: Path, add_run: AddRun) -> None:
    add_run("a", None, protocol="broken", status="failed", error="no")
    add_run("b", None, protocol="broken", status="failed", error="no")
    for model in ("a", "b"):
        add_run(model, predicted(1.0), protocol="partial")
    scores = scores_of(more)

    assert scores.protocols == ("knn", "linear", "odd")
    assert scores.left_out == {"broken": "failed in all its runs", "partial": "has no score of c"}
    assert "Left out of the comparison: broken failed in all its runs; partial has no score of c." in paragraph(
        analysed(scores)
    )


def test_means_over_episodes_are_resampled_where_the_saved_shares_tell_them(more: Path, add_run: AddRun) -> None:
    for model, skill in SKILLS["linear"].items():
        shares = predicted(skill, seed=7)
        hit = shares.scores[np.arange(60), shares.y_true]
        mean = float(np.mean([hit[shares.y_true == c].mean() for c in range(3)]))
        for protocol, value in (("simpleshot-4shot", mean), ("label_efficiency", mean + 0.1)):
            metrics = {"balanced_accuracy": {"value": value, "ci_low": 0.0, "ci_high": 1.0, "interval": "episodes"}}
            add_run(model, shares, protocol=protocol, metrics=metrics)
    scores = scores_of(more)

    assert scores.protocols == ("knn", "linear", "odd", "simpleshot-4shot")
    assert scores.left_out == {"label_efficiency": NOT_KNOWN}
    assert scores.over_draws == ("simpleshot-4shot",)
    assert scores.values[3, 0] > scores.values[3, 2]
    assert scores.draws[3].mean(axis=1) == pytest.approx(scores.values[3], abs=0.02)


def test_a_protocol_on_other_samples_is_left_out(more: Path, add_run: AddRun) -> None:
    for model in "abc":
        made = predicted(1.0, n=40)
        add_run(model, replace(made, ids=np.char.add("x", made.ids)), protocol="other")
    scores = scores_of(more)

    assert scores.left_out == {"other": "was tested on other samples than most protocols"}
    assert "other" not in scores.protocols


def test_protocols_under_which_all_models_tie_are_counted(more: Path, add_run: AddRun) -> None:
    same = predicted(1.0, seed=3)
    for protocol in ("even", "level"):
        for model in "abc":
            add_run(model, same, protocol=protocol)
    words = paragraph(of(more))

    assert "Under 2 protocols all models tie, so that tau is defined of 3 of 10 pairs of protocols." in words


def test_an_interval_from_the_least_agreement_to_the_most_claims_neither(results: Path, add_run: AddRun) -> None:
    for number, protocol in enumerate(("linear", "knn")):
        for place, model in enumerate("ab"):
            add_run(model, predicted(1.0, seed=10 * number + place), protocol=protocol)
    words = paragraph(of(results))

    assert "How far the ranking of the models depends on the protocol is open: Kendall's tau" in words
    assert "The ranking of the models" not in words
    assert "models tie" not in words
    assert "agrees with itself" not in words


def test_equal_scores_leave_tau_undefined_in_words(results: Path, add_run: AddRun) -> None:
    same: Predicted = predicted(1.0, seed=3)
    for protocol in ("linear", "knn"):
        for model in "ab":
            add_run(model, same, protocol=protocol)
    words = paragraph(of(results))

    assert "All models are tied under some protocol of every two, so that tau is not defined." in words
    assert "Of 2 protocols, the best model is a under 2, b under 2 (ties count for each)." in words
    assert "No two models change places" in words


def test_models_that_are_close_leave_open_how_far_the_ranking_depends(results: Path, add_run: AddRun) -> None:
    for number, protocol in enumerate(("linear", "knn")):
        for place, model in enumerate("ab"):
            add_run(model, predicted(1.0, seed=10 * number + place), protocol=protocol)
    found = of(results)

    assert found.mean_tau[1:] == (-1.0, 1.0)
    assert "0 are beyond chance by themselves, too few to tell how far it depends." in paragraph(found)


def test_tables_of_many_models_fit_a_terminal_and_say_what_their_numbers_are(results: Path, add_run: AddRun) -> None:
    models = [f"{'a' * 30}_{number}" for number in range(4)]
    for protocol in ("linear", "knn"):
        for model in models:
            add_run(model, predicted(1.0), protocol=protocol)
    lines = list(scores_text(of(results)))

    assert lines[0].startswith("balanced_accuracy on 60 test samples, and in brackets the rank")
    assert max(map(len, lines)) <= 120
    assert [line.split()[1:] for line in lines if line.startswith("protocol")] == [models[:3], models[3:]]
    assert sum(line.startswith("knn") for line in lines) == 2
