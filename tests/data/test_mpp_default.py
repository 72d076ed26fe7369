"""The default resolution of a task: of slides that have none, and of no other."""

import numpy as np
import pandas as pd
import pytest
import tifffile

from bench.embedding import read_features, read_places
from bench.runs import RunContext, embed_cohort, make_config, prepare
from registry.errors import UserError

NAMES = ("own", "manifest", "none")


@pytest.fixture(scope="module")
def slides(phantom_slides, tmp_path_factory):
    """Slides of the same pixels: one says 1 um/px, one has 0.5 in the manifest, one has nothing; and enough others."""
    folder = tmp_path_factory.mktemp("mpp")
    table = pd.read_csv(phantom_slides)
    table["slide"] = [str(phantom_slides.parent / name) for name in table["slide"]]
    pixels = tifffile.imread(table["slide"][0])
    for name in NAMES:
        resolution = {"resolution": (1e4, 1e4), "resolutionunit": "CENTIMETER"} if name == "own" else {}
        kind = {"photometric": "rgb", "compression": "jpeg", "metadata": None}
        tifffile.imwrite(folder / f"{name}.tif", pixels, tile=(256, 256), **kind, **resolution)
    added = [
        {"slide": f"{folder}/{name}.tif", "label": "normal", "patient": name, "split": "train", "mpp": mpp}
        for name, mpp in zip(NAMES, ("", "0.5", ""), strict=True)
    ]
    kept = table.groupby(["split", "label"]).head(2)
    pd.concat([kept, pd.DataFrame(added)])[[*added[0]]].to_csv(folder / "cohort.csv", index=False)
    return folder


def embedded(folder, cache, **settings):
    tiling = {"size": 128, "mpp": 1.0, "max_tiles": 4}
    tasks = {"slides": {"tiling": tiling, **settings}}
    config = make_config("colour", tasks, {}, folder / "cohort.csv", cache / "r", cache / "c", {"null": "none"})
    context = RunContext(config, "cpu", progress=False, pictures=False, say=lambda line: None)
    plan = prepare(context)
    if plan.failures:
        raise UserError(" ".join(plan.failures))
    cohort, embedding = embed_cohort(context, plan)
    return cohort.feature_files(embedding), cohort.notes(embedding)


def test_slides_without_a_resolution_take_it_and_the_rows_name_them(slides, tmp_path):
    files, notes = embedded(slides, tmp_path, mpp_default=0.5)
    scales = {name: read_places(files[name])[1]["level0_mpp_x"] for name in NAMES}

    assert scales == {"own": 1.0, "manifest": 0.5, "none": 0.5}
    assert (np.asarray(read_features(files["none"])[0]) == np.asarray(read_features(files["manifest"])[0])).all()
    assert "1 slide without a resolution taken at tasks.slides.mpp_default=0.5: none" in notes


@pytest.mark.slow
def test_another_default_changes_no_feature_of_other_slides(slides, tmp_path):
    before, _ = embedded(slides, tmp_path, mpp_default=0.5)
    written = {name: path.stat().st_mtime_ns for name, path in before.items()}
    after, _ = embedded(slides, tmp_path, mpp_default=0.25)

    changed = [name for name, path in after.items() if path.stat().st_mtime_ns != written[name]]
    assert changed == ["none"]


@pytest.mark.parametrize(
    ("default", "sentence"), [(None, r"tasks\.slides\.mpp_default=MPP"), (40, r"from 0\.02 to 10")]
)
def test_without_it_or_out_of_range_a_sentence_says_so(slides, tmp_path, default, sentence):
    with pytest.raises(UserError, match=sentence):
        embedded(slides, tmp_path, mpp_default=default)
