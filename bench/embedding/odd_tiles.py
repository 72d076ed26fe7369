"""What a reader of the rows must know of tiles unlike the others: their sizes, and files of several pictures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

SEEN = "tiles_seen"  # attribute of a feature file of image files: how many tiles are of each size, and `SEVERAL`
SEVERAL = "several pictures"
SHOWN = 3  # sizes


def notes_on_tiles(files: Iterable[Mapping[str, Any]]) -> list[str]:
    """Sentences on the tiles of feature files.

    Parameters
    ----------
    files : iterable of mapping
        Attributes of the files; those that were written before there was `SEEN` say nothing.
    """
    seen: Counter[str] = Counter()
    for attributes in files:
        seen.update(json.loads(attributes.get(SEEN, "{}")))
    several = seen.pop(SEVERAL, 0)
    notes = []
    if len(seen) > 1:
        (usual, most), *others = seen.most_common()
        named = ", ".join(f"{size} ({count})" for size, count in others[:SHOWN])
        more = f" and {len(others) - SHOWN} more sizes" if len(others) > SHOWN else ""
        verb = "is" if seen.total() - most == 1 else "are"
        notes.append(f"{seen.total() - most} of {seen.total()} tiles {verb} not of {usual} as most are: {named}{more}")
    if several:
        verb = "file is an animation or holds" if several == 1 else "files are animations or hold"
        notes.append(f"{several} image {verb} several pictures, of which the first was taken")
    return notes
