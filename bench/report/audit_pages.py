"""The pages of audits beside the tables: those of other results folders are copied, so that links outlive them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from bench.files import content_of
from bench.report.report_files import ReportFiles
from bench.verdicts import AUDITS, ENDINGS, audit_path, page_path

COPIED = f"{AUDITS}/copied.txt"
"""Names the files that reports have copied, a line each, so that a later report removes these and no others."""
LARGEST_FILE = 2**26  # bytes of a page or a picture
WHAT = "pages of audits: can a task tell models apart?"


def write_audit_pages(report: ReportFiles) -> dict[str, Path]:
    """Copy the pages of audits with their pictures, unless the tables are in the results folder of the audits itself.

    Pages of the tasks in the tables are copied, of several folders with an audit of a task each. Copies of an earlier
    report that this one would not make are removed.

    Raises
    ------
    UserError
        If a page cannot be written or removed.
    """
    folder, data = report.folder, report.data
    shown = {entry.key.block[:2] for entry in data.entries}
    audits = {cohort: sources for cohort, sources in sorted(data.audit_folders.items()) if cohort in shown}
    if not any(_is_same(folder, source) for source in {*data.folders.values()}):
        names = []
        for cohort, sources in audits.items():
            if audit_path(folder, *cohort).exists():
                continue  # an audit was made in the folder of the tables, whose pages stay
            for place, source in enumerate(sources):
                for name, content in _pages(source, cohort):
                    path = page_path(folder, cohort, place, "html").parent / name
                    names.append(path.relative_to(folder).as_posix())
                    report.write(names[-1], content)
        report.remove(folder / name for name in _copied_before(folder) if name not in names)
        if names:
            report.write(COPIED, "".join(f"{name}\n" for name in names))
        else:
            report.remove([folder / COPIED])
    return {WHAT: folder / AUDITS} if audits and (folder / AUDITS).is_dir() else {}


def _is_same(folder: Path, other: Path) -> bool:
    return os.path.realpath(folder) == os.path.realpath(other)


def _pages(source: Path, cohort: tuple[str, str]) -> Iterator[tuple[str, bytes]]:
    """The pages of a results folder and their pictures that can be read, with their names from the task's folder."""
    pages = [audit_path(source, *cohort, ending) for ending in ENDINGS]
    pictures = pages[0].with_suffix("")
    for path in [*pages, *sorted(pictures.glob("*.png"))]:
        try:
            content = content_of(path, LARGEST_FILE, "a page")
        except (OSError, ValueError):
            continue  # the verdict then stands in words, without a link
        yield path.relative_to(pages[0].parent).as_posix(), content


def _copied_before(folder: Path) -> list[str]:
    """The files that an earlier report copied; none of a list that cannot be read or that names files elsewhere."""
    try:
        names = (folder / COPIED).read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return []
    return [name for name in names if PurePosixPath(name).parts[:1] == (AUDITS,) and ".." not in name.split("/")]
