"""The files of a page: Markdown with its pictures beside it, and one HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.files import atomic_write, unwritable
from bench.passport.as_html import html
from bench.passport.as_markdown import markdown
from bench.passport.blocks import SVG, Gallery, Page, Picture
from bench.passport.evidence import Evidence
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


def plots_of(results: Path, model: str, evidence: Evidence) -> list[Picture]:
    """The severity curves of a head, and what restorers give back to the encoder: those that the tables have drawn."""
    task = file_name(evidence.task)
    curves = [of[0].protocol for of in (evidence.of_head, evidence.of_features) if of]
    names = {f"severity-{task}-{file_name(protocol)}.svg": f"severity curves, {protocol}" for protocol in curves}
    names[f"recovery-{task}-{file_name(model)}.svg"] = "what restorers give back"
    paths = {results / "plots" / name: f"{evidence.task}: {words}" for name, words in names.items()}
    return [
        Picture(f"../plots/{path.name}", path.read_bytes(), alt, SVG) for path, alt in paths.items() if path.is_file()
    ]


def _pictures(page: Page) -> Iterator[Picture]:
    for block in page.blocks:
        if isinstance(block, Picture):
            yield block
        elif isinstance(block, Gallery):
            yield from (one for _, line in block.lines for one in line if one is not None)
