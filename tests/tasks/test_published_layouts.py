"""Published datasets in the layouts that they are distributed in."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from task_helpers import sentence, tile

from bench.tasks import Manifest

NCT = ("ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "NORM", "STR", "TUM")


def nct(root: Path, train: str = "NCT-CRC-HE-100K") -> None:
    for i, label in enumerate(NCT):
        for j in range(3):
            tile(root / train / label / f"{label}-AAA{j}QEFMRI.tif", i)
        for j in range(2):
            tile(root / "CRC-VAL-HE-7K" / label / f"{label}-TCGA-AAI{j}CEQFN.tif", i)


@pytest.mark.parametrize("place", ["", "nct_crc"])
def test_nct_crc(read: Callable[..., Manifest], data: Path, place: str):
    nct(data / place)
    manifest = read("nct_crc", data)
    assert manifest.classes == NCT
    assert manifest.frame["split"].value_counts().to_dict() == {"train": 27, "test": 18}
    assert (manifest.frame["split"] == "test").equals(manifest.frame["id"].str.contains("-TCGA-"))
    assert "no patient is known: every tile is its own group" in manifest.notes
    assert any("share no patient" in note for note in manifest.notes)


def test_nct_crc_without_colour_normalisation(read: Callable[..., Manifest], data: Path):
    nct(data, "NCT-CRC-HE-100K-NONORM")
    message = sentence(read, "nct_crc", data)
    assert "lacks NCT-CRC-HE-100K of the task nct_crc" in message
    manifest = read("nct_crc", data, "tasks.nct_crc.options.splits.train=NCT-CRC-HE-100K-NONORM")
    assert manifest.frame["id"][0].startswith("NCT-CRC-HE-100K-NONORM/")
    assert len(manifest) == 45


def pcam(root: Path, packed: bool, meta: bool = True, n: int = 8) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for k, side in enumerate(("train", "valid", "test")):
        stem = root / f"camelyonpatch_level_2_split_{side}"
        x = np.random.default_rng(k).integers(0, 256, (n, 96, 96, 3), dtype=np.uint8)
        y = (np.arange(n, dtype=np.uint8) % 2).reshape(n, 1, 1, 1)
        for part, array in (("x", x), ("y", y)):
            file = Path(f"{stem}_{part}.h5")
            with h5py.File(file, "w") as opened:
                opened[part] = array
            if packed:
                with gzip.open(f"{file}.gz", "wb") as handle:
                    handle.write(file.read_bytes())
                file.unlink()
        if meta:
            wsi = [f"camelyon16_{'test' if side == 'test' else 'train'}_{side}_{i // 2:03d}" for i in range(n)]
            pd.DataFrame(
                {
                    "coord_y": 1,
                    "coord_x": 2,
                    "tumor_patch": y.ravel() > 0,
                    "center_tumor_patch": y.ravel() > 0,
                    "wsi": wsi,
                }
            ).to_csv(f"{stem}_meta.csv")


@pytest.mark.parametrize("packed", [False, True])
def test_pcam(read: Callable[..., Manifest], data: Path, tmp_path: Path, packed: bool):
    pcam(data / "pcam", packed)
    manifest = read("pcam", data)
    frame = manifest.frame
    assert manifest.classes == ("normal", "tumour")
    assert frame["split"].value_counts().to_dict() == {"train": 8, "val": 8, "test": 8}
    assert frame["group"].nunique() == 12
    assert list(frame["label"][:4]) == ["normal", "tumour"] * 2
    row = frame[frame["id"] == "val/5"].iloc[0]
    assert row["group"] == "camelyon16_train_valid_002"
    with h5py.File(row["path"]) as file:
        expected = np.random.default_rng(1).integers(0, 256, (8, 96, 96, 3), dtype=np.uint8)[5]
        assert (file["x"][row["index"]] == expected).all()
    assert manifest.notes == ()
    assert packed == str(row["path"]).startswith(str(tmp_path / "cache"))


def test_pcam_is_unpacked_once_and_whole(read: Callable[..., Manifest], data: Path, tmp_path: Path):
    pcam(data, packed=True)
    first = read("pcam", data).frame
    files = sorted(p for p in (tmp_path / "cache").rglob("*") if p.is_file())
    assert [f.suffix for f in files] == [".h5"] * 6
    before = [(f.stat().st_ino, f.stat().st_mtime_ns) for f in files]
    pd.testing.assert_frame_equal(read("pcam", data).frame, first)
    assert [(f.stat().st_ino, f.stat().st_mtime_ns) for f in files] == before
    shutil.rmtree(tmp_path / "cache")
    read("pcam", data)
    assert [f.stat().st_mtime_ns for f in files] == [mtime for _, mtime in before], "features would be computed anew"


def test_pcam_without_the_tables_of_slides(read: Callable[..., Manifest], data: Path):
    pcam(data, packed=False, meta=False)
    manifest = read("pcam", data)
    assert (manifest.frame["group"] == manifest.frame["id"]).all()
    assert any("_meta.csv" in note for note in manifest.notes)
    assert "no patient is known: every tile is its own group" in manifest.notes


def test_pcam_with_a_slide_in_train_and_test(read: Callable[..., Manifest], data: Path):
    pcam(data, packed=False)
    meta = data / "camelyonpatch_level_2_split_test_meta.csv"
    meta.write_text(meta.read_text().replace("camelyon16_test_test_000", "camelyon16_train_train_001"))
    message = sentence(read, "pcam", data)
    assert "camelyon16_train_train_001" in message
    assert "test and train" in message


def test_pcam_with_a_file_missing_or_damaged(read: Callable[..., Manifest], data: Path, tmp_path: Path):
    pcam(data, packed=True)
    file = data / "camelyonpatch_level_2_split_valid_x.h5.gz"
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    message = sentence(read, "pcam", data)
    assert str(file) in message
    assert "download it again" in message
    assert not list((tmp_path / "cache").rglob("*valid_x*"))
    file.unlink()
    assert "lacks camelyonpatch_level_2_split_valid_x.h5[.gz]" in sentence(read, "pcam", data)
    (data / "camelyonpatch_level_2_split_valid_x.h5").write_bytes(b"half a file")
    assert "valid_x.h5 is no HDF5 file" in sentence(read, "pcam", data)


def test_pcam_files_that_do_not_belong_together(read: Callable[..., Manifest], data: Path):
    pcam(data, packed=False)
    pcam(data / "more", packed=False, n=10)
    name = "camelyonpatch_level_2_split_test_y.h5"
    shutil.copy(data / "more" / name, data / name)
    assert "holds 8 tiles" in sentence(read, "pcam", data)
    pcam(data, packed=False)
    name = "camelyonpatch_level_2_split_train_meta.csv"
    shutil.copy(data / "more" / name, data / name)
    assert f"{name} must have a column wsi and 8 rows" in sentence(read, "pcam", data)
    (data / name).write_text("")
    assert f"{name} must have a column wsi and 8 rows" in sentence(read, "pcam", data)


def test_pcam_with_a_full_disk(read: Callable[..., Manifest], data: Path, monkeypatch: pytest.MonkeyPatch):
    import errno

    from bench import files

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    pcam(data, packed=True)
    monkeypatch.setattr(files.os, "fsync", full)
    message = sentence(read, "pcam", data)
    assert "is full" in message
    assert "cache=DIR" in message


def test_mhist(read: Callable[..., Manifest], data: Path):
    rows = [
        {
            "Image Name": tile(data / "MHIST" / "images" / f"MHIST_aa{chr(97 + i)}.png", i).name,
            "Majority Vote Label": ["SSA", "HP"][i % 2],
            "Number of Annotators who Selected SSA (Out of 7)": [6, 1][i % 2],
            "Partition": ["train", "test"][i // 6],
        }
        for i in range(12)
    ]
    pd.DataFrame(rows).to_csv(data / "MHIST" / "annotations.csv", index=False)
    manifest = read("mhist", data)
    assert manifest.classes == ("HP", "SSA")
    assert manifest.frame["split"].value_counts().to_dict() == {"train": 6, "test": 6}
    assert manifest.frame["id"][0] == "MHIST_aaa.png"
    assert manifest.frame["Number of Annotators who Selected SSA (Out of 7)"][0] == "6"
    assert Image.open(manifest.frame["path"][3]).size == (8, 8)
    shutil.rmtree(data / "MHIST" / "images")
    assert "lacks images of the task mhist" in sentence(read, "mhist", data)


@pytest.mark.parametrize("place", ["ICIAR2018_BACH_Challenge/Photos", "", "bach/ICIAR2018_BACH_Challenge/Photos"])
def test_bach(read: Callable[..., Manifest], data: Path, place: str):
    for label, stem in (("Normal", "n"), ("Benign", "b"), ("InSitu", "is"), ("Invasive", "iv")):
        for i in range(10):
            tile(data / place / label / f"{stem}{i + 1:03d}.tif", i)
    (data / place / "microscopy_ground_truth.csv").write_text("n001.tif,Normal\n")
    manifest = read("bach", data)
    assert manifest.classes == ("Normal", "Benign", "InSitu", "Invasive")
    counts = manifest.frame.groupby("label")["split"].value_counts().unstack()
    assert (counts["test"] == 2).all()
    assert (counts["train"] == 8).all()


BREAKHIS = {
    "benign/SOB/adenosis": ["SOB_B_A_14-22549AB", "SOB_B_A_14-22549CD", "SOB_B_A_14-29960CD"],
    "benign/SOB/fibroadenoma": ["SOB_B_F_14-21998CD", "SOB_B_F_14-14134", "SOB_B_F_14-14134E", "SOB_B_F_14-25197"],
    "benign/SOB/phyllodes_tumor": ["SOB_B_PT_14-21998AB", "SOB_B_PT_14-22704"],
    "malignant/SOB/ductal_carcinoma": [f"SOB_M_DC_14-{n}" for n in ("13412", "2985", "2523", "11031", "20629")],
    "malignant/SOB/lobular_carcinoma": ["SOB_M_LC_14-13412", "SOB_M_LC_14-12204", "SOB_M_LC_14-15570C"],
}


def breakhis(root: Path) -> None:
    for place, slides in BREAKHIS.items():
        for slide in slides:
            stem = "-".join(slide.rsplit("_", 1))
            for magnification in ("40", "100", "200", "400"):
                for i in range(2):
                    tile(root / place / slide / f"{magnification}X" / f"{stem}-{magnification}-{i + 1:03d}.png", i)


def test_breakhis(read: Callable[..., Manifest], data: Path):
    breakhis(data / "BreaKHis_v1" / "histology_slides" / "breast")
    manifest = read("breakhis", data)
    frame = manifest.frame
    assert manifest.classes == ("benign", "malignant")
    assert len(frame) == 2 * sum(map(len, BREAKHIS.values()))
    assert frame["path"].str.contains("/40X/").all()
    assert manifest.task.mpp == 0.49
    sections = frame[frame["id"].str.contains("22549|21998|14134|13412")]
    assert set(sections["group"]) == {"14-22549", "14-21998", "14-14134", "14-13412"}
    assert (frame.groupby("group")["split"].nunique() == 1).all()
    assert "benign/SOB/adenosis/SOB_B_A_14-22549AB/40X/SOB_B_A-14-22549AB-40-001.png" in set(frame["id"])


def test_breakhis_by_type_at_another_magnification(read: Callable[..., Manifest], data: Path):
    breakhis(data / "histology_slides" / "breast")
    options = ("tasks.breakhis.options.magnification=200X", "tasks.breakhis.options.target=type")
    assert "phyllodes_tumor" in sentence(read, "breakhis", data, *options)
    manifest = read("breakhis", data, *options, "tasks.breakhis.rare=drop", "tasks.breakhis.min_groups=1")
    assert {"adenosis", "ductal_carcinoma", "fibroadenoma"} <= set(manifest.classes)
    assert manifest.task.mpp == 0.10
    assert manifest.frame["path"].str.contains("/200X/").all()
    shared = manifest.frame[manifest.frame["group"] == "14-13412"]
    assert shared["split"].nunique() == 1


@pytest.mark.slow
def test_demo(read: Callable[..., Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The built-in cohort is made in the cache, by its own package."""
    demo = pytest.importorskip("bench.demo")
    make = demo.make_tiles
    monkeypatch.setattr(demo, "make_tiles", lambda folder: make(folder, patients=12, tiles_per_patient=6))
    manifest = read("demo", None)
    assert manifest.task.synthetic
    assert len(manifest.classes) >= 5
    assert {"train", "test"} <= set(manifest.frame["split"])
    assert manifest.frame["path"].str.startswith(str(tmp_path / "cache")).all()
    assert manifest.frame["centre"].nunique() == 2
    assert manifest.frame["group"].nunique() == 12


# real tiles


def test_pcam_sample(read: Callable[..., Manifest], shared: Path):
    manifest = read("tiles", shared / "data" / "pcam_sample")
    assert manifest.classes == ("0", "1")
    assert manifest.frame["split"].value_counts().to_dict() == {"train": 2000, "test": 1000}
    assert Image.open(manifest.frame["path"][0]).size == (96, 96)


def test_nct_crc_sample(read: Callable[..., Manifest], shared: Path):
    sample = shared / "data" / "nct_crc_sample"
    message = sentence(read, "tiles", sample)
    assert "(BACK: 1 in train, 0 in test; DEB: 1 in train, 0 in test)" in message
    assert "tasks.tiles.rare=drop" in message
    manifest = read("tiles", sample, "tasks.tiles.rare=drop")
    assert manifest.classes == ("ADI", "LYM", "MUC", "MUS", "NORM", "STR", "TUM")
    assert len(manifest) == 178
    counts = manifest.frame.groupby("label")["split"].value_counts().unstack()
    assert (counts["test"] >= 2).all()
    assert abs((manifest.frame["split"] == "test").mean() - 0.2) < 0.02
    assert any("BACK (1 groups), DEB (1 groups)" in note for note in manifest.notes)
