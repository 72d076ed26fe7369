"""The plots of robustness tasks: which there are, the same bytes each time, and what is in them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from leaderboard_runs import AddRun, rebuild
from robustness_rows import add_head, add_similarity

from bench.plots.restorers import _changed, _recovered
from bench.plots.style import COLOURS, FORMATS, drawn, new_figure, style_of, styled
from bench.results import read_leaderboard
from bench.results.conditions import conditions

PNG = b"\x89PNG\r\n"


@pytest.fixture
def robust(results: Path, add_run: AddRun) -> Path:
    for model, lost in (("uni", 2), ("colour", 1)):
        for frontend, times in (("", 0), ("jpeg_1", 1), ("jpeg_3", 2), ("blur_2", 3)):
            add_head(add_run, model, frontend, 2 + lost * times)
            add_head(add_run, model, frontend, 2 + times, protocol="linear-augmented")
            add_similarity(add_run, model, frontend, [1 - 0.05 * times, 1 - 0.1 * times])
    for frontend, wrong, cosine in (("jpeg_1", 4, 0.97), ("jpeg_3", 4, 0.85), ("blur_2", 10, 0.5)):
        add_head(add_run, "uni", f"{frontend}+median", wrong)
        add_similarity(add_run, "uni", f"{frontend}+median", [cosine, cosine], [0.9, 0.9])
    add_head(add_run, "uni", "median", 4)
    return results


def files(results: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((results / "plots").iterdir())}


@pytest.mark.slow
def test_each_plot_is_an_svg_and_a_png(robust: Path) -> None:
    written = rebuild(robust, "best")
    assert written["plots"] == robust / "plots"
    names = {
        "accuracy-robustness-linear",
        "recovery-robustness-uni",
        "severity-robustness-linear",
        "severity-robustness-linear-augmented",
        "severity-robustness-similarity",
    }
    found = {name: content for name, content in files(robust).items() if not name.endswith(".json")}
    assert set(found) == {f"{name}.{form}" for name in names for form in FORMATS}
    for name, content in found.items():
        assert content.startswith(b"<?xml" if name.endswith("svg") else PNG), name
        assert len(content) > 5000, name


@pytest.mark.slow
def test_the_bytes_are_the_same_in_another_process(robust: Path) -> None:
    rebuild(robust, "best")
    tables = ("robustness.csv", "robustness_summary.csv")
    before, csv = files(robust), [(robust / name).read_bytes() for name in tables]
    code = "import sys; from pathlib import Path; from bench.report import write_tables;"
    code += "from bench.results import read_leaderboard;"
    code += "write_tables(Path(sys.argv[1]), read_leaderboard(Path(sys.argv[1])), plots='best')"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "MPLBACKEND": "svg"}
    subprocess.run([sys.executable, "-c", code, str(robust)], check=True, env=environment)
    assert files(robust) == before
    assert [(robust / name).read_bytes() for name in tables] == csv


@pytest.mark.slow
def test_plots_of_results_that_are_gone_are_removed_and_other_files_are_not(robust: Path) -> None:
    rebuild(robust, "best")
    (robust / "plots" / "severity-other-linear.svg").write_text("of an earlier report")
    (robust / "plots" / "mine.png").write_text("of the user")
    rebuild(robust, "best")
    assert "severity-other-linear.svg" not in files(robust)
    assert "mine.png" in files(robust)


def test_the_cells_of_the_recovery_matrix(robust: Path) -> None:
    own = [one for one in conditions(read_leaderboard(robust)) if one.model == "uni"]
    recovered = _recovered([one for one in own if one.of_features])
    # distances without median: jpeg .075 and .15, blur .225; behind it .03, .15 and .5
    assert recovered == pytest.approx({("median", "jpeg"): 1 - 0.18 / 0.225, ("median", "blur"): 1 - 0.5 / 0.225})
    changed = _changed([one for one in own if one.protocol == "linear"])
    # wrong of 20 a class, without median: 4 and 6 of jpeg, 8 of blur, 2 clean; behind it 4, 4, 10 and 4
    of_median = {kind: value for (restorer, kind), value in changed.items() if restorer == "median"}
    assert of_median == pytest.approx({"jpeg": 5.0, "blur": -10.0, "": -10.0})


def test_no_two_encoders_look_alike() -> None:
    looks = [tuple(style_of(place).values()) for place in range(4 * len(COLOURS))]
    assert len(set(looks)) == len(looks)


def test_the_style_of_the_process_is_not_changed_and_does_not_matter() -> None:
    import matplotlib

    @styled
    def draw() -> dict[str, bytes]:
        figure = new_figure(2, 2)
        figure.subplots().plot([0, 1], [1, 0])
        return drawn(figure)

    first = draw()
    with matplotlib.rc_context({"font.size": 30.0, "svg.hashsalt": None}):
        assert draw() == first
        assert matplotlib.rcParams["font.size"] == 30.0


def test_matplotlib_is_imported_when_something_is_drawn(results: Path) -> None:
    code = "import bench.report, sys; assert 'matplotlib' not in sys.modules and 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
