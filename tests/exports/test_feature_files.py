"""Files for the programs of others hold the features of the store, where and as these programs read them."""

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from bench.embedding import read_features, read_places
from bench.exports import export
from bench.runs import RunContext, make_config
from bench.slides import read_bag
from registry.errors import UserError

TILING = {"size": 128, "mpp": 1.0, "max_tiles": 6}


@pytest.fixture(scope="module")
def exported(phantom_slides, tmp_path_factory):
    """All formats of one model's features, and the feature files themselves."""
    folder = tmp_path_factory.mktemp("exported")
    context = context_of(phantom_slides, folder)
    for form in ("clam", "trident", "pt", "tiles"):
        assert export(context, form, folder / form) == 13
    return folder, {path.stem: path for path in (folder / "cache" / "features").glob("colour/*/*.h5")}


def context_of(manifest, folder, model="colour", task="slides", **settings):
    tasks = {task: {"tiling": TILING} if task == "slides" else {}}
    config = make_config(model, tasks, {}, manifest, folder / "results", folder / "cache", {"null": "none", **settings})
    return RunContext(config, "cpu", progress=False, pictures=False, say=lambda line: None)


def test_clam_finds_the_features_of_every_slide_of_its_table(exported):
    """As its `Generic_MIL_Dataset` reads them: both files of each slide, float32, with one label a slide."""
    folder, files = exported
    table = pd.read_csv(folder / "clam" / "dataset.csv", dtype=str)

    assert sorted(table["slide_id"]) == sorted(files)
    assert table["case_id"].nunique() == 12
    for name, path in files.items():
        tensor = torch.load(folder / "clam" / "pt_files" / f"{name}.pt", weights_only=True)
        with h5py.File(folder / "clam" / "h5_files" / f"{name}.h5") as file:
            features, coords = file["features"][:], file["coords"][:]
        assert tensor.dtype == torch.float32
        assert (tensor.numpy() == features).all()
        assert (features == np.asarray(read_features(path)[0], np.float32)).all()
        assert (coords == read_places(path)[0]).all()


def test_clam_splits_have_every_slide_once(exported, phantom_slides):
    folder, files = exported
    splits = pd.read_csv(folder / "clam" / "splits" / "splits_0.csv", dtype=str)
    manifest = pd.read_csv(phantom_slides)

    assert list(splits.columns) == ["train", "val", "test"]
    assert sorted(splits.stack().dropna()) == sorted(files)
    for side in ("train", "val", "test"):
        wanted = {name.rpartition("/")[2].rpartition(".")[0] for name in manifest[manifest["split"] == side]["slide"]}
        assert set(splits[side].dropna()) == wanted


def test_trident_folders_are_named_by_their_tiles_and_read_back(exported):
    folder, files = exported
    (place,) = (folder / "trident").iterdir()
    assert place.name == "10x_128px_0px_overlap"
    for name, path in files.items():
        features, coords, attributes = read_bag(place / "features_colour", name)
        assert features.dtype == np.float32
        assert (features == np.asarray(read_features(path)[0], np.float32)).all()
        with h5py.File(place / "patches" / f"{name}_patches.h5") as file:
            assert (file["coords"][:] == coords).all()
            assert file["coords"].attrs["patch_size_level0"] == attributes["patch_size_level0"]


def test_a_second_export_leaves_the_same_bytes(exported, phantom_slides, tmp_path):
    folder, _ = exported
    context = context_of(phantom_slides, folder)
    for form in ("clam", "trident", "pt"):
        export(context, form, tmp_path / form)
        before, again = (
            {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
            for root in (folder / form, tmp_path / form)
        )
        assert before == again


def test_tiles_are_the_pixels_that_colour_statistics_are_of(exported):
    """The mean of each channel, in the units of the model `colour`, is its first three features."""
    folder, files = exported
    for name in sorted(files)[:3]:
        features, coords = np.asarray(read_features(files[name])[0], float), read_places(files[name])[0]
        for row, (x, y) in enumerate(coords.tolist()):
            with Image.open(folder / "tiles" / name / f"{x}_{y}.png") as picture:
                pixels = np.asarray(picture, float)
            assert pixels.shape == (128, 128, 3)
            assert np.allclose(pixels.mean((0, 1)) / 255, features[row, :3], atol=2e-3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"model": ["colour", "efficientnet_lite0"]}, "not 1 tasks with 2 models"), ({"task": "tiles"}, "single tiles")],
)
def test_what_cannot_be_exported_is_refused_in_a_sentence(phantom_slides, tmp_path, change, sentence):
    if change.get("task") == "tiles":
        from bench.demo import make_tiles

        manifest = make_tiles(tmp_path / "tiles", patients=8, tiles_per_patient=6)
    else:
        manifest = phantom_slides
    with pytest.raises(UserError, match=sentence):
        export(context_of(manifest, tmp_path, **change), "clam", tmp_path / "out")
    assert not (tmp_path / "out").exists()
