"""A slide encoder whose tile encoder has the name of a model of the run and other weights."""

import h5py
import numpy as np
import pandas as pd
import pytest
from command_helpers import bench, row
from PIL import Image
from plain_loop import USUAL, means, predicted
from slide_command_helpers import write_slide

import registry
from bench.embedding import read_features

SLIDES = 6


@pytest.fixture
def revised(monkeypatch):
    """`means` of a revision has other weights: it gives twice the numbers. The tile encoder is of no revision."""
    load = registry.load

    def of_revision(name, *arguments, revision=None, **settings):
        loaded = load(name, *arguments, **settings)
        if name == "means" and revision:
            loaded.network.factor.data.fill_(2.0)
        return loaded

    def fingerprint(name, *_, revision=None, **__):
        return f"sha256 of {name} at {revision}"

    monkeypatch.setattr(registry, "load", of_revision)
    monkeypatch.setattr(registry, "fingerprint", fingerprint)


@pytest.fixture
def data(tmp_path):
    """Slides of two tiles, each of two colours."""
    table = []
    for i in range(SLIDES):
        colours = np.random.default_rng(i).integers(20, 120, (4, 2, 3), dtype=np.uint8)
        write_slide(tmp_path / f"{i}.tif", colours.repeat(32, 0).repeat(32, 1))
        Image.fromarray(np.full((128, 64), 255, np.uint8)).save(tmp_path / f"{i}.png")
        side = "train" if i < SLIDES - 2 else "test"
        table.append({"slide": f"{i}.tif", "mask": f"{i}.png", "label": "ab"[i % 2], "split": side})
    pd.DataFrame(table).to_csv(tmp_path / "slides.csv", index=False)
    return ("task=slides", "data=slides.csv", "tasks.slides.min_groups=1", *USUAL)


def stored(folder, model):
    """Features of each slide by the weights that they were made with."""
    found = {}
    for path in (folder / "cache/features" / model).glob("*/*.h5"):
        features, attributes = read_features(path)
        found.setdefault(attributes["key_weights"], {})[path.stem] = np.asarray(features, np.float64)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("models", ["means,slide_means", "slide_means,means"])
def test_each_has_its_own_features(tmp_path, data, revised, models):
    done = bench(tmp_path, *data, f"model=[{models}]", "revision=new")
    assert done.returncode == 0, done.stderr
    tiles = stored(tmp_path, "means")
    plain, named = tiles["sha256 of means at None"], tiles["sha256 of means at new"]
    assert len(tiles) == 2
    assert plain.keys() == named.keys() == {str(i) for i in range(SLIDES)}
    [vectors] = stored(tmp_path, "slide_means").values()
    for slide in plain:
        np.testing.assert_allclose(named[slide], 2 * plain[slide], rtol=2e-3)
        np.testing.assert_allclose(vectors[slide][0, :9], plain[slide].mean(0), rtol=2e-3)
    own, of_slides = row(tmp_path, model="means"), row(tmp_path, model="slide_means")
    assert own["info"]["weights"]["sha256"] == "sha256 of means at new"
    assert of_slides["info"]["weights"]["sha256"] == "sha256 of slide_means at new"
    assert of_slides["info"]["weights"]["tile_encoder"]["sha256"] == "sha256 of means at None"

    alone = {}
    for model in ("means", "slide_means"):
        arguments = (f"model={model}", "revision=new", f"results={model}", f"cache=of_{model}")
        assert bench(tmp_path, *data, *arguments).returncode == 0
        alone[model] = row(tmp_path, model)
    for model, one in (("means", own), ("slide_means", of_slides)):
        assert one["run_hash"] == alone[model]["run_hash"]
        assert one["metrics"] == alone[model]["metrics"]
        assert predicted(tmp_path, one) == predicted(tmp_path, alone[model], model)
        together, apart = ((tmp_path / folder / one["predictions"]).read_bytes() for folder in ("results", model))
        assert together == apart


def test_the_features_are_those_of_the_pixels(tmp_path, data, revised):
    """So that the two are not merely exchanged."""
    assert bench(tmp_path, *data, "model=[slide_means,means]", "revision=new").returncode == 0
    [path] = (tmp_path / "cache/grids").glob("**/0.h5")
    with h5py.File(path) as file:
        places = file["coords"][:].tolist()
    assert places == [[0, 0], [0, 64]]
    import openslide

    with openslide.OpenSlide(tmp_path / "0.tif") as slide:
        pixels = [np.asarray(slide.read_region(place, 0, (64, 64)).convert("RGB")) for place in places]
    expected = np.stack([means(tile) for tile in pixels])
    tiles = stored(tmp_path, "means")
    np.testing.assert_allclose(tiles["sha256 of means at None"]["0"], expected, atol=5e-3)
    np.testing.assert_allclose(tiles["sha256 of means at new"]["0"], 2 * expected, atol=1e-2)
