"""A page as one HTML file that needs nothing beside it: styles and pictures are in it, and no script is."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape

from bench.passport.blocks import Block, Bullets, Gallery, Heading, Page, Paragraph, Picture, Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1b1f; background: #fff; max-width: 64rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.3rem; margin-top: 2.2rem; } h3 { font-size: 1.05rem; margin-top: 1.5rem; }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .2rem .6rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #999; } .number { text-align: right; white-space: nowrap; }
.remark { color: #66666e; font-size: .85rem; } li { margin: .25rem 0; }
img { max-width: 100%; } .tile { width: 192px; image-rendering: pixelated; }
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
    body = "\n".join(line for block in page.blocks for line in _lines(block))
    return _PAGE.format(title=escape(page.title), style=_STYLE, body=body)


def _lines(block: Block) -> Iterator[str]:
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
        numbers = [place >= block.text_columns for place in range(len(block.columns))]
        yield from _table(block.columns, [[escape(cell) for cell in line] for line in block.lines], numbers)
    elif isinstance(block, Picture):
        yield f"<p>{_picture(block)}</p>"
    elif isinstance(block, Gallery):
        lines = [[escape(caption), *(_picture(one, "tile") for one in pictures)] for caption, pictures in block.lines]
        yield from _table(["", *block.columns], lines, [False] * (1 + len(block.columns)))


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]], numbers: Sequence[bool]) -> Iterator[str]:
    classes = [' class="number"' if number else "" for number in numbers]
    yield "<table>"
    for tag, cells in (("th", [escape(column) for column in columns]), *(("td", line) for line in lines)):
        yield "<tr>" + "".join(f"<{tag}{of}>{cell}</{tag}>" for of, cell in zip(classes, cells, strict=True)) + "</tr>"
    yield "</table>"


def _picture(picture: Picture | None, shown_as: str = "") -> str:
    if picture is None:
        return ""
    data = base64.b64encode(picture.data).decode("ascii")
    of = f' class="{shown_as}"' if shown_as else ""
    return f'<img{of} alt="{escape(picture.alt)}" src="data:{picture.kind};base64,{data}"/>'
