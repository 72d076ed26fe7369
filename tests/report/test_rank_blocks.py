"""Only entries on the same runs and the same test samples are ranked; the others are named with the reason."""

from pathlib import Path

import numpy as np
import pytest
from leaderboard_runs import AddRun, Predicted
from ranked_entries import key, made_up, ranked, runs

from bench.results.aggregated_result import aggregated
from bench.results.rank_blocks import RankedBlock, ranked_block
from bench.results.resampling import Passes, compared
from bench.rows import read_rows


def test_the_mean_over_the_same_seeds_draw_by_draw() -> None:
    entries, found = runs({("a", 0, 0): 0.5, ("a", 1, 0): 0.7, ("b", 0, 0): 0.4, ("b", 1, 0): 0.6})
    block = ranked_block(entries, found)
    assert block.block == ("t1", "c", "linear", "1f2e3d4c")
    assert (block.metric, block.lower_is_better, block.left_out) == ("balanced_accuracy", False, {})
    assert block.replicates[key("a")].value == pytest.approx(0.6)
    np.testing.assert_allclose(block.replicates[key("b")].draws, [0.5, 1.0])
    assert block.ranks([key("b"), key("a")]).ranks.tolist() == [2.0, 1.0]


def test_the_direction_is_that_of_the_primary_metric() -> None:
    entries, found = runs({("a", 0, 0): 3.0, ("b", 0, 0): 4.0}, metric="mae", kind="regression")
    block = ranked_block(entries, found)
    assert block.lower_is_better
    assert block.ranks([key("a"), key("b")]).ranks.tolist() == [1.0, 2.0]


def test_an_entry_that_lacks_a_run_of_most_others_is_left_out_by_name() -> None:
    values: dict[tuple[str, int, int], float | None] = {(model, seed, 0): 0.5 for model in "abc" for seed in (0, 1)}
    values["c", 1, 0] = None
    block = ranked_block(*runs(values))
    assert set(block.replicates) == {key("a"), key("b")}
    assert block.left_out == {key("c"): "lacks 1 of 2 runs that most entries have, such as seed 1"}


def test_further_runs_of_one_entry_do_not_count() -> None:
    values = {("a", 0, 0): 0.5, ("b", 0, 0): 0.6, ("c", 0, 0): 0.7, ("c", 7, 0): 0.1}
    block = ranked_block(*runs(values))
    assert block.left_out == {}
    assert block.replicates[key("c")].value == 0.7


def test_a_failed_model_does_not_weigh_in_what_most_entries_have() -> None:
    values = {("a", 0, 0): 0.5, ("b", 0, 0): 0.6, ("c", 0, 0): None, ("d", 0, 0): None}
    block = ranked_block(*runs(values))
    assert set(block.replicates) == {key("a"), key("b")}
    assert set(block.left_out.values()) == {"failed in all its runs"}


def test_reasons_why_an_entry_is_left_out() -> None:
    values = {(model, 0, 0): 0.5 for model in "abcd"}
    block = ranked_block(*runs(values, samples={("c", 0, 0): ["one"]}, no_predictions=[("d", 0, 0)]))
    assert block.left_out == {
        key("c"): "was tested on other samples or folds than the entries that are ranked",
        key("d"): "has no predictions to resample",
    }
    apart = ranked_block(*runs({("a", 0, 0): 0.5, ("b", 1, 0): 0.6}))
    assert apart.replicates == {}
    assert set(apart.left_out.values()) == {"shares no seed with most other entries"}


def test_of_two_entries_on_other_samples_the_one_with_more_samples_remains() -> None:
    values = {("a", 0, 0): 0.5, ("b", 0, 0): 0.6}
    for fewer, more in (("a", "b"), ("b", "a")):
        entries, found = runs(values, samples={(fewer, 0, 0): ["1", "2"], (more, 0, 0): ["1", "2", "3"]})
        assert set(ranked_block(entries, found).replicates) == {key(more)}


def test_an_undefined_metric_is_no_value() -> None:
    entries, found = runs({("a", 0, 0): 0.5, ("b", 0, 0): 0.6}, undefined=[("b", 0, 0)])
    assert ranked_block(entries, found).left_out == {key("b"): "has no value of balanced_accuracy"}


def test_baselines_are_marked_and_nothing_is_ranked_where_all_runs_failed() -> None:
    block = ranked_block(*runs({("a", 0, 0): None, ("colour", 0, 0): None}))
    assert block.baselines == {key("colour")}
    assert (block.replicates, len(block.left_out)) == ({}, 2)
    assert block.ranks([]).ranks.tolist() == []


def test_ranks_have_no_interval_where_one_entry_has_no_draws() -> None:
    block = ranked({"a": 0.7, "b": 0.5})
    replicates = {**block.replicates, key("c"): made_up(0.6, np.empty(0))}
    mixed = RankedBlock(block.block, block.metric, False, replicates, frozenset(), {})
    found = mixed.ranks([key("a"), key("b"), key("c")])
    assert found.ranks.tolist() == [1.0, 3.0, 2.0]
    assert np.isnan(found.interval.low).all()
    assert not np.isnan(mixed.ranks([key("a"), key("b")]).interval.low).any()


def test_the_entries_of_a_results_folder(filled: Path) -> None:
    entries = [entry for entry in aggregated(read_rows(filled)[0]) if entry.key.task == "demo"]
    passes = Passes(lambda row: filled / row.predictions, entries)
    passes.resample(compared)
    block = ranked_block(entries, passes)
    assert passes.faulty == []
    assert {entry.model: why for entry, why in block.left_out.items()} == {"virchow2": "failed in all its runs"}
    assert {entry.model for entry in block.baselines} == {"colour", "random_vit_s16", "uni@random"}
    means = {entry.key: entry.mean("balanced_accuracy") for entry in entries if entry.successful}
    assert {entry: one.value for entry, one in block.replicates.items()} == pytest.approx(means)
    ordered = sorted(means, key=lambda entry: means[entry] or 0.0, reverse=True)
    assert block.ranks(ordered).ranks.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert block.ranks(ordered).draws.shape == (5, 1000)


def fold_of_two_classes(skill: float, seed: int, fold: int) -> Predicted:
    """A fold of its own tiles and patients, whose scores have the scale of its head."""
    y = np.random.default_rng(fold).permutation(np.arange(40) % 2)
    right = np.random.default_rng(seed).normal(size=40) + skill * y
    score = 1 / (1 + np.exp(-right - fold))
    names = [f"{fold}-{number}" for number in range(40)]
    groups = [f"{fold}-{number % 8}" for number in range(40)]
    return Predicted(np.array(names), np.array(groups), y, np.stack([1 - score, score], axis=1))


def test_a_metric_of_the_order_of_scores_is_the_mean_over_folds(results: Path, add_run: AddRun) -> None:
    of_two = {"primary_metric": "auroc", "classes": ["normal", "tumour"]}
    for place, model in enumerate(("a", "b", "failed", "killed")):
        for fold in (1, 2, 3):
            if (model, fold) == ("failed", 2):
                add_run(model, fold=fold, status="failed", error="Out of memory.", **of_two)
            elif (model, fold) != ("killed", 3):
                add_run(model, fold_of_two_classes(2.0 - place / 2, 10 * place + fold, fold), fold=fold, **of_two)
    entries = aggregated(read_rows(results)[0])
    passes = Passes(lambda row: results / row.predictions, entries)
    passes.resample(compared)
    block = ranked_block(entries, passes)
    names = {entry.key.model: entry for entry in entries}
    assert {entry.model for entry in block.replicates} == {"a", "b"}
    for model in ("a", "b"):
        found, (one,) = block.replicates[names[model].key], passes.of[names[model].key].values()
        assert found.value == pytest.approx(names[model].mean("auroc"), abs=1e-12)
        together = passes.replicates(one)["auroc"]
        assert abs(together.value - found.value) > 0.005, "of all folds together it is another"
        np.testing.assert_allclose(found.draws - together.draws, found.value - together.value, atol=1e-12)
    why = "was tested on other samples or folds than the entries that are ranked"
    assert {entry.model: reason for entry, reason in block.left_out.items()} == {"failed": why, "killed": why}
