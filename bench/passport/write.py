"""The files of a page: Markdown with its pictures beside it, and one HTML file."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from pathlib import Path

from bench.files import atomic_write, unwritable
from bench.passport.as_html import html
from bench.passport.as_markdown import markdown
from bench.passport.blocks import SVG, Gallery, Page, Picture
from bench.rows import file_name

FOLDER = "passports"


def write_page(results: Path, model: str, page: Page) -> tuple[Path, Path]:
    """Write ``passports/MODEL.md``, its pictures in ``passports/MODEL/``, and ``passports/MODEL.html``.

    Gives the two pages.

    Pictures of an earlier page that this one does not have are removed.

    Raises
    ------
    UserError
        If the folder cannot be written.
    """
    folder = results / FOLDER
    pages = folder / f"{file_name(model)}.md", folder / f"{file_name(model)}.html"
    place = folder
    own = {folder / picture.path: picture.data for picture in _pictures(page) if not picture.path.startswith("../")}
    files = own | {pages[0]: markdown(page).encode(), pages[1]: html(page).encode()}
    try:
        for place, data in files.items():
            with atomic_write(place) as temporary:
                temporary.write_bytes(data)
        for place in sorted((folder / file_name(model)).glob("*.png")):
            if place not in own:
                place.unlink()
    except OSError as error:
        raise unwritable(place, error, "results=DIR") from error
    return pages


def plots_of(results: Path, model: str) -> list[Picture]:
    """The severity curves of a model that the tables' plots have, as they lie in the results folder."""
    paths = sorted((results / "plots").glob(f"severity*-{glob.escape(file_name(model))}*.svg"))
    return [Picture(f"../plots/{path.name}", path.read_bytes(), f"Severity curves: {path.stem}", SVG) for path in paths]


def _pictures(page: Page) -> Iterator[Picture]:
    for block in page.blocks:
        if isinstance(block, Picture):
            yield block
        elif isinstance(block, Gallery):
            yield from (one for _, line in block.lines for one in line if one is not None)
