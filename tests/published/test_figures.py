"""The published figures that come with the program: of known models and tasks, and consistent in themselves."""

import csv
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from made_up_rows import FIGURES

import registry
from bench.config import conf_folder
from bench.published import COLUMNS, figures_folder, read_boards, read_figures
from registry.errors import UserError

BOARDS = read_boards(conf_folder() / "board")
TO_COME = {"knn_uni", "knn_thunder", "simpleshot_thunder"}  # protocols that the boards have and conf/protocol may lack
# averages that a source prints, by board, version and metric: the dataset of the average, and how many it is of
AVERAGES = {
    ("hest", "2026", "pearson"): ("average of 9", 9),
    ("thunder", "linear probing by dataset", "f1_macro"): ("average of 16", 16),
    ("pathorob", "46594e9", "robustness_index"): ("average of 3", 3),
}


def test_every_model_task_protocol_and_board_exists():
    tasks = {file.stem for file in (conf_folder() / "task").glob("*.yaml")}
    protocols = {file.stem for file in (conf_folder() / "protocol").glob("*.yaml")} | TO_COME

    assert {one.board for one in FIGURES} == set(BOARDS)
    assert {one.model for one in FIGURES} - {""} <= set(registry.names())
    assert {one.task for one in FIGURES} - {""} <= tasks
    assert {one.protocol for one in FIGURES} - {""} <= protocols


def test_the_page_counts_the_figures_of_each_file():
    page = (Path(__file__).parents[2] / "docs" / "PUBLISHED.md").read_text()
    counted = {name: int(n) for name, n in re.findall(r"^\| `(\w+)\.csv` \| (\d+) \|", page, re.MULTILINE)}

    assert counted == dict(Counter(one.board for one in FIGURES))
    assert f"{len(FIGURES):,} figures of {len(BOARDS)} boards".replace(" 8 ", " eight ") in page


def test_no_figure_is_listed_twice():
    seen = defaultdict(list)
    for one in FIGURES:
        seen[one.board, one.published_as, one.variant, one.dataset, one.metric, one.protocol, one.version].append(one)

    assert [key for key, own in seen.items() if len(own) > 1] == []


@pytest.mark.parametrize("board", AVERAGES)
def test_averages_are_those_of_the_columns(board):
    name, (of, n) = board, AVERAGES[board]
    by_model = defaultdict(dict)
    for one in FIGURES:
        if (one.board, one.version, one.metric) == name and "results/" not in one.source:
            by_model[one.published_as][one.dataset] = one
    wrong = {}
    for model, own in by_model.items():
        average = own.pop(of)
        assert len(own) == n, model
        mean = sum(one.value for one in own.values()) / n
        rounding = average.rounding + max(one.rounding for one in own.values())
        if abs(mean - average.value) > rounding + 1e-9:
            wrong[name[0], model] = round(mean - average.value, 5)

    assert wrong == {}


def test_thunders_two_tables_agree_on_the_linear_average():
    linear = [one for one in FIGURES if one.board == "thunder" and one.dataset == "average of 16"]
    by_table = defaultdict(dict)
    for one in linear:
        if one.protocol == "linear_thunder" and one.metric == "f1_macro":
            by_table[one.version][one.published_as] = one.printed

    board, by_dataset = by_table["rank-sum board"], by_table["linear probing by dataset"]
    assert len(board) == 32
    assert board == by_dataset


def test_scores_are_in_their_ranges():
    negative = {"apd_in", "apd_out", "croma", "croma_ltm10"}
    assert [one for one in FIGURES if one.value < 0 and one.metric not in negative] == []
    assert all(-1 <= one.value <= 1 and 0 < one.rounding <= 0.05 for one in FIGURES)
    assert {one.spread_is != "" for one in FIGURES if one.spread is not None} == {True}


def test_what_a_board_runs_are_figures_of_that_task_and_protocol():
    for board in BOARDS.values():
        for run in board.runs:
            for dataset in run.datasets:
                own = [one for one in FIGURES if (one.board, one.dataset) == (board.name, dataset)]
                assert {run.task} == {one.task for one in own}, dataset
                assert run.protocol in {one.protocol for one in own}, dataset


def test_evas_virchow2_is_the_class_token_and_hests_is_not():
    widths = {(one.board, one.dim) for one in FIGURES if one.model == "virchow2" and one.board in ("eva", "hest")}
    assert {("eva", 1280), ("hest", 2560)} <= widths
    assert ("eva", 2560) not in widths


def _with(tmp_path: Path, change) -> Path:
    lines = [dict(zip(COLUMNS, [""] * len(COLUMNS), strict=True))]
    lines[0] |= {"board": "eva", "published_as": "uni", "dataset": "crc", "value": "0.94", "scale": "1"}
    lines[0] |= {"source": "a paper", "recipe": "linear"}
    columns = change(lines) or list(COLUMNS)
    with open(tmp_path / "own.csv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    return tmp_path


def test_value_spread_and_rounding_are_on_the_scale_of_rows(tmp_path):
    (one,) = read_figures(_with(tmp_path, lambda lines: lines[0].update(value="94.1", scale="100", spread="0.8")))

    assert (one.value, one.spread, one.rounding) == tuple(map(pytest.approx, (0.941, 0.008, 0.0005)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda lines: [c for c in COLUMNS if c != "metric"], "own.csv lacks the column metric: its first line must"),
        (lambda lines: [c for c in COLUMNS if c not in ("scale", "date")], "lacks the columns scale, date"),
        (lambda lines: lines[0].update(value="ninety"), "value is 'ninety', which is no number"),
        (lambda lines: lines[0].update(value="94"), "the value 94 is not between -1 and 1"),
        (lambda lines: lines[0].update(source=""), "the column source is empty"),
        (lambda lines: lines[0].update(samples="-3"), "samples is '-3': it must be a whole number above 0"),
        (lambda lines: lines[0].update(side="train"), "side is 'train'"),
    ],
)
def test_a_published_file_that_cannot_be_used_is_one_sentence(tmp_path, change, sentence):
    with pytest.raises(UserError, match="published file") as error:
        read_figures(_with(tmp_path, change))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_line_with_too_few_cells_and_a_file_that_is_no_text(tmp_path):
    (tmp_path / "own.csv").write_text(",".join(COLUMNS) + "\neva,uni\n")
    with pytest.raises(UserError, match="not as many cells as columns"):
        read_figures(tmp_path)
    (tmp_path / "own.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read"):
        read_figures(tmp_path)
    with pytest.raises(UserError, match="no published figures in"):
        read_figures(tmp_path / "nothing")


def test_the_files_are_tracked_and_runs_results_are_not():
    ignored = (figures_folder().parents[1] / ".gitignore").read_text().splitlines()
    assert "/results/*" in ignored
    assert "!/results/published/" in ignored


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("title: x\nurl: y\ntolerance: 0.01\ntolerance_from: z\n", "lacks runs"),
        ("title: x\nurl: y\ntolerance: 2\ntolerance_from: z\nruns: []\n", "must be a number between 0 and 1"),
        ("title: x\nurl: y\ntolerence: 0.01\ntolerance_from: z\nruns: []\n", "no field tolerence. Is tolerance meant?"),
        ("- a\n", "is no mapping"),
    ],
)
def test_a_board_that_cannot_be_used_is_one_sentence(tmp_path, text, sentence):
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        read_boards(tmp_path)
    assert sentence in str(error.value)
