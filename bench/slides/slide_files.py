"""The files that a slide consists of: one for most scanners, a folder of them for MIRAX and DICOM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openslide

NAMING = (".vms", ".vmu")  # Hamamatsu's index files, whose lines name the images beside them


def slide_files(path: str) -> list[Path]:
    """All files that are read when a slide is, the slide's own first.

    Raises
    ------
    OSError
        If the slide, or the folder of its files, cannot be looked at.
    """
    own = Path(path)
    others = [other for other in _others(own) if other != own and other.is_file()]
    return [own, *dict.fromkeys(sorted(others))]


def _others(own: Path) -> Iterator[Path]:
    if own.suffix.lower() == ".mrxs":
        yield from own.with_suffix("").rglob("*")
    elif own.suffix.lower() in NAMING:
        for line in own.read_text("utf-8", "replace").splitlines():
            name = line.partition("=")[2].strip()
            if name and "/" not in name and "\\" not in name:
                yield own.parent / name
    elif openslide.OpenSlide.detect_format(str(own)) == "dicom":
        yield from own.parent.iterdir()
