"""All plots of a results folder: found, written, drawn again only where their inputs changed, removed when stale."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from leaderboard_runs import AddRun, predicted
from PIL import Image
from plot_helpers import drawn_by, panels

from bench.plots import Plot, plots_of, projection_path, save_plots
from bench.plots.attention import SLIDES, WIDEST
from bench.plots.projections import neighbours_alike
from bench.results import read_leaderboard
from bench.rows import merged_rows

PNG = b"\x89PNG\r\n"


def made(results: Path) -> dict[str, Plot]:
    found = list(plots_of(read_leaderboard(results), results))
    save_plots(results / "plots", found)
    return {plot.name: plot for plot in found}


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The plots that are drawn and not read, by name."""
    import bench.plots.every as every

    names: list[str] = []
    draw = every._new
    monkeypatch.setattr(every, "_new", lambda sketch, inputs: names.append(sketch.name) or draw(sketch, inputs))
    return names


@pytest.mark.slow
def test_plots_are_written_with_words_and_drawn_again_only_where_something_changed(
    results: Path, add_run: AddRun, drawings: list[str]
) -> None:
    for task in ("demo", "other"):
        add_run("uni", predicted(2.0), task=task)
    first = made(results)
    kinds = {"forest": "", "confusion": "-linear", "reliability": "-linear"}
    assert set(first) == {f"{kind}-{task}{head}" for task in ("demo", "other") for kind, head in kinds.items()}
    for plot in first.values():
        assert plot.forms["png"].startswith(PNG)
        assert plot.forms["svg"].startswith(b"<?xml")
        assert len(plot.alt) > 40
        assert plot.title
        assert plot.kind
        assert plot.task
    files = {path: path.read_bytes() for path in (results / "plots").iterdir()}
    del drawings[:]
    assert made(results) == first
    assert drawings == []
    assert files == {path: path.read_bytes() for path in (results / "plots").iterdir()}
    add_run("dino", predicted(1.0, seed=4), task="other")
    made(results)
    assert sorted(drawings) == [f"{kind}-other{head}" for kind, head in sorted({**kinds, "cost": ""}.items())]


def test_a_torn_file_is_drawn_again_to_the_same_bytes(results: Path, add_run: AddRun, drawings: list[str]) -> None:
    add_run("uni", predicted(2.0))
    first = made(results)
    del drawings[:]
    (results / "plots" / "forest-demo.png").write_bytes(PNG)
    (results / "plots" / "confusion-demo-linear.json").write_text("[" * 5000)
    assert made(results) == first
    assert sorted(drawings) == ["confusion-demo-linear", "forest-demo"]
    assert (results / "plots" / "forest-demo.png").read_bytes() == first["forest-demo"].forms["png"]


def test_plots_that_no_longer_hold_are_removed_and_other_files_are_not(tmp_path: Path) -> None:
    plot = Plot("forest-a", "forest", "t", "a", {"svg": b"1", "png": b"2"})
    save_plots(tmp_path, [plot])
    (tmp_path / "mine.png").write_text("of the user")
    assert json.loads((tmp_path / "forest-a.json").read_text())["alt"] == "a"
    save_plots(tmp_path, [])
    assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]


def test_predictions_of_several_folders_are_read_where_they_lie(two: tuple[Path, Path], tmp_path: Path) -> None:
    data = read_leaderboard(merged_rows(two))
    (confusion,) = [plot for plot in plots_of(data, tmp_path / "merged") if plot.kind == "confusion"]
    assert all(model in confusion.alt for model in ("uni", "resnet50", "dino"))


def test_no_plots_where_none_are_wanted(results: Path, add_run: AddRun) -> None:
    add_run("uni", predicted(2.0))
    assert list(plots_of(read_leaderboard(results), results, "none")) == []


def test_names_of_any_kind_are_drawn(results: Path, add_run: AddRun) -> None:
    add_run("$\\frac{\x07木" + "x" * 90, predicted(2.0), task="a/b $x", classes=["$", "\n", "c" * 80])
    found = made(results)
    assert {plot.kind for plot in found.values()} == {"forest", "confusion", "reliability"}
    assert {path.parent for path in results.rglob("*.svg")} == {results / "plots"}


def test_a_plot_that_cannot_be_drawn_is_named_and_the_others_are_made(
    results: Path, add_run: AddRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_run("uni", predicted(2.0))
    monkeypatch.setattr("bench.plots.confusion.confusion_of", lambda tested: 1 / 0)
    assert {plot.kind for plot in plots_of(read_leaderboard(results), results)} == {"forest", "reliability"}
    assert "confusion-demo-linear could not be drawn (ZeroDivisionError" in capsys.readouterr().err


def test_heatmaps_of_the_best_model_are_plots(results: Path, add_run: AddRun) -> None:
    for model, skill in (("uni", 2.0), ("dino", 0.5)):
        row = add_run(model, predicted(skill), protocol="abmil", info={"attention": "predictions/x.attention.h5"})
        place = row.key.path(results, "attention", "jpg").with_suffix("").parts[-3:]
        folder = results.joinpath("previews", "demo", "224px-0.5mpp", "attention", *place)
        folder.mkdir(parents=True)
        for number in range(SLIDES + 1):
            Image.new("RGB", (2000, 1000), (200, 100, 150)).save(
                folder / f"slide-{number}.jpg", comment=b"7 of 9 tiles"
            )
    found = [plot for plot in plots_of(read_leaderboard(results), results) if plot.kind == "attention"]
    assert [(plot.model, plot.title.split("slide ")[1]) for plot in found] == [
        ("uni", f"slide-{number} of demo") for number in range(SLIDES)
    ]
    assert "7 of 9 tiles" in found[0].alt
    with Image.open(io.BytesIO(found[0].forms["png"])) as image:
        assert image.size == (WIDEST, WIDEST // 2)


def write_map(path: Path, centre: list[str]) -> np.ndarray:
    at = np.array([[0.0, 0.0], [0.1, 0.0], [5.0, 5.0], [5.1, 5.0]], np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"id": list("abcd"), "label": ["x", "x", "y", "y"], "centre": centre, "x": at[:, 0], "y": at[:, 1]}
    pq.write_table(pa.table(columns), path)
    return at


def test_a_map_of_features_has_the_points_of_each_class_and_centre(results: Path, add_run: AddRun) -> None:
    add_run("uni", predicted(2.0))
    at = write_map(projection_path(results, "demo", "demo", "uni"), ["1", "2", "1", "2"])
    ((sketch, drawing, figure),) = drawn_by("projections", results)
    assert sketch.model == "uni"
    assert set(panels(figure)) == {"by class", "by centre"}
    drawn = {line.get_label(): line.get_xydata() for line in panels(figure)["by class"].lines}
    assert np.allclose(drawn["x"], at[:2])
    assert np.allclose(drawn["y"], at[2:])
    assert np.allclose(panels(figure)["by centre"].lines[0].get_xydata(), at[::2])
    assert "100 % of the samples have a nearest neighbour of the same class" in drawing.alt
    assert "0 % of the samples have a nearest neighbour of the same centre" in drawing.alt


def test_a_map_without_centres_has_one_panel_and_a_torn_one_none(results: Path, add_run: AddRun) -> None:
    add_run("uni", predicted(2.0))
    path = projection_path(results, "demo", "demo", "uni")
    write_map(path, [""] * 4)
    ((_, _, figure),) = drawn_by("projections", results)
    assert set(panels(figure)) == {"by class"}
    path.write_bytes(b"torn")
    assert drawn_by("projections", results) == []


def test_neighbours_of_points_that_coincide_are_others() -> None:
    assert neighbours_alike(np.zeros((2, 2)), np.array(["a", "b"])) == 0.0
