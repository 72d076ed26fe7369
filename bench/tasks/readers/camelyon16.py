"""CAMELYON16 as published: training slides labelled by their names, and a table with the labels of the test slides.

Training slides are named by their class (``normal_001.tif``, ``tumor_001.tif``); test slides (``test_001.tif``) are in
``reference.csv``: by name and Normal or Tumor without a line of headings (GigaScience), or by file and negative, micro
or macro below one (Registry of Open Data on AWS). The folders differ between mirrors, so any are accepted.
https://camelyon17.grand-challenge.org/Data
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd

from bench.tasks.config import TaskConfig
from bench.tasks.locate import locate
from bench.tasks.readers import Table
from registry.errors import UserError

OPTIONS: tuple[str, ...] = ()
SLIDE = re.compile(r"(normal|tumor|test)_\d{3}\.tif")
TABLE = "reference.csv"
MEANS = {"normal": "normal", "negative": "normal", "tumor": "tumor", "micro": "tumor", "macro": "tumor"}


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    if len(task.classes) != 2:
        raise UserError(f"tasks.{task.name}.classes must name two classes, without and with tumour.")
    base = locate(task, root, lambda folder: [] if next(folder.rglob(TABLE), None) else [TABLE])
    names = {"normal": task.classes[0], "tumor": task.classes[1]}
    truth = _truth(next(base.rglob(TABLE)), names)
    found = {path.stem: path for path in sorted(base.rglob("*.tif")) if SLIDE.fullmatch(path.name)}
    missing = sorted(set(truth) - set(found))
    if missing:
        raise UserError(
            f"{len(missing)} of the {len(truth)} test slides that {TABLE} names are not in {base}, the first is "
            f"{missing[0]}.tif: download them, or remove their lines."
        )
    rows = []
    for name, path in found.items():
        kind = name.split("_")[0]
        if kind == "test" and name not in truth:
            continue
        rows.append((name, str(path), truth.get(name) or names[kind], "test" if kind == "test" else "train"))
    frame = pd.DataFrame(rows, columns=["id", "path", "label", "split"])
    unlisted = sum(name.startswith("test_") for name in found) - len(truth)
    notes = [f"{unlisted} test slides that {TABLE} does not name were left out"] if unlisted else []
    return Table(frame, str(base), notes)


def _truth(table: Path, names: dict[str, str]) -> dict[str, str]:
    """Label of each test slide."""
    with open(table, newline="", encoding="utf-8-sig") as file:
        lines = [[cell.strip() for cell in line] for line in csv.reader(file) if line]
    truth = {}
    for line in lines:
        name = line[0].removesuffix(".tif")
        if not name.lower().startswith("test_"):
            continue
        labels = {MEANS[cell.lower()] for cell in line[1:] if cell.lower() in MEANS}
        if len(labels) != 1:
            raise UserError(f"{table} does not say Normal or Tumor of {name}: download it again.")
        truth[name.lower()] = names[labels.pop()]
    if not truth:
        raise UserError(f"{table} names no test slide: download it again.")
    return truth
