"""Diagnostic slides of TCGA as the GDC portal gives them: a sample sheet, a clinical table, and the slides.

The sample sheet (``gdc_sample_sheet*.tsv``) has the columns ``File ID``, ``File Name``, ``Project ID`` and ``Case ID``.
Slides lie as ``gdc-client`` puts them, ``{File ID}/{File Name}``, or as ``{File Name}`` in one folder. Only diagnostic
slides (``-DX``) are taken: the frozen ones (``-TS``, ``-BS``) are of another kind. https://portal.gdc.cancer.gov

Options
-------
slides : str
    Folder of the slides, from the data folder; the data folder itself by default.
label : {"project", "diagnosis"}
    Whether a slide's class comes from its project, which is usual, or from ``primary_diagnosis`` in ``clinical.tsv``.
names : dict
    The class of each project or diagnosis; slides of others are left out.
check_files : bool
    False where the slides' files need not exist, because precomputed features are used.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from bench.tasks.config import TaskConfig
from bench.tasks.locate import locate
from bench.tasks.readers import Table
from registry.errors import UserError

OPTIONS = ("slides", "label", "names", "check_files")
SHEET, CLINICAL = "gdc_sample_sheet*.tsv", "clinical.tsv"
DIAGNOSTIC = re.compile(r"-DX[0-9A-Z]*\.", re.IGNORECASE)
CASE = ("case_submitter_id", "cases.submitter_id")  # the second since 2024
DIAGNOSIS = ("primary_diagnosis", "diagnoses.primary_diagnosis")


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    names, by_diagnosis = dict(task.options.get("names") or {}), task.options.get("label") == "diagnosis"
    if not names:
        raise UserError(f"tasks.{task.name}.options.names must give the class of each project or diagnosis.")
    wanted = [SHEET, CLINICAL] if by_diagnosis else [SHEET]
    base = locate(task, root, lambda folder: [name for name in wanted if not any(folder.glob(name))])
    sheets = [_table(path, ("File ID", "File Name", "Project ID", "Case ID")) for path in sorted(base.glob(SHEET))]
    sheet = pd.concat(sheets, ignore_index=True).drop_duplicates("File ID")
    sheet["Case ID"] = sheet["Case ID"].str.split(",").str[0].str.strip()
    slides = sheet[sheet["File Name"].str.lower().str.endswith(".svs")]
    diagnostic = slides[slides["File Name"].map(lambda name: bool(DIAGNOSTIC.search(name)))]
    of = _diagnoses(base / CLINICAL, names) if by_diagnosis else None
    label = diagnostic["Project ID"].map(names) if of is None else diagnostic["Case ID"].map(of)
    taken = diagnostic[label.notna()]
    if taken.empty:
        raise UserError(
            f"The sample sheet in {base} names no diagnostic slide (-DX, .svs) of {', '.join(names)}: choose Data Type "
            "Slide Image and Experimental Strategy Diagnostic Slide in the portal."
        )
    folder = base / (task.options.get("slides") or "")
    paths = [_path(folder, *row) for row in zip(taken["File ID"], taken["File Name"], strict=True)]
    missing = [row for row, path in zip(taken["File Name"], paths, strict=True) if path is None]
    if missing and task.options.get("check_files", True):
        raise UserError(
            f"{len(missing)} of {len(taken)} slides of the sample sheet are not in {folder}, the first is "
            f"{missing[0]}: download them, or name their folder with tasks.{task.name}.options.slides=DIR."
        )
    frame = pd.DataFrame(
        {
            "id": [Path(name).stem for name in taken["File Name"]],
            "path": [str(path or folder / name) for path, name in zip(paths, taken["File Name"], strict=True)],
            "label": label[label.notna()],
            "group": taken["Case ID"],
            "centre": taken["Case ID"].str.slice(5, 7),  # tissue source site of the barcode
        }
    )
    notes = []
    for count, why in (
        (len(slides) - len(diagnostic), "no diagnostic slides"),
        (len(diagnostic) - len(taken), "of no class of this task, or of two"),
    ):
        if count:
            notes.append(f"{count} slides of the sample sheet left out: {why}")
    return Table(frame, str(base), notes)


def _diagnoses(path: Path, names: dict[str, str]) -> dict[str, str]:
    """Class of each case whose diagnoses are of one class."""
    table = _table(path, ())
    case, diagnosis = (next((c for c in known if c in table), None) for known in (CASE, DIAGNOSIS))
    if case is None or diagnosis is None:
        raise UserError(
            f"{path} has no columns {CASE[0]} and {DIAGNOSIS[0]}: take the clinical data as TSV from the portal."
        )
    classes: dict[str, set[str | None]] = {}
    for name, diagnosed in zip(table[case], table[diagnosis], strict=True):
        if diagnosed not in ("", "'--"):
            classes.setdefault(name, set()).add(names.get(diagnosed))
    return {name: label for name, (label, *others) in classes.items() if label and not others}


def _table(path: Path, needed: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise UserError(f"The table {path} cannot be read ({error}): download it again.") from error
    for column in needed:
        if column not in table:
            raise UserError(f"The table {path} has no column {column}: its columns are {', '.join(table.columns)}.")
    return table


def _path(folder: Path, file_id: str, name: str) -> Path | None:
    places = (folder / file_id / name, folder / name)
    return next((place for place in places if place.is_file()), None)
