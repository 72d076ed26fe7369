"""What is computed anew when one thing changes, and what is not: features by what made them, rows by all else too.

Each test takes a copy of a finished run, changes one thing, runs again and looks at which files were written.
"""

import contextlib
import copy
import io
import shutil
from functools import cache

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch
import yaml
from command_helpers import REPO, row_files
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from PIL import Image
from plain_loop import USUAL
from stand_in_models import DIM

import bench.runs
import registry
from bench import config as schema
from bench import tasks


@pytest.fixture(scope="module", autouse=True)
def _gpu():
    """A GPU is pretended, as precision is that of the card on a GPU only; the stand-ins round as they are told."""
    schema.register()
    tasks.register()
    load = registry.load

    def on_cpu(*arguments, **settings):
        loaded = load(*arguments, **{**settings, "device": "cpu", "compile": False})
        loaded.network.precision = settings["precision"]
        return loaded

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "load", on_cpu)
        yield


def checkpoint(folder, name, seed=0):
    """Random factors of a stand-in."""
    width = DIM if name == "scaled" else DIM + 2
    torch.save(
        {"factor": torch.rand(width, generator=torch.Generator().manual_seed(seed)) + 0.5}, folder / f"{name}.pth"
    )


@cache
def composed(task):
    """The configuration of the command, composed once."""
    models = ("scaled",) if task == "tiles" else ("scaled", "slide_scaled")
    arguments = [f"task={task}", "data=table.csv", *USUAL, f"model=[{','.join(models)}]", "device=cuda", "memory_gib=1"]
    more = [*(f"++checkpoints.{name}={name}.pth" for name in models), f"tasks.{task}.min_groups=1"]
    with initialize_config_dir(str(REPO / "conf"), version_base="1.3"):
        return compose("bench", overrides=arguments + more)


def run(folder, task, *changes):
    """As the command does with these arguments more."""
    config = copy.deepcopy(composed(task))
    for change in changes:
        name, _, value = change.partition("=")
        OmegaConf.update(config, name, yaml.safe_load(value), force_add=True)
    with contextlib.chdir(folder), contextlib.redirect_stderr(io.StringIO()) as said:
        bench.runs.run(OmegaConf.to_object(config))
    assert f"{task}: " in said.getvalue()


def written(folder):
    """Of each model the files of features, by their names, and all rows, with the times at which they were written."""
    features = {
        (p.parents[1].name, p.stem, p.parent.name): p.stat() for p in (folder / "cache/features").glob("*/*/*.h5")
    }
    rows = {p.relative_to(folder): p.stat() for p in row_files(folder)}
    return tuple({name: (stat.st_mtime_ns, stat.st_ino) for name, stat in part.items()} for part in (features, rows))


def rerun(base, folder, task, change):
    """Change one thing in a copy of a finished run; gives (model, file) of features and model of rows written anew."""
    shutil.copytree(base, folder, dirs_exist_ok=True)
    before, hashes = written(folder), run_hashes(folder)
    arguments = change(folder) if callable(change) else change
    run(folder, task, *([arguments] if isinstance(arguments, str) else arguments or []))
    features, rows = (
        {name for name, stat in now.items() if was.get(name) != stat}
        for was, now in zip(before, written(folder), strict=True)
    )
    for was, now in zip(before, written(folder), strict=True):
        assert was.keys() <= now.keys(), "what was made of other data or with other settings stands"
    anew = {path: row for path, row in row_files(folder).items() if path.relative_to(folder) in rows}
    assert not {row["run_hash"] for row in anew.values()} & hashes
    assert len(anew) == len({row["model"] for row in anew.values()})
    return {(model, unit) for model, unit, _ in features}, {row["model"] for row in anew.values()}


def run_hashes(folder):
    return {row["run_hash"] for row in row_files(folder).values()}


def in_table(edit):
    """A change of the table of samples."""

    def change(folder):
        frame = pd.read_csv(folder / "table.csv", keep_default_na=False)
        edited = edit(frame)
        (frame if edited is None else edited).to_csv(folder / "table.csv", index=False)

    return change


def cell(row, column, value):
    def edit(frame):
        assert frame.loc[row, column] != value
        frame.loc[row, column] = value

    return in_table(edit)


def exchanged(column, one, other):
    def edit(frame):
        assert frame.loc[one, column] != frame.loc[other, column]
        frame.loc[[one, other], column] = frame.loc[[other, one], column].to_numpy()

    return in_table(edit)


# tiles


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    with h5py.File(folder / "tiles.h5", "w") as file:
        file["x"] = pixels
    frame = pd.DataFrame(
        {
            "id": [f"t{i}" for i in range(16)],
            "path": "tiles.h5",
            "index": range(16),
            "label": list("ab" * 8),
            "patient": [f"P{i // 2}" for i in range(16)],
            "split": ["train"] * 8 + ["test"] * 8,
        }
    )
    frame.to_csv(folder / "table.csv", index=False)
    checkpoint(folder, "scaled")
    run(folder, "tiles")
    return folder


def other_pixels(folder):
    with h5py.File(folder / "tiles.h5", "r+") as file:
        file["x"][3] = 255 - file["x"][3]


NEW_FEATURES = {
    "the row of the HDF5 file": cell(3, "index", 17),
    "the rows of two tiles": exchanged("index", 2, 3),
    "the pixels": other_pixels,
    "which tiles there are": in_table(lambda frame: frame.drop(index=5)),
    "the order of the tiles": in_table(lambda frame: frame.iloc[::-1]),
    "the checkpoint": lambda folder: checkpoint(folder, "scaled", seed=1),
    "the precision": "precision=float32",
    "the card's own precision": "options.tile_precision=full",
    "the preprocessing": "preprocess=exact",
    "the compiled kernels": "compile=true",
}
NEW_ROWS = {
    "a label": cell(3, "label", "a"),
    "the name of a class": in_table(lambda frame: frame.assign(label=frame.label.replace("a", "A"))),
    "a patient": cell(3, "patient", "P9"),
    "a side": in_table(lambda frame: frame.assign(split=["train"] * 10 + ["test"] * 6)),
    "the bootstrap": "bootstrap=30",
    "a further metric": "further_metrics=[ece_5bins]",
    "a setting of the head": "protocols.knn.k=[3]",
    "the metric": "tasks.tiles.metric=accuracy",
    "the order of the classes": "tasks.tiles.classes=[b,a]",
    "the scale of the tiles": ("tasks.tiles.mpp=2.0", "tasks.tiles.tile_size=16"),
    "what a reader must know": "tasks.tiles.notes=[scanned twice]",
}
NOTHING = {
    "how it is batched": ("batch_size=3", "workers=1"),
    "what nobody computes with": "tasks.tiles.title=Another",
}


@pytest.mark.parametrize("change", NEW_FEATURES.values(), ids=NEW_FEATURES)
def test_new_features_of_tiles(tiles, tmp_path, change):
    features, rows = rerun(tiles, tmp_path, "tiles", change)
    assert {model for model, _ in features} == rows == {"scaled"}


@pytest.mark.slow
@pytest.mark.parametrize("change", NEW_ROWS.values(), ids=NEW_ROWS)
def test_new_rows_of_the_same_features(tiles, tmp_path, change):
    assert rerun(tiles, tmp_path, "tiles", change) == (set(), {"scaled"})


@pytest.mark.parametrize("change", NOTHING.values(), ids=NOTHING)
def test_nothing_is_computed_anew(tiles, tmp_path, change):
    assert rerun(tiles, tmp_path, "tiles", change) == (set(), set())


# slides

SLIDES = ("s0", "s1", "s2", "s3")


def write_slide(folder, name, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 3, 3), dtype=np.uint8).repeat(64, 0).repeat(64, 1)
    kind = {"photometric": "rgb", "compression": "deflate", "metadata": None}
    resolution = {"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(folder / f"{name}.tif", pixels, tile=(64, 64), **kind, **resolution)


def write_mask(folder, name, wide=192):
    mask = np.zeros((256, 192), np.uint8)
    mask[:, :wide] = 255
    Image.fromarray(mask).save(folder / f"{name}.png")


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    for seed, name in enumerate(SLIDES):
        write_slide(folder, name, seed)
        write_mask(folder, name)
    frame = pd.DataFrame(
        {
            "slide": [f"{name}.tif" for name in SLIDES],
            "label": list("abab"),
            "patient": list("pqrs"),
            "split": ["train", "train", "test", "test"],
            "mpp": 0.5,
            "mask": [f"{name}.png" for name in SLIDES],
        }
    )
    frame.to_csv(folder / "table.csv", index=False)
    for name in ("scaled", "slide_scaled"):
        checkpoint(folder, name)
    run(folder, "slides")
    assert {(model, unit) for model, unit, _ in written(folder)[0]} == every("scaled", "slide_scaled")
    return folder


def every(*models):
    return {(model, slide) for model in models for slide in SLIDES}


def one(*models):
    return {(model, "s1") for model in models}


OF_ONE_SLIDE = {
    "the mask": lambda folder: write_mask(folder, "s1", wide=128),
    "the pixels": lambda folder: write_slide(folder, "s1", seed=9),
    "the mpp": cell(1, "mpp", 0.25),
}
OF_ALL_SLIDES = {
    "the size of a tile": "tasks.slides.tiling.size=48",
    "the mpp of a tile": "tasks.slides.tiling.mpp=1.0",
    "the overlap": "tasks.slides.tiling.overlap=32",
    "the number of tiles": "tasks.slides.tiling.max_tiles=5",
    "the tile encoder's checkpoint": lambda folder: checkpoint(folder, "scaled", seed=1),
    "the tile encoder's precision": "options.tile_precision=full",
}
OF_VECTORS = {
    "the slide encoder's checkpoint": lambda folder: checkpoint(folder, "slide_scaled", seed=1),
    "the slide encoder's precision": "options.slide_precision=full",
}
OF_NOTHING = {
    "the labels": in_table(lambda frame: frame.assign(label=list("abba"))),
    "the bootstrap": "bootstrap=30",
}


@pytest.mark.parametrize("change", OF_ONE_SLIDE.values(), ids=OF_ONE_SLIDE)
def test_new_features_and_a_new_vector_of_one_slide(slides, tmp_path, change):
    both = ("scaled", "slide_scaled")
    assert rerun(slides, tmp_path, "slides", change) == (one(*both), set(both))


@pytest.mark.parametrize("change", OF_ALL_SLIDES.values(), ids=OF_ALL_SLIDES)
def test_new_features_and_new_vectors_of_all_slides(slides, tmp_path, change):
    both = ("scaled", "slide_scaled")
    assert rerun(slides, tmp_path, "slides", change) == (every(*both), set(both))


@pytest.mark.parametrize("change", OF_VECTORS.values(), ids=OF_VECTORS)
def test_new_vectors_of_the_same_features(slides, tmp_path, change):
    assert rerun(slides, tmp_path, "slides", change) == (every("slide_scaled"), {"slide_scaled"})


@pytest.mark.slow
@pytest.mark.parametrize("change", OF_NOTHING.values(), ids=OF_NOTHING)
def test_new_rows_of_the_same_slides(slides, tmp_path, change):
    assert rerun(slides, tmp_path, "slides", change) == (set(), {"scaled", "slide_scaled"})


@pytest.mark.slow
def test_what_is_computed_anew_is_what_a_run_from_nothing_computes(slides, tmp_path):
    """Some changes one after the other, against the last of them alone."""
    shutil.copytree(slides, tmp_path, dirs_exist_ok=True)
    for change in (OF_ONE_SLIDE["the mask"], OF_ONE_SLIDE["the pixels"], OF_VECTORS["the slide encoder's checkpoint"]):
        change(tmp_path)
        run(tmp_path, "slides")
    run(tmp_path, "slides", "cache=new/cache", "results=new/results")
    fresh = {
        p.relative_to(tmp_path / "new"): p.read_bytes() for p in (tmp_path / "new/cache/features").glob("*/*/*.h5")
    }
    assert len(fresh) == 2 * len(SLIDES)
    assert {name: (tmp_path / name).read_bytes() for name in fresh} == fresh
    saved = list((tmp_path / "new/results/predictions").rglob("*.parquet"))
    assert len(saved) == 2
    for path in saved:
        assert (tmp_path / path.relative_to(tmp_path / "new")).read_bytes() == path.read_bytes()
