"""PANDA's training set as published: ``train.csv`` and a TIFF a biopsy in ``train_images``.

The table has the columns ``image_id``, ``data_provider``, ``isup_grade`` (0 to 5) and ``gleason_score``.
https://www.kaggle.com/c/prostate-cancer-grade-assessment/data

Options
-------
check_files : bool
    False where the slides' files need not exist, because precomputed features are used.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bench.tasks.config import TaskConfig
from bench.tasks.locate import locate
from bench.tasks.readers import Table
from registry.errors import UserError

OPTIONS = ("check_files",)
TABLE, IMAGES = "train.csv", "train_images"
COLUMNS = ("image_id", "data_provider", "isup_grade")


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    check = task.options.get("check_files", True)
    needed = (TABLE, IMAGES) if check else (TABLE,)
    base = locate(task, root, lambda folder: [name for name in needed if not (folder / name).exists()])
    try:
        table = pd.read_csv(base / TABLE, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise UserError(f"The table {base / TABLE} cannot be read ({error}): download it again.") from error
    lacking = [c for c in COLUMNS if c not in table]
    if lacking:
        raise UserError(f"{base / TABLE} has no column {lacking[0]}: its columns are {', '.join(table.columns)}.")
    paths = [base / IMAGES / f"{name}.tiff" for name in table["image_id"]]
    missing = [path for path in paths if check and not path.is_file()]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(paths)} slides of {base / TABLE} are not there, the first is {missing[0]}: "
            "download them, or remove their rows."
        )
    frame = pd.DataFrame(
        {
            "id": table["image_id"],
            "path": [str(path) for path in paths],
            "label": table["isup_grade"],
            "centre": table["data_provider"],
        }
    )
    return Table(frame, str(base))
