"""Features in the files of CLAM and TRIDENT, and as tensors: float32, a file a slide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from bench.embedding import read_features, read_places
from bench.files import atomic_write
from bench.hdf5 import new_hdf5
from registry.errors import UserError

FORMATS = ("clam", "trident", "pt")


@dataclass(frozen=True)
class SlideFeatures:
    """The features of one slide in the feature store.

    Attributes
    ----------
    name : str
        Of the slide, as the stem of a file.
    path : Path
        The feature file.
    """

    name: str
    path: Path

    def write(self, form: str, folder: Path, encoder: str) -> None:
        """Write the files of this slide.

        Parameters
        ----------
        form : {"clam", "trident", "pt"}
            CLAM's ``h5_files/ID.h5`` and ``pt_files/ID.pt`` (its `Generic_MIL_Dataset` reads either); TRIDENT's
            ``MAGx_SIZEpx_OVERLAPpx_overlap/features_ENCODER/ID.h5`` with ``patches/ID_patches.h5`` beside it (the
            former is what Patho-Bench's `PatchEmbeddingsDataset` reads); a tensor, ``ID.pt``.
        encoder : str
            Name of the model.
        """
        features = np.asarray(read_features(self.path)[0], np.float32)
        if form == "pt":
            _write_tensor(folder / f"{self.name}.pt", features)
            return
        coords, meaning = read_places(self.path)
        if coords is None:
            raise UserError(
                f"The features of the slide {self.name} have no coordinates, as those of CLAM's .pt files: only "
                f"`export pt` can write them, and not `export {form}`."
            )
        if form == "clam":
            _write_hdf5(folder / "h5_files" / f"{self.name}.h5", features, coords, meaning)
            _write_tensor(folder / "pt_files" / f"{self.name}.pt", features)
            return
        place = folder / _tiling(meaning, self.path)
        _write_hdf5(place / f"features_{encoder}" / f"{self.name}.h5", features, coords, meaning)
        _write_hdf5(place / "patches" / f"{self.name}_patches.h5", None, coords, meaning)


def _tiling(meaning: dict[str, Any], path: Path) -> str:
    """The name of TRIDENT's folder of tiles of one kind, such as ``20x_256px_0px_overlap``.

    Raises
    ------
    UserError
        If the attributes of the coordinates do not say it.
    """
    try:
        magnification, size, overlap = (
            float(meaning[name]) for name in ("target_magnification", "patch_size", "overlap")
        )
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"The coordinates in {path} do not say their magnification, tile size and overlap, which TRIDENT's folders "
            "are named by: use `export clam`."
        ) from None
    return f"{magnification:g}x_{size:g}px_{overlap:g}px_overlap"


def _write_hdf5(path: Path, features: np.ndarray | None, coords: np.ndarray, meaning: dict[str, Any]) -> None:
    with new_hdf5(path) as file:
        if features is not None:
            file.create_dataset("features", data=features, track_times=False)
        places: h5py.Dataset = file.create_dataset("coords", data=coords.astype(np.int64), track_times=False)
        for name, value in sorted(meaning.items()):
            places.attrs[name] = value


def _write_tensor(path: Path, features: np.ndarray) -> None:
    import torch

    with atomic_write(path) as temporary, open(temporary, "wb") as file:  # by a name, it would be part of the bytes
        torch.save(torch.from_numpy(features), file)
