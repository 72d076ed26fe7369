"""What files say of themselves: JPEG quality, size, date and scanner, and a sentence where they say nothing."""

import numpy as np
import pytest
from PIL import Image

from bench.audit import file_controls
from bench.audit.file_facts import MAKE, image_facts


@pytest.fixture
def tile():
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), dtype=np.uint8))


@pytest.mark.parametrize("quality", [35, 75, 92])
def test_the_quality_of_a_jpeg_file_is_that_it_was_written_with(tmp_path, tile, quality):
    tile.save(tmp_path / "a.jpg", quality=quality)

    found = image_facts(str(tmp_path / "a.jpg"))

    assert (found.quality, found.area, found.format) == (quality, 24 * 32, "JPEG")
    assert found.size == (tmp_path / "a.jpg").stat().st_size


def test_date_and_scanner_come_from_exif_or_from_the_table(tmp_path, tile):
    exif = Image.Exif()
    exif[MAKE], exif[306] = "Leica", "2019:03:02 00:00:00"
    tile.save(tmp_path / "a.jpg", exif=exif)
    tile.save(tmp_path / "b.jpg")
    paths = [str(tmp_path / name) for name in ("a.jpg", "b.jpg")]

    controls, absent = file_controls(paths, [True, True], False, {})
    of = {control.name: control.values for control in controls}

    assert of["scanner"].tolist() == ["Leica", ""]
    assert np.isnan(of["date"]).tolist() == [False, True]
    assert absent == {}

    controls, _ = file_controls(paths, [True, True], False, {"date": np.array(["2019-03-02", "2019-03-03"])})
    assert np.diff({control.name: control.values for control in controls}["date"]).tolist() == [1.0]


def test_files_without_exif_and_rows_of_larger_files_are_a_sentence_each(tmp_path, tile):
    tile.save(tmp_path / "a.png")

    _, absent = file_controls([str(tmp_path / "a.png")], [True], False, {})
    assert list(absent) == ["JPEG quality", "date", "scanner"]

    controls, absent = file_controls([str(tmp_path / "a.h5")] * 2, [False, False], False, {})
    assert controls == []
    assert all(sentence.endswith(".") for sentence in absent.values())


def test_a_damaged_image_and_a_missing_slide_say_nothing(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no image")

    assert image_facts(str(tmp_path / "a.jpg")).size == 8
    controls, _ = file_controls([str(tmp_path / "none.svs")], [True], True, {})
    assert controls == []
