"""A page as one HTML file that needs nothing beside it: styles and pictures are in it, and no script is."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from bench.passport.blocks import Block, Bullets, Gallery, Heading, Page, Paragraph, Picture, Table

_STYLE = """
:root { color-scheme: light dark; --page: light-dark(#ffffff, #0d1117); --text: light-dark(#1f2328, #e6edf3);
  --soft: light-dark(#59636e, #9198a1); --line: light-dark(#d1d9e0, #3d444d); --accent: light-dark(#0550ae, #79c0ff); }
body { font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; color: var(--text); background: var(--page);
  max-width: 64rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; } h2 { font-size: 1.3rem; margin-top: 2.2rem; }
h3 { font-size: 1.05rem; margin-top: 1.5rem; }
.scroll { overflow-x: auto; margin: .8rem 0; } :focus-visible { outline: 3px solid var(--accent); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; overflow-wrap: normal; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid var(--soft); } .number { text-align: right; white-space: nowrap; }
.remark { color: var(--soft); font-size: .85rem; } li { margin: .25rem 0; }
img { max-width: 100%; background: #fff; } .gallery { overflow-wrap: anywhere; }
.gallery tbody th { font-weight: 400; padding-top: .8rem; border: 0; }
.tile { width: min(192px, calc((100vw - 6rem) / var(--columns))); image-rendering: pixelated; }
@media (max-width: 720px) { body { font-size: 16px; margin: 1rem auto; } ul { padding-left: 1.3rem; }
  th, td { padding: .2rem .35rem; } tbody td:first-child { min-width: 6rem; } }
@media print {
  :root { color-scheme: light; } body { font-size: 9.5pt; max-width: none; margin: 0; padding: 0; }
  table { font-size: 8pt; } .scroll { overflow: visible; } tr, li, img { break-inside: avoid; }
  h2, h3, .gallery tbody th { break-after: avoid; } .tile { width: 30mm; }
}
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def html(page: Page) -> str:
    """The whole file, well-formed as XML too; text is escaped, and pictures are data URIs."""
    lines: list[str] = []
    heading = page.title
    for block in page.blocks:
        heading = block.text if isinstance(block, Heading) else heading
        lines += _lines(block, heading)
    return _PAGE.format(title=escape(page.title), style=_STYLE, body="\n".join(lines))


def _lines(block: Block, heading: str) -> Iterator[str]:
    """The elements of a block; a table that scrolls has the name of the heading above it."""
    if isinstance(block, Heading):
        yield f"<h{block.depth}>{escape(block.text)}</h{block.depth}>"
    elif isinstance(block, Paragraph):
        yield f"<p>{escape(block.text)}</p>"
    elif isinstance(block, Bullets):
        items = (
            escape(text) + (f' <span class="remark">({escape(remark)})</span>' if remark else "")
            for text, remark in block.items
        )
        yield from ("<ul>", *(f"<li>{item}</li>" for item in items), "</ul>")
    elif isinstance(block, Table):
        yield from _scrolling(heading, "<table>", _table(block))
    elif isinstance(block, Picture):
        yield f"<p>{_picture(block)}</p>"
    elif isinstance(block, Gallery):
        count = len(block.columns)
        yield from _scrolling(heading, f'<table class="gallery" style="--columns: {count}">', _gallery(block))


def _scrolling(name: str, table: str, lines: Iterator[str]) -> Iterator[str]:
    """A table in a part of the page that scrolls by itself, by the keyboard too, where the window is narrow."""
    yield f'<div class="scroll" role="region" aria-label="{escape(name)}" tabindex="0">{table}'
    yield from lines
    yield "</table></div>"


def _table(block: Table) -> Iterator[str]:
    classes = [' class="number"' if place >= block.text_columns else "" for place in range(len(block.columns))]
    heading = _line("th", map(escape, block.columns), [f'{of} scope="col"' for of in classes])
    lines = [_line("td", map(escape, line), classes) for line in block.lines]
    yield from (f"<thead>{heading}</thead>", "<tbody>", *lines, "</tbody>")


def _gallery(block: Gallery) -> Iterator[str]:
    """Each caption on a line of its own above its pictures; no line of headings where all are empty."""
    count = len(block.columns)
    if any(block.columns):
        heading = _line("th", map(escape, block.columns), [' scope="col"'] * count)
        yield f"<thead>{heading}</thead>"
    yield "<tbody>"
    for caption, pictures in block.lines:
        yield f'<tr><th colspan="{count}" scope="colgroup">{escape(caption)}</th></tr>'
        yield _line("td", (_picture(one, "tile") for one in pictures), [""] * count)
    yield "</tbody>"


def _line(tag: str, cells: Iterable[str], attributes: Sequence[str]) -> str:
    """A line of a table, from the markup of its cells and the attributes of each."""
    own = (f"<{tag}{of}>{cell}</{tag}>" for of, cell in zip(attributes, cells, strict=True))
    return f"<tr>{''.join(own)}</tr>"


def _picture(picture: Picture | None, shown_as: str = "") -> str:
    if picture is None:
        return ""
    data = base64.b64encode(picture.data).decode("ascii")
    of = f' class="{shown_as}"' if shown_as else ""
    return f'<img{of} alt="{escape(picture.alt)}" src="data:{picture.kind};base64,{data}"/>'
