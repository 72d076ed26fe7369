"""A tree of image files: ``{train,val,test}/{class}/*`` or ``{class}/*``.

A folder within a class folder is a group (a patient or slide): ``{class}/{group}/*``. Tasks that need no labels take
images without a class folder too.

Options
-------
splits : dict
    Folder of each part of the split where it is not named train, val or test: ``{train: NCT-CRC-HE-100K,
    test: CRC-VAL-HE-7K}``.
group : str
    Regular expression with one group in brackets that finds the patient in a file's name.
pattern : str
    Regular expression that matches the full path within the dataset, for any other tree. Its named groups are the
    columns: ``label``, and where known ``group``, ``split`` and any others. Files that do not match are left out.
expects : list of str
    Folders that must exist for a folder to be taken for the dataset.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from bench.tasks.config import TaskConfig
from bench.tasks.locate import check_utf8, locate
from bench.tasks.readers import IMAGE_SUFFIXES, Table
from bench.tasks.split import NAMES
from bench.tasks.track import needs_labels
from registry.errors import UserError

OPTIONS = ("splits", "group", "pattern", "expects")
IGNORED = ("__MACOSX", "lost+found")


def read(task: TaskConfig, root: Path | None, cache: Path) -> Table:
    splits = {split: name for split, name in (task.options.get("splits") or {}).items() if name}
    expected = list(splits.values()) or task.options.get("expects") or []
    base = locate(task, root, lambda folder: [name for name in expected if not (folder / name).is_dir()])
    pattern = task.options.get("pattern")
    rows, notes = _matched(task, base, pattern) if pattern else _tree(task, base, splits)
    if not rows:
        raise UserError(
            f"The folder {base} holds no tiles of the task {task.name}, which are images of the kinds "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}; expected is {task.layout or '{class}/* or {train,test}/{class}/*'}."
        )
    frame = pd.DataFrame(rows)
    if task.options.get("group"):
        frame["group"] = _groups(task, frame["id"], task.options["group"])
    frame["path"] = f"{base}{os.sep}" + frame["id"]
    return Table(frame, str(base), notes + _outside(base, frame["id"]))


def _matched(task: TaskConfig, base: Path, pattern: str) -> tuple[list[dict[str, str]], list[str]]:
    expression = _compiled(task, "pattern", pattern)
    if "label" not in expression.groupindex and needs_labels(task):
        raise UserError(f"tasks.{task.name}.options.pattern must hold a named group (?P<label>...).")
    rows, others = [], 0
    for name in _images(base):
        match = expression.fullmatch(name)
        if match:
            rows.append({"id": name, **{k: v or "" for k, v in match.groupdict().items()}})
        else:
            others += 1
    return rows, [f"{others} images that the task's pattern does not match were left out"] if others else []


def _tree(task: TaskConfig, base: Path, splits: dict[str, str]) -> tuple[list[dict[str, str]], list[str]]:
    parts = splits or _split_folders(base)
    rows, stray = [], 0
    for split, part in parts.items() if parts else [("", "")]:
        for name in _images(base / part):
            within = name.split("/")
            if len(within) == 1 and needs_labels(task):
                stray += 1
                continue
            row = {"id": f"{part}/{name}" if part else name, "label": within[0] if len(within) > 1 else ""}
            if split:
                row["split"] = NAMES.get(split.lower(), split)
            if len(within) > 2:
                row["group"] = within[1]
            rows.append(row)
    if any("group" in row for row in rows):
        for row in rows:
            row.setdefault("group", row["id"])
    return rows, [f"{stray} images outside the class folders were left out"] if stray else []


def _split_folders(base: Path) -> dict[str, str]:
    """The folder of each part of the split; nothing where the folders are classes."""
    folders = [e.name for e in _entries(base) if _is_folder(e)]
    parts = {name: name for name in folders if name.lower() in NAMES}
    if "train" not in (NAMES[name.lower()] for name in parts):
        return {}
    for name in folders:
        if name not in parts and next(_images(base / name), None):
            raise UserError(
                f"The folder {base} holds {', '.join(parts)} and also {name} with images: put the latter elsewhere, or "
                "into one of the former."
            )
    return parts


def _images(base: Path, within: str = "", above: tuple[str, ...] = ()) -> Iterator[str]:
    """Paths of the images under `base`, relative, with slashes, sorted; hidden files and folders are passed over.

    Raises
    ------
    UserError
        If a folder is a link to one that it lies in, or a name is not UTF-8.
    """
    here = os.path.realpath(base / within)
    if here in above:
        raise UserError(
            f"The folder {base / within} is a link to {here}, which it lies in, so that its images would have no end: "
            "remove the link."
        )
    for entry in _entries(base / within):
        name = f"{within}{entry.name}"
        if _is_folder(entry):
            yield from _images(base, f"{name}/", (*above, here))
        elif os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES:
            yield name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:  # of links that end nowhere
        raise UserError(f"{entry.path} cannot be read ({error.strerror}): remove or mend the link.") from error


def _outside(base: Path, names: pd.Series) -> list[str]:
    """A note on images that are links, or lie in linked folders, out of the data folder."""
    real = os.path.join(os.path.realpath(base), "")
    folders = names.str.rpartition("/")[0].unique()
    far = {folder for folder in folders if not f"{os.path.realpath(base / folder)}/".startswith(real)}
    out = names[names.str.rpartition("/")[0].isin(far)].tolist()
    for folder in folders:
        if folder not in far:
            links = {e.name for e in _entries(base / folder) if e.is_symlink()}
            prefix = f"{folder}/" if folder else ""
            own = names[names.isin({f"{prefix}{name}" for name in links})] if links else names[:0]
            out += [name for name in own if not os.path.realpath(base / name).startswith(real)]
    if not out:
        return []
    verb = "image is a link" if len(out) == 1 else "images are links"
    return [f"{len(out)} {verb} out of the data folder, the first being {min(out)}"]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            seen = [e for e in found if not e.name.startswith(".") and e.name not in IGNORED]
            check_utf8(e.path for e in seen)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be read ({error.strerror}): see to its permissions.") from error
    return sorted(seen, key=lambda e: e.name)


def _groups(task: TaskConfig, names: pd.Series, pattern: str) -> list[str]:
    expression = _compiled(task, "group", pattern)
    if expression.groups != 1:
        raise UserError(f"tasks.{task.name}.options.group={pattern} must hold one group in brackets, the patient.")
    found = [expression.search(name.rsplit("/", 1)[-1]) for name in names]
    without = [name for name, match in zip(names, found, strict=True) if match is None]
    if without:
        raise UserError(
            f"tasks.{task.name}.options.group finds no patient in {len(without)} file names, the first being "
            f"{without[0]} (folders are not searched): mend the expression {pattern}."
        )
    return [match.group(1) for match in found if match]


def _compiled(task: TaskConfig, option: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise UserError(f"tasks.{task.name}.options.{option}={pattern} is no regular expression: {error}.") from error
