"""Images that a reader finds inside other files, unpacked once into the cache."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.files import stamp, unwritable
from registry.errors import UserError

ENDINGS = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"II*\x00": ".tif", b"MM\x00*": ".tif", b"RIFF": ".webp"}


def folder_of(source: Path, cache: Path, *what: str) -> Path:
    """Where the images of a file lie in the cache; another folder where the file or `what` is unpacked changes."""
    key = hashlib.sha256("\0".join([str(source.resolve()), stamp(source), *what]).encode()).hexdigest()[:16]
    return (cache / "unpacked" / key).absolute()


def write_images(target: Path, source: Path, images: Iterable[bytes]) -> None:
    """Write encoded images as 00000000.png and so on; the folder appears when all are written.

    They have the modification time of the source, so that features stay valid if they are unpacked anew.

    Raises
    ------
    UserError
        If an image is of no kind that is read, or the folder cannot be written.
    """
    time = source.stat().st_mtime_ns
    making = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        making.mkdir(parents=True)
        for number, image in enumerate(images):
            ending = next((name for magic, name in ENDINGS.items() if image.startswith(magic)), None)
            if ending is None:
                raise UserError(f"Image {number} of {source} is neither PNG, JPEG, TIFF nor WebP: download it again.")
            file = making / f"{number:08d}{ending}"
            file.write_bytes(image)
            os.utime(file, ns=(time, time))
        if not target.is_dir():
            os.replace(making, target)
    except OSError as error:
        if target.is_dir():  # another process was faster
            return
        raise unwritable(target, error, "cache=DIR") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def image_files(folder: Path, rows: Sequence[int] | None = None) -> list[str]:
    """The images of a folder in the order in which they were written, or those at some rows."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    return [f"{folder}{os.sep}{names[row]}" for row in (range(len(names)) if rows is None else rows)]
