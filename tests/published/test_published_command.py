"""``python -m bench published`` and ``python -m bench reproduce board=``."""

import csv

import pytest
from made_up_rows import figure_of, row_like, save

from bench import rows
from bench.published import figures_folder
from bench.runs import published_command, reproduce_board_command
from registry.errors import UserError


def test_rows_are_compared_and_left_as_they_are(tmp_path, capsys):
    save(tmp_path, row_like(figure_of("eva", "patch_camelyon/test", "uni2_h"), 0.947, feature_dim=1536))
    before = {path: path.read_bytes() for path in (tmp_path / "rows").rglob("*.json")}

    assert published_command([f"results={tmp_path}", "board=eva"]) == 0
    with open(tmp_path / "published_comparison.csv", newline="") as handle:
        lines = {line["dataset"]: line for line in csv.DictReader(handle)}

    assert {path: path.read_bytes() for path in (tmp_path / "rows").rglob("*.json")} == before
    assert set(lines) == {"patch_camelyon", "patch_camelyon/test"}
    line = lines["patch_camelyon/test"]
    assert (line["like_for_like"], line["within_tolerance"], line["tolerance_from"]) == ("nearly", "yes", "board")
    assert (line["published"], line["value"], line["in_interval"]) == ("0.95", "0.947", "yes")
    assert "Like for like: 1 of 1 (1 of them nearly" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["results={}"], "There are no rows in"),
        (["board=evaa"], "There is no board 'evaa': choose of croma, eva, hest"),
        (["bord=eva"], "'bord=eva' is not an option here"),
        (["tolerance=much"], "tolerance=much must be a number from 0 to 1"),
        (["tolerance=nan"], "tolerance=nan must be a number from 0 to 1"),
        (["all=perhaps"], "all=perhaps must be true or false"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(tmp_path, capsys, arguments, sentence):
    assert published_command([argument.format(tmp_path) for argument in arguments]) == 2
    printed = capsys.readouterr().err
    assert sentence in printed
    assert printed.count("\n") == 1


def test_a_published_file_is_never_a_row(tmp_path):
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "eva.csv").write_bytes((figures_folder() / "eva.csv").read_bytes())

    assert rows.read_rows(tmp_path) == ([], [])


def test_rows_of_a_task_without_figures(tmp_path, capsys):
    row = row_like(figure_of("eva", "crc", "uni"), 0.9, task="mine")
    save(tmp_path, row)

    assert published_command([f"results={tmp_path}"]) == 2
    assert "No figure is published of the tasks of these rows (mine)" in capsys.readouterr().err


def test_the_list_names_models_without_a_gate_first(capsys):
    assert published_command(["list", "board=thunder"]) == 0
    printed = " ".join(capsys.readouterr().out.split())

    assert "without a gate: dinov2_vitb14, dinov2_vitl14, vit_b16_in21k, vit_l16_in21k," in printed
    assert "make reproduce BOARD=thunder MODEL=" in printed


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["board=thunder"], "No model is named: set model=NAME"),
        (["board=hest", "model=resnet50"], "No task here reads the data of the board hest"),
        (["board=eva", "model=uni", "task=mhst"], "no task of the board eva 'mhst'"),
        (["board=eva", "uni"], "'uni' is no setting"),
    ],
)
def test_a_board_that_cannot_be_run_is_one_sentence(capsys, arguments, sentence):
    assert reproduce_board_command(arguments) == 2
    printed = capsys.readouterr().err
    assert sentence in printed
    assert printed.count("\n") == 1


def test_a_board_is_run_with_its_own_protocol_and_seeds_and_then_compared(tmp_path, capsys, monkeypatch):
    ran = []

    def run_steps(config):
        ran.append(config)
        save(tmp_path / "r", row_like(figure_of("eva", "patch_camelyon/test", "uni2_h"), 0.90, feature_dim=1536))

    monkeypatch.setattr("bench.runs.reproduce_board.run_steps", run_steps)
    arguments = ["board=eva", "model=uni2_h", "task=pcam", f"results={tmp_path / 'r'}", f"data={tmp_path}"]
    code = reproduce_board_command([*arguments, "device=cpu", "options.pooling=cls"])

    (config,) = ran
    assert code == 1, "the row is not within tolerance"
    assert list(config.tasks) == ["pcam"]
    assert config.protocols["linear_eva"]["steps"] == 12500
    assert (config.seeds, config.device, config.options) == ([0, 1, 2, 3, 4], "cpu", {"pooling": "cls"})
    assert [step.value for step in config.steps] == ["embed", "fit"]
    assert " -.050 " in capsys.readouterr().out


def test_what_fails_is_named_and_the_rows_there_are_still_compared(tmp_path, capsys, monkeypatch):
    def run_steps(config):
        raise UserError("The data of mhist are not in the folder.")

    monkeypatch.setattr("bench.runs.reproduce_board.run_steps", run_steps)
    save(tmp_path, row_like(figure_of("eva", "mhist", "uni"), 0.843))

    assert reproduce_board_command(["board=eva", "model=uni", "task=mhist", f"results={tmp_path}"]) == 2
    printed = capsys.readouterr()
    assert "pfmbench: The data of mhist are not in the folder." in printed.err
    assert "eva, mhist: balanced_accuracy" in printed.out
