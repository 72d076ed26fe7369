"""PathoROB as published: Parquet files with the encoded image, slide, class and centre of each tile in a row.

The columns are ``image`` (a record with ``bytes``), ``subset``, ``slide_id``, ``patch_id``, ``biological_class`` and
``medical_center``. https://huggingface.co/collections/bifold-pathomics/pathorob-6899f50a714f446d0c974f87

Options
-------
dataset : str
    Which of the three: camelyon, tcga or tolkach_esca.
metadata : str
    A CSV file of the authors' repository (``data/metadata``) with the columns ``slide_id`` and ``patch_id``, from the
    data folder; tiles that it does not list are left out, and its ``subset`` goes before that of the images.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from bench.tasks.config import TaskConfig
from bench.tasks.locate import locate
from bench.tasks.readers import Table
from bench.tasks.unpacked import folder_of, image_files, write_images
from registry.errors import UserError, near_match

OPTIONS = ("dataset", "metadata")
DATASETS = ("camelyon", "tcga", "tolkach_esca")
DESCRIBED = ("subset", "slide_id", "patch_id", "biological_class", "medical_center")


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    dataset = task.options.get("dataset")
    if dataset not in DATASETS:
        raise UserError(
            f"tasks.{task.name}.options.dataset is {dataset}: it must be {', '.join(DATASETS)}."
            f"{near_match(str(dataset), DATASETS)}"
        )
    base = locate(task, root, lambda folder: [] if _files(folder) else ["*.parquet"])
    frame = pd.concat([_tiles(file, cache) for file in _files(base)], ignore_index=True)
    notes = []
    metadata = task.options.get("metadata")
    if metadata:
        frame, left_out = _listed(frame, base / metadata)
        notes = [f"{left_out} tiles that {metadata} does not list are left out"] if left_out else []
    frame = frame.drop_duplicates("id").reset_index(drop=True)
    return Table(frame, str(base), notes)


def _files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.parquet"), *folder.glob("data/*.parquet")])


def _tiles(file: Path, cache: Path) -> pd.DataFrame:
    """A row a tile of one file, whose images are unpacked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(file)
        lacking = [name for name in ("image", *DESCRIBED) if name not in opened.schema_arrow.names]
        if lacking:
            raise UserError(
                f"The file {file} has no column {lacking[0]}: it is not of PathoROB, whose columns are image, "
                f"{', '.join(DESCRIBED)}."
            )
        found = opened.read(columns=list(DESCRIBED)).to_pandas().astype(str)
        target = folder_of(file, cache)
        if not target.is_dir():
            write_images(target, file, _images(opened, file))
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"The file {file} cannot be read ({str(error).splitlines()[0]}): download it again.") from error
    return pd.DataFrame(
        {
            "id": found["slide_id"] + "/" + found["patch_id"],
            "path": image_files(target),
            "label": found["biological_class"],
            "group": found["slide_id"],
            "centre": found["medical_center"],
            "subset": found["subset"],
        }
    )


def _images(opened: Any, file: Path) -> Iterator[bytes]:
    for batch in opened.iter_batches(batch_size=256, columns=["image"]):
        for record in batch.column(0).to_pylist():
            image = record.get("bytes") if isinstance(record, dict) else record
            if not image:
                raise UserError(f"The file {file} holds a tile without its image: download it again.")
            yield image


def _listed(frame: pd.DataFrame, metadata: Path) -> tuple[pd.DataFrame, int]:
    """The tiles that a metadata file lists, with the subset that it names, and how many are left out."""
    try:
        listed = pd.read_csv(metadata, dtype=str)
        names = listed["slide_id"] + "/" + listed["patch_id"]
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"The metadata {metadata} cannot be read as a CSV file with the columns slide_id and patch_id: take one of "
            "the authors' repository."
        ) from error
    kept = frame[frame["id"].isin(names)].copy()
    if kept.empty:
        raise UserError(f"None of the tiles is in {metadata}: take the metadata of the same dataset.")
    if "subset" in listed:
        kept["subset"] = kept["id"].map(dict(zip(names, listed["subset"], strict=True)))
    return kept, len(frame) - len(kept)
