"""What is wrong with a user's data is said in one sentence that names it and the way out."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from task_helpers import sentence, tile

from bench.tasks.manifest import Manifest


def csv(data: Path, rows: list[dict[str, object]], name: str = "manifest.csv") -> Path:
    pd.DataFrame(rows).to_csv(data / name, index=False)
    return data / name


def rows_of(data: Path, n: int = 12, split: bool = True) -> list[dict[str, object]]:
    """Twelve tiles of six patients and two classes, four patients for training."""
    return [
        {
            "path": str(tile(data / f"t{i}.png", i).relative_to(data)),
            "label": "ab"[i % 2],
            "patient": f"P{i // 2}",
            **({"split": "train" if i < 8 else "test"} if split else {}),
        }
        for i in range(n)
    ]


def test_a_table_becomes_a_manifest(read: Callable[..., Manifest], data: Path):
    rows = rows_of(data)
    rows[0]["centre"] = "north"
    manifest = read("tiles", csv(data, rows))
    frame = manifest.frame
    assert list(frame.columns) == ["id", "path", "index", "label", "group", "split", "centre"]
    assert list(frame["id"]) == [r["path"] for r in rows]
    assert all(os.path.isabs(p) and os.path.isfile(p) for p in frame["path"])
    assert list(frame["group"]) == [r["patient"] for r in rows]
    assert manifest.classes == ("a", "b")
    assert (frame["index"] == -1).all()
    assert frame["centre"][0] == "north"
    assert manifest.notes == ()


def test_the_folder_that_holds_manifest_csv_will_do(read: Callable[..., Manifest], data: Path):
    pd.testing.assert_frame_equal(read("tiles", csv(data, rows_of(data))).frame, read("tiles", data).frame)


def test_labels_that_look_like_numbers_or_nothing_stay_text(read: Callable[..., Manifest], data: Path):
    rows = rows_of(data)
    for i, row in enumerate(rows):
        row["label"] = ["NA", "1"][i % 2]
    assert read("tiles", csv(data, rows)).classes == ("1", "NA")


def test_tabs_and_a_byte_order_mark(read: Callable[..., Manifest], data: Path):
    pd.DataFrame(rows_of(data)).to_csv(data / "m.tsv", index=False, sep="\t", encoding="utf-8-sig")
    assert len(read("tiles", data / "m.tsv")) == 12


def test_a_missing_column_is_named_with_those_present(read: Callable[..., Manifest], data: Path):
    rows = [{"file" if k == "path" else k: v for k, v in r.items()} for r in rows_of(data)]
    message = sentence(read, "tiles", csv(data, rows))
    assert "no column path" in message
    assert "file, label, patient, split" in message
    assert "tasks.tiles.options.columns.path=NAME" in message
    assert len(read("tiles", data / "manifest.csv", "tasks.tiles.options.columns.path=file")) == 12


@pytest.mark.parametrize("column", ["path", "label", "patient"])
def test_an_empty_cell_is_placed(read: Callable[..., Manifest], data: Path, column: str):
    rows = rows_of(data)
    rows[4][column] = " "
    message = sentence(read, "tiles", csv(data, rows))
    assert "1 tiles with an empty" in message
    assert "row 5" in message


def test_a_duplicate_id_is_named(read: Callable[..., Manifest], data: Path):
    rows = [{**r, "id": f"tile{i // 2 * 2}" if i < 4 else f"tile{i}"} for i, r in enumerate(rows_of(data))]
    assert "ids that occur more than once: tile0, tile2" in sentence(read, "tiles", csv(data, rows))


def test_one_tile_under_two_ids_is_named(read: Callable[..., Manifest], data: Path):
    rows = [{**r, "id": f"tile{i}"} for i, r in enumerate(rows_of(data))]
    rows[11]["path"] = rows[0]["path"]
    message = sentence(read, "tiles", csv(data, rows))
    assert "more than once" in message
    assert "t0.png" in message


def test_missing_files_are_counted_and_the_first_named(read: Callable[..., Manifest], data: Path):
    rows = rows_of(data)
    for i in (1, 2, 3, 5, 7):
        (data / f"t{i}.png").unlink()
    message = sentence(read, "tiles", csv(data, rows))
    assert "5 of 12 files" in message
    assert all(f"t{i}.png" in message for i in (1, 2, 3))
    assert "and 2 more" in message


def test_a_folder_or_a_broken_link_is_no_file(read: Callable[..., Manifest], data: Path):
    rows = rows_of(data)
    (data / "t3.png").unlink()
    (data / "t3.png").mkdir()
    (data / "t4.png").unlink()
    (data / "t4.png").symlink_to(data / "nowhere.png")
    message = sentence(read, "tiles", csv(data, rows))
    assert "2 of 12 files" in message


def test_a_file_of_another_kind_is_named(read: Callable[..., Manifest], data: Path):
    rows = rows_of(data)
    (data / "scan.czi").touch()
    rows[2]["path"] = "scan.czi"
    message = sentence(read, "tiles", csv(data, rows))
    assert "scan.czi" in message
    assert ".png" in message


def test_one_class_only(read: Callable[..., Manifest], data: Path):
    assert "one class only (a)" in sentence(read, "tiles", csv(data, [{**r, "label": "a"} for r in rows_of(data)]))


def test_a_label_that_is_no_class_of_the_task(read: Callable[..., Manifest], data: Path):
    file = csv(data, rows_of(data))
    message = sentence(read, "tiles", file, "tasks.tiles.classes=[b,c]")
    assert "no class of the task tiles: a" in message


def test_the_task_orders_its_classes(read: Callable[..., Manifest], data: Path):
    assert read("tiles", csv(data, rows_of(data)), "tasks.tiles.classes=[b,a,c]").classes == ("b", "a")


def test_a_patient_on_both_sides_is_named(read: Callable[..., Manifest], data: Path):
    rows = rows_of(data)
    rows[0]["split"] = rows[3]["split"] = "test"
    message = sentence(read, "tiles", csv(data, rows))
    assert "patient P0" in message
    assert "test and train" in message
    assert "1 more" in message


def test_an_unknown_split_name_is_named(read: Callable[..., Manifest], data: Path):
    rows = rows_of(data)
    rows[0]["split"], rows[1]["split"] = "holdout", ""
    message = sentence(read, "tiles", csv(data, rows))
    assert "(empty), holdout" in message
    assert "2 tiles" in message


def test_synonyms_of_split_names(read: Callable[..., Manifest], data: Path):
    names = ["Training", "validation", "Valid", "TEST"]
    rows = [{**r, "split": names[min(i // 4, 3)]} for i, r in enumerate(rows_of(data, 16))]
    manifest = read("tiles", csv(data, rows))
    assert manifest.frame["split"].value_counts().to_dict() == {"val": 8, "train": 4, "test": 4}


def test_a_split_without_test_tiles(read: Callable[..., Manifest], data: Path):
    message = sentence(read, "tiles", csv(data, [{**r, "split": "train"} for r in rows_of(data)]))
    assert "no test tiles (train 12)" in message


def test_a_missing_split_is_drawn_by_patient_and_validation_only_if_asked(read: Callable[..., Manifest], data: Path):
    file = csv(data, rows_of(data, 40, split=False))
    manifest = read("tiles", file)
    assert set(manifest.frame["split"]) == {"train", "test"}
    assert (manifest.frame.groupby("group")["split"].nunique() == 1).all()
    assert manifest.notes == ("the split was drawn by group, seed 0",)
    with_val = read("tiles", file, "tasks.tiles.split.val=0.25", "tasks.tiles.split.seed=0").frame
    assert (with_val.groupby("group")["split"].nunique() == 1).all()
    assert ((with_val["split"] == "test") == (manifest.frame["split"] == "test")).all()
    assert (with_val["split"] == "val").sum() == 8


def test_validation_is_drawn_beside_named_test_tiles(read: Callable[..., Manifest], data: Path):
    frame = read("tiles", csv(data, rows_of(data)), "tasks.tiles.split.val=0.25").frame
    assert list(frame["split"] == "test") == [i >= 8 for i in range(12)]
    assert (frame["split"] == "val").sum() == 2


def test_without_patients_every_tile_is_its_own_group_and_the_notes_say_so(read: Callable[..., Manifest], data: Path):
    rows = [{k: v for k, v in r.items() if k != "patient"} for r in rows_of(data)]
    manifest = read("tiles", csv(data, rows))
    assert (manifest.frame["group"] == manifest.frame["id"]).all()
    assert "no patient is known: every tile is its own group" in manifest.notes


def rare_rows(data: Path) -> list[dict[str, object]]:
    rows = rows_of(data)
    rows += [
        {"path": tile(data / "r0.png").name, "label": "rare", "patient": "R0", "split": "train"},
        {"path": tile(data / "r1.png").name, "label": "rare", "patient": "R1", "split": "test"},
        {"path": tile(data / "r2.png").name, "label": "lone", "patient": "R2", "split": "test"},
    ]
    return rows


def test_rare_classes_are_named_with_counts_and_the_way_out(read: Callable[..., Manifest], data: Path):
    message = sentence(read, "tiles", csv(data, rare_rows(data)))
    assert "lone: 0 in train, 1 in test; rare: 1 in train, 1 in test" in message
    assert "fewer than 2 groups" in message
    assert "tasks.tiles.rare=drop" in message
    assert "min_groups=1" not in message, "it would not help a class that test has and train has not"
    message = sentence(read, "tiles", csv(data, rare_rows(data)[:-1]))
    assert "(rare: 1 in train, 1 in test)" in message
    assert "tasks.tiles.min_groups=1" in message


def test_rare_classes_are_left_out_on_request(read: Callable[..., Manifest], data: Path):
    file = csv(data, rare_rows(data))
    manifest = read("tiles", file, "tasks.tiles.rare=drop")
    assert manifest.classes == ("a", "b")
    assert len(manifest) == 12
    assert "lone (0 in train, 1 in test), rare (1 in train, 1 in test)" in manifest.notes[-1]
    assert read("tiles", file, "tasks.tiles.rare=drop", "tasks.tiles.min_groups=1").classes == ("a", "b", "rare")


def test_a_class_left_out_does_not_change_the_split_of_the_others(read: Callable[..., Manifest], data: Path):
    def unsplit(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        return [{k: v for k, v in r.items() if k != "split"} for r in rows]

    full = read("tiles", csv(data, unsplit(rare_rows(data))), "tasks.tiles.rare=drop").frame
    plain = read("tiles", csv(data, unsplit(rows_of(data)))).frame
    pd.testing.assert_frame_equal(full, plain)


def test_all_classes_rare(read: Callable[..., Manifest], data: Path):
    assert "fewer than two classes" in sentence(
        read, "tiles", csv(data, rows_of(data, 4, split=False)), "tasks.tiles.rare=drop"
    )


def stored(data: Path, n: int) -> Path:
    with h5py.File(data / "tiles.h5", "w") as file:
        file["images"] = np.zeros((n, 4, 4, 3), np.uint8)
        file["labels"] = np.arange(n)
    return data / "tiles.h5"


def test_tiles_in_an_hdf5_file(read: Callable[..., Manifest], data: Path):
    stored(data, 12)
    rows = [{**r, "path": "tiles.h5", "index": i} for i, r in enumerate(rows_of(data))]
    frame = read("tiles", csv(data, rows)).frame
    assert list(frame["index"]) == list(range(12))
    assert frame["id"][3] == "tiles.h5:3"


def test_a_row_that_the_hdf5_file_lacks(read: Callable[..., Manifest], data: Path):
    stored(data, 5)
    rows = [{**r, "path": "tiles.h5", "index": i} for i, r in enumerate(rows_of(data))]
    message = sentence(read, "tiles", csv(data, rows))
    assert "row 11" in message
    assert "holds 5 tiles" in message


@pytest.mark.parametrize("index", ["", "1.5", "x", "-2"])
def test_an_index_must_be_a_row(read: Callable[..., Manifest], data: Path, index: str):
    stored(data, 12)
    rows = [{**r, "path": "tiles.h5", "index": i} for i, r in enumerate(rows_of(data))]
    rows[5]["index"] = index
    assert "index" in sentence(read, "tiles", csv(data, rows))


def test_a_damaged_hdf5_file(read: Callable[..., Manifest], data: Path):
    (data / "tiles.h5").write_bytes(b"not HDF5")
    rows = [{**r, "path": "tiles.h5", "index": i} for i, r in enumerate(rows_of(data))]
    assert "is no HDF5 file" in sentence(read, "tiles", csv(data, rows))


def test_a_table_that_is_none(read: Callable[..., Manifest], data: Path):
    file = data / "manifest.csv"
    file.write_bytes(bytes(range(128, 256)) * 4)
    assert "cannot be read" in sentence(read, "tiles", file)
    file.write_text("")
    assert "cannot be read" in sentence(read, "tiles", file)
    file.write_text("path,label\n")
    assert "no rows" in sentence(read, "tiles", file)


def test_the_check_of_files_looks_at_each_folder_once(data: Path, monkeypatch: pytest.MonkeyPatch):
    """So that 500,000 tiles on a network disk take a listing a folder, not a question a tile."""
    from bench.tasks import checks

    paths = [str(tile(data / folder / f"{i}.png")) for folder in "ab" for i in range(5)]
    looked, scandir = [], os.scandir

    def counting(folder: str):
        looked.append(folder)
        return scandir(folder)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", counting)
        patched.setattr(os, "stat", None)
        checks.files(pd.DataFrame({"path": paths, "index": -1}), "here")
    assert sorted(looked) == [str(data / "a"), str(data / "b")]


def test_the_public_name_is_the_class():
    from bench import tasks

    assert tasks.Manifest is Manifest
