"""A page of a small results folder, and a browser to look at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium, why_not
from page_results import HOSTILE, fill, row_of

from bench.page import leaderboard_page
from bench.plots import Plot
from bench.results import read_leaderboard
from bench.rows import write

DOT = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><circle cx="9" cy="9" r="5"/></svg>'


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four models, of them two baselines, on two tasks with two heads, and a failed run of a hostile name."""
    folder = fill(tmp_path_factory.mktemp("results"))
    write(folder, row_of("task_00", HOSTILE, "head_0", status="failed", error=f"{HOSTILE} is gated."), None)
    (folder / "passports").mkdir()
    (folder / "passports" / "model_1.html").write_text("a passport")
    return folder


@pytest.fixture(scope="session")
def plot() -> Plot:
    return Plot(
        "forest-task_00",
        "forest",
        f"Forest {HOSTILE}",
        "Scores of task_00.",
        {"svg": DOT},
        task="task_00",
        cohort="cohort-task_00",
    )


@pytest.fixture(scope="session")
def page(results: Path, plot: Plot) -> Path:
    path = results / "leaderboard.html"
    path.write_text(leaderboard_page(read_leaderboard(results), [plot], results), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    if reason := why_not():
        pytest.skip(reason)
    with Chromium() as running:
        yield running
