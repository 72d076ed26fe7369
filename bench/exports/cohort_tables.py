"""The tables that CLAM reads beside features: slides with their cases and labels, and a split a fold."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from bench.files import atomic_write
from bench.tasks import Manifest


def write_tables(folder: Path, manifest: Manifest, names: Mapping[str, str]) -> list[Path]:
    """Write ``dataset.csv`` and ``splits/splits_K.csv``, K from 0 on, a file a fold; gives their paths.

    Parameters
    ----------
    names : mapping
        From the ids of the slides that have features to the stems of their files; others are left out, as CLAM's
        data set opens the file of every slide of its table.
    """
    slides = manifest.slides[manifest.slides["id"].isin(names)]
    stems = slides["id"].map(names)
    samples = manifest.frame.set_index("id")
    answers = dict(zip(manifest.frame["id"], manifest.answers, strict=True))
    dataset = pd.DataFrame(
        {
            "case_id": slides["sample"].map(samples["group"]),
            "slide_id": stems,
            "label": slides["sample"].map(answers),
        }
    )
    written = [_write(folder / "dataset.csv", dataset)]
    for place, fold in enumerate(manifest.folds):
        sides = dict(zip(manifest.frame["id"], manifest.split_labels_of(fold), strict=True))
        columns = {
            side: pd.Series(stems[slides["sample"].map(sides) == side].to_list(), dtype=object)
            for side in ("train", "val", "test")
        }
        written.append(_write(folder / "splits" / f"splits_{place}.csv", pd.DataFrame(columns)))
    return written


def _write(path: Path, table: pd.DataFrame) -> Path:
    text = io.StringIO()
    table.to_csv(text, index=False, lineterminator="\n")
    with atomic_write(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    return path
