"""`tiling.resample` is in the key of the features where it is not the default, and in no grid."""

import json

import pytest

from bench import tasks
from bench.data.laying import Laying
from bench.data.slide_units import SlideUnits, TileSpec
from registry.errors import UserError

# Level 0 of two of the slides is at about 0.5 mpp, that of the others at 0.2526.
HALVED, MIXED = TileSpec(128, 1.0), TileSpec(128, 0.5)


def configured(**tiling):
    settings = {"name": "slides", "reader": "slides", "unit": "slide", "min_groups": 1, "tiling": tiling}
    return tasks.configured(settings)


def units(table, folder, spec=HALVED, **tiling):
    table = table.assign(split=["train", "train", "test", "test"], label=list("abab"), patient=list("pqrs"))
    table.to_csv(folder / "cohort.csv", index=False)
    manifest = tasks.read(configured(**tiling), folder / "cohort.csv", folder)
    return SlideUnits(manifest, spec, folder / "cache", None, "error", None)


def test_the_default_keys_features_as_before_there_was_a_choice(table, tmp_path):
    by_default, exact = units(table, tmp_path), units(table, tmp_path, resample="exact")
    assert by_default.source == exact.source
    assert json.loads(exact.source) == {
        "task": "slides",
        "tiling": {
            "size": 128,
            "mpp": 1.0,
            "overlap": 0,
            "min_tissue": 0.25,
            "max_tiles": None,
            "seed": 0,
            "upsample": False,
            "coords": "",
        },
    }


def test_another_key_and_the_same_grids(table, tmp_path):
    exact, fast = units(table, tmp_path), units(table, tmp_path, resample="fast")
    assert exact.source != fast.source
    list(Laying(exact))
    grids = sorted((tmp_path / "cache/grids").glob("**/*.h5"))
    times = [path.stat().st_mtime_ns for path in grids]
    assert len(fast.known().shards) == len(exact.known().shards) > 0
    list(Laying(fast))
    assert sorted((tmp_path / "cache/grids").glob("**/*.h5")) == grids
    assert [path.stat().st_mtime_ns for path in grids] == times


@pytest.mark.parametrize(
    ("spec", "resample", "averaged"), [(HALVED, "fast", 4), (MIXED, "fast", 2), (HALVED, "exact", 0)]
)
def test_rows_say_where_blocks_are_averaged(table, tmp_path, spec, resample, averaged):
    laying = Laying(units(table, tmp_path, spec, resample=resample))
    list(laying)
    expected = f"tiles of {averaged} slides are brought to scale by averages of blocks (tiling.resample=fast)"
    assert [note for note in laying.notes if "blocks" in note] == [expected] * bool(averaged)


def test_a_misspelt_value_is_refused():
    with pytest.raises(UserError, match=r"The task slides is not well described: .*quick"):
        configured(resample="quick")
