"""From id to label to feature and back: what the command predicts of each sample is what a plain loop predicts of it.

Every sample is recognisable by its pixels and its label is drawn at random, so that a feature, label or group of
another sample shows in the predictions.
"""

from urllib.parse import unquote

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from command_helpers import bench, row
from PIL import Image
from plain_loop import USUAL, expected, means, predicted
from slide_command_helpers import features

from bench.slides import read_bag

TILES, SHARD = 41, 7  # the shards are 0-6, 7-13, ..., 35-40
ONE_SIZE, SIZES = ((16, 16),), ((16, 16), (12, 20), (20, 12))


def tile(rng, height, width):
    """Four quarters of a colour each, with some noise."""
    quarters = rng.integers(10, 246, (2, 2, 3)).repeat(-(-height // 2), 0).repeat(-(-width // 2), 1)[:height, :width]
    return np.clip(quarters + rng.integers(-9, 10, (height, width, 3)), 0, 255).astype(np.uint8)


def table(rng, n, unit, classes):
    """Ids that do not sort as they stand, labels and patients dealt at random, a side for each patient."""
    patient = rng.permutation(np.arange(n) // 2)
    side = np.resize(["train", "test", "train", "test", "val"], -(-n // 2))
    return pd.DataFrame(
        {
            "id": [f"{unit} {name}" for name in rng.permutation(n)],
            "label": rng.permutation(np.resize(list(classes), n)),
            "patient": [f"P{number}" for number in patient],
            "split": side[patient],
        }
    )


def write_files(folder, frame, tiles):
    names = [f"{i}.png" for i in np.random.default_rng(1).permutation(len(tiles))]
    for name, pixels in zip(names, tiles, strict=True):
        Image.fromarray(pixels).save(folder / name)
    return frame.assign(path=names)


def write_hdf5(folder, frame, tiles):
    """Two files, whose rows are in another order than the manifest and of which some belong to no sample."""
    rng = np.random.default_rng(1)
    places = rng.permutation(len(tiles) + 9)[: len(tiles)]
    half = (len(tiles) + 9) // 2 + 1
    path, index = np.where(places < half, "one.h5", "two.h5"), places % half
    for name in ("one.h5", "two.h5"):
        stored = rng.integers(0, 256, (half, 16, 16, 3), dtype=np.uint8)
        for i in np.flatnonzero(path == name):
            stored[index[i]] = tiles[i]
        with h5py.File(folder / name, "w") as file:
            file.create_dataset("x", data=stored, chunks=(1, 16, 16, 3), compression="gzip")
    return frame.assign(path=path, index=index)


def spoil(folder, sample):
    """Make one tile unreadable."""
    if "index" not in sample:
        (folder / sample.path).write_bytes(b"no picture")
        return
    with h5py.File(folder / sample.path) as file:
        chunk = file["x"].id.get_chunk_info_by_coord((sample["index"], 0, 0, 0))
    with open(folder / sample.path, "r+b") as raw:
        raw.seek(chunk.byte_offset)
        raw.write(b"\xff" * chunk.size)


def cohort(folder, write, sizes=ONE_SIZE, spoiled=()):
    """The manifest, and the features of a plain loop over it by id."""
    rng = np.random.default_rng(0)
    frame = table(rng, TILES, "tile", "abc")
    tiles = [tile(rng, *sizes[rng.integers(len(sizes))]) for _ in range(TILES)]
    frame = write(folder, frame, tiles)
    for place in spoiled:
        spoil(folder, frame.iloc[place])
    vectors = {}
    for place, sample in frame.iterrows():
        if place in spoiled:
            continue
        if "index" in sample:
            with h5py.File(folder / sample.path) as file:
                pixels = file["x"][sample["index"]]
        else:
            pixels = np.asarray(Image.open(folder / sample.path).convert("RGB"))
        np.testing.assert_array_equal(pixels, tiles[place])
        vectors[sample.id] = means(pixels)
    return frame, vectors


def run(folder, frame, *arguments):
    frame.to_csv(folder / "manifest.csv", index=False)
    done = bench(
        folder,
        "task=tiles",
        "data=manifest.csv",
        "model=means",
        *USUAL,
        "tasks.tiles.min_groups=1",
        f"shard_tiles={SHARD}",
        "batch_size=3",
        *arguments,
    )
    assert done.returncode == 0, done.stderr


def compare(folder, one, frame, vectors, tested):
    assert one["status"] == "ok", one["error"]
    assert predicted(folder, one) == expected(
        vectors, frame.set_index("id").label, frame.set_index("id").patient, tested
    )
    assert one["n_skipped"] == len(frame) - len(vectors)
    assert one["n_test"] == len(vectors.keys() & set(tested))


CASES = {
    "files": (write_files, ONE_SIZE, ()),
    "files, the first of a shard unreadable": (write_files, ONE_SIZE, (14,)),
    "files of mixed sizes": (write_files, SIZES, ()),
    "files of mixed sizes, one within a shard unreadable": (write_files, SIZES, (17,)),
    "files of mixed sizes, a shard unreadable": (write_files, SIZES, (*range(7, 14), 30)),
    "HDF5": (write_hdf5, ONE_SIZE, ()),
    "HDF5, the last of a shard unreadable": (write_hdf5, ONE_SIZE, (20,)),
    "HDF5, the first and the last of all unreadable": (write_hdf5, ONE_SIZE, (0, TILES - 1)),
}


@pytest.mark.parametrize(("write", "sizes", "spoiled"), CASES.values(), ids=CASES)
def test_tiles_in_several_shards(tmp_path, write, sizes, spoiled):
    frame, vectors = cohort(tmp_path, write, sizes, spoiled)
    run(tmp_path, frame, "on_corrupt=skip")
    tested = frame.id[frame.split == "test"].tolist()
    compare(tmp_path, row(tmp_path, task="tiles", model="means", protocol="knn"), frame, vectors, tested)


@pytest.mark.parametrize("named", [True, False], ids=["folds of the table", "drawn folds"])
def test_folds_of_patients(tmp_path, named):
    frame, vectors = cohort(tmp_path, write_files, SIZES, (3, 16, 40))
    number = frame.patient.str[1:].astype(int)
    frame["fold"] = number.map(lambda patient: "xyz"[patient % 3])
    if named:
        run(tmp_path, frame.drop(columns="split"), "on_corrupt=skip")
    else:
        run(tmp_path, frame.drop(columns=["split", "fold"]), "on_corrupt=skip", "tasks.tiles.split.folds=3")
    rows = [row(tmp_path, task="tiles", model="means", protocol="knn", fold=fold) for fold in (1, 2, 3)]
    tested = [set(predicted(tmp_path, one)) for one in rows]
    if named:
        assert tested == [set(frame.id[frame.fold == fold]) & vectors.keys() for fold in "xyz"]
    assert sorted(name for fold in tested for name in fold) == sorted(vectors), "each sample is tested once"
    patient = frame.set_index("id").patient
    assert sum(len({patient[name] for name in fold}) for fold in tested) == patient[list(vectors)].nunique()
    for one, fold in zip(rows, tested, strict=True):
        compare(tmp_path, one, frame, vectors, fold)


@pytest.mark.slow
def test_the_order_of_the_manifest_changes_no_prediction(tmp_path):
    frame, vectors = cohort(tmp_path, write_hdf5, spoiled=(5,))
    drawn = ("on_corrupt=skip", "tasks.tiles.split.val=0.2")
    found = []
    for order in (range(TILES), reversed(range(TILES)), np.random.default_rng(2).permutation(TILES)):
        run(tmp_path, frame.drop(columns="split").iloc[list(order)], *drawn)
        found.append(predicted(tmp_path, row(tmp_path, task="tiles", model="means", protocol="knn")))
    assert found[0] == found[1] == found[2]
    compare(tmp_path, row(tmp_path, task="tiles", model="means", protocol="knn"), frame, vectors, list(found[0]))


# slides

SIDE = 64
SLIDES = 12


def write_slides(folder, left_out, holed):
    """Slides of several sizes whose every tile has its own colours; gives the manifest and each slide's tiles by id.

    Parameters
    ----------
    left_out : dict of int -> {"truncated", "no tissue", "no tile"}
        Why the slides at these places of the manifest are left out.
    holed : dict of int -> int
        The number of a tile that cannot be read, by the slide's place.
    """
    rng = np.random.default_rng(26)  # with it both sides have both classes, whatever is left out below
    frame = table(rng, SLIDES, "slide", "ab").assign(slide=[f"{i}.tif" for i in rng.permutation(SLIDES)])
    frame["id"] = frame.id.str.replace("slide ", "slide/#")  # an id need not be the name of a file
    frame["mask"] = [f"{name}.png" for name in frame.slide]
    bags = {}
    for place, slide in frame.iterrows():
        high, wide = rng.integers(2, 5, 2)
        tiles = {(x * SIDE, y * SIDE): tile(rng, SIDE, SIDE) for y in range(high) for x in range(wide)}
        pixels = np.concatenate(
            [np.concatenate([tiles[x * SIDE, y * SIDE] for x in range(wide)], axis=1) for y in range(high)]
        )
        path, why = folder / slide.slide, left_out.get(place)
        tifffile.imwrite(
            path,
            pixels,
            tile=(SIDE, SIDE),
            photometric="rgb",
            compression="deflate",
            resolution=(20000, 20000),
            resolutionunit="CENTIMETER",
            metadata=None,
        )
        tissue = np.full(pixels.shape[:2], 0 if why == "no tissue" else 255, np.uint8)
        Image.fromarray(tissue).save(folder / slide["mask"])
        if why == "truncated":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        damaged = range(len(tiles)) if why == "no tile" else [holed[place]] if place in holed else []
        with tifffile.TiffFile(path) as tiff:
            places = [(tiff.pages[0].dataoffsets[i], tiff.pages[0].databytecounts[i]) for i in damaged]
        with open(path, "r+b") as raw:
            for offset, count in places:
                raw.seek(offset)
                raw.write(b"\xff" * count)
        if not why:
            bags[slide.id] = {at: pixels for i, (at, pixels) in enumerate(tiles.items()) if i not in damaged}
    return frame, bags


def vectors_of(bags):
    """Of each slide the mean of its tiles, and what `stand_in_models.SlideMeans` gives."""
    tiles = {name: np.stack([means(pixels) for pixels in bag.values()]) for name, bag in bags.items()}
    places = {name: np.array(list(bag)) / 1000 for name, bag in bags.items()}
    plain = {name: of.mean(0) for name, of in tiles.items()}
    encoded = {name: np.append(plain[name], places[name].mean(0)).astype(np.float16).astype(float) for name in bags}
    return plain, encoded


def run_slides(folder, frame, *arguments):
    frame.to_csv(folder / "slides.csv", index=False)
    done = bench(
        folder,
        "task=slides",
        "data=slides.csv",
        *USUAL,
        "model=[means,slide_means]",
        "protocol=[knn,pooled]",
        "protocols.pooled.head=knn",
        "+protocols.pooled.settings.k=[1]",
        "+protocols.pooled.settings.metric=l2",
        "tasks.slides.min_groups=1",
        "tasks.slides.tiling.min_tissue=1",
        "on_corrupt=skip",
        "batch_size=4",
        *arguments,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "left_out",
    [{0: "truncated"}, {5: "no tissue", 6: "truncated"}, {SLIDES - 1: "no tile"}],
    ids=["first", "middle", "last"],
)
def test_slides_of_which_some_are_left_out(tmp_path, left_out):
    frame, bags = write_slides(tmp_path, left_out, {3: 0, 8: 3})
    run_slides(tmp_path, frame)
    plain, encoded = vectors_of(bags)
    for model, vectors in (("means", plain), ("slide_means", encoded)):
        stored = {unquote(stem): read_bag(path.parent, stem) for stem, path in features(tmp_path, model).items()}
        filled = {name: bag for name, bag in stored.items() if len(bag[0])}
        assert filled.keys() == bags.keys()
        for name, (found, coords, _) in filled.items():
            np.testing.assert_allclose(found.mean(0, dtype=float), vectors[name], atol=2e-3)
            assert model == "slide_means" or coords.tolist() == [list(place) for place in bags[name]]
    tested = frame.id[frame.split == "test"].tolist()
    compare(tmp_path, row(tmp_path, task="slides", model="means", protocol="knn"), frame, plain, tested)
    compare(tmp_path, row(tmp_path, task="slides", model="means", protocol="pooled"), frame, plain, tested)
    compare(tmp_path, row(tmp_path, task="slides", model="slide_means", protocol="knn"), frame, encoded, tested)


def test_folds_of_slides(tmp_path):
    frame, bags = write_slides(tmp_path, {2: "truncated"}, {5: 3})
    run_slides(tmp_path, frame.drop(columns="split"), "tasks.slides.split.folds=2")
    rows = [row(tmp_path, task="slides", model="means", protocol="knn", fold=fold) for fold in (1, 2)]
    tested = [set(predicted(tmp_path, one)) for one in rows]
    assert sorted(name for fold in tested for name in fold) == sorted(bags), "each slide is tested once"
    plain, encoded = vectors_of(bags)
    for number, fold in enumerate(tested, 1):
        for model, protocol, vectors in (
            ("means", "knn", plain),
            ("means", "pooled", plain),
            ("slide_means", "knn", encoded),
        ):
            one = row(tmp_path, task="slides", model=model, protocol=protocol, fold=number)
            compare(tmp_path, one, frame, vectors, sorted(fold))
