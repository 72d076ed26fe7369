"""The tissue of a slide, found once for all sizes and resolutions of tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool

from bench.files import atomic_write
from bench.slides import Slide, Tissue, find_tissue

FINDER = 2  # raise it when `bench.slides` finds other tissue


def load_or_segment_tissue(path: Path, content: str, slide: Slide, *, on_corrupt: str) -> Tissue:
    """What `find_tissue` finds, from the file at `path` if it is complete and of this slide; otherwise written to it.

    Parameters
    ----------
    path : Path
        An NPZ, whose checksums reveal damage.
    content : str
        What identifies the slide.
    on_corrupt : {"error", "skip"}
        As in `find_tissue`.
    """
    source = f"{FINDER} {on_corrupt} {content}"
    mask = _read(path, source)
    if mask is not None:
        return Tissue(mask, slide.dimensions)
    found = find_tissue(slide, on_corrupt=on_corrupt)
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, mask=found.mask, source=np.array(source))
    return found


def _read(path: Path, source: str) -> Bool[np.ndarray, "height width"] | None:
    try:
        with np.load(path) as file:
            undamaged = file.zip.testzip() is None  # NumPy itself reads no further than the shape says
            return file["mask"] if undamaged and file["source"] == source else None
    except Exception:  # a damaged file meets its reader with any error
        return None
