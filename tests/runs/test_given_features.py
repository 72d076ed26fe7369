"""The command on features and coordinates that others made, and on tiles at another scale."""

import re
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from command_helpers import files, refused, row
from slide_command_helpers import features, on_slides

from bench.embedding import read_features
from bench.rows import read_predictions


def layouts(folder, bags):
    """Copies of bags as CLAM (chunked float32, `h5_files`) and TRIDENT (with its attributes) write them."""
    for slide, path in bags.items():
        got = read_features(path)[0][:]
        with h5py.File(path) as file:
            coords, attributes = file["coords"][:], dict(file["coords"].attrs)
        for place, kept in (("clam/h5_files", ()), ("trident", ("patch_size", "patch_size_level0", "overlap"))):
            (folder / place).mkdir(parents=True, exist_ok=True)
            with h5py.File(folder / place / f"{slide}.h5", "w") as file:
                shape = got.shape
                file.create_dataset(
                    "features", data=got.astype(np.float32), chunks=(1, shape[1]), maxshape=(None, shape[1])
                )
                places = file.create_dataset("coords", data=coords, chunks=(1, 2), maxshape=(None, 2))
                for name in kept:
                    places.attrs[name] = attributes[name]
        (folder / "clam/pt_files").mkdir(exist_ok=True)
        torch.save(torch.from_numpy(got.astype(np.float32)), folder / "clam/pt_files" / f"{slide}.pt")
        (folder / "coords/patches").mkdir(parents=True, exist_ok=True)
        with h5py.File(folder / "coords/patches" / f"{slide}_patches.h5", "w") as file:
            places = file.create_dataset("coords", data=coords)
            for name in ("patch_size", "patch_size_level0", "overlap", "level0_width"):
                places.attrs[name] = attributes[name]


@pytest.mark.slow
def test_features_of_clam_and_trident_without_the_slides(finished, table, tmp_path):
    folder, _ = finished
    layouts(tmp_path, features(folder, "efficientnet_lite0"))
    table.assign(slide=[f"nowhere/{Path(s).name}" for s in table.slide]).to_csv(tmp_path / "cohort.csv", index=False)
    own = row(folder, model="efficientnet_lite0", protocol="linear", seed=0)
    expected = read_predictions(folder / "results" / own["predictions"])
    found_in = {}
    for given in ("clam", "trident", "clam/pt_files"):
        arguments = ("model=precomputed", f"features={given}", "protocol=[linear,abmil]", f"results={Path(given).name}")
        done = on_slides(tmp_path, "cohort.csv", *arguments, "protocols.abmil.epochs=2")
        assert done.returncode == 0, done.stderr
        linear, abmil = (row(tmp_path, Path(given).name, protocol=name) for name in ("linear", "abmil"))
        found_in[given] = linear
        got = read_predictions(tmp_path / Path(given).name / linear["predictions"])
        np.testing.assert_array_equal(got.ids, expected.ids)
        np.testing.assert_array_equal(got.scores, expected.scores)
        assert abmil["feature_dim"] == 1280
        assert abmil["params_m"] is None
    before = files(tmp_path, "cache/features/**/*.h5")
    assert on_slides(tmp_path, "cohort.csv", *arguments).returncode == 0
    assert files(tmp_path, "cache/features/**/*.h5") == before

    arguments = ("model=precomputed", "features=trident", "protocol=linear", "results=trident")
    changed = next((tmp_path / "trident").glob("*.h5"))
    with h5py.File(changed, "r+") as file:
        file["features"][:] = file["features"][:] + 1
    assert on_slides(tmp_path, "cohort.csv", *arguments).returncode == 0
    after = files(tmp_path, "cache/features/**/*.h5")
    assert [path.name for path in after if after[path] != before.get(path)] == [changed.name], "the others are taken"
    anew = row(tmp_path, "trident", protocol="linear")
    assert anew["run_hash"] != found_in["trident"]["run_hash"]

    missing = next((tmp_path / "trident").glob("*.h5"))
    missing.unlink()
    arguments = ("model=precomputed", "features=trident", "protocol=linear", "results=lacking")
    refused(on_slides(tmp_path, "cohort.csv", *arguments), "has no features of the slide", missing.name)
    done = on_slides(tmp_path, "cohort.csv", *arguments, "on_corrupt=skip")
    assert done.returncode == 0, done.stderr
    one = row(tmp_path, "lacking")
    assert (one["status"], one["n_skipped"]) == ("ok", 1)
    assert f"1 slide without usable features left out: {missing.stem}" in one["notes"]
    assert files(tmp_path, "cache/features/**/*.h5") == after, "one folder of given features is one of the store"
    for arguments in (("model=precomputed",), ("model=colour", "features=trident")):
        refused(on_slides(tmp_path, "cohort.csv", *arguments), "model=precomputed and features=DIR belong together")
    refused(on_slides(tmp_path, "cohort.csv", "model=colour"), "13 of 13 slide files", "nowhere")


@pytest.mark.slow
def test_coordinates_of_trident(finished, cohort, tmp_path):
    """Laid where our own grid lies, they give the same features."""
    folder, _ = finished
    own = features(folder, "colour")
    layouts(tmp_path, own)
    done = on_slides(tmp_path, cohort, "model=colour", "protocol=linear", "coords=coords")
    assert done.returncode == 0, done.stderr
    got = features(tmp_path, "colour")
    assert set(got) == set(own)
    for slide, path in own.items():
        np.testing.assert_array_equal(read_features(got[slide])[0], read_features(path)[0])
    assert list((tmp_path / "results/previews/slides").glob("224px-0.5mpp-coords-*.jpg"))
    next((tmp_path / "coords/patches").glob("*.h5")).unlink()
    refused(on_slides(tmp_path, cohort, "model=colour", "coords=coords"), "has no coordinates of the slide")


def test_coordinates_at_another_scale(finished, table, tmp_path):
    """Windows of twice the side on all slides but two, of which one has none and the other all over its edge."""
    folder, _ = finished
    layouts(tmp_path, features(folder, "colour"))
    slides = sorted((tmp_path / "coords/patches").glob("*.h5"))
    for path in slides:
        with h5py.File(path, "r+") as file:
            says = dict(file["coords"].attrs)
            places = file["coords"][: 4 if path != slides[-1] else 0]
            del file["coords"]
            places = np.minimum(places, np.arange(len(places))[:, None])
            if path == slides[0]:
                places = np.concatenate([places, [[says["level0_width"] - 9, 0]]])
            if path == slides[-2]:
                places = np.array([[says["level0_width"] - 9, 0], [says["level0_width"] - 90, 0]])
            coords = file.create_dataset("coords", data=places)
            coords.attrs["patch_size_level0"] = 2 * says["patch_size_level0"]
    table.to_csv(tmp_path / "cohort.csv", index=False)
    done = on_slides(tmp_path, "cohort.csv", "model=colour", "protocol=linear", "coords=coords")
    assert done.returncode == 0, done.stderr
    notes = row(tmp_path)["notes"]
    empty, over = (path.name.removesuffix("_patches.h5") for path in (slides[-1], slides[-2]))
    assert f"1 slide whose coordinates list no tile left out: {empty}" in notes
    assert f"1 slide whose tiles all hang over the edge left out: {over}" in notes
    assert "1 tile of the coordinates left out, over the edge of a slide" in notes
    (scale,) = [note for note in notes if "um/px" in note]
    assert re.fullmatch(r"tiles of 11 slides are (0\.99\d|1)( to 1(\.\d+)?)? um/px where 0\.5 is requested", scale)


@pytest.mark.slow
def test_tiles_enlarged_beyond_the_slide_say_so(few_slides, tmp_path):
    pd.read_csv(few_slides).assign(mpp="1.0").to_csv(tmp_path / "cohort.csv", index=False)
    arguments = ("cohort.csv", "model=colour", "protocol=linear", "tasks.slides.min_groups=1")
    done = on_slides(tmp_path, *arguments, "on_corrupt=skip")
    refused(done, "has 1 microns per pixel and tiles of 0.5 are wanted", "upsample=true")
    done = on_slides(tmp_path, *arguments, "tasks.slides.tiling.upsample=true")
    assert done.returncode == 0, done.stderr
    notes = row(tmp_path)["notes"]
    assert "tiles of 6 slides are enlarged from 1 to 0.5 um/px: their detail is made up" in notes
