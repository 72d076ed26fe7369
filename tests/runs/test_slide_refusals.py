"""The command on slides, masks and manifests that it cannot use."""

import shutil
from pathlib import Path

import numpy as np
import openslide
import pandas as pd
import pytest
import tifffile
from command_helpers import last_row, refused, row_files
from PIL import Image
from slide_command_helpers import features, on_slides, with_slide, write_slide

from bench.embedding import read_features
from bench.slides import read_bag


@pytest.mark.slow
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
        failed = last_row(tmp_path)
        assert (failed["status"], name in failed["error"]) == ("failed", True)
    assert len(row_files(tmp_path, status="failed")) == len(wrong), "each of other samples"
    done = on_slides(tmp_path, data, *quickly, "on_corrupt=skip")
    assert done.returncode == 0, done.stderr
    row = last_row(tmp_path)
    assert row["n_skipped"] == 1
    reason = "The slide unsaid.tif does not say its resolution (microns per pixel)"
    assert f"1 slide that cannot be read left out: unsaid ({reason})" in row["notes"]
    mended = with_slide(table.assign(mpp=""), tmp_path / "unsaid.tif", tmp_path, mpp="0.5")
    frame = pd.read_csv(mended)
    assert "mpp" in frame
    done = on_slides(tmp_path, mended, *quickly)
    assert done.returncode == 0, done.stderr
    assert last_row(tmp_path)["n_skipped"] == 0


@pytest.mark.slow
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
    row = last_row(tmp_path)
    assert row["n_skipped"] == 0
    note = next(note for note in row["notes"] if "cannot be read" in note)
    count = int(note.split()[0])
    assert count >= 1
    assert note.endswith("left out, of 1 slide: spoiled")
    bags = features(tmp_path, "colour")
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


@pytest.mark.slow
def test_slides_of_which_no_tile_can_be_read(table, tmp_path, quickly):
    path = tmp_path / "ruined.tif"
    shutil.copy(table.slide[0], path)
    with tifffile.TiffFile(path) as tiff, open(path, "r+b") as file:
        for offset, count in zip(tiff.pages[0].dataoffsets, tiff.pages[0].databytecounts, strict=True):
            file.seek(offset)
            file.write(bytes(count))
    done = on_slides(tmp_path, with_slide(table, path, tmp_path), *quickly, "on_corrupt=skip")
    assert done.returncode == 0, done.stderr
    row = last_row(tmp_path)
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


@pytest.mark.slow
def test_slides_without_tissue(table, tmp_path, quickly):
    glass = np.full((1024, 1024, 3), 244, np.uint8)
    data = with_slide(table, write_slide(tmp_path / "empty.tif", glass), tmp_path)
    done = on_slides(tmp_path, data, *quickly)
    assert done.returncode == 0, done.stderr
    row = last_row(tmp_path)
    assert row["n_skipped"] == 1
    assert "1 slide without tissue left out: empty" in row["notes"]
    slides = [write_slide(tmp_path / f"glass{i}.tif", glass) for i in range(8)]
    frame = pd.DataFrame({"slide": slides, "label": list("xy") * 4, "split": ["train"] * 4 + ["test"] * 4})
    frame.to_csv(tmp_path / "glass.csv", index=False)
    refused(on_slides(tmp_path, "glass.csv", *quickly), "None of the 8 slides", "8 without tissue")


@pytest.mark.slow
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
    _, coords, _ = read_bag(features(tmp_path, "colour")["masked"].parent, "masked")
    assert (coords[:, 0] + 0.75 * 224 <= width / 2 + 224 / 2).all()
    assert set(coords[:, 0]) == {x for x in range(0, width, 224) if min(x + 224, width / 2) - x >= 0.25 * 224}


def test_manifests_that_contradict_themselves(table, tmp_path):
    both = table.assign(patient="one", split=["train", "test"] * 6 + ["train"])
    both.to_csv(tmp_path / "both.csv", index=False)
    refused(on_slides(tmp_path, "both.csv", "model=colour"), "patient one", "is in test and train")
    table.assign(id="same").to_csv(tmp_path / "same.csv", index=False)
    refused(on_slides(tmp_path, "same.csv", "model=colour"), "Two slides", "id same")
    table.drop(columns="label").to_csv(tmp_path / "unlabelled.csv", index=False)
    refused(on_slides(tmp_path, "unlabelled.csv", "model=colour"), "no column label")
    refused(on_slides(tmp_path, "nowhere.csv", "model=colour"), "nowhere.csv")
