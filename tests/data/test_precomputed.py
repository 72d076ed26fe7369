"""Features that a user has, taken into the store: what is said of a folder or files that are no good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from bench.data.precomputed import PrecomputedPlan, content, take_in
from bench.embedding import EmbeddingJob, EmbeddingSettings, FeatureKey, read_features
from registry.errors import UserError

SLIDES = [f"case-{number}" for number in range(14)]


def no_network() -> None:
    raise AssertionError("features that are given need no network")


@pytest.fixture
def job(tmp_path) -> EmbeddingJob[Any]:
    key = FeatureKey(
        model="precomputed", card="", weights="", options="{}", frontend="", preprocess="", precision="", source="s"
    )
    return EmbeddingJob(key, tmp_path / "store", no_network)


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "trident"
    made.mkdir()
    for number, slide in enumerate(SLIDES):
        with h5py.File(made / f"{slide}.h5", "w") as file:
            file["features"] = np.full((3, 4), number, np.float32)
            file["coords"] = np.arange(6).reshape(3, 2)
    return made


def test_taken_as_they_are(folder, job) -> None:
    taken = take_in(folder, SLIDES, job, on_corrupt="error")
    assert taken.error is None
    assert [float(np.max(read_features(file)[0])) for file in taken.files] == list(range(14))


def test_a_part_reads_and_copies_its_slides_only(folder, job) -> None:
    plan, how = PrecomputedPlan([None], folder, SLIDES, "error"), EmbeddingSettings(1, 1)
    for slide in SLIDES[1::2]:
        (folder / f"{slide}.h5").rename(folder / f"{slide}.later")
    first = plan.run([job], how, label="", part=((1, 2),))[job.key]
    assert first.error is None
    assert [file.stem for file in first.files] == SLIDES[::2]
    assert {file.stem for file in job.folder.glob("*.h5")} == set(SLIDES[::2])
    for slide in SLIDES[1::2]:
        (folder / f"{slide}.later").rename(folder / f"{slide}.h5")
    assert [file.stem for file in plan.run([job], how, label="", part=((2, 2),))[job.key].files] == SLIDES[1::2]
    parts = {file.name: file.read_bytes() for file in job.folder.glob("*.h5")}
    for file in job.folder.glob("*.h5"):
        file.unlink()
    assert [file.stem for file in plan.run([job], how, label="")[job.key].files] == SLIDES
    assert {file.name: file.read_bytes() for file in job.folder.glob("*.h5")} == parts


@pytest.mark.parametrize("on_corrupt", ["error", "skip"])
@pytest.mark.parametrize("name", ["none", "file"])
def test_no_folder_is_said_once(tmp_path, job, name, on_corrupt) -> None:
    (tmp_path / "file").write_text("")
    taken = take_in(tmp_path / name, SLIDES, job, on_corrupt=on_corrupt)
    assert str(taken.error).startswith(f"{tmp_path / name}, named as the folder of features, ")
    assert "\n" not in str(taken.error)
    assert content(tmp_path / name, SLIDES) == content(tmp_path / "neither", SLIDES)


def test_ten_files_are_named_and_the_rest_counted(folder, job) -> None:
    for slide in SLIDES[1:]:
        with h5py.File(folder / f"{slide}.h5", "w") as file:
            file.create_group("features")
    said = str(take_in(folder, SLIDES, job, on_corrupt="error").error).splitlines()
    assert len(said) == 11
    assert all(f"{slide}.h5 is a group" in line for slide, line in zip(SLIDES[1:], said[:10], strict=False))
    assert said[10] == "3 more slides have none either."


def test_a_file_that_is_none_can_be_left_out(folder, job) -> None:
    with h5py.File(folder / "case-3.h5", "a") as file:
        del file["coords"]
        file["coords"] = np.full((3, 2), np.nan)
    (folder / "case-5.h5").unlink()
    (folder / "case-5.pt").write_text("hello")
    taken = take_in(folder, SLIDES, job, on_corrupt="skip")
    assert taken.error is None
    assert len(taken.files) == 12
    assert taken.notes == ["2 slides without usable features left out: case-3, case-5"]


@pytest.mark.parametrize("on_corrupt", ["error", "skip"])
def test_a_store_that_cannot_be_written_is_no_fault_of_the_slides(folder, job, on_corrupt) -> None:
    job.folder.parent.mkdir(parents=True)
    job.folder.write_text("")
    with pytest.raises(UserError, match=r"cannot be written .*cache=DIR"):
        take_in(folder, SLIDES, job, on_corrupt=on_corrupt)
