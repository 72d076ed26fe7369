"""The tables of ranks: every cell from the statistics, and no number where there is nothing to say."""

import csv
import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from ranked_entries import key, ranked

from bench.report.leaderboard_columns import RANKS, SUITES
from bench.report.rank_tables import rank_records, suite_diagram, suite_records
from bench.results.rank_blocks import RankedBlock
from bench.results.rank_suites import Entrant, suite_ranks
from bench.statistics import critical_difference, friedman, mean_ranks

MODELS = {"uni": 0.8, "conch": 0.7, "resnet50": 0.5}
RANKED = ("rank", "ci_low", "ci_high", "p_best")
TESTED = ("ci_low", "ci_high", "groups", "friedman_p", "iman_davenport_p", "critical_difference")


def suite(n_tasks: int, models: dict[str, float] = MODELS, **changes) -> list[RankedBlock]:
    """Blocks of tasks on which the models differ by the same, but on the last by nothing at all."""
    tables = [{model: value + 0.01 * task for model, value in models.items()} for task in range(n_tasks)]
    tables[-1] = dict.fromkeys(models, 0.5)
    return [ranked({**table, "colour": 0.99}, f"t{task}", **changes) for task, table in enumerate(tables)]


def cells(records: list[dict[str, str]], model: str) -> dict[str, str]:
    (found,) = [record for record in records if record["model"] == model]
    return found


def without(block: RankedBlock, *models: str) -> RankedBlock:
    """The block after these models have failed."""
    gone = {entry: "failed in all its runs" for entry in block.replicates if entry.model in models}
    remaining = {entry: one for entry, one in block.replicates.items() if entry not in gone}
    return RankedBlock(block.block, block.metric, block.lower_is_better, remaining, block.baselines, gone)


def test_ranks_of_a_block_are_of_models_and_baselines() -> None:
    block = ranked({**MODELS, "colour": 0.6}, left_out={"virchow": "failed in all its runs"})
    records = rank_records([block])
    assert [tuple(record) for record in records] == [RANKS.names] * 5
    keys = [key(model) for model in ("uni", "conch", "colour", "resnet50")]
    found = block.ranks(keys)
    for place, entry in enumerate(keys):
        line = cells(records, entry.model)
        assert line["rank"] == f"{place + 1:.1f}"
        assert line["ci_low"] == f"{found.interval.low[place]:.1f}"
        assert line["ci_high"] == f"{found.interval.high[place]:.1f}"
        assert line["p_best"] == f"{found.p_best[place]:.6f}"
        assert (line["n_models"], line["why"]) == ("4", "")
        assert (line["task"], line["protocol"], line["metric"]) == ("t1", "linear", "balanced_accuracy")
        assert (line["cohort_hash"], line["head_config_hash"]) == ("c", "1f2e3d4c")
    assert {record["model"]: record["baseline"] for record in records}["colour"] == "1"
    assert sum(int(record["baseline"]) for record in records) == 1
    failed = cells(records, "virchow")
    assert [failed[name] for name in RANKED] == [""] * 4
    assert failed["why"] == "not ranked: it failed in all its runs"


def test_lines_are_ordered_and_the_same_again() -> None:
    blocks = [ranked(MODELS, task) for task in ("t2", "t1")]
    records = rank_records(blocks)
    assert [(record["task"], record["model"]) for record in records] == sorted(
        (record["task"], record["model"]) for record in records
    )
    assert records == rank_records(reversed(blocks))


@pytest.mark.parametrize(
    ("block", "empty", "why"),
    [
        (ranked({"uni": 0.8}), RANKED, "there is no other entry"),
        (ranked({"uni": 0.8}, left_out={"a": "failed"}), RANKED, "there is no other entry"),
        (ranked(MODELS, n_draws=0), RANKED[1:], "of one group"),
        (ranked(dict.fromkeys(MODELS, 0.5), noise=0.0), RANKED[1:], "tied in every resample"),
        (ranked(MODELS, noise=np.nan), RANKED[1:], "defined in 0 of 200 resamples only"),
    ],
)
def test_what_cannot_be_ranked_has_no_number_but_a_reason(block: RankedBlock, empty: tuple, why: str) -> None:
    line = cells(rank_records([block]), "uni")
    assert {name: line[name] for name in empty} == dict.fromkeys(empty, "")
    assert all(line[name] for name in RANKED if name not in empty)
    assert why in line["why"]


def test_an_interval_takes_half_of_the_resamples() -> None:
    for n_undefined, there in ((100, True), (101, False)):
        block = ranked(MODELS)
        block.replicates[key("conch")].draws[:n_undefined] = np.nan
        line = cells(rank_records([block]), "uni")
        assert bool(line["ci_low"]) == bool(line["p_best"]) == there
        assert bool(line["why"]) != there


def test_tied_values_with_resamples_that_differ_have_intervals() -> None:
    line = cells(rank_records([ranked(dict.fromkeys(MODELS, 0.5), noise=0.1)]), "uni")
    assert (line["rank"], line["ci_low"], line["ci_high"], line["why"]) == ("2.0", "1.0", "3.0", "")


def test_a_suite_ranks_models_among_themselves() -> None:
    blocks = suite(12)
    (found,) = suite_ranks(blocks)
    assert found.models == [Entrant("conch", ""), Entrant("resnet50", ""), Entrant("uni", "")]
    assert found.tasks == sorted(f"t{task}" for task in range(12))
    tasks = [block.ranks([key(m.model, block.block[0]) for m in found.models]) for block in blocks]
    expected, tested = mean_ranks(tasks), friedman(np.stack([one.ranks for one in tasks]))
    records = suite_records([found])
    assert [tuple(record) for record in records] == [SUITES.names] * 3
    line = cells(records, "uni")
    assert line["mean_rank"] == f"{(11 + 2) / 12:.6f}"
    np.testing.assert_allclose(float(line["ci_high"]), expected.of_tasks.high[2], rtol=0.02)
    assert line["friedman_p"] == f"{tested.p:.6f}"
    assert line["iman_davenport_p"] == f"{tested.f_p:.6f}"
    assert line["critical_difference"] == f"{critical_difference(12, 3):.6f}"
    assert (line["n_tasks"], line["n_models"], line["metric"]) == ("12", "3", "balanced_accuracy")
    assert (line["missing"], line["n_blocked"], line["n_left_out"], line["why"]) == ("", "0", "0", "")
    assert [record["groups"] for record in records] == ["", "", ""], "11 tasks of 12 in the same order: all differ"
    assert "colour" not in str(records)


def test_models_that_do_not_differ_share_a_group() -> None:
    blocks = suite(12, {"a": 0.5, "b": 0.9, "c": 0.900001})
    for block in blocks[::2]:
        name = block.block[0]
        one, other = key("b", name), key("c", name)
        block.replicates[one], block.replicates[other] = block.replicates[other], block.replicates[one]
    records = suite_records(suite_ranks(blocks))
    assert [record["groups"] for record in records] == ["", "1", "1"]


def test_errors_rank_the_other_way() -> None:
    (found,) = suite_ranks(suite(6, metric="mae", lower_is_better=True))
    assert found.comparisons.mean is not None
    assert found.comparisons.mean.mean.tolist() == [2.0, (5 * 1 + 2) / 6, (5 * 3 + 2) / 6]


@pytest.mark.parametrize("drop", ["tasks", "models"])
def test_missing_cells_are_named_and_never_filled(drop) -> None:
    blocks = suite(9)
    blocks[3] = without(blocks[3], "uni")
    blocks[4] = without(blocks[4], "uni", "conch")
    blocks[5] = without(blocks[5], "uni", "conch", "resnet50")
    (found,) = suite_ranks(blocks, drop=drop)
    records = suite_records([found])
    assert cells(records, "uni")["missing"] == "t3 t4 t5"
    assert cells(records, "conch")["missing"] == "t4 t5"
    assert cells(records, "resnet50")["missing"] == "t5"
    if drop == "tasks":
        assert found.tasks == ["t0", "t1", "t2", "t6", "t7", "t8"]
        assert found.left_out["t4"] == "has no value of conch, uni"
        assert [record["n_blocked"] for record in records] == ["0", "0", "1"]
        assert {record["n_left_out"] for record in records} == {"3"}
        assert "t3 has no value of uni" in records[0]["why"]
    else:
        assert (len(found.tasks), found.models) == (8, [Entrant("resnet50", "")])
        assert [record["mean_rank"] for record in records] == ["", "", ""]
        assert cells(records, "uni")["why"].startswith("not ranked: it lacks 3 of 9 tasks")
        assert "fewer than 2 models" in cells(records, "resnet50")["why"]
    again = suite_records(suite_ranks([without(block, "uni") for block in blocks], drop=drop))
    assert cells(again, "uni")["why"].startswith("not ranked: it has no value on any task")
    assert bool(cells(again, "conch")["mean_rank"]) == (drop == "tasks")
    assert cells(again, "uni")["n_blocked"] == "0", "a model without any value keeps no task out"
    assert cells(again, "conch")["n_blocked"] == ("1" if drop == "tasks" else "0")
    assert "t4 has no value of conch" in again[0]["why"] or drop == "models"


def test_models_without_a_common_task_have_no_mean_rank_and_the_reason() -> None:
    blocks = [without(block, ["uni", "conch"][i % 2]) for i, block in enumerate(suite(6))]
    records = suite_records(suite_ranks(blocks))
    assert {name: record[name] for record in records for name in ("mean_rank", *TESTED)} == dict.fromkeys(
        ("mean_rank", *TESTED), ""
    )
    assert cells(records, "resnet50")["why"].startswith("not ranked: no task has a value of all models")


@pytest.mark.parametrize(
    ("blocks", "mean", "empty", "why"),
    [
        (suite(2)[:1], False, TESTED, "fewer than 2 tasks"),
        (suite(9, {"uni": 0.8}), False, TESTED, "fewer than 2 models"),
        (suite(5)[:4], True, TESTED, "4 tasks are too few"),
        (suite(9, dict.fromkeys(MODELS, 0.5)), False, TESTED, "the same value on every task"),
        (suite(9, {"uni": 0.8, "a": 0.7}), True, TESTED[3:], "take 3 models"),
        (suite(6), True, ("groups",), "6 tasks cannot show a difference between any two of 3 models"),
    ],
)
def test_too_few_models_or_tasks_leave_cells_empty(blocks: list, mean: bool, empty: tuple, why: str) -> None:
    line = cells(suite_records(suite_ranks(blocks)), "uni")
    assert bool(line["mean_rank"]) == mean
    assert {name: line[name] for name in empty} == dict.fromkeys(empty, "")
    assert why in line["why"]
    if TESTED[0] not in empty:
        assert line["ci_low"]
        assert line["ci_high"]


def test_tasks_with_different_metrics_are_ranked_but_not_compared_by_differences() -> None:
    blocks = suite(12)
    blocks[0] = ranked({**MODELS, "colour": 0.1}, "t0", metric="auroc")
    (found,) = suite_ranks(blocks)
    line = cells(suite_records([found]), "uni")
    assert (line["metric"], line["groups"]) == ("", "")
    assert line["critical_difference"]
    assert "different metrics (auroc, balanced_accuracy)" in line["why"]
    assert "could not be compared" in str(suite_diagram(found))


def test_a_task_on_two_cohorts_does_not_count_twice() -> None:
    blocks = [*suite(6), ranked(MODELS, "t0", cohort="d")]
    (found,) = suite_ranks(blocks)
    assert "t0" not in found.tasks
    assert found.left_out == {"t0": "is there on 2 cohorts (c, d)"}
    line = cells(suite_records([found]), "uni")
    assert (line["n_tasks"], line["n_left_out"], line["missing"]) == ("5", "1", "")
    only = suite_records(suite_ranks([ranked(MODELS, "t0"), ranked(MODELS, "t0", cohort="d")]))
    assert [record["mean_rank"] for record in only] == ["", "", ""]


def test_a_mean_rank_without_spread_or_resamples_has_no_interval() -> None:
    blocks = [ranked(MODELS, f"t{task}", n_draws=0) for task in range(6)]
    line = cells(suite_records(suite_ranks(blocks)), "uni")
    assert (line["mean_rank"], line["ci_low"], line["ci_high"]) == ("1.000000", "", "")
    assert "cannot be resampled" in line["why"]


def test_heads_are_suites_of_their_own() -> None:
    blocks = [*suite(6), *suite(5, {"uni": 0.1, "conch": 0.7}, protocol="knn")]
    knn, linear = suite_ranks(reversed(blocks))
    assert (knn.protocol, len(knn.tasks), len(knn.models)) == ("knn", 5, 2)
    assert (linear.protocol, len(linear.tasks), len(linear.models)) == ("linear", 6, 3)


def test_the_diagram_of_a_suite() -> None:
    (found,) = suite_ranks(suite(12))
    svg = suite_diagram(found)
    assert svg is not None
    text = list(ElementTree.fromstring(svg).itertext())
    assert text.index("uni") < text.index("conch") < text.index("resnet50")
    assert "Mean ranks over 12 tasks, linear" in text
    assert suite_diagram(suite_ranks(suite(5)[:4])[0]) is None
    assert suite_diagram(suite_ranks(suite(9, {"uni": 0.8}))[0]) is None


def test_records_are_what_a_table_takes() -> None:
    for columns, records in (
        (RANKS.names, rank_records(suite(5))),
        (SUITES.names, suite_records(suite_ranks(suite(5)))),
    ):
        writer = csv.DictWriter(io.StringIO(), columns)
        writer.writerows(records)
        assert all(isinstance(cell, str) and cell != "nan" for record in records for cell in record.values())
