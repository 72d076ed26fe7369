"""models.csv: a line a model from the cards and measurements of its rows, blank where rows lack them."""

from pathlib import Path
from typing import Any

from leaderboard_runs import AddRun, lines, predicted, rebuild

CARD: dict[str, Any] = {
    **{"title": "UNI", "family": "uni", "licence": "CC-BY-NC-ND 4.0", "gated": True, "url": "https://example.org/uni"},
    **{"paper": "Chen et al. 2024", "params_m": 303.35, "gmacs": 61.5537, "dim": 1024, "tile_size": 224, "mpp": 0.5},
    **{"cohorts": [{"name": "GTEx", "evidence": "stated"}, {"name": "TCGA", "evidence": "inferred"}]},
    **{"cohorts_evidence": "stated"},
}


def test_a_line_has_the_card_and_what_was_measured(results: Path, add_run: AddRun) -> None:
    gpu = {"model_card": CARD, "device": "cuda:0 (NVIDIA H100)"}
    for seed, (speed, peak) in enumerate(((100.0, 900.0), (120.0, 1000.4), (None, None))):
        add_run("uni", predicted(1.0), seed=seed, tiles_per_s=speed, info={**gpu, "peak_memory_mib": peak})
    add_run("uni", predicted(1.0), task="cpu", tiles_per_s=2.0, info={"model_card": CARD, "device": "cpu"})
    add_run("uni", predicted(1.0), frontend="jpeg_3", tiles_per_s=50.0, info={**gpu, "peak_memory_mib": 5000.0})
    add_run("uni", task="lost", status="failed", error="no")
    rebuild(results)
    (line,) = lines(results / "models.csv")
    assert line == {
        **{"model": "uni", "title": "UNI", "family": "uni", "baseline": "0", "params_m": "303.35", "gmacs": "61.554"},
        **{"dim": "1024", "tile_size": "224", "mpp": "0.500", "tiles_per_s": "110.0", "peak_memory_mib": "1000"},
        **{"device": "cuda:0 (NVIDIA H100)", "licence": "CC-BY-NC-ND 4.0", "gated": "1"},
        **{"cohorts_seen": "GTEx (stated); TCGA (inferred)", "cohorts_evidence": "stated", "contaminated": ""},
        **{"n_tasks": "2", "n_runs": "5", "url": "https://example.org/uni", "paper": "Chen et al. 2024"},
    }
    text = (results / "leaderboard.md").read_text()
    assert "| uni | 303.4 | 61.55 | 1024 | 110.0 | 1000 | cuda:0 (NVIDIA H100) | CC-BY-NC-ND 4.0 | yes |" in text


def test_a_row_of_an_earlier_version_has_what_it_has(filled: Path) -> None:
    rebuild(filled)
    (line,) = lines(filled / "models.csv", model="uni")
    assert (line["params_m"], line["dim"], line["tiles_per_s"]) == ("22.06", "384", "41.3")
    blank = ("title", "gmacs", "peak_memory_mib", "device", "licence", "gated", "cohorts_seen", "cohorts_evidence")
    assert {line[name] for name in blank} == {""}
    assert {line["model"]: line["baseline"] for line in lines(filled / "models.csv")} == {
        **{"colour": "1", "random_vit_s16": "1", "resnet50": "0", "uni": "0", "uni@random": "1", "virchow2": "0"},
    }


def test_a_row_that_was_edited_by_hand_breaks_nothing(results: Path, add_run: AddRun) -> None:
    odd = {"gated": "yes", "params_m": "many", "gmacs": [1], "dim": True, "cohorts": "TCGA", "licence": 3}
    add_run("uni", predicted(1.0), info={"model_card": odd, "peak_memory_mib": True, "device": 4}, params_m=None)
    add_run("other", predicted(1.0), info={"model_card": ["a"], "contamination": 3})
    rebuild(results)
    (line,) = lines(results / "models.csv", model="uni")
    names = ("gated", "params_m", "gmacs", "cohorts_seen", "licence", "peak_memory_mib", "device")
    assert {line[name] for name in names} == {""}
    assert line["dim"] == "384"


def test_a_name_that_a_spreadsheet_would_execute_is_text(results: Path, add_run: AddRun) -> None:
    name = '=HYPERLINK("http://example.org")'
    add_run(name, predicted(2.0), task="@task")
    add_run("-1+1", predicted(1.0), task="@task")
    rebuild(results)
    for path in results.glob("*.csv"):
        for line in lines(path):
            for cell in (*line, *line.values()):
                assert cell[:1] not in tuple("=+@\t\r") or cell == "", path.name
                assert not cell.startswith("-") or float(cell) < 0, path.name
    assert lines(results / "models.csv", model=f"'{name}")
