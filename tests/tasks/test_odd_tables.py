"""Tables that are right but unusual, and small ones: what a reader or a split makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from task_helpers import sentence, tile

from bench.tasks import Manifest
from registry.errors import UserError

Read = Callable[..., Manifest]


def written(data: Path, **columns: object) -> Path:
    rows = {"path": [tile(data / f"{i}.png", i).name for i in range(12)], **columns}
    pd.DataFrame(rows).to_csv(data / "manifest.csv", index=False)
    return data / "manifest.csv"


def test_a_named_column_goes_before_one_that_has_our_name(read: Read, data: Path) -> None:
    file = written(data, label=["?"] * 12, diagnosis=["normal", "tumour"] * 6)
    manifest = read("tiles", file, "++tasks.tiles.options.columns.label=diagnosis")
    assert manifest.classes == ("normal", "tumour")


def test_slides_of_any_reader_have_a_scale_and_a_mask_to_look_up(read: Read, data: Path) -> None:
    manifest = read("tiles", written(data, label=["normal", "tumour"] * 6), "tasks.tiles.unit=slide")
    assert manifest.frame["mpp"].isna().all()
    assert (manifest.frame["mask"] == "").all()


@pytest.mark.parametrize("kind", ["regression", "multilabel"])
def test_one_patient_cannot_be_divided(read: Read, data: Path, kind: str) -> None:
    file = written(data, patient=["P1"] * 12, a=[0, 1] * 6)
    said = sentence(read, "tiles", file, f"tasks.tiles.kind={kind}", "tasks.tiles.targets=[a]")
    assert "has no test samples: its groups are too few for the split" in said


def test_a_damaged_table_of_panda(read: Read, data: Path) -> None:
    (data / "train_images").mkdir()
    (data / "train.csv").write_text('image_id,data_provider\n"never closed,1\n')
    assert "train.csv cannot be read" in sentence(read, "panda", data)


def test_tcga_needs_names_for_its_classes(read: Read, data: Path) -> None:
    with pytest.raises(UserError, match=r"tasks\.tcga_nsclc\.options\.names must give the class"):
        read("tcga_nsclc", data, options={})


@pytest.mark.parametrize(
    ("option", "table"), [("group='^(.)'", True), ("columns.label=diagnosis", False), ("images=pixels", False)]
)
def test_an_option_that_the_data_have_no_use_for_is_refused(read: Read, data: Path, option: str, table: bool) -> None:
    for number, name in enumerate(["normal", "tumour"] * 6):
        tile(data / name / f"{number}.png", number)
    if table:
        written(data, label=["normal", "tumour"] * 6)
    said = sentence(read, "tiles", data, f"++tasks.tiles.options.{option}")
    assert f"tasks.tiles.options.{option.partition('=')[0].partition('.')[0]} is for" in said


def test_a_table_of_another_name_is_read_from_its_folder(read: Read, data: Path) -> None:
    written(data, label=["normal", "tumour"] * 6).rename(data / "mine.csv")
    assert len(read("tiles", data, "tasks.tiles.options.table=mine.csv").frame) == 12
