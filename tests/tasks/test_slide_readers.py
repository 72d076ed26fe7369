"""Slide tasks from small folders in the published layouts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from task_helpers import sentence

from bench.tasks import Manifest

Read = Callable[..., Manifest]


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


# CAMELYON16


@pytest.mark.parametrize("heading", ["", "NAME,LABEL,TYPE\n"])
@pytest.mark.parametrize("flat", [False, True])
def test_camelyon16(read: Read, data: Path, heading: str, flat: bool):
    base = data / "CAMELYON16"
    places = ("images",) * 3 if flat else ("training/normal", "training/tumor", "testing/images")
    for kind, place in zip(("normal", "tumor", "test"), places, strict=True):
        touch(*(base / place / f"{kind}_{i:03d}.tif" for i in range(1, 4)))
    touch(base / "masks" / "tumor_001_mask.tif", base / "images" / "test_009.tif")
    (base / "testing").mkdir(exist_ok=True)
    (base / "testing" / "reference.csv").write_text(
        f"{heading}test_001,Tumor,IDC,Macro\ntest_002,Normal,None,None\ntest_003,Tumor\n"
    )
    manifest = read("camelyon16", data, "tasks.camelyon16.min_groups=1")
    frame = manifest.frame.set_index("id")
    assert len(frame) == 9
    assert frame["label"]["normal_002"] == frame["label"]["test_002"] == "normal"
    assert frame["label"]["tumor_001"] == frame["label"]["test_003"] == "tumour"
    assert frame["split"].value_counts().to_dict() == {"train": 6, "test": 3}
    assert frame["path"]["test_001"] == str(base / places[2] / "test_001.tif")
    assert "1 test slides that reference.csv does not name were left out" in manifest.notes
    (base / places[2] / "test_003.tif").unlink()
    assert "1 of the 3 test slides" in sentence(read, "camelyon16", data)


def test_camelyon16_with_headings(read: Read, data: Path):
    """The table on AWS: by file, negative, micro or macro."""
    touch(*(data / "images" / f"{kind}_{i:03d}.tif" for kind in ("normal", "tumor", "test") for i in range(1, 4)))
    (data / "evaluation").mkdir()
    (data / "evaluation" / "reference.csv").write_text(
        "image,class,type,center\ntest_001.tif,macro,IDC,0\ntest_002.tif,negative,,1\ntest_003.tif,Micro,non-IDC,0\n"
    )
    frame = read("camelyon16", data, "tasks.camelyon16.min_groups=1").frame.set_index("id")
    assert frame["label"].filter(like="test").to_dict() == {
        "test_001": "tumour",
        "test_002": "normal",
        "test_003": "tumour",
    }


def test_camelyon16_lacks(read: Read, data: Path):
    touch(data / "training/normal/normal_001.tif")
    assert "lacks reference.csv" in sentence(read, "camelyon16", data)
    (data / "reference.csv").write_text("test_001,perhaps\n")
    assert "does not say Normal or Tumor of test_001" in sentence(read, "camelyon16", data)
    (data / "reference.csv").write_text("test_001,Normal,None,Macro\n")
    assert "does not say Normal or Tumor of test_001" in sentence(read, "camelyon16", data)
    (data / "reference.csv").write_text("NAME,LABEL\n")
    assert "names no test slide" in sentence(read, "camelyon16", data)


# PANDA


def test_panda(read: Read, data: Path):
    rows = [(f"biopsy{i:02d}", ("karolinska", "radboud")[i % 2], i % 6) for i in range(60)]
    touch(*(data / "train_images" / f"{name}.tiff" for name, _, _ in rows))
    lines = "".join(f"{name},{centre},{grade},{grade}+3\n" for name, centre, grade in rows)
    (data / "train.csv").write_text("image_id,data_provider,isup_grade,gleason_score\n" + lines)
    manifest = read("panda", data)
    assert manifest.classes == ("0", "1", "2", "3", "4", "5")
    assert set(manifest.frame["centre"]) == {"karolinska", "radboud"}
    assert manifest.frame["mpp"].isna().all()
    assert any("no patient is known: every slide is its own group" in note for note in manifest.notes)
    (data / "train_images" / "biopsy07.tiff").unlink()
    assert "1 of 60 slides" in sentence(read, "panda", data)
    shutil.move(data / "train_images", data / "away")
    assert len(read("panda", data, "++tasks.panda.options.check_files=false")) == 60
    shutil.move(data / "away", data / "train_images")
    (data / "train.csv").write_text("image_id,isup_grade\nbiopsy00,1\n")
    assert "has no column data_provider" in sentence(read, "panda", data)


# TCGA


def barcode(patient: int, kind: str = "DX1") -> str:
    return f"TCGA-{patient % 3:02d}-{patient:04d}-01Z-00-{kind}.0000-{patient}.svs"


def sheet(data: Path, slides: list[tuple[str, str, str]], by_id: bool = True) -> None:
    """A GDC sample sheet of (file name, project, case), and the slides."""
    lines = ["File ID\tFile Name\tData Category\tData Type\tProject ID\tCase ID\tSample ID\tSample Type"]
    for i, (name, project, case) in enumerate(slides):
        lines.append(f"id{i}\t{name}\tBiospecimen\tSlide Image\t{project}\t{case}, {case}\t{case}-01Z\tPrimary Tumor")
        touch(data / f"id{i}" / name if by_id else data / name)
    (data / "gdc_sample_sheet.2026-01-01.tsv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("by_id", [True, False])
def test_tcga_nsclc(read: Read, data: Path, by_id: bool):
    slides = [(barcode(p), ("TCGA-LUAD", "TCGA-LUSC")[p % 2], f"TCGA-{p % 3:02d}-{p:04d}") for p in range(20)]
    slides += [(barcode(0, "DX2"), "TCGA-LUAD", "TCGA-00-0000")]  # a second slide of a patient
    slides += [(barcode(1, "TS1"), "TCGA-LUSC", "TCGA-01-0001"), (barcode(99), "TCGA-KIRC", "TCGA-00-0099")]
    sheet(data, slides, by_id)
    manifest = read("tcga_nsclc", data)
    frame = manifest.frame
    assert len(frame) == 21
    assert frame["label"].value_counts().to_dict() == {"LUAD": 11, "LUSC": 10}
    assert frame["group"].nunique() == 20
    assert frame.groupby("group")["split"].nunique().max() == 1
    assert set(frame["centre"]) == {"00", "01", "02"}
    assert frame["id"][0] == barcode(0).removesuffix(".svs")
    assert "1 slides of the sample sheet left out: no diagnostic slides" in manifest.notes
    assert "1 slides of the sample sheet left out: of no class of this task, or of two" in manifest.notes


@pytest.mark.parametrize("new", [False, True])
def test_tcga_brca(read: Read, data: Path, new: bool):
    said = {
        **dict.fromkeys(range(10), "Infiltrating duct carcinoma, NOS"),
        **dict.fromkeys(range(10, 20), "Lobular carcinoma, NOS"),
        20: "Mucinous adenocarcinoma",
    }
    cases = {p: f"TCGA-{p % 3:02d}-{p:04d}" for p in range(23)}
    sheet(data, [(barcode(p), "TCGA-BRCA", case) for p, case in cases.items()])
    lines = ["cases.submitter_id\tdiagnoses.primary_diagnosis" if new else "case_submitter_id\tprimary_diagnosis"]
    lines += [f"{cases[p]}\t{diagnosis}" for p, diagnosis in said.items()] * 2  # a row a treatment
    lines += [f"{cases[21]}\t{said[0]}", f"{cases[21]}\t{said[10]}", f"{cases[3]}\t'--"]
    (data / "clinical.tsv").write_text("\n".join(lines) + "\n")
    manifest = read("tcga_brca", data)
    assert manifest.frame["label"].value_counts().to_dict() == {"IDC": 10, "ILC": 10}
    assert "3 slides of the sample sheet left out: of no class of this task, or of two" in manifest.notes


def test_tcga_lacks(read: Read, data: Path):
    sheet(data, [(barcode(0), "TCGA-BRCA", "TCGA-00-0000")])
    assert "lacks clinical.tsv" in sentence(read, "tcga_brca", data)
    (data / "clinical.tsv").write_text("case\tage\nx\t1\n")
    assert "has no columns case_submitter_id and primary_diagnosis" in sentence(read, "tcga_brca", data)
    assert "names no diagnostic slide (-DX, .svs) of TCGA-LUAD, TCGA-LUSC" in sentence(read, "tcga_nsclc", data)
    sheet(data, [(barcode(p), "TCGA-LUAD", f"TCGA-00-{p:04d}") for p in range(3)])
    (data / "id1" / barcode(1)).unlink()
    assert "1 of 3 slides of the sample sheet are not in" in sentence(read, "tcga_nsclc", data)
    assert "one class only" in sentence(read, "tcga_nsclc", data, "++tasks.tcga_nsclc.options.check_files=false")
    (data / "gdc_sample_sheet.2026-01-01.tsv").write_text("a\tb\n1\t2\n")
    assert "has no column File ID" in sentence(read, "tcga_nsclc", data)
