"""The command: what it writes, and what it says of input that it cannot use."""

import base64
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from passport_rows import TILES, feature_row, scores, write_rows
from PIL import Image

from bench.frontends import chain_of, seeds_of
from bench.passport import passport
from bench.passport.reading import read_encoder
from bench.passport.worst import worst_cases
from bench.runs import drawing

NOISE = "gaussian_noise_5"
ROWS = [
    *scores({"": 0.9, NOISE: 0.6, "pixelate_5": 0.7, f"{NOISE}+median": 0.65}),
    *(feature_row("uni", frontend, 0.5) for frontend in (NOISE, "pixelate_5", f"{NOISE}+median")),
]
COSINES = {NOISE: [0.4, 0.2, 0.3, 0.5], "pixelate_5": [0.9, 0.9, 0.8, 0.9], f"{NOISE}+median": [0.5, 0.6, 0.7, 0.8]}


@pytest.fixture
def results(tmp_path) -> Path:
    write_rows(tmp_path / "results", ROWS, COSINES)
    return tmp_path / "results"


@pytest.fixture
def tiles(tmp_path) -> Path:
    folder, rng = tmp_path / "tiles", np.random.default_rng(0)
    for name in (*TILES, "train/normal/e.png", "train/tumour/f.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    return folder


def no_drawing(*arguments):
    raise AssertionError("nothing is drawn without data=")


def made(results, *arguments, draw=no_drawing):
    """The files that the command leaves."""
    assert passport([f"results={results}", *arguments], draw) == 0
    folder = results / "passports"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def refused(capsys, *arguments, draw=no_drawing):
    """The one sentence that the command ends with."""
    assert passport(arguments, draw) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def behind(tile, front_end, name):
    [part] = chain_of(front_end).parts
    images, seeds = torch.from_numpy(tile.transpose(2, 0, 1).copy())[None], torch.from_numpy(seeds_of([name]))
    return part.load(torch.device("cpu"))(images, seeds)[0].permute(1, 2, 0).numpy()


def test_without_data_there_are_two_pages_that_say_how_to_get_pictures(results, capsys):
    files = made(results, "model=uni")

    assert sorted(files) == ["uni.html", "uni.md"]
    assert capsys.readouterr().out.split() == [str(results / "passports" / name) for name in ("uni.md", "uni.html")]
    assert b"make passport MODEL=uni DATA=DIR adds them" in files["uni.md"]


def test_the_tiles_with_the_lowest_cosine_are_drawn_behind_the_front_ends_of_their_rows(results, tiles, tmp_path):
    data = [f"data={tiles}", f"cache={tmp_path / 'cache'}", "model=uni"]
    files = made(results, *data, draw=drawing)
    captions = [line.split("|")[1].strip() for line in files["uni.md"].decode().splitlines() if ": cosine" in line]

    # speckles lose most, then pixelate; of each the two tiles of the lowest cosine, of equals the first by name
    assert captions == [
        f"{TILES[1]}, gaussian_noise_5: cosine 0.200, 0.600 behind gaussian_noise_5+median",
        f"{TILES[2]}, gaussian_noise_5: cosine 0.300, 0.700 behind gaussian_noise_5+median",
        f"{TILES[2]}, pixelate_5: cosine 0.800",
        f"{TILES[0]}, pixelate_5: cosine 0.900",
    ]
    pictures = results / "passports/uni"
    clean, corrupted = (pixels(pictures / f"02-{name}.png") for name in ("clean", "corrupted"))
    assert np.array_equal(clean, pixels(tiles / TILES[2]))
    assert np.array_equal(corrupted, behind(clean, "gaussian_noise_5", TILES[2]))
    restored = pixels(pictures / "02-restored.png")
    assert np.array_equal(restored, behind(corrupted, "median", TILES[2]))
    assert len(files) == 2 + 3 + 3 + 2 + 2
    assert all(base64.b64encode(files[name]) in files["uni.html"] for name in files if name.endswith(".png"))


def test_a_page_made_twice_has_the_same_bytes_and_loses_the_pictures_that_it_no_longer_has(results, tiles, tmp_path):
    data = [f"data={tiles}", f"cache={tmp_path / 'cache'}", "model=uni"]

    assert made(results, *data, draw=drawing) == made(results, *data, draw=drawing)
    assert sorted(made(results, "model=uni")) == ["uni.html", "uni.md"]


def test_a_restorer_that_cannot_be_run_and_other_settings_are_remarks(tmp_path, tiles):
    rows = [
        *scores({"": 0.9, "jpeg_5": 0.6, "jpeg_5+lpfm": 0.65}),
        feature_row("uni", "jpeg_5", 0.5, info={"frontend": "jpeg_5 0123"}),
        feature_row("uni", "jpeg_5+lpfm", 0.5),
    ]
    write_rows(tmp_path / "results", rows)
    data = [f"data={tiles}", f"cache={tmp_path / 'cache'}", "model=uni", "weights_dir=nowhere", "offline=true"]
    page = made(tmp_path / "results", *data, draw=drawing)["uni.md"].decode()

    assert "It is not shown restored: " in page
    assert "The picture of jpeg_5 is made with other settings, weights or code than its row." in page


def test_several_models_have_a_page_each_and_names_become_files(tmp_path):
    write_rows(tmp_path, [*ROWS, *(replace(row, model="timm:a/b <c>") for row in ROWS)])

    assert sorted(made(tmp_path, "model=[uni,timm:a/b <c>]")) == [
        "timm%3Aa%2Fb%20%3Cc%3E.html", "timm%3Aa%2Fb%20%3Cc%3E.md", "uni.html", "uni.md",
    ]  # fmt: skip


def test_plots_of_the_head_and_the_model_are_shown_from_where_they_lie(results):
    (results / "plots").mkdir()
    for name in (
        "severity-robustness-linear",
        "severity-robustness-knn",
        "severity-robustness-similarity",
        "recovery-robustness-uni",
        "recovery-robustness-b",
    ):
        (results / "plots" / f"{name}.svg").write_text(f"<svg>{name}</svg>")
    files = made(results, "model=uni")
    shown = [line.partition("](")[2].rstrip(")") for line in files["uni.md"].decode().splitlines() if "![" in line]

    assert shown == [
        "../plots/severity-robustness-linear.svg",
        "../plots/severity-robustness-similarity.svg",
        "../plots/recovery-robustness-uni.svg",
    ]
    assert base64.b64encode(b"<svg>severity-robustness-linear</svg>") in files["uni.html"]


def test_what_cannot_be_used_is_one_sentence(results, tiles, tmp_path, capsys):
    def sentence_of(*arguments):
        return refused(capsys, f"results={results}", f"cache={tmp_path / 'cache'}", *arguments, draw=drawing)

    assert "name it with model=NAME (uni have" in sentence_of()
    assert "uno has no robustness rows in" in sentence_of("model=uno")
    assert "make bench TASK=robustness MODEL=uno DATA=/my/tiles makes them. Is uni meant?" in sentence_of("model=uno")
    assert "'modle=uni' is not an option here" in sentence_of("modle=uni")
    assert "nowhere of the task robustness are not there" in sentence_of("model=uni", f"data={tmp_path / 'nowhere'}")
    assert "is for the pictures, which need data=DIR" in sentence_of("model=uni", "weights_dir=x")
    assert "robustness has no setting weight" in sentence_of("model=uni", f"data={tiles}", "tasks.robustness.weight=1")
    (tiles / TILES[1]).unlink()
    assert f"hold 3 tiles and not {TILES[1]}, which the rows" in sentence_of("model=uni", f"data={tiles}")


def test_folders_without_results_are_one_sentence(tmp_path, capsys):
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.mkdir()

    assert f"There is no folder {missing}: name that of the results" in refused(
        capsys, f"results={missing}", "model=uni"
    )
    assert f"No model has robustness rows in {empty}: make bench" in refused(capsys, f"results={empty}", "model=uni")


def test_predictions_that_are_gone_are_one_sentence(results, tiles, capsys):
    shutil.rmtree(results / "predictions")

    assert "holds no complete predictions" in refused(
        capsys, f"results={results}", "model=uni", f"data={tiles}", draw=drawing
    )


def test_the_command_line_has_it_and_loads_no_torch_for_a_page_without_pictures(results):
    code = (
        "import sys, bench.__main__; sys.argv[1:] = sys.argv[1:]\n"
        "try: bench.__main__.main()\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    arguments = ["passport", "model=uni", f"results={results}"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "0 False"


def test_several_heads_on_the_same_tiles_show_each_case_once(tmp_path):
    write_rows(tmp_path, [*ROWS, *scores({"": 0.8, NOISE: 0.7}, protocol="knn")[1:]], COSINES)
    cases = worst_cases(tmp_path, read_encoder(tmp_path, "uni"))

    assert [(case.corrupted, case.tile) for case in cases] == [(NOISE, TILES[1]), (NOISE, TILES[2])]
