"""Where the page of an audit lies beside tables: in the results folder itself, or as a copy of that of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from bench.verdicts.verdict_file import audit_path

Ending = Literal["html", "md"]
ENDINGS: tuple[Ending, ...] = ("html", "md")
Cohort = tuple[str, str]


def page_path(tables: Path, cohort: Cohort, place: int, ending: str) -> Path:
    """The page that the `place`-th of the results folders with an audit of a task and cohort has beside the tables.

    The first one lies where an audit of a results folder lies, each further one in a folder of its own.
    """
    first = audit_path(tables, *cohort, ending)
    return first if place == 0 else first.parent / str(place + 1) / first.name


def page_links(tables: Path, audits: Mapping[Cohort, Sequence[Path]], ending: Ending) -> dict[Cohort, list[str]]:
    """The pages that are there, of each task and cohort, as addresses from the folder of the tables.

    Parameters
    ----------
    tables : Path
        The folder of the tables.
    audits : mapping of (task, cohort hash) -> sequence of Path
        The results folders that have an audit of it.
    """
    return {cohort: list(_links(tables, cohort, len(folders), ending)) for cohort, folders in audits.items()}


def _links(tables: Path, cohort: Cohort, count: int, ending: Ending) -> Iterator[str]:
    for place in range(count):
        path = page_path(tables, cohort, place, ending)
        if path.is_file():
            yield quote(path.relative_to(tables).as_posix())
