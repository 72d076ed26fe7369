"""PathoROB and PLISM in the layouts that they are published in."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from task_helpers import sentence

from bench.tasks import Manifest, TaskConfig
from bench.tasks.patients import by_patient
from bench.tiles import TileSource
from registry.errors import UserError

CENTRES, CLASSES = ("RUMC", "UMCU"), ("normal", "tumor")


def encoded(seed: int, kind: str = "PNG") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def patho_rob(folder: Path, slides: int = 4, tiles: int = 2) -> None:
    """Two Parquet files, a centre each, as the hub lays them."""
    (folder / "data").mkdir(parents=True)
    for number, centre in enumerate(CENTRES):
        rows = [
            {
                "image": {"bytes": encoded(100 * number + 10 * slide + tile), "path": f"{tile}.png"},
                "subset": "ID" if slide else "OOD",
                "slide_id": f"{centre}_{label}_{slide}",
                "patch_id": str(tile),
                "biological_class": label,
                "medical_center": centre,
            }
            for label in CLASSES
            for slide in range(slides)
            for tile in range(tiles)
        ]
        pq.write_table(pa.Table.from_pylist(rows), folder / "data" / f"train-0000{number}-of-00002.parquet")


@pytest.mark.parametrize("place", ["PathoROB-camelyon", "patho_rob/camelyon", "."])
def test_patho_rob(read: Callable[..., Manifest], data: Path, place: str) -> None:
    patho_rob(data / place)
    manifest = read("patho_rob", data)
    assert len(manifest) == 32
    assert manifest.classes == CLASSES
    assert manifest.acquisition == ["centre"]
    frame = manifest.frame
    assert set(frame["centre"]) == set(CENTRES)
    assert frame["group"].nunique() == 16
    assert (frame["id"] == frame["group"] + "/" + frame["id"].str.split("/").str[1]).all()
    own = frame[frame["id"] == "UMCU_normal_3/1"].iloc[0]
    assert Path(own["path"]).read_bytes() == encoded(100 + 30 + 1)
    assert (own["centre"], own["label"], own["subset"]) == ("UMCU", "normal", "ID")
    assert manifest.task.cohorts == ["CAMELYON16", "CAMELYON"]


def test_patho_rob_is_unpacked_once_and_its_tiles_stay_the_same(read: Callable[..., Manifest], data: Path) -> None:
    patho_rob(data / "PathoROB-tcga")
    first = read("patho_rob", data, "tasks.patho_rob.options.dataset=tcga").frame
    time = os.stat(first["path"][0]).st_ctime_ns
    again = read("patho_rob", data, "tasks.patho_rob.options.dataset=tcga").frame
    assert again["path"].tolist() == first["path"].tolist()
    assert os.stat(first["path"][0]).st_ctime_ns == time
    assert (
        os.stat(first["path"][0]).st_mtime_ns
        == os.stat(data / "PathoROB-tcga/data" / "train-00000-of-00002.parquet").st_mtime_ns
    )


def test_patho_rob_takes_the_tiles_of_the_authors_metadata(read: Callable[..., Manifest], data: Path) -> None:
    folder = data / "PathoROB-tolkach_esca"
    patho_rob(folder)
    rows = [
        {"subset": f"{label}-{centre}", "slide_id": f"{centre}_{label}_{slide}", "patch_id": "1"}
        for centre in CENTRES
        for label in CLASSES
        for slide in range(4)
    ]
    pd.DataFrame(rows).to_csv(folder / "reduced.csv", index=False)
    wanted = ("tasks.patho_rob.options.dataset=tolkach_esca", "tasks.patho_rob.options.metadata=reduced.csv")
    manifest = read("patho_rob", data, *wanted)
    assert len(manifest) == 16
    assert set(manifest.frame["id"].str.split("/").str[1]) == {"1"}
    assert "normal-RUMC" in set(manifest.frame["subset"])
    assert "16 tiles that reduced.csv does not list are left out" in manifest.notes
    assert "cannot be read as a CSV" in sentence(read, "patho_rob", data, *wanted[:1], f"{wanted[1]}x")


def test_patho_rob_that_is_something_else(read: Callable[..., Manifest], data: Path) -> None:
    (data / "x").write_text("")
    assert "lacks *.parquet" in sentence(read, "patho_rob", data)
    with pytest.raises(UserError, match=r"it must be camelyon, tcga, tolkach_esca\..*camelyon"):
        read("patho_rob", data, options={"dataset": "camelyn"})
    pq.write_table(pa.table({"image": [b"x"]}), data / "a.parquet")
    assert "has no column subset: it is not of PathoROB" in sentence(read, "patho_rob", data)
    (data / "a.parquet").write_bytes(b"nothing")
    assert "a.parquet cannot be read" in sentence(read, "patho_rob", data)


def plism(
    folder: Path, stainings: tuple[str, ...] = ("GIVH", "MY"), scanners: tuple[str, ...] = ("AT2", "S60")
) -> None:
    """A slide for each staining and scanner, with 20 tiles in the order of their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (staining, scanner) in enumerate((a, b) for a in stainings for b in scanners):
        with h5py.File(folder / f"{staining}_{scanner}_to_GMH_S60.tif.h5", "w") as opened:
            for x in range(2, 7):
                for y in range(8, 12):
                    opened[f"tile_17_{x}_{y}"] = np.full((6, 6, 3), 10 * x + y + number, np.uint8)


def test_plism(read: Callable[..., Manifest], data: Path) -> None:
    plism(data / "plism")
    manifest = read("plism", data, "tasks.plism.options.tiles=5")
    frame = manifest.frame
    assert len(frame) == 20
    assert manifest.acquisition == ["centre", "staining", "region"]
    assert manifest.classes == ("GIVH", "MY")
    # by x and y as numbers, evenly from the first to the last
    assert list(dict.fromkeys(frame["region"])) == [f"tile_17_{end}" for end in ("2_8", "3_9", "4_10", "5_10", "6_11")]
    assert frame.groupby("region")[["staining", "centre"]].size().eq(4).all()
    assert frame.groupby("region")["split"].nunique().eq(1).all()
    source = TileSource(frame["id"].tolist(), frame["path"].tolist(), frame["index"].tolist())
    place = frame.index[frame["id"] == "MY_AT2/tile_17_3_9"][0]
    tiles = np.zeros((1, 6, 6, 3), np.uint8)
    with source.open() as opened:
        assert not opened.read_into(tiles, range(place, place + 1)).unreadable
    assert (tiles == 10 * 3 + 9 + 2).all()


def test_plism_of_the_authors_subset_and_of_the_scanner(read: Callable[..., Manifest], data: Path) -> None:
    plism(data, ("GIVH",))
    np.save(data / "tiles_subset_3.npy", np.array([19, 0, 6]))
    wanted = ("tasks.plism.options.subset=tiles_subset_3.npy", "tasks.plism.options.label=scanner")
    manifest = read("plism", data, *wanted, "tasks.plism.min_groups=1")
    assert manifest.classes == ("AT2", "S60")
    assert list(dict.fromkeys(manifest.frame["region"])) == ["tile_17_2_8", "tile_17_3_10", "tile_17_6_11"]
    np.save(data / "wrong.npy", np.array([20]))
    assert "places of tiles from 0 to 19" in sentence(read, "plism", data, "tasks.plism.options.subset=wrong.npy")


def test_plism_that_is_something_else(read: Callable[..., Manifest], data: Path) -> None:
    plism(data)
    assert "it must be 2 or more" in sentence(read, "plism", data, "tasks.plism.options.tiles=1")
    assert "it must be staining or scanner" in sentence(read, "plism", data, "tasks.plism.options.label=organ")
    with h5py.File(data / "GIVH_S60_to_GMH_S60.tif.h5", "a") as opened:
        opened["tile_17_9_9"] = np.zeros((6, 6, 3), np.uint8)
    assert "does not hold the tiles of the others" in sentence(read, "plism", data)
    (data / "GIVH_AT2_to_GMH_S60.tif.h5").write_bytes(b"nothing")
    assert "is no HDF5 file, or is damaged" in sentence(read, "plism", data)


def test_a_patient_of_several_centres_is_of_none() -> None:
    rows = [("s1", "p1", "x"), ("s2", "p1", "y"), ("s3", "p2", "x"), ("s4", "p2", "x")]
    slides = pd.DataFrame(rows, columns=["id", "group", "centre"]).assign(label="a")
    found = by_patient(slides, TaskConfig(name="t", targets=["label"]), "here")
    assert dict(zip(found["id"], found["centre"], strict=True)) == {"p1": "", "p2": "x"}


def test_a_table_names_its_centre(read: Callable[..., Manifest], data: Path) -> None:
    rows = []
    for i in range(40):
        (data / f"{i}.png").write_bytes(encoded(i))
        rows.append({"path": f"{i}.png", "label": "ab"[i % 2], "group": i // 2, "site": " x" if i < 20 else "y"})
    pd.DataFrame(rows).to_csv(data / "manifest.csv", index=False)
    assert read("tiles", data).acquisition == []
    manifest = read("tiles", data, "tasks.tiles.options.columns.centre=site")
    assert manifest.acquisition == ["centre"]
    assert set(manifest.frame["centre"]) == {"x", "y"}
    assert manifest.cohort_hash == read("tiles", data).cohort_hash, "the centre is no part of the cohort"
