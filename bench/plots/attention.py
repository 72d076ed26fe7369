"""The heatmaps of the best attention head's model, as runs drew them beside the previews of the slides."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

from bench.plots.plot import Drawing, Sketch
from bench.plots.source import Source, label_of, place_of, shortened
from bench.results import AggregatedResult
from bench.rows import Row, RowInfo, file_name

ORDER = 10
KINDS = ("attention",)
SLIDES = 3
"""Slides of each task and head, the first ones by name; with all plots wanted the slides of every model."""
WIDEST = 1000
"""Pixels of a plot's longer side."""
COLOURS = 255


def sketches(source: Source) -> Iterator[Sketch]:
    """For each head with attention those of the best model, or of all models, on the first slides."""
    for block in source.blocks:
        seen = [entry for entry in source.ordered(block) if any(_pictures(source, entry))]
        models = [entry for entry in seen if not entry.rows[0].baseline] or seen
        for entry in seen if source.choice == "all" else models[:1]:
            for picture in list(_pictures(source, entry))[:SLIDES]:
                task, head = source.task_name(entry), source.protocol_name(entry)
                model = f"{entry.key.model}+{entry.key.frontend}".strip("+")
                yield Sketch(
                    name="-".join([place_of("attention", task, head, model), file_name(picture.stem)[-60:]]),
                    kind="attention",
                    inputs=[task, head, label_of(entry), hashlib.sha256(picture.read_bytes()).hexdigest()],
                    draw=functools.partial(draw, source, entry, picture),
                    task=entry.key.task,
                    cohort=entry.key.cohort,
                    protocol=entry.key.protocol,
                    head=entry.key.head,
                    model=entry.key.model,
                )


def _pictures(source: Source, entry: AggregatedResult) -> Iterator[Path]:
    """The heatmaps of the first run of an entry that has some."""
    for row in entry.successful:
        found = _of_row(source.data.folders.get(row.key, source.results), row)
        if found:
            yield from found
            return


def _of_row(folder: Path, row: Row) -> list[Path]:
    if not RowInfo(row).attention:
        return []
    run = "/".join(row.key.path(Path(), "attention", "jpg").with_suffix("").parts[-3:])  # cohort, model, head and seed
    return sorted((folder / "previews" / file_name(row.task)).glob(f"*/attention/{run}/*.jpg"))


def draw(source: Source, entry: AggregatedResult, picture: Path) -> Drawing | None:
    """The heatmap as PNG of few colours; None where the picture cannot be read."""
    from PIL import Image

    try:
        with Image.open(picture) as opened:
            words = bytes(opened.info.get("comment", b"")).decode("utf-8", "replace")
            image = opened.convert("RGB")
    except (OSError, ValueError):
        return None
    image.thumbnail((WIDEST, WIDEST))
    found = io.BytesIO()
    image.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(found, format="PNG")
    slide = shortened(picture.stem, 60)
    task, head = source.task_name(entry), source.protocol_name(entry)
    title = f"Attention of head {head} on {label_of(entry)}, slide {slide} of {task}"
    colours = "tiles above the mean are veiled from yellow to dark violet at 8 times the mean"
    beside = "the tiles of the most attention are numbered and shown beside the slide"
    alt = f"{title}: {words + '. ' if words else ''}{colours.capitalize()}, and {beside}."
    return Drawing(title, alt, {"png": found.getvalue()})
