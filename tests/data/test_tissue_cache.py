"""The tissue of a slide is found once, whatever tiles are made of it."""

import json
import os
import shutil

import pytest

from bench import tasks
from bench.data.laying import Laying
from bench.data.slide_units import SlideUnits, TileSpec
from bench.slides import tissue

SPECS = (TileSpec(256, 0.5), TileSpec(224, 0.5), TileSpec(128, 1.0))


@pytest.fixture
def found(monkeypatch):
    """How many slides were segmented."""
    counted = []
    plain = tissue.segment
    monkeypatch.setattr(tissue, "segment", lambda *picture: counted.append(1) or plain(*picture))
    return counted


def make(table, spec, folder, on_corrupt="error", mask=None):
    table = table.assign(split=["train", "train", "test", "test"], label=list("abab"), patient=list("pqrs"))
    (table if mask is None else table.assign(mask=str(mask))).to_csv(folder / "cohort.csv", index=False)
    task = tasks.configured({"name": "slides", "reader": "slides", "unit": "slide", "min_groups": 1})
    manifest = tasks.read(task, folder / "cohort.csv", folder)
    units = SlideUnits(manifest, spec, folder / "cache", folder / "previews", on_corrupt, None)
    return list(Laying(units))


def grids(folder):
    return {p.relative_to(folder): p.read_bytes() for p in (folder / "cache/grids").glob("**/*.h5")}


@pytest.mark.slow
def test_once_for_all_specs_and_the_grids_are_those_of_tissue_found_anew(table, tmp_path, found):
    for spec in SPECS:
        make(table, spec, tmp_path)
    assert len(found) == 4
    apart = {}
    for number, spec in enumerate(SPECS):
        (tmp_path / str(number)).mkdir()
        make(table, spec, tmp_path / str(number))
        apart |= grids(tmp_path / str(number))
    assert len(apart) == 12
    assert grids(tmp_path) == apart
    files = sorted((tmp_path / "cache/tissue/slides").glob("*"))
    assert len(files) == 4


def test_anew_for_another_slide_another_treatment_and_a_damaged_file(table, tmp_path, found):
    copy = tmp_path / "copy.tif"
    shutil.copy(table.slide.iloc[0], copy)
    table = table.assign(slide=[str(copy), *table.slide[1:]])
    make(table, SPECS[0], tmp_path)
    os.utime(copy, ns=(0, 1))
    make(table, SPECS[1], tmp_path)
    assert len(found) == 5
    make(table, SPECS[2], tmp_path, "skip")
    assert len(found) == 9
    kept = sorted((tmp_path / "cache/tissue/slides").glob("*"))
    whole = [file.read_bytes() for file in kept]
    for file, bytes_ in zip(kept, (b"", b"no mask", whole[2][:-9], whole[3][:99] + b"?" + whole[3][100:]), strict=True):
        file.write_bytes(bytes_)
    make(table, TileSpec(200, 0.5), tmp_path, "skip")
    assert len(found) == 13
    assert [file.read_bytes() for file in kept] == whole


def test_a_mask_that_is_given_is_not_kept(table, tmp_path, found):
    corner = {"type": "Polygon", "coordinates": [[[0, 0], [800, 0], [800, 800], [0, 0]]]}
    (tmp_path / "mask.geojson").write_text(json.dumps(corner))
    make(table, SPECS[0], tmp_path, mask=tmp_path / "mask.geojson")
    assert not found
    assert not (tmp_path / "cache/tissue").exists()
