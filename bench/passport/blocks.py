"""What a page is made of, before it is text: headings, paragraphs, lists, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PNG, SVG = "image/png", "image/svg+xml"


@dataclass(frozen=True)
class Heading:
    """A heading of this depth, 1 for that of the page."""

    text: str
    depth: int = 2


@dataclass(frozen=True)
class Paragraph:
    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences; each may have a remark behind it, which is set apart from it."""

    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """Cells as text, all lines as long as the columns; the first `text_columns` of them are words and not numbers."""

    columns: Sequence[str]
    lines: Sequence[Sequence[str]]
    text_columns: int = 1


@dataclass(frozen=True)
class Picture:
    """An image.

    Attributes
    ----------
    path : str
        Its file, from the folder of the Markdown page, with "/" between folders.
    data : bytes
        What is in the file.
    alt : str
        What it shows, for those who cannot see it.
    kind : str
        `PNG` or `SVG`.
    """

    path: str
    data: bytes
    alt: str
    kind: str = PNG


@dataclass(frozen=True)
class Gallery:
    """Pictures in lines under column headings; a line has a caption, and may lack a picture (None)."""

    columns: Sequence[str]
    lines: Sequence[tuple[str, Sequence[Picture | None]]]


Block = Heading | Paragraph | Bullets | Table | Picture | Gallery


@dataclass(frozen=True)
class Page:
    """A title, and the blocks under it."""

    title: str
    blocks: Sequence[Block]
