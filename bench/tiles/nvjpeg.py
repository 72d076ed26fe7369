"""JPEG tiles decoded on an NVIDIA GPU, through nvJPEG of torchvision.

Its pixels differ from those of libjpeg by some grey levels (another inverse transform, plain upsampling of colours), so
features from it are other features and need another key.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import simplejpeg
import torch
from jaxtyping import UInt8
from torch import Tensor

from bench.tiles.batch import Exceptions
from bench.tiles.images import JPEG
from bench.tiles.reading import OpenFiles
from registry.errors import UserError

INSTEAD = "set decode=cpu"


class OnGpu:
    """Tiles of an open source whose JPEG files are decoded on a GPU, run by run; all others as the source reads them.

    A file that nvJPEG refuses is decoded by the processor, whatever files are read with it.

    Parameters
    ----------
    files : OpenFiles
    device : str
        A CUDA device.
    """

    def __init__(self, files: OpenFiles, device: str) -> None:
        self._files, self._device, self.shape = files, device, files.shape

    def read_into(self, out: UInt8[np.ndarray, "tile height width 3"], rows: range) -> Exceptions:
        """As `OpenFiles.read_into`."""
        contents = self._files.contents(rows)
        height, width = out.shape[1:3]
        places = [i for i, data in enumerate(contents) if data is not None and _is_jpeg_of(data, height, width)]
        decoded = self._decoded([data for i in places if (data := contents[i]) is not None])
        done = set()
        for place, tile in zip(places, decoded, strict=True):
            if tile is not None:
                out[place] = tile
                done.add(place)
        unreadable: dict[int, UserError] = {}
        other_size: dict[int, np.ndarray] = {}
        several: frozenset[int] = frozenset()
        for place, row in enumerate(rows):
            if place not in done:
                found = self._files.read_into(out[place : place + 1], range(row, row + 1))
                unreadable |= found.unreadable
                other_size |= found.other_size
                several |= found.several
        return Exceptions(unreadable, other_size, several)

    def _decoded(self, encoded: list[bytes]) -> list[np.ndarray | None]:
        if not encoded:
            return []
        try:
            return list(decode_jpegs(encoded, self._device).permute(0, 2, 3, 1).cpu().numpy())
        except UserError:  # of one of them: which it is shows alone
            return [None] if len(encoded) == 1 else [self._decoded([one])[0] for one in encoded]


def _is_jpeg_of(data: bytes, height: int, width: int) -> bool:
    """Whether these are the bytes of a JPEG in YCbCr or grey of this size."""
    if not data.startswith(JPEG):
        return False
    try:
        found = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return False
    return found[:3] in ((height, width, "YCbCr"), (height, width, "Gray"))


def decode_jpegs(encoded: Sequence[bytes], device: str | torch.device) -> UInt8[Tensor, "tile 3 height width"]:
    """Decode the JPEG files of a batch, all of one size, in one call.

    Parameters
    ----------
    encoded : sequence of bytes
        The files; one or more.
    device : str or torch.device
        A CUDA device.

    Returns
    -------
    uint8 tensor [tile, 3, height, width]
        RGB on the device.

    Raises
    ------
    UserError
        If this installation cannot decode there, or nvJPEG cannot decode one of the files, which leaves nothing of the
        batch: `bench.tiles.TileSource` reads them one by one.
    ValueError
        If the tiles are of several sizes.
    """
    check_available(device)
    from torchvision.io import ImageReadMode, decode_jpeg

    files = [torch.from_numpy(np.frombuffer(data, np.uint8).copy()) for data in encoded]
    try:
        tiles = decode_jpeg(files, ImageReadMode.RGB, device=device)
    except RuntimeError as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"A batch of {len(files)} JPEG tiles cannot be decoded by nvJPEG ({reason}).") from error
    sizes = {tuple(tile.shape[1:]) for tile in tiles}
    if len(sizes) > 1:
        raise ValueError(f"tiles of {len(sizes)} sizes in one batch")
    return torch.stack(tiles)


def check_available(device: str | torch.device) -> None:
    """Refuse what cannot decode JPEG on a GPU.

    Raises
    ------
    UserError
        If the device is no GPU of NVIDIA, there is none, or torchvision was built without nvJPEG.
    """
    if torch.device(device).type != "cuda":
        raise UserError(f"JPEG tiles are decoded by nvJPEG on CUDA devices alone, not on {device}: {INSTEAD}.")
    if not torch.cuda.is_available():
        raise UserError(f"JPEG tiles cannot be decoded on {device}: torch finds no CUDA device here; {INSTEAD}.")
    if not _has_nvjpeg():
        raise UserError(
            f"JPEG tiles cannot be decoded on {device}: this torchvision has no nvJPEG, or does not fit the installed "
            f"torch; install the build of torchvision for it, or {INSTEAD}."
        )


def _has_nvjpeg() -> bool:
    import torchvision.io  # noqa: F401  # declares the operators, where its native library loads

    try:
        return bool(torch.ops.image.decode_jpegs_cuda)
    except AttributeError:
        return False
