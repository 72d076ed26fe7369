"""A page as Markdown with the tables of GitHub; its pictures are files beside it."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator, Sequence

from bench.passport.blocks import Block, Bullets, Gallery, Heading, Page, Paragraph, Picture, Table

_SPECIAL = re.compile(r"[\\`*\[\]<>|&#~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def markdown(page: Page) -> str:
    """The whole file; text is escaped, so that no name of a model or task is read as a mark or a tag."""
    parts = [f"# {escaped(page.title)}", *("\n".join(_lines(block)) for block in page.blocks)]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text on one line that Markdown shows as it is."""
    return _SPECIAL.sub(lambda found: "\\" + found[0], " ".join(text.split()))


def _lines(block: Block) -> Iterator[str]:
    if isinstance(block, Heading):
        yield f"{'#' * block.depth} {escaped(block.text)}"
    elif isinstance(block, Paragraph):
        yield escaped(block.text)
    elif isinstance(block, Bullets):
        for text, remark in block.items:
            yield f"- {escaped(text)}" + (f" *({escaped(remark)})*" if remark else "")
    elif isinstance(block, Table):
        rules = ["---" if place < block.text_columns else "---:" for place in range(len(block.columns))]
        yield from _table(block.columns, rules, [[escaped(cell) for cell in line] for line in block.lines])
    elif isinstance(block, Picture):
        yield _picture(block)
    elif isinstance(block, Gallery):
        lines = [[escaped(caption), *map(_picture, pictures)] for caption, pictures in block.lines]
        yield from _table(["", *block.columns], ["---"] * (1 + len(block.columns)), lines)


def _table(columns: Sequence[str], rules: Sequence[str], lines: Sequence[Sequence[str]]) -> Iterator[str]:
    for line in ([escaped(column) for column in columns], rules, *lines):
        yield f"| {' | '.join(line)} |"


def _picture(picture: Picture | None) -> str:
    return f"![{escaped(picture.alt)}]({urllib.parse.quote(picture.path)})" if picture else ""
