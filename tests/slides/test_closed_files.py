"""A slide that is closed, or that cannot be opened, leaves no file open: cohorts have thousands of them."""

import os
import shutil
from pathlib import Path

import pytest

from bench.slides import open_slide
from registry.errors import UserError

OPEN_FILES = Path("/proc/self/fd")
SUFFIXES = (".svs", ".tif", ".tiff", ".ndpi", ".dcm", ".mrxs", ".scn", ".bif", ".vms", ".czi")
pytestmark = pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="this system does not list open files")


def left_open(path: Path) -> list[str]:
    """The names of the files of a slide that are open after it was opened and closed."""
    try:
        with open_slide(path, mpp=0.5):
            pass
    except UserError:
        pass
    linked = (os.readlink(OPEN_FILES / name) for name in os.listdir(OPEN_FILES) if (OPEN_FILES / name).is_symlink())
    return [name for name in linked if name.startswith(str(path))]


def test_real_slides_of_all_formats(shared: Path) -> None:
    slides = sorted(path for path in (shared / "data").rglob("*") if path.suffix.lower() in SUFFIXES)
    assert len(slides) > 10
    assert {str(path): found for path in slides if (found := left_open(path.resolve()))} == {}


@pytest.mark.parametrize("damage", ["none", "truncated", "tiles"])
def test_made_slides(phantom_slides: Path, tmp_path: Path, damage: str) -> None:
    for source in sorted(phantom_slides.parent.rglob("*.tif"))[:4]:
        path = tmp_path / source.name
        shutil.copy(source, path)
        size = path.stat().st_size
        with open(path, "rb+") as file:
            if damage == "truncated":
                file.truncate(size // 2)
            elif damage == "tiles":
                file.seek(size // 4)
                file.write(b"\xff" * (size // 2))
        assert left_open(path) == []
