"""The whole command on slides: from a manifest to rows, and nothing done twice."""

import random
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import openslide
import pandas as pd
import pytest
import torch
from command_helpers import bench, files, killed, refused, row, row_files, rows
from PIL import Image
from slide_command_helpers import SLIDES, features, on_slides

import registry
from bench import tasks
from bench.config import BenchConfig, Null
from bench.data import SlideCohort
from bench.embedding import read_features
from bench.rows import read_predictions
from bench.runs.models import models_of
from bench.slides import read_bag


def test_rows_of_bags_and_of_means(finished):
    folder, done = finished
    found = rows(folder)
    assert len(found) == 2 * 3 * 2
    assert {one["status"] for one in found.values()} == {"ok"}
    assert {one["n_train"] + one["n_val"] + one["n_test"] for one in found.values()} == {SLIDES}
    for one in found.values():
        assert one["n_skipped"] == 0
        assert one["tiles_per_s"] > 0
    saved = {run: read_predictions(folder / "results" / one["predictions"]) for run, one in found.items()}
    for model in ("efficientnet_lite0", "colour"):
        linear, pooled = saved[model, "linear", 0, 0], saved[model, "pooled", 0, 0]
        np.testing.assert_array_equal(linear.ids, pooled.ids)
        np.testing.assert_array_equal(linear.scores, pooled.scores)  # a head for vectors gets the mean of the tiles
        assert (saved[model, "abmil", 0, 0].scores != saved[model, "abmil", 1, 0].scores).any()
    assert "slides: 13 slides (test 5, train 4, val 4), 12 groups" in done.stderr


def test_attention_is_saved_and_drawn(finished):
    folder, _ = finished
    one = row(folder, model="efficientnet_lite0", protocol="abmil", seed=1)
    bags = features(folder, "efficientnet_lite0")
    attention = Path(one["info"]["attention"])
    assert attention.name.removesuffix(".attention.h5") == Path(one["predictions"]).stem
    with h5py.File(folder / "results" / attention) as file:
        slides = {group.attrs["slide"]: (group["attention"][:], group["coords"][:]) for group in file.values()}
    assert set(slides) == set(read_predictions(folder / "results" / one["predictions"]).ids)
    for slide, (attention, coords) in slides.items():
        assert attention.sum() == pytest.approx(1, abs=1e-5)
        with h5py.File(bags[slide]) as file:
            np.testing.assert_array_equal(coords, file["coords"][:])
    drawn = (folder / "results/previews/slides/256px-0.5mpp/attention").rglob("*.jpg")
    own = [p for p in drawn if p.parent.parts[-2:] == Path(one["predictions"]).with_suffix("").parts[-2:]]
    assert sorted(p.stem for p in own) == sorted(slides)


def test_previews_and_contact_sheets(finished):
    folder, _ = finished
    previews = folder / "results/previews/slides"
    for spec in ("256px-0.5mpp", "224px-0.5mpp"):
        assert len(list((previews / spec).glob("*.jpg"))) == SLIDES
        with Image.open(next(previews.glob(f"{spec}-*.jpg"))) as sheet:
            assert sheet.width == 5 * 320


@pytest.mark.slow
def test_the_contact_sheet_shows_the_cohort_of_the_run(finished, table, tmp_path):
    folder, _ = finished

    def sheet(frame):
        frame.to_csv(tmp_path / "cohort.csv", index=False)
        arguments = ("model=colour", "protocol=linear", f"cache={folder / 'cache'}")
        done = on_slides(tmp_path, "cohort.csv", *arguments)
        assert done.returncode == 0, done.stderr
        return {p.name: p.read_bytes() for p in (tmp_path / "results/previews/slides").glob("224px-0.5mpp-*.jpg")}

    other = table.assign(label=table.label.map({"normal": "tumour", "tumour": "normal"}))
    found = [sheet(table), sheet(other), sheet(table[~table.patient.duplicated()]), sheet(table)]
    assert [len(sheets) for sheets in found] == [1, 2, 3, 3], "a sheet a cohort"
    assert found[3] == found[2] == {**found[1], **found[2]} == {**found[0], **found[2]}
    assert len(set(found[3].values())) == 3


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
    path = table[table.mpp == 0.5].iloc[0].slide
    bag, coords, _ = read_bag(features(folder, "efficientnet_lite0")[Path(path).stem].parent, Path(path).stem)
    with openslide.OpenSlide(path) as slide, torch.inference_mode():
        for feature, (x, y) in list(zip(bag, coords, strict=True))[::3]:
            pixels = np.asarray(slide.read_region((int(x), int(y)), 0, (256, 256)).convert("RGB"))
            own = network(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None])[0].numpy()
            np.testing.assert_allclose(feature.astype(np.float32), own, rtol=2e-3, atol=2e-3)


def test_models_that_want_the_same_tiles_share_a_pass(cohort, tmp_path):
    named = ["uni", "virchow2", "prov_gigapath", "gigapath_slide", "hipt", "chief", "chief_ctranspath"]
    entries = models_of(BenchConfig(model=named, null=Null.none), "cpu")
    manifest = tasks.read(composed_slides(), cohort, tmp_path)
    plans = SlideCohort(manifest, tmp_path, tmp_path, "error").plans(entries)
    shared = [{model.name for model in plan.models} for plan in plans]
    at_half_a_micron = {"uni", "prov_gigapath", "gigapath_slide"}  # tiles of 256 px, the slide encoder's by its card
    assert sorted(map(sorted, shared)) == sorted(
        map(sorted, [at_half_a_micron, {"virchow2"}, {"hipt"}, {"chief", "chief_ctranspath"}])
    )
    assert len({str(plan.pictures) for plan in plans}) == len(plans)


def composed_slides():
    return tasks.configured({"name": "slides", "reader": "slides", "unit": "slide"})


# killed


def kill_and_finish(cohort, folder, model, kills, seed):
    """Kill the command `kills` times at a random moment of the embedding, finish it, and look at what was redone."""
    arguments = ["task=slides", f"data={cohort}", "null=none", "protocol=linear", f"model={model}", "bootstrap=50"]
    arguments += ["batch_size=1", "workers=1"]
    assert bench(folder, *arguments, "cache=plain", "results=plain_results").returncode == 0
    rng = random.Random(seed)
    done_at_kill = {}
    for left in range(kills, 0, -1):
        known = len(done_at_kill)
        wanted = known + rng.randint(0, max(0, (SLIDES - 5 - known) // left))

        def embedded(child, wanted=wanted):
            while child.poll() is None and len(features(folder, model)) <= wanted:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.02))

        assert killed(folder, arguments, embedded, most=wanted + 2) == -signal.SIGKILL
        now = {p: p.stat().st_mtime_ns for p in features(folder, model).values()}
        assert now.items() >= done_at_kill.items()
        done_at_kill = now
    done = bench(folder, *arguments)
    assert done.returncode == 0, done.stderr
    whole = {p: p.stat().st_mtime_ns for p in features(folder, model).values()}
    assert whole.items() >= done_at_kill.items()
    for part in ("features", "grids"):
        plain, resumed = (
            {p.relative_to(folder / c): p.read_bytes() for p in (folder / c / part).glob("**/*.h5")}
            for c in ("plain", "cache")
        )
        assert len(plain) == SLIDES
        assert plain == resumed
    return len(done_at_kill)


@pytest.mark.slow
def test_killed_twice_the_files_are_those_of_an_undisturbed_run(cohort, tmp_path):
    assert 1 <= kill_and_finish(cohort, tmp_path, "colour", 2, seed=0) < SLIDES


@pytest.mark.slow
def test_killed_five_times_the_files_are_those_of_an_undisturbed_run(cohort, tmp_path):
    assert 1 <= kill_and_finish(cohort, tmp_path, "efficientnet_lite0", 5, seed=1) < SLIDES


@pytest.mark.slow
def test_the_built_in_slides(tmp_path):
    done = bench(tmp_path, "task=demo_slides", "model=colour", "null=none", "bootstrap=50")
    assert done.returncode == 0, done.stderr
    heads = ("linear", "knn", "abmil")
    assert set(rows(tmp_path, task="demo_slides")) == {("colour", h, 0, fold) for h in heads for fold in (1, 2, 3)}
    assert "demo_slides: 45 slides (3 test folds), 40 groups" in done.stderr


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
    one = row(tmp_path, model="efficientnet_lite0", protocol="knn")
    assert (one["status"], one["n_train"], one["n_test"], one["n_skipped"]) == ("ok", 2, 2, 0)
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
    [one] = row_files(tmp_path, model="colour", status="ok").values()
    assert one["n_skipped"] == 0
    assert 2 <= len(read_features(features(tmp_path, "colour")[plain.stem])[0]) <= 16
