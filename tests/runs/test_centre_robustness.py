"""Centre robustness as a protocol of a run: on the phantom's two scanners, and on data without comparable centres."""

import h5py
import numpy as np
import pandas as pd
import pytest
from command_helpers import bench, row, rows

from bench.demo import make_tiles

QUICK = ("model=colour", "null=none", "bootstrap=50", "protocols.centre_robustness.repeats=2")
MEASURES = {"robustness_index", "mari", "croma", "croma_ltm10", "apd_in", "centre_accuracy"}


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    """The manifest of a phantom cohort with enough patients of each scanner for the performance drop."""
    return make_tiles(tmp_path_factory.mktemp("cohort") / "tiles", patients=16, tiles_per_patient=6)


def tables(manifest, folder):
    """The manifest with absolute paths."""
    frame = pd.read_csv(manifest, dtype=str)
    return frame.assign(path=[str(manifest.parent / path) for path in frame.path]), folder / "manifest.csv"


@pytest.fixture(scope="module")
def finished(phantom, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    done = bench(folder, "task=tiles", f"data={phantom}", "protocol=[centre_robustness,knn]", *QUICK)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_row_has_the_measures_with_intervals(finished):
    found = row(finished, protocol="centre_robustness")
    assert set(found["metrics"]) >= {*MEASURES, "balanced_accuracy"}
    for name in MEASURES:
        of = found["metrics"][name]
        assert of["ci_low"] <= of["value"] <= of["ci_high"], name
    assert found["info"]["centres"] == ["scanner_a", "scanner_b"]
    assert found["info"]["m"] == 5
    assert found["info"]["k"] >= 1
    assert found["metrics"]["centre_accuracy"]["value"] > 0.65, "colour tells the scanners apart"
    table = pd.read_csv(finished / "results/leaderboard.csv")
    assert set(table[table.protocol == "centre_robustness"].metric) >= MEASURES


def test_other_rows_are_the_same_without_it(finished, phantom, tmp_path):
    done = bench(tmp_path, "task=tiles", f"data={phantom}", "protocol=knn", *QUICK[:3])
    assert done.returncode == 0, done.stderr
    alone, beside = (row(folder, protocol="knn") for folder in (tmp_path, finished))
    assert {**alone, "tiles_per_s": 0, "info": 0} == {**beside, "tiles_per_s": 0, "info": 0}
    assert beside["cohort_hash"] == row(finished, protocol="centre_robustness")["cohort_hash"]


@pytest.mark.slow
def test_other_centres_are_another_row(finished, phantom, tmp_path):
    frame, manifest = tables(phantom, tmp_path)
    patients = {name: number for number, name in enumerate(frame["group"].unique())}
    frame["centre"] = ["ab"[patients[name] % 4 // 2] for name in frame["group"]]
    frame.to_csv(manifest, index=False)
    done = bench(tmp_path, "task=tiles", f"data={manifest}", "protocol=centre_robustness", *QUICK)
    assert done.returncode == 0, done.stderr
    mine, theirs = row(tmp_path), row(finished, protocol="centre_robustness")
    assert mine["cohort_hash"] == theirs["cohort_hash"]
    assert mine["head_config_hash"] != theirs["head_config_hash"]
    assert mine["metrics"]["centre_accuracy"]["value"] < theirs["metrics"]["centre_accuracy"]["value"]


@pytest.mark.parametrize("centre", [None, "scanner_a"])
def test_without_comparable_centres_it_is_one_sentence(phantom, tmp_path, centre):
    frame, manifest = tables(phantom, tmp_path)
    frame = frame.drop(columns="centre") if centre is None else frame.assign(centre=centre)
    frame.to_csv(manifest, index=False)
    done = bench(tmp_path, "task=tiles", f"data={manifest}", "protocol=centre_robustness", *QUICK)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert ("have no column centre" if centre is None else "are of one centre only (scanner_a)") in done.stderr
    assert not [found for found in rows(tmp_path).values() if found["status"] == "ok"]


@pytest.mark.slow
def test_slides_have_centres_too(phantom_slides, tmp_path):
    done = bench(
        tmp_path, "task=slides", f"data={phantom_slides}", "protocol=centre_robustness", "tasks.slides.min_groups=1",
        "protocols.centre_robustness.k=3", "protocols.centre_robustness.m=1", *QUICK,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = row(tmp_path)
    assert found["info"]["centres"] == ["scanner_a", "scanner_b"]
    assert "robustness_index" in found["metrics"]


def test_plism_gives_its_score(tmp_path):
    rng = np.random.default_rng(0)
    tissue = rng.integers(60, 200, (12, 1, 1, 3))
    for staining, shift in (("GIVH", 0), ("MY", 8)):
        for scanner, gain in (("AT2", 1.0), ("S60", 0.96)):
            with h5py.File(tmp_path / f"{staining}_{scanner}_to_GMH_S60.tif.h5", "w") as opened:
                for region, colour in enumerate(tissue):
                    pixels = (colour + shift) * gain + rng.normal(size=(32, 32, 3))
                    opened[f"tile_17_{region}_0"] = pixels.clip(0, 255).astype(np.uint8)
    settings = ("task=plism", f"data={tmp_path}", "protocol=consistency", "protocols.consistency.k=3")
    done = bench(tmp_path, *settings, *QUICK[:3])
    assert done.returncode == 0, done.stderr
    found = row(tmp_path)
    parts = [found["metrics"][name]["value"] for name in ("cosine_all", "top3_scanner", "top3_staining", "top3_both")]
    assert found["metrics"]["consistency"]["value"] == pytest.approx(np.mean(parts))
    assert found["info"]["pairs"] == {"scanner": 2, "staining": 2, "both": 2}
    assert found["info"]["regions"] == 12
    assert parts[0] > 0.5
