"""Trees of files and what is common to all storage formats."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from task_helpers import sentence, tile

from bench.tasks import Manifest


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "valid", "testing"), ("train", None, "test")])
def test_a_tree_with_split_folders(read: Callable[..., Manifest], data: Path, names: tuple[str | None, ...]):
    for side in filter(None, names):
        for label in "xy":
            for i in range(3):
                tile(data / side / label / f"{i}.png")
    frame = read("tiles", data).frame
    assert frame["split"].value_counts().to_dict() == {
        side: 6 for side, name in zip(("train", "val", "test"), names, strict=True) if name
    }
    assert set(frame["id"]) >= {f"{names[0]}/x/0.png", f"{names[2]}/y/2.png"}
    assert (frame["path"] == f"{data}{os.sep}" + frame["id"]).all()


def test_a_tree_of_classes_gets_a_seeded_split(read: Callable[..., Manifest], data: Path):
    for label in "xy":
        for i in range(20):
            tile(data / label / f"{i}.png")
    first, again = read("tiles", data), read("tiles", data)
    other = read("tiles", data, "tasks.tiles.split.seed=1")
    assert first.classes == ("x", "y")
    assert (first.frame["split"] == again.frame["split"]).all()
    assert (first.frame["split"] != other.frame["split"]).any()
    assert (first.frame["split"] == "test").sum() == 8
    assert "the split was drawn by tile, seed 0" in first.notes


def test_folders_within_a_class_are_patients(read: Callable[..., Manifest], data: Path):
    for label in "xy":
        for patient in range(6):
            for i in range(2):
                tile(data / label / f"{label}{patient}" / f"{i}.png")
    frame = read("tiles", data).frame
    assert set(frame["group"]) == {f"{label}{i}" for label in "xy" for i in range(6)}
    assert (frame.groupby("group")["split"].nunique() == 1).all()


def test_the_patient_is_found_in_the_name(read: Callable[..., Manifest], data: Path):
    for label in "xy":
        for i in range(12):
            tile(data / label / f"TCGA-{label}{i // 3}_{i}.png")
    frame = read("tiles", data, r"tasks.tiles.options.group='^(TCGA-[a-z]\d)'", "tasks.tiles.min_groups=1").frame
    assert frame["group"].nunique() == 8
    without = sentence(read, "tiles", data, "tasks.tiles.options.group='^(P\\d)'")
    assert "x/TCGA-x0_0.png (folders are not searched)" in without
    assert "one group in brackets" in sentence(read, "tiles", data, "tasks.tiles.options.group=TCGA")
    assert "no regular expression" in sentence(read, "tiles", data, "tasks.tiles.options.group='('")


def test_any_tree_by_a_pattern(read: Callable[..., Manifest], data: Path):
    for i in range(12):
        tile(data / f"P{i // 2}" / ("x" if i % 2 else "y") / "tiles" / f"{i}.png")
    tile(data / "overview.png")
    pattern = r"tasks.tiles.options.pattern='(?P<group>P\d+)/(?P<label>.)/tiles/\d+\.png'"
    manifest = read("tiles", data, pattern)
    assert len(manifest) == 12
    assert manifest.frame["group"].nunique() == 6
    assert manifest.notes[0] == "1 images that the task's pattern does not match were left out"
    assert "(?P<label>...)" in sentence(read, "tiles", data, "tasks.tiles.options.pattern='.*'")


def test_all_kinds_of_images_are_read_and_others_passed_over(read: Callable[..., Manifest], data: Path):
    for label in "xy":
        for i, suffix in enumerate((".tif", ".tiff", ".png", ".jpg", ".jpeg", ".webp", ".TIF", ".PNG")):
            tile(data / label / f"{i}{suffix}")
        for other in ("Thumbs.db", ".DS_Store", "._0.png", "labels.csv"):
            (data / label / other).touch()
    tile(data / "preview.png")
    tile(data / "__MACOSX" / "x" / "0.png")
    tile(data / ".cache" / "x" / "0.png")
    manifest = read("tiles", data)
    assert len(manifest) == 16
    assert manifest.classes == ("x", "y")
    assert manifest.notes[0] == "1 images outside the class folders were left out"


def test_split_folders_beside_other_images_are_refused(read: Callable[..., Manifest], data: Path):
    for part in ("train", "test", "unlabelled"):
        for label in "xy":
            tile(data / part / label / "0.png")
    message = sentence(read, "tiles", data)
    assert "unlabelled" in message
    shutil.rmtree(data / "unlabelled")
    (data / "logs").mkdir()
    assert len(read("tiles", data, "tasks.tiles.min_groups=1")) == 4


def test_classes_that_differ_between_the_sides_are_named(read: Callable[..., Manifest], data: Path):
    for part, labels in (("train", ("x", "y", "Tumor")), ("test", ("x", "y", "tumor"))):
        for label in labels:
            for i in range(2):
                tile(data / part / label / f"{i}.png")
    message = sentence(read, "tiles", data)
    assert "Tumor: 2 in train, 0 in test; tumor: 0 in train, 2 in test" in message


@pytest.mark.parametrize("kind", ["none", "absent", "empty", "no images", "file"])
@pytest.mark.parametrize("name", ["tiles", "nct_crc", "pcam", "mhist", "bach", "breakhis"])
def test_data_that_are_not_there(read: Callable[..., Manifest], data: Path, name: str, kind: str):
    place: Path | None = data
    if kind == "none":
        place = None
    elif kind == "absent":
        place = data / "absent"
    elif kind == "no images":
        (data / "x").mkdir()
    elif kind == "file":
        place = data / "archive.zip"
        place.write_bytes(b"PK\x03\x04\xff")
    message = sentence(read, name, place)
    assert name in message or kind == "file"
    if place is None:
        assert "set data=PATH" in message
    else:
        assert str(place) in message
    if name != "tiles":
        assert "to be had at https://" in message or (name == "mhist" and kind == "file")
        assert "expected is" in message or (name == "mhist" and kind == "file")


def test_the_task_s_own_data_go_before_the_run_s(read: Callable[..., Manifest], data: Path):
    for label in "xy":
        for i in range(5):
            tile(data / "own" / label / f"{i}.png")
    assert len(read("tiles", data / "absent", f"tasks.tiles.data={data / 'own'}")) == 10


def test_an_unknown_reader_lists_the_known(read: Callable[..., Manifest], data: Path):
    said = sentence(read, "tiles", data, "tasks.tiles.reader=parquet")
    assert "folder, gdc, panda, patho_rob, pcam, plism, slides, table, tiles" in said
