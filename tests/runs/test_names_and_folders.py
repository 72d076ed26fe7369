"""Names of tasks and slides become files below cache= and results=, and nowhere else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stand_in_models import PATH as STAND_INS

from bench import api
from bench.demo import make_tiles
from bench.embedding import FeatureKey
from bench.files import file_name, path_below
from registry.errors import UserError

COMMON = {"null": "none", "bootstrap": 50, "plugins": [str(STAND_INS)], "device": "cpu"}
NAMES = ("../../esc", "/esc", "..", ".", "a/b", "n" * 300, "ü" * 100)


def everything(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.mark.parametrize("name", [NAMES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:3])])
def test_a_task_of_any_name_writes_below_its_folders(few_slides, tmp_path, name):
    deep = tmp_path / "deep" / "er"
    deep.mkdir(parents=True)
    frame = pd.read_csv(few_slides)
    frame["id"] = ["../../x", str(tmp_path / "y"), *map(str, range(len(frame) - 2))]
    frame.to_csv(tmp_path / "slides.csv", index=False)
    described = {name: {"reader": "slides", "unit": "slide", "min_groups": 1}}
    before = everything(tmp_path)
    found = api.evaluate(
        "means", described, {"knn": {}}, data=tmp_path / "slides.csv", cache=deep / "c", results=deep / "r", **COMMON
    )
    assert not found.failures
    outside = {path for path in everything(tmp_path) - before if not path.startswith(("deep/er/c", "deep/er/r"))}
    assert outside == set()
    assert {path.name for path in (deep / "c" / "tissue").iterdir()} == {file_name(name)}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_one_part_of_a_path(tmp_path, name):
    for made in (file_name(name), file_name(name, safe=" ", longest=200)):
        assert Path(made).name == made not in ("..", ".")
        (tmp_path / f"{made}.h5").touch()
    key = FeatureKey(name, "c", "w", "{}", "", "device", "float32", "s")
    assert (key.folder(tmp_path).parent.parent, key.folder(tmp_path).name) == (tmp_path / "features", key.digest)
    key.folder(tmp_path).mkdir(parents=True)
    assert replace(key, model="uni").folder(tmp_path).parent.name == "uni"


def test_usual_names_stay_as_they_are():
    assert [file_name(name) for name in ("pcam", "CRC_VAL-7k.2", "a b")] == ["pcam", "CRC_VAL-7k.2", "a%20b"]
    assert file_name("\udcff")
    assert len({file_name("n" * 300), file_name("n" * 301), file_name("n" * 80)}) == 3


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "a\0b"])
def test_a_path_below_a_folder_stays_there(tmp_path, name):
    with pytest.raises(UserError, match="leads out of the folder"):
        path_below(tmp_path, name)
    assert path_below(tmp_path, "a/b..c") == tmp_path / "a" / "b..c"


def test_predictions_that_were_changed_are_refused(tmp_path):
    tiles = make_tiles(tmp_path / "tiles", patients=6, tiles_per_patient=6)
    folders = {"cache": tmp_path / "cache", "results": tmp_path / "results"}
    found = api.evaluate("colour", "tiles", {"knn": {}}, data=tiles, **folders, **COMMON)
    assert np.isfinite(found.predictions("colour")["score_0"]).all()
    [path] = (tmp_path / "results").rglob("*.parquet")
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="delete its row and run again"):
        found.predictions("colour")
