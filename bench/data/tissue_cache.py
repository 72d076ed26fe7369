"""The tissue of a slide, found once for all sizes and resolutions of tiles."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from bench.files import atomic_write
from bench.integrity import DamagedFileError, with_footer, without_footer
from bench.slides import Slide, Tissue, find_tissue

FINDER = 2  # raise it when `bench.slides` finds other tissue


def load_or_segment_tissue(path: Path, content: str, slide: Slide, *, on_corrupt: str) -> Tissue:
    """What `find_tissue` finds, from the file at `path` if it is complete and of this slide; otherwise written to it.

    Parameters
    ----------
    path : Path
        An NPZ with a footer, whose checksums reveal damage.
    content : str
        What identifies the slide: its id and its files.
    on_corrupt : {"error", "skip"}
        As in `find_tissue`.
    """
    source = f"{FINDER} {on_corrupt} {content}"
    mask = _read(path, source)
    if mask is not None:
        return Tissue(mask, slide.dimensions)
    found = find_tissue(slide, on_corrupt=on_corrupt)
    packed = io.BytesIO()
    np.savez_compressed(packed, mask=found.mask, source=np.array(source))
    with atomic_write(path) as temporary:
        temporary.write_bytes(with_footer(packed.getvalue(), {"source": source}))
    return found


def _read(path: Path, source: str) -> Bool[np.ndarray, "height width"] | None:
    try:
        data, record = without_footer(path.read_bytes())
    except (OSError, DamagedFileError):
        return None
    if record.get("source") != source:
        return None
    with np.load(io.BytesIO(data)) as file:
        return file["mask"]
