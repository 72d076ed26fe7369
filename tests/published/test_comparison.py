"""Made-up rows beside published figures: which are like for like, why not, and which are within tolerance."""

from dataclasses import replace

import pytest
from made_up_rows import FIGURES, figure_of, row_like, save

import registry
from bench.config import conf_folder
from bench.published import comparison_text, read_boards, write_comparisons
from bench.published.comparison import of_figures
from bench.published.likeness import reasons
from bench.published.tolerance import tolerance
from bench.results import read_leaderboard
from bench.runs.published_figures import compare_rows

BOARDS = read_boards(conf_folder() / "board")
EVA = [one for one in FIGURES if one.board == "eva"]
UNI2 = figure_of("eva", "patch_camelyon/test", "uni2_h", dim=1536)
VIRCHOW2 = figure_of("eva", "patch_camelyon/test", "virchow2")
OPTIONS = {"options": {"pooling": "cls"}}
AUROC = {"auroc": {"value": 0.9, "ci_low": 0.8, "ci_high": None}}


def beside_eva(results, *rows):
    """By model, the comparisons of rows with eva's figures of test samples."""
    save(results, *rows)
    found = compare_rows(results, EVA, BOARDS)
    return {one.measured.result.key.model: one for one in found if one.figure.side == "test"}


def test_two_rows_like_for_like_one_within_tolerance_and_one_not(tmp_path):
    near = [row_like(UNI2, 0.945 + 0.001 * seed, seed=seed) for seed in range(5)]
    far = [row_like(VIRCHOW2, 0.905, info=OPTIONS, seed=seed) for seed in range(5)]
    found = beside_eva(tmp_path, *near, *far)

    assert (found["uni2_h"].like, found["uni2_h"].within) == ("yes", True)
    assert found["uni2_h"].difference == pytest.approx(-0.003)
    assert (found["virchow2"].like, found["virchow2"].within) == ("yes", False)
    text = comparison_text(list(found.values()), BOARDS)
    lines = {line.split()[0]: line.split() for line in text.splitlines() if " linear_eva " in line}
    assert lines["uni2_h"][2:] == [".950", ".947", "-", "-.003", ".015", "yes", "yes"]
    assert lines["virchow2"][-4:] == ["-.033", ".015", "no", "yes"]
    assert max(map(len, text.splitlines())) <= 120
    assert "Like for like: 2 of 2 (0 of them nearly" in text
    assert "differ: here less published" in " ".join(text.split())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"feature_dim": 2560},
            "model variant: features are 2,560 wide (published: 1,280, class token: options.pooling=cls)",
        ),
        ({"n_test": 1000}, "split: 1,000 test samples (published: 32,768)"),
        ({"frontend": "jpeg_3"}, "model variant: tiles went through jpeg_3 first"),
        ({"protocol": "linear"}, "protocol: linear (published: linear_eva)"),
        ({"metrics": AUROC}, "metric: the rows have no balanced_accuracy"),
        ({"fold": 2}, "split: 2 folds (published: one test set)"),
    ],
)
def test_a_row_of_another_run_has_no_verdict_and_says_why(tmp_path, changes, reason):
    found = beside_eva(tmp_path, row_like(VIRCHOW2, 0.938, **changes))["virchow2"]

    assert found.reasons == (reason,)
    assert (found.like, found.within, found.tolerance) == ("no", None, None)


@pytest.mark.parametrize(
    ("group", "name", "change", "reason"),
    [
        ("protocols", "linear_eva", {"steps": 200}, "protocol: steps is 200 (published: 12500)"),
        ("tasks", "pcam", {"tile_size": 224}, "tile size: 224 px (published: 96 px)"),
        ("tasks", "pcam", {"split": {"test": 0.5}}, "task: split.test is 0.5 (published: the default)"),
        ("tasks", "pcam", {"data": "/elsewhere", "folder": ["x"]}, None),
    ],
)
def test_settings_of_the_head_and_the_task_are_compared(tmp_path, group, name, change, reason):
    row = row_like(VIRCHOW2, 0.938)
    row.info["config"][group][name] = {**row.info["config"][group][name], **change}
    found = beside_eva(tmp_path, row)["virchow2"]

    assert found.reasons == ((reason,) if reason else ())


def test_a_protocol_of_another_name_with_the_same_settings_is_the_same(tmp_path):
    row = row_like(VIRCHOW2, 0.938, protocol="mine")
    row.info["config"]["protocols"] = {"mine": row.info["config"]["protocols"]["linear_eva"]}
    assert beside_eva(tmp_path, row)["virchow2"].reasons == ()


def test_fewer_runs_than_the_source_has_make_it_nearly_alike(tmp_path):
    found = beside_eva(tmp_path, row_like(VIRCHOW2, 0.93))["virchow2"]

    assert (found.like, found.within, found.remarks) == ("nearly", True, ("1 run here (published: mean of 5)",))


def test_a_known_difference_of_the_board_makes_it_nearly_alike(tmp_path):
    figure = figure_of("eva", "crc", "uni")
    found = beside_eva(tmp_path, row_like(figure, 0.95))["uni"]

    assert (found.like, found.within) == ("nearly", True)
    assert "eva chooses the checkpoint on the split that it scores" in comparison_text([found], BOARDS)


def test_a_model_without_a_figure_is_set_beside_the_range_of_the_board(tmp_path):
    found = beside_eva(tmp_path, row_like(replace(VIRCHOW2, model="resnet50"), 0.9))["resnet50"]

    assert found.reasons == ("model: eva has no figure of resnet50",)
    assert found.of_board == (0.886, 0.955, 15)
    assert "(.886-.955)" in comparison_text([found], BOARDS)


def test_a_validation_figure_is_never_like_for_like(tmp_path):
    save(tmp_path, row_like(VIRCHOW2, 0.933))
    found = [one for one in compare_rows(tmp_path, EVA, BOARDS) if one.figure.side == "val"]

    assert [one.reasons for one in found] == [("split: published of val (rows are of test)",)]


def test_a_range_is_left_out_where_the_board_has_a_figure_or_the_rows_lack_the_metric(tmp_path):
    figure = figure_of("uni", "CRC-100K-Raw", "uni")
    save(tmp_path, row_like(figure, 0.93))
    uni = [one for one in FIGURES if one.board == "uni"]
    printed = comparison_text(compare_rows(tmp_path, uni, BOARDS), BOARDS)

    assert "CRC-100K-Raw" in printed
    assert "CRC-100K-NONORM:" not in printed, "of which the board has a figure of another model alone"


def test_the_head_that_is_nearest_to_the_figure_is_printed(tmp_path):
    other = row_like(VIRCHOW2, 0.5, protocol="knn", head_config_hash="3d4c")
    save(tmp_path, row_like(VIRCHOW2, 0.938), other)
    found = compare_rows(tmp_path, EVA, BOARDS)

    assert "knn" not in comparison_text(found, BOARDS)
    assert "knn" in comparison_text(found, BOARDS, everything=True)


def test_a_name_that_a_spreadsheet_would_execute_is_quoted(tmp_path):
    save(tmp_path, row_like(VIRCHOW2, 0.9, model="=1+1"))
    write_comparisons(tmp_path / "out.csv", compare_rows(tmp_path, EVA, BOARDS))

    text = (tmp_path / "out.csv").read_text()
    assert ",'=1+1," in text
    assert ",=1+1," not in text


def test_the_tolerance_follows_the_published_spread_or_the_board():
    bare, spread = UNI2, replace(UNI2, printed=".914", spread=0.008)

    assert tolerance(bare, 0.001, 0.015).value == 0.015
    assert tolerance(spread, None, 0.015).value == pytest.approx(1.96 * 0.008 * 2**0.5 + 0.0005)
    assert tolerance(spread, 0.006, 0.015).value == pytest.approx(1.96 * 0.01 + 0.0005)
    assert tolerance(spread, 0.006, 0.015, 0.1).value == 0.1
    assert replace(UNI2, printed="86.3", scale=100.0).rounding == pytest.approx(0.0005)


def test_an_interval_that_leaves_the_figure_out_says_so(tmp_path):
    near, far = row_like(VIRCHOW2, 0.937, info=OPTIONS), row_like(VIRCHOW2, 0.905, info=OPTIONS)

    assert beside_eva(tmp_path / "near", near)["virchow2"].in_interval
    assert beside_eva(tmp_path / "far", far)["virchow2"].in_interval is False


def test_weights_that_are_not_those_of_the_card_are_another_variant(tmp_path):
    sentence = "model variant: the weights file is not the one of the card"
    figure = replace(VIRCHOW2, model="gpfm")
    for digest in (registry.card("gpfm").weights.sha256, "0" * 64):
        row = row_like(figure, 0.938)
        save(tmp_path, replace(row, info={**row.info, "weights": {"sha256": digest}}))
        (entry,) = read_leaderboard(tmp_path).entries
        assert (sentence in reasons(entry, figure, None)) == (digest == "0" * 64)


@pytest.mark.parametrize("n_test", [None, 40_000])
def test_an_unknown_or_a_larger_number_of_test_samples_is_another_split(tmp_path, n_test):
    (reason,) = beside_eva(tmp_path, row_like(VIRCHOW2, 0.938, n_test=n_test))["virchow2"].reasons

    assert reason == f"split: {'unknown' if n_test is None else '40,000'} test samples (published: 32,768)"


def test_figures_of_two_protocols_on_one_dataset_are_held_to_their_own_runs(tmp_path):
    own = [one for one in FIGURES if one.dataset == "CRC-100K-NONORM" and one.metric == "balanced_accuracy"]
    figures = [one for name in ("knn_uni", "prototype") for one in own if one.protocol == name]
    save(tmp_path, *(row_like(one, one.value, head_config_hash=one.protocol) for one in figures))
    found = compare_rows(tmp_path, figures, BOARDS)
    of_protocol = {(one.measured.result.key.protocol, one.figure.protocol): one.reasons for one in found}

    assert len(of_protocol) == 4
    differing = {names: [one for one in why if one.startswith("protocol")] for names, why in of_protocol.items()}
    assert differing["knn_uni", "knn_uni"] == differing["prototype", "prototype"] == []
    assert differing["knn_uni", "prototype"] == ["protocol: knn_uni (published: prototype)"]


def test_figures_of_two_versions_of_a_source_are_both_compared(tmp_path):
    versions = [VIRCHOW2, replace(VIRCHOW2, version="0.5.0", model="uni"), replace(VIRCHOW2, version="0.5.0")]
    save(tmp_path, row_like(VIRCHOW2, 0.938))

    assert [one.figure.version for one in of_figures(compare_rows(tmp_path, versions, BOARDS))] == ["0.4.5", "0.5.0"]
    others = compare_rows(tmp_path, versions[:2], BOARDS)
    assert [one.of_board and one.of_board[2] for one in others] == [None, 1]
