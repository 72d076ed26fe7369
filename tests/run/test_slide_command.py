"""The whole command on slides: from a manifest to rows, and nothing done twice."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import openslide
import pandas as pd
import pytest
import tifffile
import torch
from command_helpers import bench, files, refused
from PIL import Image

import registry
from bench import tasks
from bench.config import BenchConfig, Null
from bench.demo import make_slides
from bench.embed import read_features
from bench.leaderboard import read_predictions
from bench.models import models
from bench.slide_data import SlideData
from bench.slides import read_bag

REPO = Path(__file__).resolve().parents[2]
SLIDES = 13  # of twelve patients, one of whom has two
PLUGIN = """
from registry.card import Architecture, ModelCard, Pooling, Preprocessing, Pretraining, Weights

REST = dict(family="tiny", paper="none", url="none", licence="none", precision="float32",
            pretraining=Pretraining(method="none", data="none"))
CARDS = (
    ModelCard(
        name="tiny_tiles", title="Tiny tile encoder", dim=64, params=0, pooling=Pooling(kind="cls"),
        architecture=Architecture(builder="timm:test_vit", kwargs={"num_classes": 0, "global_pool": ""}),
        preprocessing=Preprocessing(size=160, mpp=0.5, tile_size=160, resize=160), weights=Weights(file="tiles.pth"),
        **REST,
    ),
    ModelCard(
        name="tiny_slides", title="Tiny slide encoder", unit="slide", dim=64, params=0, tile_encoder="tiny_tiles",
        architecture=Architecture(
            builder="registry.architectures.longnet:LongNetSlideEncoder",
            kwargs={"dim_in": 64, "dim": 64, "depth": 2, "heads": 16},
        ),
        preprocessing=Preprocessing(size=160, mpp=0.5, tile_size=160, resize=None, crop=False),
        weights=Weights(file="slides.pth"), **REST,
    ),
)
"""


def on_slides(folder, data, *arguments, **kwargs):
    return bench(folder, "task=slides", f"data={data}", "null=none", "bootstrap=50", *arguments, **kwargs)


def rows(folder, results="results"):
    found = (json.loads(p.read_text()) for p in sorted((folder / results / "rows/slides").glob("*/*.json")))
    return {(row["model"], row["protocol"], row["seed"]): row for row in found}


def features(folder, model, cache="cache"):
    return {p.stem: p for p in sorted((folder / cache / "features" / model).glob("*/*.h5"))}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return make_slides(tmp_path_factory.mktemp("slides") / "cohort", patients=12, sides=(900, 1500))


@pytest.fixture(scope="module")
def table(cohort):
    """The manifest with absolute paths."""
    frame = pd.read_csv(cohort)
    return frame.assign(slide=[str(cohort.parent / s) for s in frame.slide])


@pytest.fixture(scope="module")
def finished(cohort, tmp_path_factory):
    """Two models on the cohort with heads of both kinds and two seeds."""
    folder = tmp_path_factory.mktemp("run")
    arguments = ("model=[efficientnet_lite0,colour]", "protocol=[linear,pooled,abmil]", "seeds=[0,1]")
    done = on_slides(folder, cohort, *arguments, "protocols.abmil.epochs=3")
    assert done.returncode == 0, done.stderr
    return folder, done


def test_rows_of_bags_and_of_means(finished):
    folder, done = finished
    found = rows(folder)
    assert len(found) == 2 * 3 * 2
    assert {row["status"] for row in found.values()} == {"ok"}
    assert {row["n_train"] + row["n_val"] + row["n_test"] for row in found.values()} == {SLIDES}
    for row in found.values():
        assert row["n_skipped"] == 0
        assert row["tiles_per_s"] > 0
    saved = {run: read_predictions(folder / "results" / row["predictions"]) for run, row in found.items()}
    for model in ("efficientnet_lite0", "colour"):
        linear, pooled = saved[model, "linear", 0], saved[model, "pooled", 0]
        np.testing.assert_array_equal(linear.ids, pooled.ids)
        np.testing.assert_array_equal(linear.scores, pooled.scores)  # a head for vectors gets the mean of the tiles
        assert (saved[model, "abmil", 0].scores != saved[model, "abmil", 1].scores).any()
    assert "slides: 13 slides (test 5, train 4, val 4), 12 groups" in done.stderr


def test_attention_is_saved_and_drawn(finished):
    folder, _ = finished
    row = rows(folder)["efficientnet_lite0", "abmil", 1]
    bags = features(folder, "efficientnet_lite0")
    with h5py.File(folder / "results" / row["info"]["attention"]) as file:
        slides = {group.attrs["slide"]: (group["attention"][:], group["coords"][:]) for group in file.values()}
    assert set(slides) == set(read_predictions(folder / "results" / row["predictions"]).ids)
    for slide, (attention, coords) in slides.items():
        assert attention.sum() == pytest.approx(1, abs=1e-5)
        with h5py.File(bags[slide]) as file:
            np.testing.assert_array_equal(coords, file["coords"][:])
    drawn = folder / "results/previews/slides/256px-0.5mpp/attention/efficientnet_lite0/abmil-1"
    assert {p.stem for p in drawn.glob("*.jpg")} == set(slides)


def test_previews_and_contact_sheets(finished):
    folder, _ = finished
    previews = folder / "results/previews/slides"
    for cut in ("256px-0.5mpp", "224px-0.5mpp"):
        assert len(list((previews / cut).glob("*.jpg"))) == SLIDES
        with Image.open(previews / f"{cut}.jpg") as sheet:
            assert sheet.width == 5 * 320


def test_the_contact_sheet_shows_the_cohort_of_the_run(finished, table, tmp_path):
    folder, _ = finished

    def sheet(frame):
        frame.to_csv(tmp_path / "cohort.csv", index=False)
        arguments = ("model=colour", "protocol=linear", f"cache={folder / 'cache'}")
        done = on_slides(tmp_path, "cohort.csv", *arguments)
        assert done.returncode == 0, done.stderr
        return (tmp_path / "results/previews/slides/224px-0.5mpp.jpg").read_bytes()

    other = table.assign(label=table.label.map({"normal": "tumour", "tumour": "normal"}))
    found = [sheet(table), sheet(other), sheet(table[~table.patient.duplicated()]), sheet(table)]
    assert len(set(found)) == 4 - (found[0] == found[3])


def test_a_second_run_does_nothing_again(finished, cohort):
    folder, _ = finished
    patterns = ("cache/**/*.h5", "results/rows/**/*.json", "results/predictions/**/*.*", "results/previews/**/*.jpg")
    before = [files(folder, pattern) for pattern in patterns]
    arguments = ("model=[efficientnet_lite0,colour]", "protocol=[linear,pooled,abmil]", "seeds=[0,1]")
    done = on_slides(folder, cohort, *arguments, "protocols.abmil.epochs=3")
    assert done.returncode == 0, done.stderr
    assert [files(folder, pattern) for pattern in patterns] == before
    assert "tissue" not in done.stderr


def test_a_bag_as_clam_and_trident_open_it(finished, table):
    """Plain h5py, as `Generic_MIL_Dataset` and `WSI.extract_patch_features`' readers do."""
    folder, _ = finished
    for slide, path in features(folder, "efficientnet_lite0").items():
        with h5py.File(path, "r") as hdf5_file:
            got, coords = hdf5_file["features"][:], hdf5_file["coords"][:]
            attributes = dict(hdf5_file["coords"].attrs)
        assert torch.from_numpy(got).float().shape == (len(coords), 1280)
        assert coords.dtype == np.int64
        assert coords.shape[1] == 2
        mpp = table.mpp[table.slide.str.contains(slide)].item()
        assert attributes["patch_size"] == 256
        assert attributes["patch_size_level0"] == pytest.approx(256 * 0.5 / mpp, abs=1.5)
        assert (coords % attributes["patch_size_level0"] <= 2).all() or mpp == 0.2526


def test_the_features_are_those_of_the_pixels(finished, table):
    """Tiles of 0.5 mpp slides are windows of level 0: read by OpenSlide, embedded by the registry, tile by tile."""
    folder, _ = finished
    network = registry.load("efficientnet_lite0")
    row = table[table.mpp == 0.5].iloc[0]
    bag, coords, _ = read_bag(features(folder, "efficientnet_lite0")[Path(row.slide).stem].parent, Path(row.slide).stem)
    with openslide.OpenSlide(row.slide) as slide, torch.inference_mode():
        for feature, (x, y) in list(zip(bag, coords, strict=True))[::3]:
            pixels = np.asarray(slide.read_region((int(x), int(y)), 0, (256, 256)).convert("RGB"))
            own = network(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None])[0].numpy()
            np.testing.assert_allclose(feature.astype(np.float32), own, rtol=2e-3, atol=2e-3)


def test_models_that_want_the_same_tiles_share_a_pass(cohort, tmp_path):
    named = ["uni", "virchow2", "prov_gigapath", "gigapath_slide", "hipt", "chief", "chief_ctranspath"]
    entries = models(BenchConfig(model=named, null=Null.none), "cpu")
    manifest = tasks.read(composed_slides(), cohort, tmp_path)
    passes = SlideData(manifest, tmp_path, tmp_path, "error").passes(entries)
    cuts = [{model.name for model in part.models} for part in passes]
    at_half_a_micron = {"uni", "prov_gigapath", "gigapath_slide"}  # tiles of 256 px, the slide encoder's by its card
    assert sorted(map(sorted, cuts)) == sorted(
        map(sorted, [at_half_a_micron, {"virchow2"}, {"hipt"}, {"chief", "chief_ctranspath"}])
    )
    assert len({str(part.pictures) for part in passes}) == len(passes)


def composed_slides():
    return tasks.configured({"name": "slides", "reader": "slides", "unit": "slide"})


# features and coordinates of others


def layouts(folder, bags):
    """Copies of bags as CLAM (chunked float32, `h5_files`) and TRIDENT (with its attributes) write them."""
    for slide, path in bags.items():
        got, _ = read_features(path)
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


def test_features_of_clam_and_trident_without_the_slides(finished, table, tmp_path):
    folder, _ = finished
    layouts(tmp_path, features(folder, "efficientnet_lite0"))
    table.assign(slide=[f"nowhere/{Path(s).name}" for s in table.slide]).to_csv(tmp_path / "cohort.csv", index=False)
    own = rows(folder)["efficientnet_lite0", "linear", 0]
    expected = read_predictions(folder / "results" / own["predictions"])
    for given in ("clam", "trident", "clam/pt_files"):
        arguments = ("model=precomputed", f"features={given}", "protocol=[linear,abmil]", f"results={Path(given).name}")
        done = on_slides(tmp_path, "cohort.csv", *arguments, "protocols.abmil.epochs=2")
        assert done.returncode == 0, done.stderr
        found = rows(tmp_path, Path(given).name)
        got = read_predictions(tmp_path / Path(given).name / found["precomputed", "linear", 0]["predictions"])
        np.testing.assert_array_equal(got.ids, expected.ids)
        np.testing.assert_array_equal(got.scores, expected.scores)
        assert found["precomputed", "abmil", 0]["feature_dim"] == 1280
        assert found["precomputed", "abmil", 0]["params_m"] is None
    again = files(tmp_path, "cache/features/**/*.h5")
    assert on_slides(tmp_path, "cohort.csv", *arguments).returncode == 0
    assert files(tmp_path, "cache/features/**/*.h5") == again

    missing = next((tmp_path / "trident").glob("*.h5"))
    missing.unlink()
    arguments = ("model=precomputed", "features=trident", "protocol=linear", "results=lacking")
    refused(on_slides(tmp_path, "cohort.csv", *arguments), "has no features of the slide", missing.name)
    done = on_slides(tmp_path, "cohort.csv", *arguments, "on_corrupt=skip")
    assert done.returncode == 0, done.stderr
    row = rows(tmp_path, "lacking")["precomputed", "linear", 0]
    assert row["n_skipped"] == 1
    assert f"1 slide without usable features left out: {missing.stem}" in row["notes"]
    for arguments in (("model=precomputed",), ("model=colour", "features=trident")):
        refused(on_slides(tmp_path, "cohort.csv", *arguments), "model=precomputed and features=DIR belong together")
    refused(on_slides(tmp_path, "cohort.csv", "model=colour"), "13 of 13 slide files", "nowhere")


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
    assert (tmp_path / "results/previews/slides/224px-0.5mpp-coords.jpg").is_file()
    next((tmp_path / "coords/patches").glob("*.h5")).unlink()
    refused(on_slides(tmp_path, cohort, "model=colour", "coords=coords"), "has no coordinates of the slide")


def test_coordinates_at_another_scale(finished, table, tmp_path):
    """Windows of twice the side on all slides but one, whose file is empty."""
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
            coords = file.create_dataset("coords", data=places)
            coords.attrs["patch_size_level0"] = 2 * says["patch_size_level0"]
    table.to_csv(tmp_path / "cohort.csv", index=False)
    done = on_slides(tmp_path, "cohort.csv", "model=colour", "protocol=linear", "coords=coords")
    assert done.returncode == 0, done.stderr
    notes = rows(tmp_path)["colour", "linear", 0]["notes"]
    assert f"1 slide whose coordinates list no tile left out: {slides[-1].name.removesuffix('_patches.h5')}" in notes
    assert "1 tile of the coordinates left out, over the edge of a slide" in notes
    (scale,) = [note for note in notes if "um/px" in note]
    assert re.fullmatch(r"tiles of 12 slides are (0\.99\d|1)( to 1(\.\d+)?)? um/px where 0\.5 is asked", scale)


def test_tiles_enlarged_beyond_the_slide_say_so(table, tmp_path):
    table.assign(mpp="1.0").to_csv(tmp_path / "cohort.csv", index=False)
    arguments = ("cohort.csv", "model=colour", "protocol=linear")
    done = on_slides(tmp_path, *arguments, "on_corrupt=skip")
    refused(done, "has 1 microns per pixel and tiles of 0.5 are wanted", "upsample=true")
    done = on_slides(tmp_path, *arguments, "tasks.slides.tiling.upsample=true")
    assert done.returncode == 0, done.stderr
    notes = rows(tmp_path)["colour", "linear", 0]["notes"]
    assert "tiles of 13 slides are enlarged from 1 to 0.5 um/px: their detail is made up" in notes


# slide encoders


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A plugin with a tile encoder and a slide encoder, and their checkpoints."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tiny_slide_models.py").write_text(PLUGIN)
    registry.load_plugins([folder / "tiny_slide_models.py"])
    for name, file in (("tiny_tiles", "tiles.pth"), ("tiny_slides", "slides.pth")):
        network = registry.load(name, weights="random").network
        torch.save({k: v * 2 if v.ndim > 1 else v for k, v in network.state_dict().items()}, folder / file)
    return folder


def test_a_slide_encoder_over_its_tile_encoder(tiny, cohort, tmp_path):
    arguments = (
        f"plugins=[{tiny / 'tiny_slide_models.py'}]",
        "model=[tiny_slides,tiny_tiles]",
        f"checkpoints.tiny_slides={tiny / 'slides.pth'}",
        f"checkpoints.tiny_tiles={tiny / 'tiles.pth'}",
        "protocol=[linear,abmil]",
        "protocols.abmil.epochs=2",
    )
    done = on_slides(tmp_path, cohort, *arguments)
    assert done.returncode == 0, done.stderr
    assert "tiny_slides: one vector a slide, so abmil is left out" in done.stderr
    assert set(rows(tmp_path)) == {
        ("tiny_slides", "linear", 0),
        ("tiny_tiles", "linear", 0),
        ("tiny_tiles", "abmil", 0),
    }
    vectors, bags = features(tmp_path, "tiny_slides"), features(tmp_path, "tiny_tiles")
    assert set(vectors) == set(bags)
    encoder = registry.load("tiny_slides", checkpoint=tiny / "slides.pth")
    for slide, path in bags.items():
        got, coords, says = read_bag(path.parent, slide)
        with torch.inference_mode():
            own = encoder(torch.from_numpy(got), torch.from_numpy(coords), float(says["patch_size_level0"]))
        np.testing.assert_allclose(read_features(vectors[slide])[0].astype(np.float32), own, rtol=2e-3, atol=1e-3)
    before = files(tmp_path, "cache/**/*.h5")
    assert on_slides(tmp_path, cohort, *arguments, "results=again").returncode == 0
    assert files(tmp_path, "cache/**/*.h5") == before
    vectors["slidephantom003_1"].unlink()
    assert on_slides(tmp_path, cohort, *arguments, "results=mended").returncode == 0
    assert files(tmp_path, "cache/**/*.h5").keys() == before.keys()
    assert {k: v for k, (_, v) in files(tmp_path, "cache/**/*.h5").items()} == {k: v for k, (_, v) in before.items()}

    alone = [a for a in arguments if "model=" not in a]
    refused(on_slides(tmp_path, cohort, *alone, "model=tiny_slides", "protocol=abmil"), "one vector a slide")
    refused(on_slides(tmp_path, cohort, *alone, "model=colour"), "checkpoints.tiny_slides")


def test_what_is_for_slides_is_refused_on_tiles(tiny, tmp_path):
    for label in "xy":
        for i in range(8):
            path = tmp_path / "data" / label / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng(i).integers(0, 256, (160, 160, 3), np.uint8)).save(path)
    arguments = ("task=tiles", "data=data", "null=none", "bootstrap=50")
    refused(
        bench(tmp_path, *arguments, "model=colour", "protocol=abmil"),
        "protocol=abmil",
        "takes slides as bags of tiles",
        "protocol=linear",
    )
    plugin = f"plugins=[{tiny / 'tiny_slide_models.py'}]"
    done = bench(tmp_path, *arguments, plugin, "model=[tiny_slides,colour]", "weights=random")
    refused(done, "tiny_slides@random is for slides")
    assert json.loads((tmp_path / "results/rows/tiles/colour/linear-0.json").read_text())["status"] == "ok"
    assert "left out: ridge (regression, ordinal), cox (survival), abmil (slides)" in done.stderr


def test_regions(cohort, tmp_path):
    """HIPT on regions; slides that are smaller than one say so."""
    arguments = ("model=hipt", "weights=random", "protocol=[linear,abmil]", "protocols.abmil.epochs=2")
    done = on_slides(tmp_path, cohort, *arguments, "tasks.slides.tiling.size=256", "tasks.slides.tiling.max_tiles=1")
    assert done.returncode == 0, done.stderr
    assert {row["feature_dim"] for row in rows(tmp_path).values()} == {192}
    assert not any("the network sees" in note for row in rows(tmp_path).values() for note in row["notes"])
    done = on_slides(tmp_path, cohort, *arguments, "results=large")
    refused(done, "None of the 13 slides of slides gives a tile (13 smaller than a tile of 4096px-0.5mpp)")


@pytest.mark.slow
def test_chief_over_its_ctranspath(cohort, tmp_path):
    arguments = ("model=chief", "weights=random", "protocol=linear", "tasks.slides.tiling.min_tissue=0.05")
    done = on_slides(tmp_path, cohort, *arguments)
    assert done.returncode == 0, done.stderr
    row = rows(tmp_path)["chief@random", "linear", 0]
    assert row["feature_dim"] == 768
    assert row["params_m"] > 27
    assert (tmp_path / "results/previews/slides/256px-1mpp.jpg").is_file()


# bad input


def write_slide(path, pixels, mpp=0.5):
    resolution = {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": "CENTIMETER"} if mpp else {}
    kind = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 90}, "metadata": None}
    tifffile.imwrite(path, pixels, tile=(256, 256), **kind, **resolution)
    return str(path)


def with_slide(table, slide, folder, **cells):
    """The manifest with another slide of its own patient, in training."""
    row = {"slide": str(slide), "label": "normal", "patient": "extra", "split": "train", **cells}
    frame = pd.concat([table[["slide", "label", "patient", "split"]], pd.DataFrame([row])])
    frame.to_csv(folder / "cohort.csv", index=False)
    return folder / "cohort.csv"


@pytest.fixture
def quickly(finished):
    """Arguments of a run that finds the sound slides done."""
    folder, _ = finished
    return ("model=colour", "protocol=linear", f"cache={folder / 'cache'}")


def test_what_is_no_slide_stops_it_or_is_left_out(table, tmp_path, quickly):
    whole = Path(table.slide[1]).read_bytes()
    tissue = np.asarray(openslide.OpenSlide(table.slide[0]).read_region((0, 0), 0, (768, 768)).convert("RGB"))
    wrong = {
        "text.svs": ("no slide that can be read",),
        "truncated.tif": ("truncated.tif",),
        "unsaid.tif": ("does not say its resolution", "column `mpp`"),
    }
    (tmp_path / "text.svs").write_text("not a slide")
    (tmp_path / "truncated.tif").write_bytes(whole[: len(whole) // 2])
    write_slide(tmp_path / "unsaid.tif", tissue, mpp=None)
    for name, parts in wrong.items():
        data = with_slide(table, tmp_path / name, tmp_path)
        refused(on_slides(tmp_path, data, *quickly), name, *parts)
        failed = rows(tmp_path)["colour", "linear", 0]
        assert (failed["status"], name in failed["error"]) == ("failed", True)
    done = on_slides(tmp_path, data, *quickly, "on_corrupt=skip")
    assert done.returncode == 0, done.stderr
    row = rows(tmp_path)["colour", "linear", 0]
    assert row["n_skipped"] == 1
    reason = "The slide unsaid.tif does not say its resolution (microns per pixel)"
    assert f"1 slide that cannot be read left out: unsaid ({reason})" in row["notes"]
    mended = with_slide(table.assign(mpp=""), tmp_path / "unsaid.tif", tmp_path, mpp="0.5")
    frame = pd.read_csv(mended)
    assert "mpp" in frame
    done = on_slides(tmp_path, mended, *quickly)
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path)["colour", "linear", 0]["n_skipped"] == 0


def test_a_corrupt_tile_stops_it_or_is_counted(table, tmp_path, quickly):
    path = tmp_path / "spoiled.tif"
    shutil.copy(table.slide[0], path)
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        columns = -(-page.imagewidth // 256)
        offset, count = page.dataoffsets[columns + 1], page.databytecounts[columns + 1]
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(bytes(count))
    data = with_slide(table, path, tmp_path)
    refused(on_slides(tmp_path, data, *quickly), "spoiled.tif is corrupt at pixel", "of level 0", "on_corrupt=skip")
    done = on_slides(tmp_path, data, *quickly, "on_corrupt=skip")
    assert done.returncode == 0, done.stderr
    row = rows(tmp_path)["colour", "linear", 0]
    assert row["n_skipped"] == 0
    note = next(note for note in row["notes"] if "cannot be read" in note)
    count = int(note.split()[0])
    assert count >= 1
    assert note.endswith("left out, of 1 slide: spoiled")
    bags = features(tmp_path, "colour", quickly[2].removeprefix("cache="))
    assert len(read_features(bags["spoiled"])[0]) == len(read_features(bags["slidephantom000_1"])[0]) - count
    with Image.open(tmp_path / "results/previews/slides/224px-0.5mpp/spoiled.jpg") as picture:
        red, green, blue = np.moveaxis(np.asarray(picture).astype(int), 2, 0)
    marked = (red > 150) & (green < 110) & (blue < 110)
    assert marked[256:512, 256:512].any()  # of the preview, which is not reduced: the hatched place
    assert marked[300:400, 222:227].any()  # and the frame of a tile that touches it
    assert not marked[:200, :200].any()
    refused(
        on_slides(tmp_path, data, *quickly, "protocol=pooled"),
        f"{count} tiles of spoiled could not be read when they were embedded, the first at level-0 pixel (",
    )


def test_slides_of_which_no_tile_can_be_read(table, tmp_path, quickly):
    path = tmp_path / "ruined.tif"
    shutil.copy(table.slide[0], path)
    with tifffile.TiffFile(path) as tiff, open(path, "r+b") as file:
        for offset, count in zip(tiff.pages[0].dataoffsets, tiff.pages[0].databytecounts, strict=True):
            file.seek(offset)
            file.write(bytes(count))
    done = on_slides(tmp_path, with_slide(table, path, tmp_path), *quickly, "on_corrupt=skip")
    assert done.returncode == 0, done.stderr
    row = rows(tmp_path)["colour", "linear", 0]
    assert row["n_skipped"] == 1
    assert any(note.endswith("of 1 slide: ruined") for note in row["notes"])


def test_what_is_not_corrupt_stops_it_whatever_is_skipped(table, tmp_path, quickly):
    shutil.copy(table.slide[0], tmp_path / "masked.tif")
    (tmp_path / "mask.png").write_text("no picture")
    data = with_slide(table, tmp_path / "masked.tif", tmp_path, mask="mask.png")
    refused(on_slides(tmp_path, data, *quickly, "on_corrupt=skip"), "mask.png cannot be read")


def test_a_wrong_setting_is_said_once(cohort, tmp_path):
    done = on_slides(tmp_path, cohort, "model=colour", "protocol=linear", "tasks.slides.tiling.overlap=224")
    refused(done, "overlap")
    assert sum(line.count("overlap") for line in done.stderr.splitlines() if line.startswith("pfmbench:")) == 1


def test_slides_without_tissue(table, tmp_path, quickly):
    glass = np.full((1024, 1024, 3), 244, np.uint8)
    data = with_slide(table, write_slide(tmp_path / "empty.tif", glass), tmp_path)
    done = on_slides(tmp_path, data, *quickly)
    assert done.returncode == 0, done.stderr
    row = rows(tmp_path)["colour", "linear", 0]
    assert row["n_skipped"] == 1
    assert "1 slide without tissue left out: empty" in row["notes"]
    slides = [write_slide(tmp_path / f"glass{i}.tif", glass) for i in range(8)]
    frame = pd.DataFrame({"slide": slides, "label": list("xy") * 4, "split": ["train"] * 4 + ["test"] * 4})
    frame.to_csv(tmp_path / "glass.csv", index=False)
    refused(on_slides(tmp_path, "glass.csv", *quickly), "None of the 8 slides", "8 without tissue")


def test_a_mask_is_taken_instead(table, tmp_path, quickly):
    """The left half of a slide, as a picture."""
    width, height = openslide.OpenSlide(table.slide[0]).dimensions
    half = np.zeros((height // 8, width // 8), np.uint8)
    half[:, : half.shape[1] // 2] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    shutil.copy(table.slide[0], tmp_path / "masked.tif")
    data = with_slide(table, tmp_path / "masked.tif", tmp_path, mask="half.png")
    done = on_slides(tmp_path, data, *quickly)
    assert done.returncode == 0, done.stderr
    _, coords, _ = read_bag(features(tmp_path, "colour", quickly[2].removeprefix("cache="))["masked"].parent, "masked")
    assert (coords[:, 0] + 0.75 * 224 <= width / 2 + 224 / 2).all()
    assert set(coords[:, 0]) == {x for x in range(0, width, 224) if min(x + 224, width / 2) - x >= 0.25 * 224}


def test_manifests_that_contradict_themselves(table, tmp_path):
    both = table.assign(patient="one", split=["train", "test"] * 6 + ["train"])
    both.to_csv(tmp_path / "both.csv", index=False)
    refused(on_slides(tmp_path, "both.csv", "model=colour"), "patient one", "stands in test and train")
    table.assign(id="same").to_csv(tmp_path / "same.csv", index=False)
    refused(on_slides(tmp_path, "same.csv", "model=colour"), "Two slides", "id same")
    table.drop(columns="label").to_csv(tmp_path / "unlabelled.csv", index=False)
    refused(on_slides(tmp_path, "unlabelled.csv", "model=colour"), "no column label")
    refused(on_slides(tmp_path, "nowhere.csv", "model=colour"), "nowhere.csv")


# killed


def kill_and_finish(cohort, folder, model, kills, seed):
    """Kill the command `kills` times at a random moment of the embedding, finish it, and look at what was redone."""
    arguments = ["task=slides", f"data={cohort}", "null=none", "protocol=linear", f"model={model}", "bootstrap=50"]
    arguments += ["batch_size=1", "workers=1"]
    assert bench(folder, *arguments, "cache=plain", "results=plain_results").returncode == 0
    rng = random.Random(seed)
    done_at_kill = {}
    for left in range(kills, 0, -1):
        command = [sys.executable, "-m", "bench", *arguments]
        child = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": str(REPO)}, stderr=subprocess.DEVNULL
        )
        known = len(done_at_kill)
        wanted = known + rng.randint(0, max(0, (SLIDES - 2 - known) // left))
        while child.poll() is None and len(features(folder, model)) <= wanted:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert child.returncode == -signal.SIGKILL
        now = {p: p.stat().st_mtime_ns for p in features(folder, model).values()}
        assert now.items() >= done_at_kill.items()
        done_at_kill = now
    done = bench(folder, *arguments)
    assert done.returncode == 0, done.stderr
    whole = {p: p.stat().st_mtime_ns for p in features(folder, model).values()}
    assert whole.items() >= done_at_kill.items()
    for part in ("features", "grids"):
        plain, killed = (
            {p.relative_to(folder / c): p.read_bytes() for p in (folder / c / part).glob("**/*.h5")}
            for c in ("plain", "cache")
        )
        assert len(plain) == SLIDES
        assert plain == killed
    return len(done_at_kill)


def test_killed_twice_the_files_are_those_of_an_undisturbed_run(cohort, tmp_path):
    assert 1 <= kill_and_finish(cohort, tmp_path, "colour", 2, seed=0) < SLIDES


@pytest.mark.slow
def test_killed_ten_times_the_files_are_those_of_an_undisturbed_run(cohort, tmp_path):
    assert 1 <= kill_and_finish(cohort, tmp_path, "efficientnet_lite0", 10, seed=1) < SLIDES


@pytest.mark.slow
def test_the_built_in_slides(tmp_path):
    done = bench(tmp_path, "task=demo_slides", "model=colour", "null=none", "bootstrap=50")
    assert done.returncode == 0, done.stderr
    assert {p.stem for p in (tmp_path / "results/rows/demo_slides/colour").glob("*.json")} == {
        f"{head}-0-fold{fold}" for head in ("linear", "knn", "abmil") for fold in (1, 2, 3)
    }
    assert "demo_slides: 27 slides (3 test folds), 24 groups" in done.stderr


# real slides


@pytest.mark.slow
def test_real_slides(shared, table, tmp_path):
    """An SVS of JPEG, a TCGA slide of JPEG 2000 without mpp, and a plain TIFF that OpenSlide refuses."""
    real = shared / "data/slides"
    jpeg, j2k, plain = (real / n for n in ("CMU-1-Small-Region.svs", "tcga-cr-7395-01a-01-ts1.svs", "kidney-48-5.tif"))
    frame = pd.DataFrame(
        {
            "slide": [jpeg, j2k, *table.slide[:2]],
            "label": ["real", "real", "phantom", "phantom"],
            "split": ["train", "test"] * 2,
        }
    )
    frame.to_csv(tmp_path / "unsaid.csv", index=False)
    arguments = ("protocol=knn", "protocols.knn.k=[1]", "tasks.slides.min_groups=1")
    done = on_slides(tmp_path, "unsaid.csv", *arguments, "model=efficientnet_lite0")
    refused(done, f"{j2k.name} does not say its resolution", "column `mpp`")
    frame.assign(mpp=["", "0.5", "", ""]).to_csv(tmp_path / "cohort.csv", index=False)
    done = on_slides(tmp_path, "cohort.csv", *arguments, "model=efficientnet_lite0")
    assert done.returncode == 0, done.stderr
    row = rows(tmp_path)["efficientnet_lite0", "knn", 0]
    assert (row["n_train"], row["n_test"], row["n_skipped"]) == (2, 2, 0)
    tiles = {slide: len(read_features(path)[0]) for slide, path in features(tmp_path, "efficientnet_lite0").items()}
    assert 35 <= tiles[jpeg.stem] <= 55  # of 88
    assert 120 <= tiles[j2k.stem] <= 200  # of 221
    for name in tiles:
        assert (tmp_path / f"results/previews/slides/256px-0.5mpp/{name}.jpg").is_file()

    # the third is an overview of a whole section, a biopsy of some 115 px across
    for mpp, parts in (("", ("does not say its resolution",)), ("8", ("kidney-48-5", "8", "coarser"))):
        frame.assign(slide=[plain, *frame.slide[1:]], mpp=[mpp, "0.5", "", ""]).to_csv(tmp_path / "k.csv", index=False)
        refused(on_slides(tmp_path, "k.csv", *arguments, "model=colour"), *parts)
    coarse = ("tasks.slides.tiling.mpp=8", "tasks.slides.tiling.size=32")
    done = on_slides(tmp_path, "k.csv", *arguments, *coarse, "model=colour")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path)["colour", "knn", 0]["n_skipped"] == 0
    assert 2 <= len(read_features(features(tmp_path, "colour")[plain.stem])[0]) <= 16
