"""HDF5 files of datasets that refer to other files, or declare what no dataset has: a sentence each."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from task_helpers import sentence

from bench.tasks.readers.pcam import STEM

PIXELS = np.zeros((4, 96, 96, 3), np.uint8)


@pytest.fixture
def pcam(tmp_path: Path) -> Path:
    """PatchCamelyon of four tiles a part."""
    folder = tmp_path / "pcam"
    folder.mkdir()
    for split in ("train", "valid", "test"):
        for part, values in (("x", PIXELS), ("y", np.array([0, 1, 0, 1], np.uint8).reshape(4, 1, 1, 1))):
            with h5py.File(folder / (STEM.format(split=split, part=part) + ".h5"), "w") as file:
                file.create_dataset(part, data=values)
    return folder


def rewritten(folder: Path, part: str) -> h5py.File:
    return h5py.File(folder / (STEM.format(split="train", part=part) + ".h5"), "w")


@pytest.mark.parametrize("part", ["x", "y"])
def test_pcam_that_links_to_another_file(read, pcam, part) -> None:
    other = pcam / (STEM.format(split="test", part=part) + ".h5")
    with rewritten(pcam, part) as file:
        file[part] = h5py.ExternalLink(str(other), part)
    assert f"`{part}` in it is a link, which is not followed" in sentence(read, "pcam", pcam)


def test_pcam_without_its_array_is_no_link(read, pcam) -> None:
    with rewritten(pcam, "y") as file:
        file["other"] = PIXELS
    assert "is no HDF5 file with the array y, or is damaged" in sentence(read, "pcam", pcam)


def test_pcam_whose_labels_lie_in_a_raw_file(read, pcam) -> None:
    with rewritten(pcam, "y") as file:
        file.create_dataset("y", (4, 1, 1, 1), np.uint8, external=[("/etc/hostname", 0, 4)])
    assert "the data of `y` lie in other files" in sentence(read, "pcam", pcam)


@pytest.mark.parametrize("shape", [(10**12, 1, 1, 1), (4, 10**6, 10**6, 1), ()])
def test_pcam_labels_of_absurd_shapes(read, pcam, shape) -> None:
    with rewritten(pcam, "y") as file:
        if shape:
            file.create_dataset("y", shape, np.uint8, chunks=(1,) * len(shape) if shape[0] > 4 else (1, 10, 10, 1))
        else:
            file["y"] = np.uint8(1)
    assert "download it again" in sentence(read, "pcam", pcam)


def test_a_table_that_names_a_file_of_links(read, tmp_path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = PIXELS
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "x")
    rows = "".join(f"a.h5,{'ab'[row % 2]},{row}\n" for row in range(4))
    (tmp_path / "manifest.csv").write_text("path,label,index\n" + rows)
    assert "`x` in it is a link, which is not followed" in sentence(
        read, "tiles", tmp_path / "manifest.csv", "tasks.tiles.min_groups=1"
    )
